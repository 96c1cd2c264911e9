package controller

import (
	"context"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Propose asks for what a command says, with the quotas that decide it filled in, and returns once State has what came of it. An error is the refusal, worded for
// the customer, with one of the kinds NotFound, Exists, Invalid, LimitExceeded, WrongState, Unsupported; or a fault of the log as fold.Propose gives it,
// where the mark "unknown" says that the command may have been done. The test clock is moved by SetTestClock, not here.
func (c *Controller) Propose(ctx context.Context, command catalog.Command) error {
	return c.propose(ctx, catalog.Limited(command, c.quota))
}

// SetTestClock moves the test clock to a time, in the log first and then for everyone who waits on it. Invalid when the time is before the clock's, WrongState
// when this node runs in real time.
func (c *Controller) SetTestClock(ctx context.Context, command catalog.SetTestClock) error {
	if c.testClock == nil {
		return fault.New(fault.WrongState, "this node runs in real time; a test clock is chosen when it starts")
	}
	return c.clockTurn(ctx, func() error {
		if now := c.testClock.Now(); command.Now.Before(now) {
			return fault.New(fault.Invalid, "the test clock stands at %v and does not go back to %v", now, command.Now)
		}
		if err := c.propose(ctx, command); err != nil {
			return err
		}
		c.testClock.AdvanceTo(command.Now)
		return nil
	})
}

func (c *Controller) propose(ctx context.Context, command catalog.Command) error {
	if err := catalog.Check(command); err != nil {
		return err
	}
	b, err := catalog.EncodeCommand(command)
	if err != nil {
		return err
	}
	result, _, err := c.fold.Propose(ctx, b)
	if err != nil {
		return err
	}
	return commands.DecodeResult(result, nil)
}
