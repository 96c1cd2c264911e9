package catalog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/record"
)

var reshardLimits = ReshardLimitsOf(quota.Default())

// sealed is the report that ends the round under way, every closing shard at the same position of its log.
func sealed(s *Stream, end int64) ShardsSealed {
	report := ShardsSealed{Group: s.Group}
	for _, shard := range s.Shards {
		if shard.Closing {
			report.Ends = append(report.Ends, ShardEnd{shard.Number, end})
		}
	}
	return report
}

// settle reports until the stream is ACTIVE.
func (h *history) settle(t testing.TB, name string) *Stream {
	t.Helper()
	for h.stream(name).Status == Updating {
		h.must(t, time.Second, sealed(h.stream(name), 1))
	}
	return h.stream(name)
}

func ranges(shards []Shard) []record.HashRange {
	var out []record.HashRange
	for _, shard := range shards {
		out = append(out, shard.Range)
	}
	return out
}

// After UpdateShardCount a stream has had as many shards, closed ones included, as AWS's has had; the open ones cover every hash key, and none is more
// than four times as wide as another.
func TestShardTotals(t *testing.T) {
	for _, row := range []struct{ from, to, total int }{
		{2, 4, 6}, {4, 5, 15}, {10, 13, 37}, {4, 2, 6}, {5, 3, 7}, {1, 2, 3}, {2, 1, 3}, {2, 3, 7}, {6, 9, 21}, {8, 7, 9},
	} {
		t.Run(fmt.Sprintf("%d to %d", row.from, row.to), func(t *testing.T) {
			h := begin()
			h.must(t, 0, create("s", row.from), StreamReady{1}, UpdateShardCount{Address: Address{account, region, "s"}, Target: row.to, Limits: reshardLimits})
			s := h.settle(t, "s")
			open := s.openInOrder()
			if len(s.Shards) != row.total || len(open) != row.to {
				t.Errorf("%d shards, %d open; want %d and %d", len(s.Shards), len(open), row.total, row.to)
			}
			if !record.Covers(ranges(open)) {
				t.Error("the open shards do not cover every hash key")
			}
			widths := []record.HashKey{}
			for _, shard := range open {
				widths = append(widths, shard.Range.Width())
			}
			least, most := slices.MinFunc(widths, record.HashKey.Cmp), slices.MaxFunc(widths, record.HashKey.Cmp)
			if four := least.Add(least).Add(least).Add(least).Add(record.HashKey{Lo: 8}); least.Hi < 1<<61 && most.Cmp(four) > 0 {
				t.Errorf("widths from %s to %s", least, most)
			}
		})
	}
}

// A split: parents take records until they are sealed, children from then on; numbers, seconds and places follow from each other.
func TestLifeOfASplit(t *testing.T) {
	h := begin()
	a := Address{account, region, "s"}
	h.must(t, 0, create("s", 1), StreamReady{1})
	h.must(t, 0, SplitShard{Address: a, Shard: 0, At: record.FullRange.Middle(), Limits: reshardLimits})
	s := h.stream("s")
	if s.Status != Updating || !s.Shards[0].Closing || s.Shards[0].Status != Open || len(s.Shards) != 3 || s.Shards[1].Status != Opening {
		t.Fatalf("splitting: %+v", s)
	}
	if !s.Shards[1].Created.After(s.Shards[0].Created) {
		t.Errorf("the child is of %v, the parent of %v: their numbers would not grow", s.Shards[1].Created, s.Shards[0].Created)
	}
	if err := h.do(t, 0, UpdateShardCount{Address: a, Target: 2, Limits: reshardLimits}); !fault.Is(err, fault.WrongState) {
		t.Errorf("while UPDATING: %v", err)
	}
	h.must(t, time.Millisecond, ShardsSealed{Group: 1, Ends: []ShardEnd{{7, 7}}}) // of nothing that is closing
	if h.stream("s").Status != Updating {
		t.Error("a report that says nothing of the closing shard ended the reshard")
	}
	h.must(t, time.Millisecond, ShardsSealed{Group: 1, Ends: []ShardEnd{{0, 41}}})
	s = h.stream("s")
	parent, child := s.Shards[0], s.Shards[2]
	if s.Status != Active || parent.Status != Closed || parent.End != 41 || !parent.ClosedAt.Equal(h.at) || child.Status != Open || !child.OpenedAt.Equal(h.at) ||
		*child.Parent != 0 || child.AdjacentParent != nil || s.OpenShards() != 2 || h.state.Usage(account, region).Shards != 2 {
		t.Fatalf("split: %+v", s)
	}
	before := h.state
	h.must(t, 0, ShardsSealed{Group: 1, Ends: []ShardEnd{{0, 41}}}) // reported twice
	if h.state != before {
		t.Error("reporting twice changed something")
	}
	if err := h.do(t, 0, SplitShard{Address: a, Shard: 0, At: record.FullRange.Middle(), Limits: reshardLimits}); !fault.Is(err, fault.Invalid) {
		t.Errorf("split of a closed shard: %v", err)
	}

	// Its records expire, then its log, then the shard is forgotten; the youngest number is never given out again.
	due, some := h.state.NextDeadline()
	if want := parent.ClosedAt.Add(s.Retention()).Add(floorSlack); !some || !due.Equal(want) {
		t.Fatalf("due %v, want %v", due, want)
	}
	h.must(t, due.Sub(h.at), Tick{})
	if s = h.stream("s"); s.Shards[0].Status != Expired {
		t.Fatalf("after the retention: %+v", s.Shards[0])
	}
	h.must(t, 0, ShardsGone{1, []uint32{0, 1, 2}}, ShardsGone{1, []uint32{0}})
	if s = h.stream("s"); len(s.Shards) != 2 || s.Shards[0].Number != 1 || s.Shard(2).Number != 2 || s.Shard(0) != nil {
		t.Fatalf("after it is gone: %+v", s.Shards)
	}
	h.must(t, 0, MergeShards{Address: a, Shard: 1, Adjacent: 2})
	if s = h.settle(t, "s"); s.Shards[2].Number != 3 || *s.Shards[2].Parent != 1 || *s.Shards[2].AdjacentParent != 2 || s.Shards[2].Range != record.FullRange {
		t.Errorf("merged: %+v", s.Shards[2])
	}
}

