package readers

import (
	"context"
	"sync"
)

// Activity knows who is at work. It tells a test clock when it may move on: everyone waits, and for nothing that is there already. The zero value is ready; a nil one counts
// nothing.
type Activity struct {
	mu      sync.Mutex // guards everything below
	busy    int
	waiting map[*Turn]func() bool
}

// Turn is one of those that may be at work. It is driven by one goroutine.
type Turn struct{ of *Activity }

// Begin counts one more at work. Whoever starts a goroutine begins its turn before, so that there is no moment in between.
func (a *Activity) Begin() *Turn {
	if a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.busy++
	}
	return &Turn{a}
}

// Waits says that there is nothing to do until pending says that there is. pending may be asked from any goroutine, and must not turn false again before Resumes: so it looks at what
// is to be done, and not at a message that says so. A nil one says never.
func (t *Turn) Waits(pending func() bool) {
	if t.of == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.waiting == nil {
		t.of.waiting = map[*Turn]func() bool{}
	}
	t.of.waiting[t] = pending
	t.of.busy--
}

// Resumes ends what Waits began.
func (t *Turn) Resumes() {
	if t.of == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	delete(t.of.waiting, t)
	t.of.busy++
}

// Await waits until changed is closed, or ctx ends; meanwhile there is nothing to do.
func (t *Turn) Await(ctx context.Context, changed <-chan struct{}) {
	t.Waits(func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	})
	defer t.Resumes()
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// End is the end of a turn that is not waiting.
func (t *Turn) End() {
	if t.of != nil {
		t.of.mu.Lock()
		defer t.of.mu.Unlock()
		t.of.busy--
	}
}

// Settled says whether nobody is at work, nor about to be.
func (a *Activity) Settled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy > 0 {
		return false
	}
	for _, pending := range a.waiting {
		if pending != nil && pending() {
			return false
		}
	}
	return true
}
