package mapping

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/readers"
)

// worker takes one batch of a lane to its end: every record succeeded or was discarded. Or, when final, it ends a window.
type worker struct {
	shard  *shardRun
	lane   int
	work   work
	window *window // as of the last report; nil without tumbling windows
	final  bool
	kept   time.Duration // see shardRun
	turn   *readers.Turn
}

func (w *worker) run(ctx context.Context) {
	var err error
	if w.final {
		err = w.close(ctx)
	} else {
		err = w.all(ctx)
	}
	if err == nil || ctx.Err() == nil {
		_ = w.shard.report(ctx, &report{lane: w.lane, ended: true}) // if it cannot be committed, run has ended with that
	}
}

// all takes every part to its end. It stops between invocations when the runner does.
func (w *worker) all(ctx context.Context) error {
	r, s := w.shard.runner, w.shard
	c := &r.mapping.Config
	for len(w.work.parts) > 0 && !r.stopped() && ctx.Err() == nil {
		p := &w.work.parts[0]
		now := s.shard.Clock().Now()
		if n := w.work.expired(w.oldest(now)); n > 0 {
			if err := w.discard(ctx, ageExceeded); err != nil {
				return err
			}
			continue
		}
		result, err := r.invoke(ctx, payload(p.records, w.event(false)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			p.last = result
		}
		v := judge(result, err, func(i int) string { return p.records[i].sequence }, len(p.records), c.ReportItems, w.window != nil)
		r.processed(ctx, v, err)
		tries := p.failed + p.missed + 1
		done, then := w.work.judged(v, c)
		if done > 0 {
			if w.window != nil {
				w.window = w.window.after(v.state)
			}
			if err := s.report(ctx, &report{lane: w.lane, done: done, window: w.window}); err != nil {
				return err
			}
			if w.window != nil && w.window.Early { // what is left goes on in the window once it has been ended
				return nil
			}
		}
		switch then {
		case retry:
			err = w.pause(ctx, w.untilExpired(pauseAfter(tries)))
		case discard:
			err = w.discard(ctx, retriesExhausted)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxAge is how long after its arrival a record may be given to the function; 0 is for ever.
func (w *worker) maxAge() time.Duration {
	age := time.Duration(w.shard.runner.mapping.Config.AgeSeconds) * time.Second
	if age <= 0 || w.kept > 0 && w.kept < age { // older ones the stream does not have any more
		return w.kept
	}
	return age
}

// oldest is when the records arrived that are just not too old, in milliseconds since 1970.
func (w *worker) oldest(now time.Time) int64 {
	if age := w.maxAge(); age > 0 {
		return now.Add(-age).UnixMilli()
	}
	return 0
}

// untilExpired cuts a pause short where the first record gets too old.
func (w *worker) untilExpired(pause time.Duration) time.Duration {
	if age := w.maxAge(); age > 0 {
		expires := time.UnixMilli(w.work.parts[0].records[0].arrival).Add(age + time.Millisecond)
		pause = min(pause, expires.Sub(w.shard.shard.Clock().Now()))
	}
	return pause
}

// discard tells where the first part went, and is done with it. The telling is tried until it succeeds: what is nowhere else must not be lost.
func (w *worker) discard(ctx context.Context, condition string) error {
	r, s := w.shard.runner, w.shard
	p := &w.work.parts[0]
	if r.mapping.Config.OnFailure != "" {
		now := s.shard.Clock().Now()
		id, err := r.engine.uuid()
		if err != nil {
			return err
		}
		body := s.document(p, condition, payload(p.records, w.event(false)), id, now)
		key := documentKey(r.mapping.UUID, s.shard.ID, id, now)
		for tries := 1; ; tries++ {
			err := r.options.Objects.Put(ctx, r.mapping.Account, r.mapping.Region, r.mapping.Config.bucket(), key, body)
			if err == nil {
				break
			}
			r.problem(ctx, "PROBLEM: the on-failure destination could not be written")
			r.options.Logger.Warn("event source mapping: a discarded batch could not be told; trying again", "mapping", r.mapping.UUID, "shard", s.shard.ID, "err", err)
			if err := w.pause(ctx, pauseAfter(tries)); err != nil || r.stopped() {
				return err
			}
		}
	}
	return s.report(ctx, &report{lane: w.lane, done: w.work.drop()})
}

// close ends the window, with an invocation that is tried until it succeeds: the shard waits (Lambda developer guide, stateful stream processing).
func (w *worker) close(ctx context.Context) error {
	r, s := w.shard.runner, w.shard
	for tries := 1; !r.stopped(); tries++ {
		result, err := r.invoke(ctx, payload(nil, w.event(true)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v := judge(result, err, nil, 0, false, false) // what state it returns does not matter any more
		r.processed(ctx, v, err)
		if v.outcome == succeeded || v.outcome == impossible {
			return s.report(ctx, &report{lane: w.lane, window: w.window, closes: true})
		}
		if err := w.pause(ctx, pauseAfter(tries)); err != nil {
			return err
		}
	}
	return nil
}

// event is what an event says of the window; nil without one.
func (w *worker) event(final bool) *windowEvent {
	if w.window == nil {
		return nil
	}
	return w.window.event(w.shard.shard.ID, w.shard.runner.stream, final)
}

// pause waits, no longer than the runner goes on.
func (w *worker) pause(ctx context.Context, d time.Duration) error {
	r, now := w.shard.runner, w.shard.shard.Clock()
	due := now.Now().Add(d)
	timer := now.NewTimer(d)
	defer timer.Stop()
	w.turn.Waits(func() bool { return !now.Now().Before(due) || r.stopped() })
	defer w.turn.Resumes()
	select {
	case <-timer.C():
		return nil
	case <-r.stopping:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