func TestReshardRefusals(t *testing.T) {
	a := Address{account, region, "s"}
	tight := reshardLimits
	tight.Shards = 4
	for _, row := range []struct {
		name    string
		command Command
		kind    fault.Kind
	}{
		{"split of nothing", SplitShard{Address: a, Shard: 9, Limits: reshardLimits}, fault.NotFound},
		{"split at the start", SplitShard{Address: a, Shard: 0, At: record.HashKey{}, Limits: reshardLimits}, fault.Invalid},
		{"split one behind the start", SplitShard{Address: a, Shard: 0, At: record.HashKey{Lo: 1}, Limits: reshardLimits}, fault.Invalid},
		{"split at the end", SplitShard{Address: a, Shard: 0, At: record.UniformRanges(4)[0].End, Limits: reshardLimits}, fault.Invalid},
		{"split over the quota", SplitShard{Address: a, Shard: 0, At: record.HashKey{Lo: 9}, Limits: tight}, fault.LimitExceeded},
		{"merge of strangers", MergeShards{Address: a, Shard: 0, Adjacent: 2}, fault.Invalid},
		{"merge the other way round", MergeShards{Address: a, Shard: 1, Adjacent: 0}, fault.Invalid},
		{"merge of nothing", MergeShards{Address: a, Shard: 3, Adjacent: 4}, fault.NotFound},
		{"more than double", UpdateShardCount{Address: a, Target: 9, Limits: reshardLimits}, fault.LimitExceeded},
		{"less than half", UpdateShardCount{Address: a, Target: 1, Limits: reshardLimits}, fault.LimitExceeded},
		{"the same", UpdateShardCount{Address: a, Target: 4, Limits: reshardLimits}, fault.Invalid},
		{"over the quota", UpdateShardCount{Address: a, Target: 5, Limits: tight}, fault.LimitExceeded},
		{"no such stream", UpdateShardCount{Address: Address{account, region, "t"}, Target: 5, Limits: reshardLimits}, fault.NotFound},
		{"on demand", UpdateShardCount{Address: Address{account, region, "d"}, Target: 5, Limits: reshardLimits}, fault.Unsupported},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := begin()
			demand := create("d", 0)
			demand.Mode = OnDemand
			h.must(t, 0, create("s", 4), StreamReady{1}, demand, StreamReady{2})
			if err := h.do(t, 0, row.command); !fault.Is(err, row.kind) {
				t.Errorf("%v, want kind %s", err, row.kind)
			}
		})
	}
}

// The eleventh UpdateShardCount within 24 hours is refused; a day after the first, one is free again.
func TestShardCountUpdatesPerDay(t *testing.T) {
	h := begin()
	a := Address{account, region, "s"}
	h.must(t, 0, create("s", 1), StreamReady{1})
	for i := range 10 {
		h.must(t, time.Minute, UpdateShardCount{Address: a, Target: 2 - i%2, Limits: reshardLimits})
		h.settle(t, "s")
	}
	again := UpdateShardCount{Address: a, Target: 2, Limits: reshardLimits}
	if err := h.do(t, time.Minute, again); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("the eleventh: %v", err)
	}
	h.must(t, 24*time.Hour-10*time.Minute, again)
}

// Whatever is split and merged, in whatever order, the open shards cover every hash key once, and so do the children of each round their parents'.
func TestReshardsKeepEveryHashKey(t *testing.T) {
	r := random(t)
	h := begin()
	h.must(t, 0, create("s", 1+r.IntN(5)), StreamReady{1})
	for range 60 {
		_ = h.do(t, time.Hour, randomReshard(r, h, Address{account, region, "s"})) // often refused
		s := h.settle(t, "s")
		if open := s.openInOrder(); !record.Covers(ranges(open)) || s.OpenShards() != len(open) {
			t.Fatalf("open shards %v do not cover every hash key", ranges(open))
		}
		_ = h.do(t, 0, Tick{})
	}
}
