package delivery

import (
	"context"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/readers"
)

// keeper brings one delivery stream to what it should be, for as long as there is one, and reports. It compares and decides nothing: killed at any point, the next one finds the same
// difference.
type keeper struct {
	engine *Engine
	key    string
	number uint64
	turn   *readers.Turn
	runner *runner // nil when none is at work
}

func (k *keeper) run(ctx context.Context) {
	e := k.engine
	defer k.turn.End()
	defer k.stop(ctx)
	for ctx.Err() == nil {
		c, changed := e.catalog.Watch()
		s := c.streams[k.key]
		if s == nil || s.Number != k.number {
			return
		}
		if err := k.settle(ctx, s); err != nil && ctx.Err() == nil {
			e.options.Logger.Warn("delivery stream: it is not as it should be; trying again", "deliveryStream", s.ARN(), "err", err)
			k.turn.Waits(nil)
			_ = clock.Sleep(ctx, e.options.Backoff, retryPause)
			k.turn.Resumes()
			continue
		}
		k.turn.Await(ctx, changed)
	}
}

func (k *keeper) settle(ctx context.Context, s *Stream) error {
	e := k.engine
	if s.Status == Deleting {
		return k.remove(ctx, s)
	}
	if k.runner != nil && k.runner.stream.Version == s.Version {
		return nil // states, tags and times change nothing for it
	}
	if k.runner == nil && s.Source.Kinesis == nil {
		if err := e.options.Store.Create(ctx, LogID(s.Number), commitlog.Config{Retention: Retention}); err != nil {
			return err
		}
	}
	k.stop(ctx)
	if err := e.heal(ctx, s); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.halted {
		return nil
	}
	r, err := e.start(ctx, s)
	if err != nil {
		return err
	}
	k.runner = r
	e.runners[k.number] = r
	return nil
}

// heal forgets a checkpoint that stands behind the end of the log of direct puts: the log is not the one that it was made in, since a restore to an earlier moment, or a repair, has
// made another one. All that the log has is delivered then.
func (e *Engine) heal(ctx context.Context, s *Stream) error {
	if s.Source.Kinesis != nil {
		return nil
	}
	log, err := e.log(ctx, s.Number)
	if err != nil {
		return err
	}
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return err
	}
	at, has := e.options.Checkpoints.Get(s.consumer(), (&direct{e, s.Number}).key())
	if !has || at.Position <= bounds.Next {
		return nil
	}
	e.options.Logger.Error("delivery stream: its log ends before what was delivered; all that it has is delivered again", "deliveryStream", s.ARN(), "end", bounds.Next, "checkpoint", at.Position)
	return e.options.Checkpoints.Drop(ctx, s.consumer())
}

// remove ends a delivery stream. What it has not delivered is lost, as on AWS: nothing is waited for.
func (k *keeper) remove(ctx context.Context, s *Stream) error {
	e := k.engine
	if k.runner != nil {
		k.runner.cancel()
	}
	k.stop(ctx)
	if err := e.options.Checkpoints.Drop(ctx, s.consumer()); err != nil {
		return err
	}
	if err := e.options.Store.Delete(ctx, LogID(s.Number)); err != nil {
		return err
	}
	e.logs.Delete(s.Number)
	e.stats.Delete(s.Number)
	return e.Propose(ctx, Gone{s.Number})
}

// stop ends the runner: a delivery that is under way ends first, unless ctx or the runner's does.
func (k *keeper) stop(ctx context.Context) {
	if k.runner == nil {
		return
	}
	k.runner.stop(ctx)
	k.runner = nil
	k.engine.mu.Lock()
	defer k.engine.mu.Unlock()
	delete(k.engine.runners, k.number)
}
