package fold

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

const (
	// chunkBytes is how much of the log is read at a time: far more than what is proposed while one chunk is applied.
	chunkBytes = 1 << 20

	// Retries wait this long, doubling from the first to the last: longer than a log needs to change its leader, shorter than people notice.
	backoffMin = 5 * time.Millisecond
	backoffMax = time.Second
)

// Run applies the log as it grows, answers proposers, and writes snapshots, until ctx ends (no error) or it cannot go on. After it has
// returned, Propose and Barrier are Unavailable, and nothing of the fold is running.
//
// It waits for a log that does not answer. Unsupported when a newer version has written to the log; Corrupt when the log is damaged; Trimmed when
// it was trimmed past this fold; Internal when the machine panicked: each needs people, and a restart ends there again.
func (f *Fold) Run(ctx context.Context) (err error) {
	defer func() {
		if ctx.Err() != nil {
			err = nil
		}
		f.stop(err)
	}()
	defer f.finishSnapshot()
	backoff := backoffMin
	for {
		err := f.step(ctx)
		switch {
		case err == nil:
			backoff = backoffMin
		case ctx.Err() != nil:
			return ctx.Err()
		case f.core.broken != nil || !fault.Is(err, fault.Unavailable):
			return err
		default:
			f.options.Logger.Warn("log does not answer; trying again", "log", f.options.Name, "err", err)
			if err := clock.Sleep(ctx, f.options.Backoff, backoff); err != nil {
				return err
			}
			backoff = min(2*backoff, backoffMax)
		}
	}
}

// step waits for records, applies them, and begins a snapshot when one is due.
func (f *Fold) step(ctx context.Context) error {
	if err := f.log.Wait(ctx, f.core.next); err != nil {
		return fault.Wrap(err, "%s log", f.options.Name)
	}
	if err := f.applyChunk(ctx); err != nil {
		return err
	}
	f.beginSnapshot(ctx)
	return nil
}

// applyChunk applies what the log holds next, up to about chunkBytes.
func (f *Fold) applyChunk(ctx context.Context) error {
	chunk, err := f.log.Read(ctx, f.core.next, chunkBytes)
	if err != nil {
		return fault.Wrap(err, "%s log", f.options.Name)
	}
	if chunk.Next == f.core.next && chunk.Bounds.Sealed {
		return fault.New(fault.Sealed, "%s log is sealed at %d", f.options.Name, chunk.Next)
	}
	var r batch.Record
	records := batch.Iterate(chunk.Batches)
	for records.Next(&r) {
		if r.Position < f.core.next {
			continue
		}
		id, o, err := f.core.apply(r.Position, r.Timestamp, r.Value)
		if err != nil {
			return err
		}
		f.sinceSnapshot++
		f.bytesSince += int64(len(r.Value))
		f.answer(id, o)
	}
	if err := records.Err(); err != nil {
		return fault.Wrap(err, "%s log", f.options.Name)
	}
	f.core.next = max(f.core.next, chunk.Next) // positions that no record has
	f.advance()
	return nil
}

// answer hands an outcome to the proposer that waits for it here, if one does.
func (f *Fold) answer(id commandID, o outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied, f.at = f.core.next, f.core.time()
	if waiter := f.waiters[id]; waiter != nil {
		delete(f.waiters, id)
		waiter <- o // capacity 1, and sent to once
	}
}

// advance wakes those who wait for a position.
func (f *Fold) advance() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = f.core.next
	close(f.moved)
	f.moved = make(chan struct{})
}

// stop tells everyone who waits that Run is over.
func (f *Fold) stop(err error) {
	if err == nil {
		err = context.Canceled
	}
	f.mu.Lock()
	f.stopped = err
	f.mu.Unlock()
	close(f.done)
}

// beginSnapshot starts a snapshot in the background when one is due and none is under way. A Keeper's state on disk is made durable here and now, after it was
// prepared in the background, so that it is the state at this position.
func (f *Fold) beginSnapshot(ctx context.Context) {
	due := f.sinceSnapshot >= f.options.SnapshotEvery || f.options.SnapshotBytes > 0 && f.bytesSince >= f.options.SnapshotBytes
	if !due || f.underway() {
		return
	}
	keeper, keeps := f.options.Machine.(Keeper)
	if keeps && !f.prepared {
		f.prepared = true
		f.inBackground(func() {
			if err := keeper.Prepare(); err != nil {
				f.noSnapshot(f.Applied(), err)
			}
		})
		return
	}
	f.sinceSnapshot, f.bytesSince, f.prepared = 0, 0, false
	next := f.core.next
	if keeps {
		if err := f.snapshots.checkpoint(next, keeper); err != nil {
			f.noSnapshot(next, err)
			return
		}
	}
	encode := f.core.freeze()
	f.inBackground(func() {
		trim, err := f.snapshots.write(next, encode())
		if err != nil {
			f.noSnapshot(next, err)
			return
		}
		if err := f.log.Trim(ctx, trim); err != nil && ctx.Err() == nil {
			f.options.Logger.Error("log not trimmed; it keeps growing until it is", "log", f.options.Name, "position", trim, "err", err)
		}
	})
}

// underway says whether the last thing that was begun in the background still runs.
func (f *Fold) underway() bool {
	if f.snapshotting == nil {
		return false
	}
	select {
	case <-f.snapshotting:
		return false
	default:
		return true
	}
}

// inBackground runs do; finishSnapshot waits for it.
func (f *Fold) inBackground(do func()) {
	finished := make(chan struct{})
	f.snapshotting = finished
	go func() {
		defer close(finished)
		do()
	}()
}

func (f *Fold) noSnapshot(position commitlog.Position, err error) {
	f.options.Logger.Error("no snapshot; the log keeps growing until one succeeds", "log", f.options.Name, "position", position, "err", err)
}

func (f *Fold) finishSnapshot() {
	if f.snapshotting != nil {
		<-f.snapshotting
	}
}
