package producer

import (
	"slices"
	"sort"

	"github.com/weir-stream/weir/internal/record"
)

// table is what is believed about the shards of a stream: a lane for each that is open, in order of hash keys, and no hash key without one. It never changes; a
// stream swaps it.
//
// Before the shards are known there is one lane, without a shard, for all keys. If they cannot be learnt, records go from there one by one and unpacked, which is
// right wherever they land.
type table struct {
	lanes []*lane
}

// find is the lane of a hash key.
func (t *table) find(hash record.HashKey) *lane {
	i := sort.Search(len(t.lanes), func(i int) bool { return t.lanes[i].hash.End.Cmp(hash) >= 0 })
	return t.lanes[i]
}

// of is the lane of a shard, or nil.
func (t *table) of(shard string) *lane {
	i := slices.IndexFunc(t.lanes, func(l *lane) bool { return l.shard == shard })
	if i < 0 {
		return nil
	}
	return t.lanes[i]
}

// meet says whether two ranges share a hash key.
func meet(a, b record.HashRange) bool {
	return a.Start.Cmp(b.End) <= 0 && b.Start.Cmp(a.End) <= 0
}

// everything is all hash keys.
var everything = record.HashRange{End: record.MaxHashKey}

// install puts another table in place and moves what waits into its lanes, each key's records in their order. The caller holds s.mu.
//
// While it works, every old lane is locked, so that Put either added before and is moved, or finds its lane closed and looks again in the new table, which is
// there by then.
func (s *stream) install(shards []shard, now instant) {
	old := s.table.Load()
	next := &table{}
	kept := map[*lane]bool{}
	for _, one := range shards {
		l := old.of(one.id)
		if l == nil || l.hash != one.hash {
			l = s.newLane(one.id, one.hash)
			for _, e := range s.flying {
				if meet(e.lane.hash, l.hash) {
					l.blockers++
				}
			}
		}
		kept[l] = true
		next.lanes = append(next.lanes, l)
	}
	var moved []*lane
	for _, l := range old.lanes {
		if !kept[l] {
			l.mu.Lock()
			moved = append(moved, l)
		}
	}
	for _, l := range moved {
		for _, f := range l.empty() {
			to := next.find(f.hash)
			to.mu.Lock()
			deadline := max(now, f.arrived+s.p.gatherWait) // the time it has waited counts
			if f.arrived <= s.flushed {
				deadline = now
			}
			to.add(f, now, deadline)
			to.mu.Unlock()
		}
		l.closed = true
	}
	s.table.Store(next)
	for _, l := range moved {
		l.mu.Unlock()
	}
}
