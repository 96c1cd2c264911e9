package mapping

import (
	"context"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// keeper brings one mapping to what it should be, for as long as there is one, and reports. It compares and decides nothing: killed at any point, the next one finds the same
// difference.
type keeper struct {
	engine *Engine
	uuid   string
	turn   *readers.Turn
	runner *runner              // nil when none is at work
	rests  map[string]*leftover // of the last runner
}

func (k *keeper) run(ctx context.Context) {
	e := k.engine
	defer k.turn.End()
	defer k.stop(ctx)
	for ctx.Err() == nil {
		c, changed := e.catalog.Watch()
		m := c.mappings[k.uuid]
		if m == nil {
			return
		}
		if err := k.settle(ctx, m); err != nil && ctx.Err() == nil {
			e.options.Logger.Warn("event source mapping: it is not as it should be; trying again", "mapping", k.uuid, "err", err)
			k.turn.Waits(nil)
			_ = clock.Sleep(ctx, e.options.Backoff, retryPause)
			k.turn.Resumes()
			continue
		}
		k.turn.Await(ctx, changed)
	}
}

func (k *keeper) settle(ctx context.Context, m *Mapping) error {
	e := k.engine
	if k.runner != nil && k.runner.mapping.Changed == m.Changed {
		return nil
	}
	k.stop(ctx)
	switch {
	case m.State == Deleting:
		if err := e.options.Checkpoints.Drop(ctx, m.consumer()); err != nil {
			return err
		}
		return e.propose(ctx, Gone{UUID: m.UUID})
	case m.Enabled:
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.halted {
			return nil
		}
		r, err := e.start(ctx, m, k.rests)
		if err != nil {
			return err
		}
		k.runner = r
		e.runners[k.uuid] = r
		return nil
	case m.State == Disabled:
		return nil
	default:
		return e.propose(ctx, Settled{m.UUID, m.Changed})
	}
}

// stop ends the runner: invocations that are under way end first, unless ctx does.
func (k *keeper) stop(ctx context.Context) {
	if k.runner == nil {
		return
	}
	k.runner.stop(ctx)
	k.rests, k.runner = k.runner.rests, nil
	k.engine.mu.Lock()
	defer k.engine.mu.Unlock()
	delete(k.engine.runners, k.uuid)
}

// settled tells that a runner is at work, and from where is durable; or that there is no stream to work on, which is a problem of the mapping and not its state.
func (r *runner) settled(ctx context.Context) {
	m := r.mapping
	if m.State.settled() {
		return
	}
	if err := r.engine.propose(ctx, Settled{m.UUID, m.Changed}); err != nil && ctx.Err() == nil {
		r.options.Logger.Warn("event source mapping: its state could not be noted", "mapping", m.UUID, "err", err)
	}
}

// found hears what asking for the shards of the stream has come to.
func (r *runner) found(ctx context.Context, err error) {
	switch {
	case err == nil:
		r.settled(ctx)
	case fault.Is(err, fault.NotFound):
		r.problem(ctx, "PROBLEM: "+err.Error())
		r.settled(ctx)
	default:
		r.problem(ctx, "PROBLEM: "+err.Error())
	}
}
