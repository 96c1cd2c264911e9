package history

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/record"
)

var begin = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

// number is the sequence number of the record at a position of a shard; shard n was made in the n-th second.
func number(shard uint32, position int64) record.SequenceNumber {
	return record.SequenceNumber{ShardCreated: begin.Unix() + int64(shard), Shard: shard, Position: position, ArrivalSecond: begin.Unix() + 10*int64(shard)}
}

// good is a history in which nothing is wrong: shard 0 is split into 1 and 2, which are merged into 3. Key l is in the lower half and u in the upper. The record
// lu was put with an unknown outcome and is there; l9 was not, and u9 was refused.
func good() History {
	halves := record.UniformRanges(2)
	zero, one, two := uint32(0), uint32(1), uint32(2)
	shard := func(n uint32, keys record.HashRange, parent, adjacent *uint32, status catalog.ShardStatus, end int64) catalog.Shard {
		s := catalog.Shard{Number: n, Range: keys, Parent: parent, AdjacentParent: adjacent, Created: begin.Add(time.Duration(n) * time.Second), Status: status}
		if status == catalog.Closed {
			s.End, s.ClosedAt = end, s.Created.Add(time.Second)
		}
		return s
	}
	attempt := func(id string, shard uint32, position int64) Attempt {
		a := Attempt{ID: id, Key: id[:1], Outcome: Acknowledged, Shard: shard, Sequence: number(shard, position)}
		if a.Key == "u" {
			a.Hash = record.MaxHashKey
		}
		return a
	}
	unanswered := func(id string, outcome Outcome) Attempt {
		a := attempt(id, 0, 0)
		a.Outcome, a.Sequence = outcome, record.SequenceNumber{}
		return a
	}
	seen := func(id string, shard uint32, position int64) Sighting {
		return Sighting{ID: id, Key: id[:1], Sequence: number(shard, position)}
	}
	h := History{
		Attempts: []Attempt{
			attempt("l0", 0, 0), attempt("u0", 0, 1), attempt("l1", 0, 2),
			attempt("l2", 1, 0), unanswered("lu", Unknown), attempt("l3", 1, 2), attempt("u1", 2, 0),
			attempt("l4", 3, 0), attempt("u2", 3, 1), unanswered("l9", Unknown), unanswered("u9", Refused),
		},
		Views: []View{
			{shard(0, record.FullRange, nil, nil, catalog.Open, 0)},
			{shard(0, record.FullRange, nil, nil, catalog.Open, 0), shard(1, halves[0], &zero, nil, catalog.Opening, 0), shard(2, halves[1], &zero, nil, catalog.Opening, 0)},
			{shard(0, record.FullRange, nil, nil, catalog.Closed, 3), shard(1, halves[0], &zero, nil, catalog.Open, 0), shard(2, halves[1], &zero, nil, catalog.Open, 0)},
			{
				shard(0, record.FullRange, nil, nil, catalog.Closed, 3), shard(1, halves[0], &zero, nil, catalog.Closed, 3), shard(2, halves[1], &zero, nil, catalog.Closed, 1),
				shard(3, record.FullRange, &one, &two, catalog.Open, 0),
			},
		},
		Final: map[uint32][]Sighting{
			0: {seen("l0", 0, 0), seen("u0", 0, 1), seen("l1", 0, 2)},
			1: {seen("l2", 1, 0), seen("lu", 1, 1), seen("l3", 1, 2)},
			2: {seen("u1", 2, 0)},
			3: {seen("l4", 3, 0), seen("u2", 3, 1)},
		},
	}
	r := Reader{Name: "reader"}
	for n, children := range [][]uint32{{1, 2}, {3}, {3}, nil} {
		r.Steps = append(r.Steps, Step{Kind: Began, Shard: uint32(n)})
		for _, s := range h.Final[uint32(n)] {
			r.Steps = append(r.Steps, Step{Kind: Saw, Shard: uint32(n), Sighting: s})
		}
		if children != nil {
			r.Steps = append(r.Steps, Step{Kind: Ended, Shard: uint32(n), Children: children})
		}
	}
	h.Readers = []Reader{r}
	return h
}

