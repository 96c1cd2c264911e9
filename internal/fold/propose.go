package fold

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// Propose gives a command its place in the log, waits until it is applied here, and gives the machine's result and the position at which it
// was applied. Run must be running, or about to.
//
// Its error says whether the command was done: with the mark "unknown" it may have been, or may yet be; without, it was not and never will
// be. Invalid when the clock is too far ahead of the log's; otherwise what Append says. A lost reply is no error as long as ctx lasts: the
// same command is appended again under the same id.
func (f *Fold) Propose(ctx context.Context, command []byte) (result []byte, position commitlog.Position, err error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, 0, fault.As(fault.Unavailable, ctx.Err(), "%s log", f.options.Name)
	case <-f.done:
		return nil, 0, f.stopError(false)
	}
	for {
		session, err := f.openSession(ctx)
		if err != nil {
			return nil, 0, err
		}
		id, current := f.nextID(session)
		if !current {
			continue
		}
		e := f.envelope(kindCommand, id, command)
		o, err := f.submit(ctx, e)
		if err != nil {
			return nil, 0, err
		}
		switch o.verdict {
		case done:
			return o.result, o.position, nil
		case ahead:
			return nil, 0, fault.New(fault.Invalid, "the time %s of this node's clock is more than %s ahead of the %s log",
				time.UnixMilli(e.millis).UTC().Format(time.RFC3339Nano), aheadMax, f.options.Name)
		case stale:
			// Its first appearance would have been answered; so there was none, and this one was refused.
			return nil, 0, fault.New(fault.Unavailable, "%d later commands overtook this one in the %s log", resultsKept, f.options.Name)
		case forgotten: // and not done: the session was silent for longer than sessionsKept others
			f.renewSession(session)
		}
	}
}

