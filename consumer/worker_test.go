package consumer_test

import (
	"testing"
)

// TestOneWorker shows a worker alone: it makes the application, leads it, reads every shard, and ends in order, so that the next goes on behind its checkpoints.
func TestOneWorker(t *testing.T) {
	t.Parallel()
	w := begin(t, 3)
	w.put(20, 10)
	a := w.start(w.options("a", w.record("a")))
	w.eventually("every record is seen", w.complete)
	a.leave()
	w.put(20, 10)
	b := w.start(w.options("b", w.record("b")))
	w.eventually("every record is seen", w.complete)
	b.leave()
	if again := w.verify(); again > 0 {
		t.Errorf("%d records came again", again)
	}
}

// TestTwoWorkers shows that leases spread over workers as they come, by handing over, and that nothing is seen twice meanwhile: processors checkpoint when they are asked to
// give a shard up, and not before.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	w := begin(t, 4)
	w.lazy = true
	w.start(w.options("a", w.record("a")))
	w.put(20, 10)
	w.eventually("a has all", func() bool { return w.spread()["a"] == 4 })
	w.start(w.options("b", w.record("b")))
	w.eventually("b has half", func() bool { return w.spread()["a"] == 2 && w.spread()["b"] == 2 })
	c := w.start(w.options("c", w.record("c")))
	w.put(20, 10)
	w.eventually("c has one", func() bool { return len(w.holders()) == 4 && w.spread()["c"] == 1 })
	c.leave()
	w.put(20, 10)
	w.eventually("c has none", func() bool { return len(w.holders()) == 4 && w.spread()["c"] == 0 })
	w.eventually("every record is seen", w.complete)
	if again := w.verify(); again > 0 {
		t.Errorf("%d records came again", again)
	}
}

// TestKilledWorker shows that the leases of a worker that dies, and the leadership, go to the others. What it had not checkpointed is seen again; nothing is missed.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	w := begin(t, 4)
	w.failover = quick
	a := w.start(w.options("a", w.record("a")))
	w.eventually("a leads", func() bool { return attribute(safeItem(w, "Leader"), "ownerName") == "a" })
	w.start(w.options("b", w.record("b")))
	w.start(w.options("c", w.record("c")))
	w.put(20, 10)
	w.eventually("all have some", func() bool { return len(w.spread()) == 3 && len(w.holders()) == 4 })
	a.halt()
	w.put(20, 10)
	w.eventually("the others have all", func() bool {
		spread := w.spread()
		return len(w.holders()) == 4 && spread["b"]+spread["c"] == 4
	})
	w.eventually("every record is seen", w.complete)
	w.verify()
	if leader := attribute(w.item("Leader"), "ownerName"); leader != "b" && leader != "c" {
		t.Errorf("%q leads", leader)
	}
}
