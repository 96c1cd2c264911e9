package consumer_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestRandomSchedule shows workers that come, leave in order and die while records are put and the stream is resharded: every record is seen, none before its
// predecessor, and again only where the worker that had it was killed or lost its lease.
func TestRandomSchedule(t *testing.T) {
	t.Parallel()
	seed := time.Now().UnixNano()
	if f := flag.Lookup("seed"); f != nil && f.Value.String() != "0" {
		if _, err := fmt.Sscan(f.Value.String(), &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("go test ./consumer -run TestRandomSchedule -seed %d", seed)
		}
	})
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	w := begin(t, 2)
	w.failover = quick
	var workers []*runner
	killed := map[string]bool{}
	started := 0
	begin := func() {
		name := fmt.Sprint("w", started)
		started++
		workers = append(workers, w.start(w.options(name, w.record(name))))
	}
	take := func() *runner {
		i := r.IntN(len(workers))
		one := workers[i]
		workers = append(workers[:i], workers[i+1:]...)
		return one
	}
	begin()
	for range 14 {
		w.put(10, 1+r.IntN(3))
		switch n := r.IntN(10); {
		case len(workers) == 0 || n < 3 && len(workers) < 4:
			begin()
		case n < 5:
			one := take()
			killed[one.Name()] = true
			one.halt()
		case n < 6:
			take().leave()
		case n < 8:
			w.reshardIfNew(1 + int32(r.IntN(4)))
		default:
			seen := len(w.seen())
			if len(w.holders()) > 0 {
				w.eventually("something happens", func() bool { return len(w.seen()) > seen || w.complete() })
			}
		}
	}
	if len(workers) == 0 {
		begin()
	}
	w.eventually("every record is seen", w.complete)
	for _, one := range workers {
		one.leave()
	}
	w.verify()
	type id struct {
		key    string
		number int
	}
	who, gone := map[id]line{}, map[[2]string]bool{}
	for _, l := range w.seen() {
		if l.kind == 'L' {
			gone[[2]string{l.worker, l.shard}] = true
		}
	}
	for _, l := range w.seen() {
		if l.kind != 'R' {
			continue
		}
		one := id{l.key, l.number}
		if before, again := who[one]; again && !killed[before.worker] && !gone[[2]string{before.worker, before.shard}] {
			t.Errorf("%s %d comes to %s again, though %s had neither died nor lost the lease", l.key, l.number, l.worker, before.worker)
		}
		who[one] = l
	}
}