// openSession makes sure that the log knows this fold's session, and gives its id.
func (f *Fold) openSession(ctx context.Context) (session uint64, err error) {
	if session, opened := f.currentSession(); opened {
		return session, nil
	}
	select {
	case f.opening <- struct{}{}:
		defer func() { <-f.opening }()
	case <-ctx.Done():
		return 0, fault.As(fault.Unavailable, ctx.Err(), "%s log", f.options.Name)
	}
	session, opened := f.currentSession()
	if opened {
		return session, nil
	}
	if _, err := f.submit(ctx, f.envelope(kindOpen, commandID{session: session}, nil)); err != nil {
		// The command has not been appended, whatever became of its session.
		return 0, fault.New(fault.KindOf(err), "opening a session: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session == session {
		f.opened = true
	}
	return session, nil
}

func (f *Fold) currentSession() (session uint64, opened bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session, f.opened
}

// renewSession goes on under another id once the log has forgotten a session. The next number is as good as random.
func (f *Fold) renewSession(forgotten uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != forgotten { // someone else was first
		return
	}
	f.opened = false
	f.sequence = 0
	if f.session++; f.session == 0 {
		f.session++
	}
}

// nextID gives out an id, unless the session was renewed meanwhile.
func (f *Fold) nextID(session uint64) (id commandID, current bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != session {
		return commandID{}, false
	}
	f.sequence++
	return commandID{session, f.sequence}, true
}

func (f *Fold) envelope(kind byte, id commandID, command []byte) envelope {
	return envelope{kind: kind, ahead: f.options.TestClock, id: id, millis: millis(f.options.Clock.Now()), command: command}
}

// submit appends an envelope, over and over while the outcome is unknown, and waits for its first application here.
func (f *Fold) submit(ctx context.Context, e envelope) (outcome, error) {
	waiter := f.await(e.id)
	defer f.forget(e.id, waiter)
	var unknown error // the last append whose outcome nobody told
	for backoff := backoffMin; ; backoff = min(2*backoff, backoffMax) {
		_, err := f.append(ctx, e)
		switch {
		case err == nil:
			select {
			case o := <-waiter:
				return o, nil
			case <-ctx.Done():
				return outcome{}, fault.Unknown(fault.Unavailable, ctx.Err(), "%s log: waiting for a command to be applied", f.options.Name)
			case <-f.done:
				return outcome{}, f.stopError(true)
			}
		case ctx.Err() != nil: // for Append, the outcome is unknown then
			return outcome{}, fault.Unknown(fault.Unavailable, err, "%s log", f.options.Name)
		case fault.IsUnknown(err):
			unknown = err
		case unknown == nil:
			return outcome{}, fault.Wrap(err, "%s log", f.options.Name)
		case !passing(err):
			return outcome{}, fault.Unknown(fault.KindOf(err), err, "%s log, after a lost reply", f.options.Name)
		}
		timer := f.options.Backoff.NewTimer(backoff)
		select {
		case o := <-waiter: // the append had succeeded after all
			timer.Stop()
			return o, nil
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return outcome{}, fault.Unknown(fault.Unavailable, unknown, "%s log", f.options.Name)
		case <-f.done:
			timer.Stop()
			return outcome{}, f.stopError(true)
		}
	}
}

// passing says whether a definite refusal of an append may end by itself: only then is it worth asking again what became of an earlier one.
func passing(err error) bool {
	switch fault.KindOf(err) {
	case fault.Throttled, fault.Full, fault.Unavailable:
		return true
	default:
		return false
	}
}

func (f *Fold) append(ctx context.Context, e envelope) (commitlog.Position, error) {
	select {
	case <-f.done:
		return 0, f.stopError(false)
	default:
	}
	var b batch.Batch
	b.Append(e.millis, nil, e.encode())
	return f.log.Append(ctx, &b)
}

// await registers for the outcome of an id. An id has one proposer, so that nobody else waits for it; barriers do not wait so.
func (f *Fold) await(id commandID) chan outcome {
	waiter := make(chan outcome, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters[id] = waiter
	return waiter
}

func (f *Fold) forget(id commandID, waiter chan outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiters[id] == waiter {
		delete(f.waiters, id)
	}
}

// stopError is what is said after Run has returned.
func (f *Fold) stopError(unknown bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if unknown {
		return fault.Unknown(fault.Unavailable, f.stopped, "%s log is no longer followed", f.options.Name)
	}
	return fault.As(fault.Unavailable, f.stopped, "%s log is no longer followed", f.options.Name)
}

// barrierRound is one no-op in the log and everyone who waits for it.
type barrierRound struct {
	over chan struct{} // closed when err is set; its leader is the closer
	err  error
	left bool // its leader gave up before anything was appended: those who wait begin again
}

// Barrier returns once the state here has everything that was acknowledged, to anyone, before Barrier began: what is read then is not
// stale. It appends a no-op; all who come while one is under way share the next.
func (f *Fold) Barrier(ctx context.Context) error {
	for {
		f.mu.Lock()
		round := f.barrier
		leads := round == nil
		if leads {
			round = &barrierRound{over: make(chan struct{})}
			f.barrier = round
		}
		f.mu.Unlock()
		if leads {
			f.lead(ctx, round)
			return round.err
		}
		select {
		case <-round.over:
			if !round.left {
				return round.err
			}
		case <-ctx.Done():
			return fault.As(fault.Unavailable, ctx.Err(), "%s log: barrier", f.options.Name)
		}
	}
}

// lead appends the round's no-op when the one before it has landed. Whoever joined until then came before the append.
func (f *Fold) lead(ctx context.Context, round *barrierRound) {
	defer close(round.over)
	select {
	case f.flight <- struct{}{}:
		defer func() { <-f.flight }()
	case <-ctx.Done():
		round.left = true
		round.err = fault.As(fault.Unavailable, ctx.Err(), "%s log: barrier", f.options.Name)
	}
	f.mu.Lock()
	f.barrier = nil
	f.mu.Unlock()
	if round.left {
		return
	}
	round.err = f.pass(ctx)
	round.left = ctx.Err() != nil // those who joined have contexts of their own
}

// pass appends a barrier and waits until it is applied. A barrier that comes twice is no harm, so every unknown outcome is tried again.
func (f *Fold) pass(ctx context.Context) error {
	for backoff := backoffMin; ; backoff = min(2*backoff, backoffMax) {
		position, err := f.append(ctx, f.envelope(kindBarrier, commandID{}, nil))
		if err == nil {
			return f.WaitApplied(ctx, position)
		}
		if ctx.Err() != nil || !fault.IsUnknown(err) {
			return fault.Wrap(err, "%s log: barrier", f.options.Name)
		}
		if err := clock.Sleep(ctx, f.options.Backoff, backoff); err != nil {
			return fault.As(fault.Unavailable, err, "%s log: barrier", f.options.Name)
		}
	}
}

// WaitApplied returns once the record at a position has been applied here: with the position of a Propose on another node it gives reads that
// see that write.
func (f *Fold) WaitApplied(ctx context.Context, position commitlog.Position) error {
	for {
		f.mu.Lock()
		applied, moved := f.applied, f.moved
		f.mu.Unlock()
		if applied > position {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fault.As(fault.Unavailable, ctx.Err(), "%s log: waiting for %d", f.options.Name, position)
		case <-f.done:
			return f.stopError(false)
		}
	}
}
