package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Manual is a clock that stands still until Advance moves it. Timers fire in the order of their due times,
// each seeing the clock at its own due time.
type Manual struct {
	mu      sync.Mutex // guards everything below
	now     time.Time
	timers  timerHeap
	created uint64        // breaks ties: timers of one due time fire in order of creation
	changed chan struct{} // closed and replaced whenever a timer is added
}

// NewManual is a manual clock standing at now.
func NewManual(now time.Time) *Manual {
	return &Manual{now: now, changed: make(chan struct{})}
}

// Now is where the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// NewTimer fires when the clock has been moved by d.
func (m *Manual) NewTimer(d time.Duration) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.created++
	t := &manualTimer{clock: m, due: m.now.Add(d), order: m.created, c: make(chan time.Time, 1), index: -1}
	if d <= 0 {
		t.c <- m.now
		return t
	}
	heap.Push(&m.timers, t)
	close(m.changed)
	m.changed = make(chan struct{})
	return t
}

// Advance moves the clock by d and fires what falls due on the way. It does not wait for those who were woken.
func (m *Manual) Advance(d time.Duration) { m.AdvanceTo(m.Now().Add(d)) }

// AdvanceTo moves the clock to t, firing what falls due on the way. A t in the past moves nothing.
func (m *Manual) AdvanceTo(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.timers) > 0 && !m.timers[0].due.After(t) {
		next := heap.Pop(&m.timers).(*manualTimer)
		if next.due.After(m.now) {
			m.now = next.due
		}
		next.c <- m.now
	}
	if t.After(m.now) {
		m.now = t
	}
}

// Waiting is how many timers have yet to fire.
func (m *Manual) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.timers)
}

// NextDue is when the earliest timer fires, and whether there is one.
func (m *Manual) NextDue() (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.timers) == 0 {
		return time.Time{}, false
	}
	return m.timers[0].due, true
}

// BlockUntil waits until at least n timers are waiting: the way a test knows that the code under test has gone to sleep.
func (m *Manual) BlockUntil(n int) {
	for {
		m.mu.Lock()
		waiting, changed := len(m.timers), m.changed
		m.mu.Unlock()
		if waiting >= n {
			return
		}
		<-changed
	}
}

type manualTimer struct {
	clock *Manual
	due   time.Time
	order uint64
	c     chan time.Time
	index int // place in the heap, -1 outside it; guarded by clock.mu
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

type timerHeap []*manualTimer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].order < h[j].order
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*manualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	t.index = -1
	*h = old[:len(old)-1]
	return t
}
