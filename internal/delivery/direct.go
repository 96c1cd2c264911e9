package delivery

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// Retention is how long what was put directly waits for a destination that does not take it (Firehose developer guide, "Data delivery": "up to 24 hours"; read 2026-11).
const Retention = 24 * time.Hour

// directBytes is how much one Read takes from the log, at least a batch.
const directBytes = 1 << 20

// direct is what was put to a delivery stream as a source: one shard that never ends. Its key is the delivery stream's number.
type direct struct {
	engine *Engine
	number uint64
}

// directShard is the name of the one shard.
const directShard = "direct"

func (d *direct) key() string { return strconv.FormatUint(d.number, 10) }

// log is the log of the direct puts of a delivery stream.
func (e *Engine) log(ctx context.Context, number uint64) (commitlog.Log, error) {
	if log, ok := e.logs.Load(number); ok {
		return log.(commitlog.Log), nil
	}
	log, err := e.options.Store.Open(ctx, LogID(number))
	if err != nil {
		return nil, err
	}
	e.logs.Store(number, log)
	return log, nil
}

// Shards is readers.Source's.
func (d *direct) Shards(context.Context) ([]readers.ShardInfo, <-chan struct{}, error) {
	return []readers.ShardInfo{{ID: directShard, Key: d.key()}}, nil, nil
}

// Start is readers.Source's: what was put is delivered from the first on.
func (d *direct) Start(ctx context.Context, _ string, _ readers.Start) (int64, error) {
	log, err := d.engine.log(ctx, d.number)
	if err != nil {
		return 0, err
	}
	bounds, err := log.Bounds(ctx)
	return bounds.First, err
}

// Read is readers.Source's.
func (d *direct) Read(ctx context.Context, _ string, from int64, limit int) (readers.Chunk, error) {
	log, err := d.engine.log(ctx, d.number)
	if err != nil {
		return readers.Chunk{}, err
	}
	now := d.engine.options.Clock.Now()
	out := readers.Chunk{Next: from, Horizon: now.Add(-Retention)}
	chunk, err := log.Read(ctx, from, directBytes)
	if fault.Is(err, fault.Trimmed) {
		var bounds commitlog.Bounds
		if bounds, err = log.Bounds(ctx); err == nil {
			from, out.Lost = bounds.First, true
			chunk, err = log.Read(ctx, from, directBytes)
		}
	}
	if err != nil {
		return readers.Chunk{}, err
	}
	out.Next = chunk.Next
	var r batch.Record
	it := batch.Iterate(chunk.Batches)
	for it.Next(&r) {
		if r.Position < from {
			continue
		}
		if len(out.Records) == limit {
			out.Next = r.Position
			break
		}
		arrival := time.UnixMilli(r.Timestamp).UTC()
		if !arrival.After(out.Horizon) {
			out.Lost = true
			continue
		}
		// The chunk is never released, so that its bytes stay valid without a copy; the garbage collector has them as soon as they were counted or sent.
		out.Records = append(out.Records, readers.Record{Position: r.Position, Data: r.Value[:len(r.Value):len(r.Value)], Arrival: arrival})
	}
	if err := it.Err(); err != nil {
		return readers.Chunk{}, err
	}
	if n := len(out.Records); n > 0 && out.Next < chunk.Bounds.Next {
		out.Behind = now.Sub(out.Records[n-1].Arrival)
	}
	return out, nil
}

// Wait is readers.Source's.
func (d *direct) Wait(ctx context.Context, _ string, from int64) error {
	log, err := d.engine.log(ctx, d.number)
	if err != nil {
		return err
	}
	return log.Wait(ctx, from)
}

// Ready is readers.Source's.
func (d *direct) Ready(_ string, from int64) bool {
	log, ok := d.engine.logs.Load(d.number)
	if !ok {
		return true
	}
	bounds, err := log.(commitlog.Log).Bounds(context.Background())
	return err != nil || bounds.Next > from
}

// trim forgets what was delivered. That it cannot is no failure: retention takes it.
func (d *direct) trim(ctx context.Context, before int64) {
	log, err := d.engine.log(ctx, d.number)
	if err == nil {
		err = log.Trim(ctx, before)
	}
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.NotFound) {
		d.engine.options.Logger.Warn("delivery stream: what was delivered could not be forgotten yet", "number", d.number, "err", err)
	}
}

// Put appends records to a delivery stream that takes direct puts, all or none, and gives each an id. When it returns without an error they are durable.
//
// Faults: NotFound when the delivery stream is going; Throttled, with nothing done, when it is not ACTIVE yet or the log takes no more for now; Full likewise.
func (e *Engine) Put(ctx context.Context, s *Stream, records [][]byte) (ids []string, err error) {
	switch s.Status {
	case Creating:
		return nil, fault.New(fault.Throttled, "Firehose %s under account %s is not ACTIVE yet.", s.Name, s.Account)
	case Deleting:
		return nil, NotFound(s.Account, s.Name)
	}
	log, err := e.log(ctx, s.Number)
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(s.Account, s.Name)
	}
	if err != nil {
		return nil, err
	}
	size := 0
	for _, r := range records {
		size += len(r) + recordOverhead
	}
	var b batch.Batch
	b.Grow(size)
	now := e.options.Clock.Now().UnixMilli()
	for _, r := range records {
		b.Append(now, nil, r)
	}
	first, err := log.Append(ctx, &b)
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(s.Account, s.Name)
	}
	if err != nil {
		return nil, fault.Wrap(err, "put to delivery stream %s", s.Name)
	}
	ids = make([]string, len(records))
	for i := range records {
		ids[i] = fmt.Sprintf("%s%016x", s.ID, first+int64(i))
	}
	return ids, nil
}

// recordOverhead is more than what a record takes in a batch beside its value, in bytes.
const recordOverhead = 32
