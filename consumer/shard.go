package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/clock"
)

// run is one shard in the hands of this worker, from waiting for its parents to one of the endings of its processor.
type run struct {
	w         *Worker
	h         *holding
	shard     string
	leaving   <-chan struct{} // closed when the shard is to be given up in order
	processor Processor       // nil until the factory has made it and Initialize has succeeded
	check     *checkpointer
	unpacker  unpacker
}

// How a shard's run goes on or ends.
type verdict int

const (
	goOn    verdict = iota
	lost            // the lease is another's, or the worker was stopped
	leave           // somebody has asked for the shard in order
	atEnd           // all records of the closed shard have been processed
	deleted         // there is no such shard any more
)

// process runs the shard. ctx ends when the lease does.
func (r *run) process(ctx context.Context) {
	verdict, children := r.upToEnd(ctx)
	if verdict == atEnd || verdict == deleted {
		verdict = r.end(ctx, children, verdict == deleted)
	}
	switch verdict {
	case leave:
		r.giveUp(ctx)
	case lost:
		if r.processor != nil {
			_ = r.call(func() error { r.processor.LeaseLost(context.WithoutCancel(ctx)); return nil })
		}
	}
}

// upToEnd waits for the parents, makes the processor and hands out records.
func (r *run) upToEnd(ctx context.Context) (verdict, []types.ChildShard) {
	if v := r.parents(ctx); v != goOn {
		return v, nil
	}
	if v := r.initialize(ctx); v != goOn {
		return v, nil
	}
	return r.read(ctx)
}

// parents waits until every parent that has a lease is finished.
func (r *run) parents(ctx context.Context) verdict {
	for _, parent := range r.h.snapshot().parents {
		for {
			l, err := r.w.table.get(ctx, parent)
			if err == nil && (l == nil || l.ended()) {
				break
			}
			if err != nil && ctx.Err() == nil {
				r.w.options.Notice(err)
			}
			if v := r.wait(ctx, r.w.options.ParentPoll); v != goOn {
				return v
			}
		}
	}
	return goOn
}

// initialize makes the processor and lets it begin. Each is tried until it succeeds.
func (r *run) initialize(ctx context.Context) verdict {
	var made Processor
	v := r.insist(ctx, "make the processor of "+r.shard, func() (err error) {
		made, err = r.w.options.Factory(r.shard)
		return err
	})
	if v != goOn {
		return v
	}
	l := r.h.snapshot()
	v = r.insist(ctx, "initialize the processor of "+r.shard, func() error {
		return made.Initialize(ctx, Start{Shard: r.shard, From: l.checkpoint, Pending: l.pending})
	})
	r.processor = made // also one that could not begin is told of its end
	return v
}

// read hands out records until the shard ends, or somebody else is to have it.
func (r *run) read(ctx context.Context) (verdict, []types.ChildShard) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	unblocked := make(chan struct{})
	go func() { // ends a read when the shard is to be given up
		defer close(unblocked)
		select {
		case <-r.leaving:
			stop()
		case <-reading.Done():
		}
	}()
	defer func() { stop(); <-unblocked }()
	from := r.source()
	defer from.close()
	backoff := r.w.backoff()
	for {
		got, err := from.next(reading)
		if v := r.state(ctx); v != goOn {
			return v, nil
		}
		switch {
		case errors.Is(err, errGone):
			r.w.options.Notice(fmt.Errorf("shard %s is taken to be at its end: %w", r.shard, err))
			return deleted, nil
		case err != nil:
			r.w.options.Notice(err)
			from.close()
			if v := r.wait(ctx, backoff.next()); v != goOn {
				return v, nil
			}
			continue
		}
		backoff.reset()
		r.w.measure("MillisBehindLatest", float64(got.behind.Milliseconds()), millis, operation("ProcessTask"), shardDimension(r.shard))
		if v := r.deliver(ctx, got); v != goOn {
			return v, nil
		}
		if got.ended {
			return atEnd, got.children
		}
	}
}

func (r *run) source() source {
	from := origin{from: r.h.snapshot().checkpoint, time: r.w.options.InitialTimestamp}
	if r.w.options.FanOut {
		return &subscriber{w: r.w, shard: r.shard, origin: from}
	}
	return &poller{w: r.w, shard: r.shard, origin: from}
}

// deliver calls ProcessRecords with the same records until it succeeds.
func (r *run) deliver(ctx context.Context, got fetched) verdict {
	records := r.unpacker.unpack(got.records)
	if len(records) == 0 && !r.w.options.CallOnEmpty {
		return goOn
	}
	var size int64
	for i := range records {
		size += int64(len(records[i].Data))
	}
	v := r.insist(ctx, "process records of "+r.shard, func() error {
		takeBack := func() {}
		if n := len(records); n > 0 {
			takeBack = r.check.handOut(records[n-1].Position())
		}
		began := r.w.options.Clock.Now()
		err := r.call(func() error {
			return r.processor.ProcessRecords(ctx, Batch{Records: records, BehindLatest: got.behind, Checkpoint: r.check})
		})
		r.w.measure("RecordProcessor.processRecords.Time", float64(r.w.options.Clock.Now().Sub(began).Milliseconds()), millis, operation("ProcessTask"), shardDimension(r.shard))
		if err != nil {
			takeBack()
		}
		return err
	})
	if v != goOn && v != leave {
		return v
	}
	r.h.processed(size)
	r.w.measure("RecordsProcessed", float64(len(records)), count, operation("ProcessTask"), shardDimension(r.shard))
	r.w.measure("DataBytesProcessed", float64(size), bytes, operation("ProcessTask"), shardDimension(r.shard))
	return v
}

