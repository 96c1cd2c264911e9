package kafkalog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// log is a partition, or what of it belongs to the log. There is one for each ID in a store, however often it is opened.
type log struct {
	store     *Store
	id        commitlog.ID
	topic     string
	partition int32

	gone context.Context // ends when the log is deleted, and with it what is under way
	drop context.CancelFunc

	turn     turn // held by whoever appends, seals or deletes; guards producer
	producer producer

	mu      sync.Mutex         // guards everything below
	sealing bool               // a marker may be on its way: nobody looks beyond limit until it is known whether it counts
	limit   commitlog.Position // while sealing
	changed chan struct{}      // closed and replaced when a wait might end
}

func newLog(s *Store, id commitlog.ID, found registered) *log {
	gone, drop := context.WithCancel(context.Background())
	return &log{
		store: s, id: id, topic: s.topicName(id.Group), partition: found.partition, gone: gone, drop: drop, turn: newTurn(), changed: make(chan struct{}),
	}
}

// call runs one call on the log, within the time it may take.
func (l *log) call(ctx context.Context, doing string, do func(ctx context.Context) error) error {
	end, err := l.store.begin()
	if err != nil {
		return fault.Wrap(err, "%s log %s", doing, l.id)
	}
	defer end()
	inner, cancel := l.store.bounded(ctx)
	defer cancel()
	defer context.AfterFunc(l.gone, cancel)()
	if err = l.exists(); err == nil {
		if err = inner.Err(); err == nil {
			err = do(inner)
		}
		if err != nil && ctx.Err() == nil && l.exists() != nil { // deleted meanwhile
			err = l.exists()
		}
	}
	if _, answered := errors.AsType[*fault.Error](err); err != nil && !answered && inner.Err() == nil { // a refusal that asking again does not change
		err = fault.As(fault.Unavailable, err, "the cluster refused")
	}
	return timedOut(ctx, err, "%s log %s", doing, l.id)
}

func (l *log) exists() error {
	if l.gone.Err() != nil {
		return fault.New(fault.NotFound, "it was deleted")
	}
	return nil
}

// wake ends the waits for something to change.
func (l *log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

// Append re-encodes the batch with our marks and produces it as one Kafka batch, under the log's turn.
func (l *log) Append(ctx context.Context, b *batch.Batch) (position commitlog.Position, err error) {
	err = l.call(ctx, "append to", func(ctx context.Context) error {
		incarnation, err := commitlog.BeginUnder(l.store.options.Lease)
		if err != nil {
			return err
		}
		if b.Len() == 0 {
			return fault.New(fault.Invalid, "the batch is empty")
		}
		out, err := marked(b, marks(l.id, incarnation))
		if err != nil {
			return err
		}
		if err := l.turn.take(ctx); err != nil {
			return err
		}
		defer l.turn.give()
		if err := l.exists(); err != nil {
			return err
		}
		if found, _ := l.store.reg.find(l.id); found.sealed {
			return fault.New(fault.Sealed, "it is sealed at %d", found.end)
		}
		if position, err = l.store.produce(ctx, &l.producer, l.topic, l.partition, out); err != nil {
			return err
		}
		l.wake()
		return commitlog.AckUnder(l.store.options.Lease, incarnation)
	})
	if err != nil {
		return 0, err
	}
	return position, nil
}

// clamp gives the log's bounds inside a partition's.
func (l *log) clamp(logStart, highWatermark int64) commitlog.Bounds {
	// The limit before the registry: Seal sets the limit before its marker exists, and drops it after the registry has the end. So whoever
	// saw a marker in highWatermark finds the one or the other.
	l.mu.Lock()
	sealing, limit := l.sealing, l.limit
	l.mu.Unlock()
	next := highWatermark
	if sealing {
		next = min(next, limit)
	}
	found, _ := l.store.reg.find(l.id)
	if found.sealed {
		next = found.end
	}
	return commitlog.Bounds{First: min(logStart, next), Next: next, Sealed: found.sealed}
}

func (l *log) Bounds(ctx context.Context) (bounds commitlog.Bounds, err error) {
	err = l.call(ctx, "bounds of", func(ctx context.Context) error {
		bounds, err = l.bounds(ctx)
		return err
	})
	return bounds, err
}

func (l *log) bounds(ctx context.Context) (commitlog.Bounds, error) {
	first, err := l.store.listOffset(ctx, l.topic, l.partition, earliest)
	if err != nil {
		return commitlog.Bounds{}, err
	}
	next, err := l.store.listOffset(ctx, l.topic, l.partition, latest)
	if err != nil {
		return commitlog.Bounds{}, err
	}
	return l.clamp(first, next), nil
}

func (l *log) Read(ctx context.Context, from commitlog.Position, maxBytes int) (chunk commitlog.Chunk, err error) {
	err = l.call(ctx, "read", func(ctx context.Context) error {
		chunk, err = l.read(ctx, from, maxBytes)
		return err
	})
	return chunk, err
}

func (l *log) read(ctx context.Context, from commitlog.Position, maxBytes int) (commitlog.Chunk, error) {
	for at := from; ; {
		got, err := l.store.fetch(ctx, l.topic, l.partition, at, maxBytes)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			bounds, err := l.bounds(ctx)
			if err != nil {
				return commitlog.Chunk{}, err
			}
			if err := l.within(from, bounds); err != nil {
				return commitlog.Chunk{}, err
			}
			// from is the end of a sealed log whose bytes are gone, or the bounds moved just now.
			if from == bounds.Next {
				return commitlog.Chunk{Next: from, Bounds: bounds}, nil
			}
			at = max(from, bounds.First)
			continue
		}
		if err != nil {
			return commitlog.Chunk{}, err
		}
		bounds := l.clamp(got.logStart, got.highWatermark)
		if err := l.within(from, bounds); err != nil {
			return commitlog.Chunk{}, err
		}
		batches, err := visible(l.id, got.records, bounds.Next)
		if err != nil {
			return commitlog.Chunk{}, err
		}
		if len(got.records) == 0 && got.err != nil && at < bounds.Next {
			return commitlog.Chunk{}, fault.As(fault.Corrupt, got.err, "damaged at %d", at)
		}
		next := min(max(at, got.next), bounds.Next)
		if len(batches) > 0 || next == at || next == bounds.Next {
			return commitlog.Chunk{Batches: batches, Next: next, Bounds: bounds}, nil
		}
		at = next // nothing of this log's was there
	}
}

