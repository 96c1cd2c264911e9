package consumer

import (
	"cmp"
	"slices"
	"time"
)

// The leader's plan. Every lease that nobody processes goes to the worker with the fewest; then leases move from workers with more to workers with fewer, until no two
// differ by more than one. It is what the KCL calls LEASE_COUNT_BASED; throughput decides between workers with as many leases, and which of a worker's leases moves.
// Leases of finished shards count for nothing, but have an owner, too, who deletes them in time.

// move is one change that a leader makes.
type move struct {
	lease    *lease
	to       string
	graceful bool // the owner is asked to finish first
}

// rules are what a plan keeps to.
type rules struct {
	failover  time.Duration // a counter that stands still for longer than this has no living owner
	maxLeases int           // of a worker
	graceful  bool
}

// load is what a worker has, or is about to have.
type load struct {
	worker     string
	leases     []*observed
	throughput float64
}

func (l *load) take(o *observed) {
	l.leases = append(l.leases, o)
	l.throughput += o.kibPerSecond()
}

func (l *load) give(o *observed) {
	l.leases = slices.DeleteFunc(l.leases, func(other *observed) bool { return other == o })
	l.throughput -= o.kibPerSecond()
}

func (o *observed) kibPerSecond() float64 {
	if o.throughput == nil {
		return 0
	}
	return *o.throughput
}

// free says whether nobody processes the lease's shard, or will.
func (o *observed) free(now time.Time, failover time.Duration) bool {
	return o.actualOwner() == "" || now.Sub(o.since) > failover
}

// plan is pure: the same leases and workers give the same moves.
func plan(now time.Time, leases []*observed, workers []string, r rules) []move {
	if len(workers) == 0 {
		return nil
	}
	loads := map[string]*load{}
	for _, worker := range workers {
		loads[worker] = &load{worker: worker}
	}
	var free []*observed
	for _, o := range leases {
		if o.free(now, r.failover) {
			free = append(free, o)
		} else if owner := loads[o.owner]; owner != nil && !o.ended() {
			owner.take(o) // one that is being handed over counts for who gets it
		}
	}
	slices.SortStableFunc(free, func(a, b *observed) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.shard, b.shard)) })
	moves := place(free, loads, r)
	return append(moves, balance(now, loads, r)...)
}

// place gives every free lease to the worker with the fewest; of several such, rather not to the one that let it expire.
func place(free []*observed, loads map[string]*load, r rules) []move {
	var moves []move
	for _, o := range free {
		to := lightest(loads, func(l *load) bool { return l.count() < r.maxLeases })
		if to == nil {
			break // every worker has as many as it may have
		}
		if other := lightest(loads, func(l *load) bool { return l.worker != o.actualOwner() }); other != nil && other.count() == to.count() {
			to = other
		}
		moves = append(moves, move{lease: o.lease, to: to.worker})
		if !o.ended() {
			to.take(o)
		}
	}
	return moves
}

// balance moves leases from the worker with the most to the one with the fewest.
func balance(now time.Time, loads map[string]*load, r rules) []move {
	var moves []move
	moved := map[*observed]bool{}
	stuck := map[*load]bool{} // with nothing that may move
	for {
		from := heaviest(loads, func(l *load) bool { return !stuck[l] })
		to := lightest(loads, func(l *load) bool { return l.count() < r.maxLeases })
		if from == nil || to == nil || from.count()-to.count() < 2 {
			return moves
		}
		o := best(from, to, func(o *observed) bool {
			return !moved[o] && o.actualOwner() == from.worker && (o.handingOff == "" || !now.Before(o.handoffEnds))
		})
		if o == nil {
			stuck[from] = true
			continue
		}
		moved[o] = true
		from.give(o)
		to.take(o)
		moves = append(moves, move{lease: o.lease, to: to.worker, graceful: r.graceful && o.handingOff == ""})
	}
}

// best is the lease whose move brings the throughput of two workers closest together.
func best(from, to *load, may func(*observed) bool) (chosen *observed) {
	gap := from.throughput - to.throughput
	distance := func(o *observed) float64 {
		d := gap - 2*o.kibPerSecond()
		return max(d, -d)
	}
	for _, o := range from.leases {
		if may(o) && (chosen == nil || cmp.Or(cmp.Compare(distance(o), distance(chosen)), cmp.Compare(o.shard, chosen.shard)) < 0) {
			chosen = o
		}
	}
	return chosen
}

func lightest(loads map[string]*load, may func(*load) bool) *load { return extreme(loads, may, -1) }

func heaviest(loads map[string]*load, may func(*load) bool) *load { return extreme(loads, may, 1) }

// extreme is the worker with the fewest (sign -1) or most (1) leases, then throughput, then the first by name.
func extreme(loads map[string]*load, may func(*load) bool, sign int) (chosen *load) {
	for _, l := range loads {
		if !may(l) {
			continue
		}
		if chosen == nil || cmp.Or(sign*cmp.Compare(l.count(), chosen.count()), sign*cmp.Compare(l.throughput, chosen.throughput), cmp.Compare(chosen.worker, l.worker)) > 0 {
			chosen = l
		}
	}
	return chosen
}

func (l *load) count() int { return len(l.leases) }
