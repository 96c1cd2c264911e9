package tolls

import (
	"context"
	"fmt"

	"github.com/weir-stream/weir/internal/scenario"
)

// resharded is how a reshard under load ended.
type resharded struct {
	what string // for people
	err  error
}

// reshardSoon begins a reshard that goes on while the caller sends. The first of a run makes more shards of the stream, by a split
// somewhere in a shard or to a number that UpdateShardCount is given; the second makes fewer, by a merge or by such a number. Which
// of the two, where, and to how many is drawn here.
func (c *check) reshardSoon(ctx context.Context) error {
	if err := c.waitReshard(); err != nil {
		return err
	}
	r := scenario.DrawShardChange(c.random, c.api, Stream, c.reshards%2 == 0)
	c.reshards++
	c.reshardedAt = c.report.Acked
	done := make(chan resharded, 1)
	go func() {
		what, err := r.Run(ctx)
		done <- resharded{what, err}
	}()
	c.resharding = done
	return nil
}

// seeReshard tells of a reshard that has ended.
func (c *check) seeReshard() error {
	select {
	case end := <-c.resharding: // never, when there is none
		return c.endReshard(end)
	default:
		return nil
	}
}

// waitReshard waits for the reshard under way.
func (c *check) waitReshard() error {
	if c.resharding == nil {
		return nil
	}
	return c.endReshard(<-c.resharding)
}

func (c *check) endReshard(end resharded) error {
	c.resharding = nil
	if end.err != nil {
		return fmt.Errorf("reshard at %d lines: %w", c.reshardedAt, end.err)
	}
	c.Say("resharded at %d lines: %s, while %d lines were acknowledged", c.reshardedAt, end.what, c.report.Acked-c.reshardedAt)
	return nil
}
