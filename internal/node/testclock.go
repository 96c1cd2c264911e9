package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
)

// inFlight counts the calls that services have begun and not finished. Those that only wait for something to happen do not count until it has.
type inFlight struct {
	n atomic.Int64

	mu      sync.Mutex // guards waiting, and n's changes with it
	waiting map[*edge.Call]func() bool
}

// Waits takes a call out of the count until Resumes.
func (f *inFlight) Waits(c *edge.Call, pending func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = make(map[*edge.Call]func() bool)
	}
	f.waiting[c] = pending
	f.n.Add(-1)
}

// Resumes counts a call again.
func (f *inFlight) Resumes(c *edge.Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, c)
	f.n.Add(1)
}

// idle says whether no call is at work, nor about to be.
func (f *inFlight) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n.Load() != 0 {
		return false
	}
	for _, pending := range f.waiting {
		if pending() {
			return false
		}
	}
	return true
}

// counted is a service whose calls are counted. Calls say that they wait only when somebody asks whether they are idle: with a test clock.
type counted struct {
	edge.Service
	calls *inFlight
	watch bool
}

// Unwrap lets the edge see what the service can do besides serving.
func (c counted) Unwrap() edge.Service { return c.Service }

// Serve serves the call, and counts it while it does.
func (c counted) Serve(call *edge.Call) {
	if c.watch {
		call.Watcher = c.calls
	}
	c.calls.n.Add(1)
	defer c.calls.n.Add(-1)
	c.Service.Serve(call)
}

// BodyBytesMax passes on how large the bodies are that the service takes, if it says so.
func (c counted) BodyBytesMax() int64 {
	if s, ok := c.Service.(edge.BodySizer); ok {
		return s.BodyBytesMax()
	}
	return 0
}

// steppedClock is the test clock as the console moves it.
type steppedClock struct {
	node  *Node
	clock *clock.Manual
}

// Now is where the clock stands.
func (s *steppedClock) Now() time.Time { return s.clock.Now() }

// Set moves the clock in the control log first, so that it survives kill -9, and then for everyone who waits on it.
func (s *steppedClock) Set(ctx context.Context, t time.Time) error {
	return s.node.control.SetTestClock(ctx, catalog.SetTestClock{Now: t})
}

// idlePause is how long Drain waits between looks, in real time: what it waits for runs in real time, whatever the test clock says.
const idlePause = time.Millisecond

// Drain waits until nothing is in flight: no call is being served, but for subscriptions that have nothing to send, no timer and no deadline of the catalog is
// due, and every part has done what was to be done: streams have the logs that they should have and have been looked at for scaling, tables wait for
// nothing, no object is there that its lifecycle has let go, no function is being made ready, no asynchronous event runs or is due, and no
// event source mapping and no delivery stream has anything to do: no delivery is under way.
func (s *steppedClock) Drain(ctx context.Context) error {
	for !s.idle() {
		if err := clock.Sleep(ctx, clock.Real, idlePause); err != nil {
			return err
		}
	}
	return nil
}

func (s *steppedClock) idle() bool {
	now := s.clock.Now()
	due, waiting := s.clock.NextDue()
	deadline, ticking := s.node.control.State().NextDeadline()
	return s.node.calls.idle() && s.node.settled(now) && !(waiting && !due.After(now)) && !(ticking && !deadline.After(now))
}

// settled says whether every part that works by itself has nothing left to do at this time.
func (n *Node) settled(now time.Time) bool {
	for _, part := range []interface{ Settled() bool }{n.scaler, n.streams, n.tables, n.objects, n.mappings, n.delivery} {
		if !part.Settled() {
			return false
		}
	}
	return n.functions.Settled(now)
}
