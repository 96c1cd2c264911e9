package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
)

// inFlight counts calls that services have begun and not finished.
type inFlight struct{ n atomic.Int64 }

// counted is a service whose calls are counted.
type counted struct {
	edge.Service
	calls *inFlight
}

func (c counted) Serve(call *edge.Call) {
	c.calls.n.Add(1)
	defer c.calls.n.Add(-1)
	c.Service.Serve(call)
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

// Drain waits until nothing is in flight: no call is being served, no timer and no deadline of the catalog is due, streams have been looked at for scaling, and
// every stream has the logs that it should have.
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
	return s.node.calls.n.Load() == 0 && s.node.scaler.Settled() && s.node.streams.Settled() && !(waiting && !due.After(now)) && !(ticking && !deadline.After(now))
}
