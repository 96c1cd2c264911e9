package controller

import (
	"context"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
)

// The methods below propose one command each and return once State has what came of it. They fill in the command's Limits. An error is the
// refusal, worded for the customer, with one of the kinds NotFound, Exists, Invalid, LimitExceeded, WrongState; or a fault of
// the log as fold.Propose gives it, where the mark "unknown" says that the command may have been done.

// CreateStream asks for a new stream, which is CREATING until its logs are there.
func (c *Controller) CreateStream(ctx context.Context, command catalog.CreateStream) error {
	command.Limits = c.limits
	return c.propose(ctx, command)
}

// StreamReady reports that the logs of a CREATING stream are there.
func (c *Controller) StreamReady(ctx context.Context, command catalog.StreamReady) error {
	return c.propose(ctx, command)
}

// DeleteStream asks for a stream's end; it is DELETING until nothing is left.
func (c *Controller) DeleteStream(ctx context.Context, command catalog.DeleteStream) error {
	return c.propose(ctx, command)
}

// StreamGone reports that nothing is left of a DELETING stream.
func (c *Controller) StreamGone(ctx context.Context, command catalog.StreamGone) error {
	return c.propose(ctx, command)
}

// IncreaseRetention asks for a longer retention, or the same.
func (c *Controller) IncreaseRetention(ctx context.Context, command catalog.IncreaseRetention) error {
	command.Limits = c.limits
	return c.propose(ctx, command)
}

// DecreaseRetention asks for a shorter retention, or the same.
func (c *Controller) DecreaseRetention(ctx context.Context, command catalog.DecreaseRetention) error {
	command.Limits = c.limits
	return c.propose(ctx, command)
}

// AddTags adds tags to a stream or replaces their values.
func (c *Controller) AddTags(ctx context.Context, command catalog.AddTags) error {
	command.Limits = c.limits
	return c.propose(ctx, command)
}

// RemoveTags takes tags from a stream.
func (c *Controller) RemoveTags(ctx context.Context, command catalog.RemoveTags) error {
	return c.propose(ctx, command)
}

// UpdateMaxRecordSize changes how large a stream's records may be.
func (c *Controller) UpdateMaxRecordSize(ctx context.Context, command catalog.UpdateMaxRecordSize) error {
	command.Limits = c.limits
	return c.propose(ctx, command)
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
	return catalog.ResultError(result)
}
