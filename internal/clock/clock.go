// Package clock makes time a value that is passed in.
//
// It owns the Clock interface, the real clock and the manual clock of tests and of `weir dev --test-clock`.
// What waits belongs to the packages that wait; signatures, TLS and function deadlines stay on real time.
//
// Read Clock, then manual.go.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and wakes those who wait for it. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the current time. On the real clock it carries the monotonic reading.
	Now() time.Time
	// NewTimer fires once after d. A d of zero or less fires at once.
	NewTimer(d time.Duration) Timer
}

// Timer is a single wake-up.
type Timer interface {
	// C receives the time of the wake-up once. Capacity one; never closed.
	C() <-chan time.Time
	// Stop cancels the wake-up and says whether it did so before it fired.
	Stop() bool
}

// Sleep waits for d on c, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Real is the clock of the operating system.
var Real Clock = realClock{}

type realClock struct{}

func (realClock) Now() time.Time                 { return time.Now() }
func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ t *time.Timer }

func (r realTimer) C() <-chan time.Time { return r.t.C }
func (r realTimer) Stop() bool          { return r.t.Stop() }
