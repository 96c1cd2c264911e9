package tail

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// split and merge change the fake as a reshard does. The caller holds mu.
func (s *stream) split(parent string, children ...string) {
	closed := s.shards[parent]
	closed.closed = true
	for _, id := range children {
		closed.children = append(closed.children, child(id, parent))
		s.shards[id] = &shard{parents: []string{parent}}
		s.listed = append(s.listed, id)
	}
}

func (s *stream) merge(first, second, into string) {
	s.shards[into] = &shard{parents: []string{first, second}}
	s.listed = append(s.listed, into)
	for _, parent := range []string{first, second} {
		s.shards[parent].closed = true
		s.shards[parent].children = []types.ChildShard{child(into, first, second)}
	}
}

func (s *stream) put(id, text string) { s.shards[id].records = append(s.shards[id].records, text) }

// Shows what a reader sees of a stream that is resharded again and again while it reads: from the latest record on, everything that
// came since, children from their first record; from a time on, everything since; and each key's records in their order.
func TestReshardWhileReading(t *testing.T) {
	for _, row := range []struct {
		opts       Options
		want       string
		first, all string // iterator types of the shards that were there, and of those that came
	}{
		{Options{From: types.ShardIteratorTypeLatest}, "cdefgh", "LATEST", "TRIM_HORIZON"},
		{Options{}, "abcdefgh", "TRIM_HORIZON", "TRIM_HORIZON"},
		{Options{From: types.ShardIteratorTypeAtTimestamp, At: time.Unix(1, 0)}, "bcdefgh", "AT_TIMESTAMP", "AT_TIMESTAMP"},
		{Options{From: types.ShardIteratorTypeAtTimestamp, At: time.Unix(2, 0)}, "cdefgh", "AT_TIMESTAMP", "AT_TIMESTAMP"},
	} {
		s := &stream{listed: []string{"0", "1"}, shards: map[string]*shard{"0": {records: []string{"a"}}, "1": {records: []string{"b"}}}}
		steps := []func(){
			func() { s.put("0", "c"); s.split("0", "2", "3"); s.put("2", "d"); s.put("3", "e") },
			func() { s.put("1", "f"); s.merge("3", "1", "4"); s.put("4", "g") },
			func() { s.split("4", "5", "6"); s.split("2", "7"); s.put("5", "h") },
		}
		// A step happens when every shard that is open was read to its newest record, and so found empty.
		idle := map[string]bool{}
		row.opts.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		var got []string
		err := New(s, "x", row.opts).Run(t.Context(), func(b Batch) error {
			for _, r := range b.Records {
				got = append(got, string(r.Data))
			}
			if len(b.Records) > 0 || b.Closed {
				return nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			idle[b.Shard] = true
			for id, one := range s.shards {
				if !one.closed && !idle[id] {
					return nil
				}
			}
			if len(steps) == 0 {
				return ErrStop
			}
			steps[0]()
			steps = steps[1:]
			clear(idle)
			return nil
		})
		if sorted := slices.Sorted(slices.Values(got)); err != nil || strings.Join(sorted, "") != row.want {
			t.Errorf("from %s: read %v, %v; want %s", row.opts.From, got, err, row.want)
		}
		before := func(x, y string) bool { return slices.Index(got, x) <= slices.Index(got, y) }
		if !before("c", "d") || !before("c", "e") || !before("e", "g") || !before("f", "g") || !before("g", "h") {
			t.Errorf("from %s: a child before its parent: %v", row.opts.From, got)
		}
		for id, kind := range s.starts {
			if want := map[bool]string{true: row.first, false: row.all}[id < "2"]; kind != want {
				t.Errorf("from %s: shard %s was begun at %s, want %s", row.opts.From, id, kind, want)
			}
		}
		if len(s.starts) != 8 {
			t.Errorf("from %s: read %v of 8 shards", row.opts.From, slices.Sorted(maps.Keys(s.starts)))
		}
	}
}

// Shows that the child of a merge waits for both its parents, also when one of them is not known yet because a grandparent is slow.
func TestMergeOfSlowAndFast(t *testing.T) {
	s := &stream{listed: []string{"0", "1"}, shards: map[string]*shard{"0": {records: []string{"a"}}, "1": {records: []string{"b"}}}}
	s.fail = func(call int) error { // within GetRecords, which holds mu
		if call == 1 {
			s.split("0", "2", "3")
			s.split("1", "4", "5")
			s.merge("3", "4", "6")
			s.put("4", "c")
			s.put("6", "d")
			s.put("5", "e")
		}
		return nil
	}
	lists := 0
	s.failList = func() error { lists++; return nil }
	s.failShard = func(id string) error { // shard 1 is slow until 3 was read, and the reader has either asked for its shards or begun 6
		if id != "1" || lists > 1 {
			return nil
		}
		if s.starts["6"] != "" {
			t.Error("6 is read before 1 and 4")
			return nil
		}
		return &types.ProvisionedThroughputExceededException{}
	}
	got := collect(t, s, Options{UntilEnd: true, Patience: 1 << 62})
	at := func(x string) int { return slices.Index(got, x) }
	if len(got) != 5 || at("d") < at("a") || at("d") < at("c") || at("c") < at("b") || at("e") < at("b") {
		t.Errorf("read %v", got)
	}
}

// Shows that with UntilEnd a reshard on the way is followed to the newest record of the children.
func TestReshardUntilEnd(t *testing.T) {
	s := &stream{listed: []string{"0"}, shards: map[string]*shard{"0": {records: []string{"a", "b", "c"}}}}
	s.fail = func(call int) error { // within GetRecords, which holds mu
		if call == 2 {
			s.split("0", "1", "2")
			s.put("1", "d")
			s.put("2", "e")
		}
		return nil
	}
	if got := strings.Join(collect(t, s, Options{UntilEnd: true}), ""); got != "abcde" && got != "abced" {
		t.Errorf("read %s", got)
	}
}

// Shows that a stream that is resharded between two pages of its list is read from the latest record on as any other: what was open
// is begun there, and what comes from it at its beginning, also when that has ended too.
func TestReshardBetweenPages(t *testing.T) {
	s := &stream{listed: []string{"0", "1"}, shards: map[string]*shard{"0": {closed: true}, "1": {records: []string{"a"}}}}
	s.split("0", "2")
	s.paged = func(page int) { // within ListShards, which holds mu
		if page == 0 {
			s.put("1", "b")
			s.split("1", "3", "4")
			s.put("3", "c")
			s.split("3", "5")
			s.put("5", "d")
		}
	}
	collect(t, s, Options{UntilEnd: true, From: types.ShardIteratorTypeLatest})
	want := map[string]string{"1": "LATEST", "2": "LATEST", "3": "TRIM_HORIZON", "4": "TRIM_HORIZON", "5": "TRIM_HORIZON"}
	if !maps.Equal(s.starts, want) {
		t.Errorf("begun at %v, want %v", s.starts, want)
	}
}

// Shows that a list whose answer is lost is asked for again, at the beginning as later.
func TestListGoesOn(t *testing.T) {
	s := resharded("0", "1", "2", "3")
	calls := 0
	s.failList = func() error {
		if calls++; calls%2 == 1 {
			return errors.New("reset by peer")
		}
		return nil
	}
	if got := collect(t, s, Options{UntilEnd: true}); len(got) != 9 || calls != 4 {
		t.Errorf("read %v with %d lists", got, calls)
	}
}

// Shows that a shard whose last record expires before it was read, or while it is being read, is no end of the reading: the shards that
// are left are read, none of them twice.
func TestShardExpires(t *testing.T) {
	for _, at := range []int{1, 2} { // the answer to GetRecords after which shard 0 is gone
		s := resharded("0")
		s.fail = func(call int) error { // within GetRecords, which holds mu
			if call == at {
				delete(s.shards, "0")
				s.listed = []string{"1", "2", "3"}
			}
			return nil
		}
		got := collect(t, s, Options{UntilEnd: true})
		want := map[int]string{1: "defghi", 2: "abdefghi"}[at]
		if sorted := slices.Sorted(slices.Values(got)); strings.Join(sorted, "") != want {
			t.Errorf("gone at call %d: read %v, want %s", at, got, want)
		}
	}
}