// within says whether one may read from a position.
func (l *log) within(from commitlog.Position, bounds commitlog.Bounds) error {
	switch {
	case from < bounds.First:
		return fault.New(fault.Trimmed, "it begins at %d: %d is trimmed", bounds.First, from)
	case from > bounds.Next:
		return fault.New(fault.Invalid, "it ends at %d: no reading from %d", bounds.Next, from)
	}
	return nil
}

// Wait is woken by this store's own appends, seals and deletions at once, and looks for those of others every pollEvery.
func (l *log) Wait(ctx context.Context, from commitlog.Position) error {
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		ready := false
		err := l.call(ctx, "wait for", func(ctx context.Context) (err error) {
			ready, from, err = l.ready(ctx, from)
			return err
		})
		if err != nil || ready {
			return err
		}
		if !l.sleep(ctx, changed) {
			return ctx.Err()
		}
	}
}

// ready says whether a wait for from is over, or from where on to look the next time.
func (l *log) ready(ctx context.Context, from commitlog.Position) (bool, commitlog.Position, error) {
	bounds, err := l.bounds(ctx)
	if err != nil {
		return false, from, err
	}
	if bounds.Sealed || from < bounds.First {
		return true, from, nil
	}
	if from >= bounds.Next {
		return false, from, nil
	}
	chunk, err := l.read(ctx, from, 1)
	if fault.Is(err, fault.Trimmed) || fault.Is(err, fault.Corrupt) || err == nil && len(chunk.Batches) > 0 {
		return true, from, nil
	}
	return false, max(from, chunk.Next), err
}

// sleep waits until something may have changed, and says whether ctx still lives.
func (l *log) sleep(ctx context.Context, changed <-chan struct{}) bool {
	timer, cancel := context.WithTimeout(ctx, pollEvery)
	defer cancel()
	select {
	case <-changed:
	case <-l.gone.Done():
	case <-l.store.closing:
	case <-timer.Done():
	}
	return ctx.Err() == nil
}

func (l *log) PositionAt(ctx context.Context, t time.Time) (position commitlog.Position, err error) {
	err = l.call(ctx, "position in", func(ctx context.Context) error {
		position, err = l.positionAt(ctx, commitlog.CeilMillis(t))
		return err
	})
	return position, err
}