// again changes what was said and what was read of a record, everywhere, as if it had always stood at another place.
func (h *History) again(id string, shard uint32, position int64) {
	var was Sighting
	for n, all := range h.Final {
		if i := slices.IndexFunc(all, func(s Sighting) bool { return s.ID == id }); i >= 0 {
			was = all[i]
			h.Final[n] = slices.Delete(all, i, i+1)
		}
	}
	was.Sequence = number(shard, position)
	h.Final[shard] = append(h.Final[shard], was)
	slices.SortFunc(h.Final[shard], func(a, b Sighting) int { return a.Sequence.Compare(b.Sequence) })
	for i := range h.Attempts {
		if a := &h.Attempts[i]; a.ID == id {
			a.Shard, a.Sequence = shard, number(shard, position)
		}
	}
	h.Readers = nil // what readers saw is another row's business
}

// Every row breaks one promise, and Check says so, in these words.
func TestCheck(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(h *History)
		says  string
	}{
		{"nothing", func(*History) {}, ""},
		{"what expired is missed by nobody", func(h *History) {
			h.Horizon, h.Final[0], h.Readers[0].Steps = begin.Unix(), nil, slices.DeleteFunc(h.Readers[0].Steps, func(s Step) bool { return s.Kind == Saw && s.Shard == 0 })
		}, ""},
		{"what is spread has no order and no place", func(h *History) {
			h.Spread = true
			h.again("l0", 0, 5)
			h.again("u1", 1, 3)
			h.Views[2][0].End, h.Views[3][0].End, h.Views[3][1].End = 9, 9, 9
		}, ""},
		{"lost", func(h *History) { h.Final[3], h.Readers = h.Final[3][:1], nil }, "u2 is lost"},
		{"lost in the middle", func(h *History) { h.Final[0], h.Readers = slices.Delete(h.Final[0], 1, 2), nil }, "u0 is lost"},
		{"doubled in a shard", func(h *History) {
			h.Final[3], h.Readers = append(h.Final[3], Sighting{"u2", "u", number(3, 2)}), nil
		}, "u2 is there twice"},
		{"in two shards", func(h *History) {
			h.Final[1], h.Readers = append(h.Final[1], Sighting{"l4", "l", number(1, 3)}), nil
		}, "l4 is there twice"},
		{"an unacknowledged one doubled", func(h *History) {
			h.Final[3], h.Readers = append(h.Final[3], Sighting{"lu", "l", number(3, 2)}), nil
		}, "lu is there twice"},
		{"refused and there", func(h *History) {
			h.Final[3], h.Readers = append(h.Final[3], Sighting{"u9", "u", number(3, 2)}), nil
		}, "u9 was refused and is there"},
		{"nobody wrote it", func(h *History) {
			h.Final[3], h.Readers = append(h.Final[3], Sighting{"x7", "x", number(3, 2)}), nil
		}, `nobody put "x7"`},
		{"under another key", func(h *History) { h.Final[3][1].Key, h.Readers = "w", nil }, `with key "w"`},
		{"under another number", func(h *History) { h.Attempts[0].Sequence.ArrivalSecond++ }, "l0 was acknowledged with"},
		{"in another shard than was said", func(h *History) { h.Attempts[0].Shard = 2 }, "l0 was acknowledged in shard 2 with the number of shard 0"},
		{"in a shard that does not take its key", func(h *History) { h.again("u1", 1, 3) }, "u1 has the hash key"},
		{"reordered in a shard", func(h *History) { h.again("l0", 0, 5); h.Views[2][0].End, h.Views[3][0].End = 9, 9 }, "l1 was put after l0 and stands before it"},
		{"an unacknowledged one reordered", func(h *History) {
			h.Attempts[4].Sequence = number(1, 1)
			h.again("lu", 0, 3)
			h.Views[2][0].End, h.Views[3][0].End = 9, 9
		}, "lu was put after l2 and stands before it"},
		{"reordered across parent and child", func(h *History) { h.again("l2", 3, 2) }, "lu was put after l2 and stands before it"},
		{"in a shard that is no descendant", func(h *History) {
			for i := range 3 {
				h.Attempts[i].Hash = record.HashKey{}
				h.Attempts[i].Key = "l"
			}
			h.Final[0][1].Key, h.Attempts[6].Key, h.Final[2][0].Key, h.Readers = "l", "l", "l", nil
		}, "is in no descendant of its shard"},
		{"numbers out of order", func(h *History) { slices.Reverse(h.Final[0]); h.Readers = nil }, "stands behind"},
		{"a number twice", func(h *History) { h.Final[0][1].Sequence, h.Readers = h.Final[0][0].Sequence, nil }, "stands behind"},
		{"behind a shard's end", func(h *History) { h.Views[2][0].End, h.Views[3][0].End = 2, 2 }, "shard 0 ends at 2: l1 stands at 2"},
		{"a shard that no view has", func(h *History) { h.Final[7] = nil }, "shard 7 was read and no view has it"},
		{"an end that changed", func(h *History) { h.Views[3][0].End++ }, "shard 0 ended at 3"},
		{"a closed shard that opened again", func(h *History) { h.Views = append(h.Views, h.Views[0]) }, "shard 0 went from state 1 to 0"},
		{"a hole in the key space", func(h *History) { h.Views[2] = h.Views[2][:2] }, "view 2: the open shards do not take every hash key once"},
		{"hash keys taken twice", func(h *History) { h.Views[3][2].Status = catalog.Open }, "view 3: the open shards do not take every hash key once"},
		{"a child beside its open parent", func(h *History) { h.Views[1][1].Status = catalog.Open }, "shard 1 is there and its parent 0 is still open"},
		{"a child of its parent's second", func(h *History) { h.Views[3][3].Created = begin.Add(2 * time.Second) }, "shard 3 is of"},
		{"a child served before its parent's end", func(h *History) {
			steps := h.Readers[0].Steps
			i := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == Ended })
			j := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == Began && s.Shard == 1 })
			steps[i], steps[j] = steps[j], steps[i]
		}, "was led to shard 1 before its parent 0 ended"},
		{"an end with records behind it", func(h *History) {
			steps := h.Readers[0].Steps
			i := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == Ended })
			steps[i], steps[i-1] = steps[i-1], steps[i]
		}, "saw l1 of shard 0, which it had not begun or which had ended"},
		{"an end of an open shard", func(h *History) {
			h.Readers[0].Steps = append(h.Readers[0].Steps, Step{Kind: Ended, Shard: 3})
		}, "was told that shard 3 ended"},
		{"a child that was not named", func(h *History) {
			i := slices.IndexFunc(h.Readers[0].Steps, func(s Step) bool { return s.Kind == Ended })
			h.Readers[0].Steps[i].Children = []uint32{2}
		}, "was told that shards [2] follow shard 0; [1 2] do"},
		{"a reader that missed one", func(h *History) { h.Readers[0].Steps = slices.Delete(h.Readers[0].Steps, 2, 3) }, "reader saw l1"},
		{"a reader that missed the last", func(h *History) { h.Readers[0].Steps = h.Readers[0].Steps[:len(h.Readers[0].Steps)-1] }, "reader did not see u2"},
		{"a reader that saw more", func(h *History) {
			h.Readers[0].Steps = append(h.Readers[0].Steps, Step{Kind: Saw, Shard: 3, Sighting: Sighting{"l9", "l", number(3, 2)}})
		}, "reader saw l9"},
		{"a reader that saw one twice", func(h *History) {
			h.Readers[0].Steps = slices.Insert(h.Readers[0].Steps, 2, h.Readers[0].Steps[1])
		}, "reader saw l0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := good()
			row.spoil(&h)
			wrong := Check(h)
			if row.says == "" && len(wrong) > 0 || row.says != "" && !strings.Contains(strings.Join(wrong, "\n"), row.says) {
				t.Errorf("%q: not %q", wrong, row.says)
			}
		})
	}
}
