package streams

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// getBytes is how much data one GetRecords returns at most (API_GetRecords: 10 MiB).
const getBytes = 10 << 20

// Batch is what one Get found.
type Batch struct {
	Shard   *Shard
	Records []batch.Record // slices into the log's memory, or the Batch's when they lay Sealed: read only
	// Next is the iterator to go on with. Empty at the end of a closed shard, and then Children says where the keys went.
	Next     string
	Children []Child
	// MillisBehind is how far the end of Records is behind the newest record: 0 when nothing is left, otherwise the age of
	// the oldest record not returned, as far as it is known without reading on.
	MillisBehind int64
	// Bytes is the data and keys of Records.
	Bytes int
	// Stats are those of the stream. Get gives them also when it fails, once it knows the stream.
	Stats *Stats

	from   commitlog.Position // where reading began: where it was asked to, or behind what retention has taken
	most   int                // what Bytes may come to when there is more than one record
	chunks []commitlog.Chunk  // what Records point into
	opener opener             // opens those that lie sealed
}

// Release gives the memory of Records back. They must not be used afterwards.
func (b *Batch) Release() {
	for i := range b.chunks {
		if release := b.chunks[i].Release; release != nil {
			release()
		}
	}
	b.chunks = nil
	b.opener.release()
}

// Held is how many bytes of log, and of what was opened of it, are kept in memory until Release.
func (b *Batch) Held() int {
	held := 0
	for i := range b.chunks {
		held += len(b.chunks[i].Batches)
	}
	for _, block := range b.opener.blocks {
		held += cap(*block)
	}
	return held
}

// Child is a shard that goes on where a closed one ended.
type Child struct {
	Shard   *Shard
	Parents []string // shard ids: one after a split, two after a merge
}

// Get reads up to limit records, and up to 10 MiB, from where an iterator stands. allowed is asked before anything is read whether the
// caller may read the stream that the iterator belongs to. The caller releases the Batch.
//
// Throttled when the shard gives no more for now (see meter.Shard.Read). Records that retention has taken since the iterator was made are passed over. Damaged ones are not: fault.Corrupt.
func (s *Streams) Get(ctx context.Context, token string, limit int, into []batch.Record, allowed func(*catalog.Stream) error) (Batch, error) {
	now := s.clock.Now()
	it, err := s.openIterator(token, now)
	if err != nil {
		return Batch{}, err
	}
	stream := s.control.State().StreamByGroup(it.group)
	if stream == nil {
		return Batch{}, fault.New(fault.NotFound, "The stream of this ShardIterator does not exist any more.")
	}
	if err := allowed(stream); err != nil {
		return Batch{}, err
	}
	r, err := s.route(ctx, stream)
	if err != nil {
		return Batch{}, err
	}
	shard := r.byNumber(it.shard)
	if shard == nil {
		return Batch{}, fault.New(fault.Invalid, "Invalid ShardIterator.")
	}
	if !shard.meter.Read(now, s.limits) {
		r.stats.ReadExceeded.Add(1)
		return Batch{Stats: r.stats}, rateExceeded(stream, shard.ID)
	}
	out := Batch{Shard: shard, Records: into[:0], Stats: r.stats, most: getBytes}
	next, err := s.read(ctx, stream, &out, it.position, limit, now)
	if err != nil {
		out.Release()
		if fault.Is(err, fault.NotFound) { // deleted under our hands
			err = NotFound(stream.Account, stream.Name)
		}
		return Batch{Stats: r.stats}, err
	}
	s.charge(&out, now)
	r.stats.observe(stream, &out, now)
	if shard.Status == catalog.Closed && next >= endOf(shard) {
		out.Children = r.children(shard)
		return out, nil
	}
	it.position = next
	out.Next, err = s.iterator(it, now)
	return out, err
}

// How much of the log is read at once. The first window shows how large the records are, the others are made to measure: a GetRecords
// that asks for little does not pay for 10 MiB, and little is read again by the next call.
const (
	windowFirst = 256 << 10
	windowMin   = 64 << 10
	windowMax   = 1 << 20
)