// positionAt lets Kafka find the first offset with a timestamp of at least millis, and goes on from there to the first record that is visible.
func (l *log) positionAt(ctx context.Context, millis int64) (commitlog.Position, error) {
	at := int64(0)
	if millis > 0 { // below are the special timestamps; and no record is older than 1970
		found, err := l.store.listOffset(ctx, l.topic, l.partition, millis)
		if err != nil {
			return 0, err
		}
		if found < 0 {
			bounds, err := l.bounds(ctx)
			return bounds.Next, err
		}
		at = found
	}
	bounds, err := l.bounds(ctx)
	if err != nil {
		return 0, err
	}
	for at = max(at, bounds.First); at < bounds.Next; {
		chunk, err := l.read(ctx, at, 1<<20)
		if err != nil {
			return 0, err
		}
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			if r.Position >= at && r.Timestamp >= millis {
				return r.Position, nil
			}
		}
		if chunk.Next == at {
			break
		}
		at, bounds = chunk.Next, chunk.Bounds
	}
	return bounds.Next, nil
}

func (l *log) Trim(ctx context.Context, before commitlog.Position) error {
	return l.call(ctx, "trim", func(ctx context.Context) error {
		bounds, err := l.bounds(ctx)
		if err != nil {
			return err
		}
		if before > bounds.Next {
			return fault.New(fault.Invalid, "it ends at %d: no trimming before %d", bounds.Next, before)
		}
		if before <= bounds.First {
			return nil
		}
		err = l.store.deleteRecords(ctx, l.topic, l.partition, before)
		if errors.Is(err, kerr.OffsetOutOfRange) { // somebody else trimmed further
			if bounds, err = l.bounds(ctx); err == nil && bounds.First < before {
				err = fault.New(fault.Unavailable, "the cluster refused to trim before %d, bounds %+v", before, bounds)
			}
		}
		return err
	})
}

func (l *log) Seal(ctx context.Context) (end commitlog.Position, err error) {
	err = l.call(ctx, "seal", func(ctx context.Context) error {
		if err := l.turn.take(ctx); err != nil {
			return err
		}
		defer l.turn.give()
		if err := l.exists(); err != nil {
			return err
		}
		if err := l.store.reg.turn.take(ctx); err != nil {
			return err
		}
		defer l.store.reg.turn.give()
		if err := l.store.reg.catchUp(ctx); err != nil {
			return err
		}
		found, _ := l.store.reg.find(l.id)
		if !found.sealed {
			if err := l.close(ctx); err != nil {
				return err
			}
			found, _ = l.store.reg.find(l.id)
		}
		end = found.end
		return nil
	})
	return end, err
}

// close appends a marker and registers it as the end. The caller has the log's turn and the registry's.
func (l *log) close(ctx context.Context) error {
	next, err := l.store.listOffset(ctx, l.topic, l.partition, latest)
	if err != nil {
		return err
	}
	l.setLimit(true, next)
	defer func() {
		l.setLimit(false, 0)
		l.wake()
	}()
	incarnation, _ := l.store.options.Lease.Current()
	marker := new(batch.Batch)
	marker.Append(l.store.options.Clock.Now().UnixMilli(), nil, nil, append(marks(l.id, incarnation), batch.Header{Key: headerClose})...)
	at, err := l.store.produce(ctx, &l.producer, l.topic, l.partition, marker)
	if err != nil {
		return fault.Wrap(err, "close marker")
	}
	return l.store.reg.propose(ctx, entry{Op: opSeal, Group: l.id.Group, Member: l.id.Member, End: at})
}

func (l *log) setLimit(sealing bool, limit commitlog.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealing, l.limit = sealing, limit
}

// Configure registers the config, then brings the topic's retention in line with it. Asking again finishes what failed half-way.
func (l *log) Configure(ctx context.Context, config commitlog.Config) error {
	return l.call(ctx, "configure", func(ctx context.Context) error {
		if config.Retention < 0 {
			return fault.New(fault.Invalid, "a retention of %v is negative", config.Retention)
		}
		if err := l.store.reg.turn.take(ctx); err != nil {
			return err
		}
		defer l.store.reg.turn.give()
		if err := l.store.reg.propose(ctx, entry{Op: opConfigure, Group: l.id.Group, Member: l.id.Member, Retention: config.Retention}); err != nil {
			return err
		}
		return l.store.setRetention(ctx, l.id.Group)
	})
}

func (l *log) Config() commitlog.Config {
	found, _ := l.store.reg.find(l.id)
	return found.config
}
