package streams

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
)

// Idle hears when a subscription waits. An edge.Call is one.
type Idle interface {
	// Waits says that there is nothing to do until pending says that there is. pending may be asked from any goroutine.
	Waits(pending func() bool)
	// Resumes ends what Waits began.
	Resumes()
}

// Await waits until there is something to send: records or the end of a closed shard, or, when nothing has been sent for five seconds, how far behind the
// subscriber is (records is then false). It holds nothing while it waits. idle may be nil.
//
// The error is io.EOF when the subscription is over: its five minutes are, or the shard is, or stop is closed. Otherwise it is what to tell the subscriber: Conflict when another has
// taken over; NotFound when the consumer was deregistered or the stream deleted.
func (sub *Subscription) Await(ctx context.Context, stop <-chan struct{}, idle Idle) (records bool, err error) {
	if sub.over {
		return false, errOver
	}
	for {
		state, changed := sub.streams.control.Watch()
		if err := sub.look(state); err != nil {
			return false, err
		}
		select {
		case <-sub.taken:
			return false, sub.inUse()
		case <-stop:
			return false, errOver
		default:
		}
		now := sub.streams.clock.Now()
		if !now.Before(sub.ends) {
			return false, errOver
		}
		if sub.atEnd() {
			return true, nil
		}
		until := earlier(sub.ends, sub.beat)
		if sub.ahead {
			pause := sub.place.pace.wait(now)
			if pause == 0 {
				return true, nil
			}
			until = earlier(until, now.Add(pause))
		}
		if !now.Before(sub.beat) {
			return false, nil
		}
		if err := sub.wait(ctx, until, changed, stop, idle); err != nil {
			return false, err
		}
	}
}

// wait waits until there may be something new: records, a time, another catalog, or one of the ends.
func (sub *Subscription) wait(ctx context.Context, until time.Time, changed, stop <-chan struct{}, idle Idle) error {
	if !sub.ahead && !sub.sealed && !sub.watching {
		sub.watching = true
		sub.want <- sub.position
	}
	sub.arm(until)
	if idle != nil {
		idle.Waits(sub.pending(until, changed, stop))
		defer idle.Resumes()
	}
	select {
	case err := <-sub.got:
		sub.watching = false
		return sub.heard(ctx, err)
	case <-sub.timer.C():
		sub.timer = nil
	case <-changed:
	case <-sub.taken:
	case <-stop:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// heard is told how the log's wait at position has ended: there are records, or the log is sealed.
func (sub *Subscription) heard(ctx context.Context, err error) error {
	if err != nil {
		return sub.why(err)
	}
	log, err := sub.log(ctx)
	if err != nil {
		return err
	}
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return sub.why(err)
	}
	sub.ahead = bounds.Next > sub.position
	sub.sealed = bounds.Sealed && !sub.ahead
	return nil
}

func (sub *Subscription) log(ctx context.Context) (commitlog.Log, error) {
	r, err := sub.streams.route(ctx, sub.stream)
	if err != nil {
		return nil, sub.why(err)
	}
	if shard := r.byNumber(sub.who.shard); shard != nil {
		return shard.log, nil
	}
	return nil, sub.shardGone()
}

// pending makes the answer to whether a waiting subscription has something to do, from what cannot change while it waits.
func (sub *Subscription) pending(until time.Time, changed, stop <-chan struct{}) func() bool {
	s, taken, position, watching := sub.streams, sub.taken, sub.position, sub.watching
	log, err := sub.log(context.Background())
	return func() bool {
		select {
		case <-changed:
			return true
		case <-taken:
			return true
		case <-stop:
			return true
		default:
		}
		if err != nil || !s.clock.Now().Before(until) {
			return true
		}
		if !watching {
			return false
		}
		bounds, err := log.Bounds(context.Background())
		return err != nil || bounds.Sealed || bounds.Next > position
	}
}

// arm makes the timer fire at until at the latest. One that fires earlier does no harm, so that one timer serves many events.
func (sub *Subscription) arm(until time.Time) {
	if sub.timer != nil {
		if !sub.due.After(until) {
			return
		}
		sub.stopTimer()
	}
	sub.due = until
	sub.timer = sub.streams.clock.NewTimer(until.Sub(sub.streams.clock.Now()))
}

func (sub *Subscription) stopTimer() {
	if sub.timer != nil {
		sub.timer.Stop()
		sub.timer = nil
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
