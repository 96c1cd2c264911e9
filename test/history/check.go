package history

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/record"
)

// Check says everything that is wrong with a history, a sentence each; nothing when all that was promised was kept:
//
//   - what was acknowledged is there exactly once, in the shard and under the number that was said, and the shard takes its hash key;
//   - what was refused is not there; what was neither is there at most once, and nothing else is there;
//   - numbers grow in a shard, and those of one key grow in the order in which it was put, from parents to their children (unless Spread);
//   - a live reader who reads parents to their end before children has seen exactly what is there in the end, and in that order;
//   - open shards always cover every hash key once, a shard is seen only after its parents closed, and where a shard ended never changes.
func Check(h History) []string {
	c := &checker{History: h, attempts: make(map[string]*Attempt), places: make(map[string]place), shards: make(map[uint32]catalog.Shard)}
	c.views()
	c.attempted()
	c.final()
	c.acknowledged()
	if !h.Spread {
		c.order()
	}
	for i := range h.Readers {
		c.reader(&h.Readers[i])
	}
	return c.wrong
}

type checker struct {
	History
	attempts map[string]*Attempt      // by ID
	places   map[string]place         // by ID: where the final reading found it
	shards   map[uint32]catalog.Shard // every shard that a view has shown, as the last one showed it
	wrong    []string
}

// place is where a record stands.
type place struct {
	shard    uint32
	sequence record.SequenceNumber
}

func (p place) String() string { return fmt.Sprintf("%s in shard %d", p.sequence, p.shard) }