// end makes the leases of the children and lets the processor write that the shard is finished. Each is tried until it succeeds.
func (r *run) end(ctx context.Context, children []types.ChildShard, gone bool) verdict {
	v := r.insist(ctx, "make the leases of the children of "+r.shard, func() (err error) {
		if len(children) == 0 && !gone {
			if children, err = r.listChildren(ctx); err != nil {
				return err
			}
		}
		return r.makeChildren(ctx, children)
	})
	if v != goOn {
		return v
	}
	r.check.end()
	return r.insist(ctx, "end of "+r.shard, func() error {
		if err := r.call(func() error { return r.processor.ShardEnded(ctx, r.check) }); err != nil {
			return err
		}
		if l := r.h.snapshot(); !l.ended() {
			return errors.New("the processor did not checkpoint in ShardEnded")
		}
		r.w.event(EventShardEnded, r.shard, "")
		return nil
	})
}

// listChildren asks for the children of the shard, when the answer at its end did not name them.
func (r *run) listChildren(ctx context.Context) (children []types.ChildShard, err error) {
	shards, err := r.w.listShards(ctx, nil)
	for _, shard := range shards {
		if parents := parentsOf(shard); slices.Contains(parents, r.shard) {
			children = append(children, types.ChildShard{ShardId: shard.ShardId, ParentShards: parents, HashKeyRange: shard.HashKeyRange})
		}
	}
	return children, err
}

// errWaits is that the lease of a merged shard cannot be made yet.
var errWaits = errors.New("the lease of the other parent is not there yet")

// makeChildren makes leases for children that have none, and notes the children in the lease. The child of a merge gets its lease only if those of both parents are
// there, or neither: otherwise it might begin before a parent that has yet to come.
func (r *run) makeChildren(ctx context.Context, children []types.ChildShard) error {
	var ids []string
	for _, child := range children {
		l := &lease{shard: aws.ToString(child.ShardId), checkpoint: Position{SequenceNumber: TrimHorizon}, parents: child.ParentShards}
		if child.HashKeyRange != nil {
			hashes, err := parseRange(aws.ToString(child.HashKeyRange.StartingHashKey), aws.ToString(child.HashKeyRange.EndingHashKey))
			if err != nil {
				return err
			}
			l.hashes = hashes
		}
		ids = append(ids, l.shard)
		if there, err := r.w.table.get(ctx, l.shard); err != nil || there != nil {
			if err != nil {
				return err
			}
			continue
		}
		for _, parent := range l.parents {
			if there, err := r.w.table.get(ctx, parent); err != nil || there == nil {
				return errors.Join(err, fmt.Errorf("child %s of %s: %w: %s", l.shard, r.shard, errWaits, parent))
			}
		}
		if err := r.w.insertLeases(ctx, []*lease{l}); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return r.w.table.setChildren(ctx, r.shard, ids)
}

// giveUp lets the processor finish, and then the lease goes to another.
func (r *run) giveUp(ctx context.Context) {
	if r.processor != nil && !r.check.isEnded() {
		if err := r.call(func() error { return r.processor.ShutdownRequested(ctx, r.check) }); err != nil {
			r.w.options.Notice(fmt.Errorf("shutdown of the processor of %s: %w", r.shard, err))
		}
	}
	if err := r.h.release(ctx, "in order"); err != nil && ctx.Err() == nil {
		r.w.options.Notice(err)
	}
}

// insist tries something until it succeeds, or the shard is to be given up.
func (r *run) insist(ctx context.Context, what string, try func() error) verdict {
	backoff := r.w.backoff()
	for {
		err := r.call(try)
		if v := r.state(ctx); v == lost || err == nil {
			return v
		}
		r.w.options.Notice(fmt.Errorf("%s: %w", what, err))
		if v := r.wait(ctx, backoff.next()); v != goOn {
			return v
		}
	}
}

// call calls the program's code, of which a panic is an error.
func (r *run) call(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// state is whether the shard is to be gone on with.
func (r *run) state(ctx context.Context) verdict {
	if ctx.Err() != nil {
		return lost
	}
	select {
	case <-r.leaving:
		return leave
	default:
		return goOn
	}
}

// wait waits, unless the shard is to be given up.
func (r *run) wait(ctx context.Context, d time.Duration) verdict {
	timer := r.w.options.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-r.leaving:
	case <-ctx.Done():
	}
	return r.state(ctx)
}

// backoff is a wait that doubles.
type backoff struct {
	first, most, wait time.Duration
}

func (w *Worker) backoff() *backoff {
	return &backoff{first: w.options.TaskBackoff, most: w.options.TaskBackoffMax}
}

func (b *backoff) next() time.Duration {
	b.wait = min(max(b.first, 2*b.wait), max(b.first, b.most))
	return b.wait
}

func (b *backoff) reset() { b.wait = 0 }

// every calls f at once and then again and again, until ctx or until ends. f is told of trouble by nobody: it reports it.
func every(ctx context.Context, c clock.Clock, d time.Duration, kick <-chan struct{}, f func()) {
	for ctx.Err() == nil {
		f()
		timer := c.NewTimer(d)
		select {
		case <-timer.C():
		case <-kick:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