// read fills out.Records from position on, window by window, and says where to continue.
func (s *Streams) read(ctx context.Context, stream *catalog.Stream, out *Batch, position commitlog.Position, limit int, now time.Time) (commitlog.Position, error) {
	horizon := stream.Horizon(now)
	out.opener = opener{streams: s, stream: stream}
	chunk, position, err := readFrom(ctx, out.Shard.log, position, horizon)
	if err != nil {
		return 0, fault.Wrap(err, "get: %s", out.Shard.ID)
	}
	out.from = position
	for {
		next, rest, err := out.take(chunk, position, limit)
		if err != nil {
			return 0, fault.Wrap(err, "get: %s", out.Shard.ID)
		}
		full := next < chunk.Next || len(out.Records) >= limit || out.Bytes >= out.most
		last := chunk.Bounds.Next
		if !full && next < last {
			chunk, err = out.Shard.log.Read(ctx, next, window(out.Bytes, len(out.Records), limit))
			full = err != nil || len(chunk.Batches) == 0 // what is wrong there the next call says, which begins there
		}
		if full || next >= last {
			out.MillisBehind = millisBehind(out.Records, rest, next < last, horizon, now)
			return next, nil
		}
		position = next
	}
}

// window is how many bytes of log the records that are still wanted take, judged by the read ones.
func window(size, read, limit int) int {
	each := size/max(read, 1) + 64 // what a record takes beside key and data, rounded up
	return min(max((limit-read)*each, windowMin), windowMax)
}

// take adds the records of chunk from position on, until limit or b.most are reached, and says where the next record is; rest is the
// first record of the chunk that was left, if there is one.
func (b *Batch) take(chunk commitlog.Chunk, position commitlog.Position, limit int) (next commitlog.Position, rest *batch.Record, err error) {
	b.chunks = append(b.chunks, chunk)
	records := batch.Iterate(chunk.Batches)
	for {
		n := len(b.Records)
		b.Records = append(b.Records, batch.Record{})
		rec := &b.Records[n]
		if !records.Next(rec) {
			b.Records = b.Records[:n]
			return chunk.Next, nil, records.Err()
		}
		if rec.Position < position {
			b.Records = b.Records[:n]
			continue
		}
		grown := b.Bytes + plainSize(rec)
		full := n >= limit || n > 0 && grown > b.most
		if !full {
			err := b.opener.open(rec)
			if err != nil && n == 0 {
				return 0, nil, err
			}
			full = err != nil // the next call begins there, and says what is wrong
		}
		if full {
			left := *rec
			b.Records = b.Records[:n]
			return left.Position, &left, nil
		}
		b.Bytes += len(rec.Key) + len(rec.Value)
	}
}

// millisBehind is the age of the oldest record that is left; where that was not read, of the youngest that was, which is not younger.
func millisBehind(read []batch.Record, rest *batch.Record, more bool, horizon, now time.Time) int64 {
	switch {
	case !more:
		return 0
	case rest != nil:
		return max(now.UnixMilli()-rest.Timestamp, 1)
	case len(read) > 0:
		return max(now.UnixMilli()-read[len(read)-1].Timestamp, 1)
	default:
		return max(now.UnixMilli()-horizon.UnixMilli(), 1)
	}
}

// readFrom reads a chunk at position, or at the horizon when position is behind it, and says which of the two it was.
func readFrom(ctx context.Context, log commitlog.Log, position commitlog.Position, horizon time.Time) (commitlog.Chunk, commitlog.Position, error) {
	chunk, position, err := readKept(ctx, log, position)
	if err != nil || len(chunk.Batches) == 0 {
		return chunk, position, err
	}
	// Where the first batch is young enough, so is what follows: one look at a header is all that exact retention costs.
	info, err := batch.Peek(chunk.Batches)
	if err != nil || info.BaseTimestamp >= horizon.UnixMilli() {
		return chunk, position, err
	}
	first, err := log.PositionAt(ctx, horizon)
	if err != nil || first <= position {
		return chunk, position, err
	}
	if chunk.Release != nil {
		chunk.Release()
	}
	return readKept(ctx, log, first)
}

// readKept reads a chunk at position, or at the first that is kept when that is behind it, and says which of the two it was. The log may be dropping
// records right now, and then again between being told where it begins and reading there.
func readKept(ctx context.Context, log commitlog.Log, position commitlog.Position) (commitlog.Chunk, commitlog.Position, error) {
	for {
		chunk, err := log.Read(ctx, position, windowFirst)
		if !fault.Is(err, fault.Trimmed) {
			return chunk, position, err
		}
		bounds, err := log.Bounds(ctx)
		if err != nil {
			return chunk, position, err
		}
		position = max(position+1, bounds.First) // grows, so that this ends
	}
}

// children are the shards that took over a closed shard's keys.
func (r *route) children(parent *Shard) []Child {
	var out []Child
	for _, shard := range r.shards {
		var parents []string
		mine := false
		for _, p := range []*uint32{shard.Parent, shard.AdjacentParent} {
			if p != nil {
				parents = append(parents, ShardID(*p))
				mine = mine || *p == parent.Number
			}
		}
		if mine {
			out = append(out, Child{Shard: shard, Parents: parents})
		}
	}
	return out
}
