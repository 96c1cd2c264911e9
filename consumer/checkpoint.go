package consumer

import (
	"context"
	"fmt"
	"sync"
)

// checkpointer is the Checkpointer of one processor.
type checkpointer struct {
	holding *holding

	mu     sync.Mutex // guards everything below
	handed Position   // of the last record that the processor has, without those of a call that failed
	begun  bool       // a record has been handed out
	ended  bool       // ShardEnded has been called: what can be written is SHARD_END
}

// handOut notes the last record that a call gets, and returns what takes it back if the call fails: then Checkpoint must not pass over it.
func (c *checkpointer) handOut(last Position) (takeBack func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, begun := c.handed, c.begun
	c.handed, c.begun = last, true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handed, c.begun = before, begun
		if done := c.holding.snapshot().checkpoint; done.compare(c.handed) > 0 {
			c.handed = done // the call failed behind a checkpoint of its own
		}
	}
}

func (c *checkpointer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}

// Checkpoint writes that everything handed out so far is done.
func (c *checkpointer) Checkpoint(ctx context.Context) error {
	c.mu.Lock()
	at, nothing := c.handed, !c.begun && !c.ended
	if c.ended {
		at = Position{SequenceNumber: ShardEnd}
	}
	c.mu.Unlock()
	if nothing { // nothing new can be said; but whoever has lost the lease is told
		if !c.holding.valid() {
			return ErrLeaseLost
		}
		return nil
	}
	return c.holding.checkpoint(ctx, at)
}

// CheckpointAt writes that everything up to a position is done.
func (c *checkpointer) CheckpointAt(ctx context.Context, at Position) error {
	c.mu.Lock()
	most, ended := c.handed, c.ended
	c.mu.Unlock()
	done := c.holding.snapshot().checkpoint
	switch {
	case at.SequenceNumber == ShardEnd && ended:
	case !isSequence(at.SequenceNumber) || at.SubSequenceNumber < 0:
		return fmt.Errorf("%w: %s is not one of a record", ErrPosition, at)
	case at.compare(done) < 0:
		return fmt.Errorf("%w: %s is before the checkpoint, %s", ErrPosition, at, done)
	case at.compare(most) > 0:
		return fmt.Errorf("%w: %s is behind the last record handed out, %s", ErrPosition, at, most)
	}
	return c.holding.checkpoint(ctx, at)
}

func (c *checkpointer) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