func (c *checker) complain(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// expired says whether a record may be gone by the end.
func (c *checker) expired(s record.SequenceNumber) bool { return s.ArrivalSecond <= c.Horizon }

// views looks at what the catalog said.
func (c *checker) views() {
	for i, view := range c.Views {
		var open []catalog.Shard
		for _, shard := range view {
			if shard.Status == catalog.Open {
				open = append(open, shard)
			}
			if before, known := c.shards[shard.Number]; known {
				c.sameShard(i, before, shard)
			}
			c.shards[shard.Number] = shard
			c.parents(i, view, shard)
		}
		slices.SortFunc(open, func(a, b catalog.Shard) int { return a.Range.Start.Cmp(b.Range.Start) })
		var ranges []record.HashRange
		for _, shard := range open {
			ranges = append(ranges, shard.Range)
		}
		if !record.Covers(ranges) {
			c.complain("view %d: the open shards do not take every hash key once: %v", i, ranges)
		}
	}
}

// sameShard holds a shard against what an earlier view said of it. A child may be made and given up again while nobody sees it.
func (c *checker) sameShard(view int, before, now catalog.Shard) {
	if before.Status.Listed() && (before.Range != now.Range || !before.Created.Equal(now.Created) || before.Base != now.Base) {
		c.complain("view %d: shard %d was %v of %v and is %v of %v", view, now.Number, before.Range, before.Created, now.Range, now.Created)
	}
	switch {
	case before.Status == catalog.Opening || before.Status == now.Status && now.Status != catalog.Closed:
	case before.Status == catalog.Open && (now.Status == catalog.Closed || now.Status == catalog.Expired):
	case before.Status == catalog.Closed && (now.Status == catalog.Closed || now.Status == catalog.Expired):
		if before.End != now.End || !before.ClosedAt.Equal(now.ClosedAt) {
			c.complain("view %d: shard %d ended at %d (%v) and now ends at %d (%v)", view, now.Number, before.End, before.ClosedAt, now.End, now.ClosedAt)
		}
	default:
		c.complain("view %d: shard %d went from state %d to %d", view, now.Number, before.Status, now.Status)
	}
}

// parents holds a shard that customers see against its parents.
func (c *checker) parents(view int, all View, shard catalog.Shard) {
	if !shard.Status.Listed() {
		return
	}
	for _, parent := range all {
		if !isChild(shard, parent.Number) {
			continue
		}
		if parent.Status == catalog.Open {
			c.complain("view %d: shard %d is there and its parent %d is still open", view, shard.Number, parent.Number)
		}
		if !shard.Created.After(parent.Created) {
			c.complain("view %d: shard %d is of %v and its parent %d of %v", view, shard.Number, shard.Created, parent.Number, parent.Created)
		}
	}
}

func isChild(shard catalog.Shard, parent uint32) bool {
	return shard.Parent != nil && *shard.Parent == parent || shard.AdjacentParent != nil && *shard.AdjacentParent == parent
}

// descends says whether a shard is another or comes from it, as far as views show.
func (c *checker) descends(shard, from uint32) bool {
	if shard == from {
		return true
	}
	s, known := c.shards[shard]
	return !known || s.Parent != nil && *s.Parent >= from && c.descends(*s.Parent, from) ||
		s.AdjacentParent != nil && *s.AdjacentParent >= from && c.descends(*s.AdjacentParent, from) // parents have lower numbers
}

func (c *checker) attempted() {
	for i := range c.Attempts {
		a := &c.Attempts[i]
		if c.attempts[a.ID] != nil {
			c.complain("the history has two attempts %s", a.ID)
		}
		c.attempts[a.ID] = a
	}
}

// final looks at what is there in the end, shard by shard.
func (c *checker) final() {
	for _, number := range slices.Sorted(maps.Keys(c.Final)) {
		shard, known := c.shards[number]
		if !known {
			c.complain("shard %d was read and no view has it", number)
		}
		var last record.SequenceNumber
		for i, seen := range c.Final[number] {
			at := place{number, seen.Sequence}
			if i > 0 && last.Compare(seen.Sequence) >= 0 {
				c.complain("shard %d: %s with %s stands behind %s", number, seen.ID, seen.Sequence, last)
			}
			last = seen.Sequence
			if seen.Sequence.Shard != number || seen.Sequence.ShardCreated != shard.Created.Unix() {
				c.complain("shard %d of %v: %s has the number %s of shard %d", number, shard.Created, seen.ID, seen.Sequence, seen.Sequence.Shard)
			}
			if shard.Status == catalog.Closed && seen.Sequence.Position >= shard.End {
				c.complain("shard %d ends at %d: %s stands at %d", number, shard.End, seen.ID, seen.Sequence.Position)
			}
			a := c.attempts[seen.ID]
			if a == nil {
				c.complain("nobody put %q, which is there with %s", seen.ID, at)
				continue
			}
			if first, twice := c.places[seen.ID]; twice {
				c.complain("%s is there twice, with %s and %s", seen.ID, first, at)
				continue
			}
			c.places[seen.ID] = at
			if a.Outcome == Refused {
				c.complain("%s was refused and is there with %s", seen.ID, at)
			}
			if seen.Key != a.Key {
				c.complain("%s was put with key %q and is there with key %q", seen.ID, a.Key, seen.Key)
			}
			if !c.Spread && !shard.Range.Contains(a.Hash) {
				c.complain("%s has the hash key %s and is in shard %d, which takes %s", seen.ID, a.Hash, number, shard.Range)
			}
		}
	}
}

// acknowledged looks for everything that must be there.
func (c *checker) acknowledged() {
	for i := range c.Attempts {
		a := &c.Attempts[i]
		if a.Outcome != Acknowledged {
			continue
		}
		said := place{a.Shard, a.Sequence}
		if a.Sequence.Shard != a.Shard {
			c.complain("%s was acknowledged in shard %d with the number of shard %d", a.ID, a.Shard, a.Sequence.Shard)
		}
		at, there := c.places[a.ID]
		switch {
		case !there && !c.expired(a.Sequence):
			c.complain("%s is lost: it was acknowledged with %s", a.ID, said)
		case there && at != said:
			c.complain("%s was acknowledged with %s and is there with %s", a.ID, said, at)
		}
	}
}

// order looks at the records of each key. Where an attempt of unknown outcome came through, it stands in its turn too: it was placed, or not,
// before the writer heard.
func (c *checker) order() {
	last := make(map[string]*Attempt) // by key: the last that is there
	for i := range c.Attempts {
		a := &c.Attempts[i]
		at, there := c.places[a.ID]
		if !there {
			if a.Outcome != Acknowledged {
				continue
			}
			at = place{a.Shard, a.Sequence} // it has expired; its number still has its place among the others
		}
		if before := last[a.Key]; before != nil {
			was, found := c.places[before.ID]
			if !found {
				was = place{before.Shard, before.Sequence}
			}
			switch {
			case was.sequence.Compare(at.sequence) >= 0:
				c.complain("key %s: %s was put after %s and stands before it: %s, %s", a.Key, a.ID, before.ID, at, was)
			case !c.descends(at.shard, was.shard):
				c.complain("key %s: %s was put after %s and is in no descendant of its shard: %s, %s", a.Key, a.ID, before.ID, at, was)
			}
		}
		last[a.Key] = a
	}
}

// reader holds what a live reader saw against what is there in the end.
func (c *checker) reader(r *Reader) {
	began, ended := make(map[uint32]bool), make(map[uint32]bool)
	begins := make(map[uint32]bool) // ever
	for _, step := range r.Steps {
		if step.Kind == Began {
			begins[step.Shard] = true
		}
	}
	saw := make(map[uint32][]Sighting)
	for _, step := range r.Steps {
		shard, known := c.shards[step.Shard] // one that came and expired between two views is in none
		switch step.Kind {
		case Began:
			if began[step.Shard] {
				c.complain("%s began shard %d twice", r.Name, step.Shard)
			}
			began[step.Shard] = true
			for parent := range begins {
				if isChild(shard, parent) && !ended[parent] {
					c.complain("%s was led to shard %d before its parent %d ended", r.Name, step.Shard, parent)
				}
			}
		case Saw:
			if !began[step.Shard] || ended[step.Shard] {
				c.complain("%s saw %s of shard %d, which it had not begun or which had ended", r.Name, step.Sighting.ID, step.Shard)
			}
			saw[step.Shard] = append(saw[step.Shard], step.Sighting)
		case Ended:
			ended[step.Shard] = true
			if known && shard.Status == catalog.Open {
				c.complain("%s was told that shard %d ended, and it is open", r.Name, step.Shard)
			}
			c.children(r, step)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(c.shards)) {
		c.sameSightings(r, number, saw[number])
	}
}

// children holds the shards that the last answer of a shard named against those that there are.
func (c *checker) children(r *Reader, step Step) {
	if step.Children == nil {
		return
	}
	var children []uint32
	for _, number := range slices.Sorted(maps.Keys(c.shards)) {
		if isChild(c.shards[number], step.Shard) {
			children = append(children, number)
		}
	}
	told := slices.DeleteFunc(slices.Sorted(slices.Values(step.Children)), func(number uint32) bool { _, known := c.shards[number]; return !known })
	if !slices.Equal(told, children) {
		c.complain("%s was told that shards %v follow shard %d; %v do", r.Name, told, step.Shard, children)
	}
}

// sameSightings compares what a reader saw of a shard with what is there, but for what may have expired.
func (c *checker) sameSightings(r *Reader, shard uint32, saw []Sighting) {
	kept := func(all []Sighting) []Sighting {
		return slices.DeleteFunc(slices.Clone(all), func(s Sighting) bool { return c.expired(s.Sequence) })
	}
	got, want := kept(saw), kept(c.Final[shard])
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			c.complain("%s did not see %s with %s, nor what follows it", r.Name, want[i].ID, place{shard, want[i].Sequence})
		case i >= len(want):
			c.complain("%s saw %s with %s, which is not there", r.Name, got[i].ID, place{shard, got[i].Sequence})
		case got[i] != want[i]:
			c.complain("%s saw %s with %s where %s with %s is", r.Name, got[i].ID, place{shard, got[i].Sequence}, want[i].ID, want[i].Sequence)
		default:
			continue
		}
		return // what follows follows from it
	}
}
