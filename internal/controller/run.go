package controller

import (
	"context"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// tickBackoff is how long a tick that did not get through waits before it is tried again: what it brings is never urgent.
const tickBackoff = time.Second

// Run follows the control log and proposes ticks until ctx ends (no error) or the log cannot be followed (see fold.Run). Commands
// proposed earlier wait for it.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() {
		c.keepTestClock(ctx)
		c.tick(ctx)
	})
	err := c.fold.Run(ctx)
	cancel()
	ticking.Wait()
	return err
}

// tick proposes a Tick whenever a deadline of the state has passed. In a cluster every node does; the second finds nothing due.
func (c *Controller) tick(ctx context.Context) {
	for {
		state, changed := c.Watch()
		due, some := state.NextDeadline()
		if !some {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		timer := c.clock.NewTimer(due.Sub(c.clock.Now()))
		select {
		case <-timer.C():
			c.insist(ctx, "tick", catalog.Tick{})
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// keepTestClock writes where the test clock stands into a log that has no test time yet, so that a restart begins there.
func (c *Controller) keepTestClock(ctx context.Context) {
	if c.testClock == nil {
		return
	}
	for {
		err := c.clockTurn(ctx, func() error {
			if kept, some := c.State().TestClock(); some && !kept.Before(c.testClock.Now()) {
				return nil
			}
			return c.propose(ctx, catalog.SetTestClock{Now: c.testClock.Now()})
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		c.logger.Warn("the test clock could not be kept; trying again", "err", err)
		if clock.Sleep(ctx, c.backoff, tickBackoff) != nil {
			return
		}
	}
}

// clockTurn runs do while nobody else moves the test clock, unless ctx ends before it is our turn.
func (c *Controller) clockTurn(ctx context.Context, do func() error) error {
	select {
	case c.clockMoves <- struct{}{}:
		defer func() { <-c.clockMoves }()
		return do()
	case <-ctx.Done():
		return fault.As(fault.Unavailable, ctx.Err(), "waiting for the test clock")
	}
}

// insist proposes a command until it got through or ctx ends. A log that is full for an hour delays it for an hour.
func (c *Controller) insist(ctx context.Context, what string, command catalog.Command) {
	for {
		err := c.propose(ctx, command)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.logger.Warn("command of the controller did not get through; trying again", "command", what, "err", err)
		if clock.Sleep(ctx, c.backoff, tickBackoff) != nil {
			return
		}
	}
}
