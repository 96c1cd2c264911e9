package streams

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// explicitHeader carries a record's explicit hash key, 16 bytes big-endian, when it was put with one.
const explicitHeader = "w.h"

// batchesKept is how much memory the batches of a pooled Put may hold on to between requests, all together: a few times the usual half
// megabyte of a PutRecords. What is more goes to the garbage collector.
const batchesKept = 4 << 20

// Put is one request's way into a stream: Add each record, Commit once, ask for each Result, Release.
//
// A shard that a reshard closes under the put is no failure: its records go to the shards that took over (reshard.go).
//
// Work per record: one MD5 of the key, one copy of the value into its shard's batch (by the caller, who decodes straight into
// it), no allocation, and one pass of AES-GCM when the stream is encrypted (seal.go). Work per shard touched: one append to its log; all of them share the store's next sync.
// It is for one goroutine.
type Put struct {
	streams *Streams
	route   *route
	arrival int64   // ms since 1970: when the request arrived
	parts   []*part // one for each shard touched; parts[:used]
	used    int
	partOf  []int32     // by place in route.open: 1 + index into parts, 0 for none
	placed  []placed    // by record, in order of Add
	spare   batch.Batch // empty; thin fills it
	runAt   int32       // place in route.open of the run of records that spread is giving to one shard
	runLeft int         // bytes until the next run
	wait    sync.WaitGroup

	key     *envelope.DataKey // seals the records; nil when the stream is not encrypted
	pending []byte            // the record that was added last, when it is still to be sealed
	failed  error             // why a record could not be sealed: nothing is put then
}

// part is what goes to one shard.
type part struct {
	shard *Shard
	open  int32 // place of shard in route.open
	batch batch.Batch
	bytes int64              // of data and partition keys in batch
	first commitlog.Position // after Commit, when err is nil and moved is nil
	moved *Put               // has the records, in the order of batch, when the shard closed before they were appended
	err   error

	over    int   // how many records were over the shard's limit
	refused error // of the records that were over the shard's limit
}

// placed says where a record went.
type placed struct {
	key   record.HashKey // what chose the shard, and will choose its child
	part  int32          // index into parts
	index int32          // its number in the part's batch; −1 when it was over the shard's limit
	size  int32          // bytes of its data and partition key, which is not what it takes of the batch
}

// Result is where a record stands, or why it does not. The error's kind says whether to try again.
type Result struct {
	ShardID  string
	Sequence record.SequenceNumber
	Err      error
}

// Begin opens a put into stream. NotFound while the stream has no shards to write to, an *envelope.MasterError when it is encrypted under a
// master key that is missing.
func (s *Streams) Begin(ctx context.Context, stream *catalog.Stream) (*Put, error) {
	r, err := s.route(ctx, stream)
	if err != nil {
		return nil, err
	}
	var key *envelope.DataKey
	if stream.Encryption != nil {
		if key, err = s.dataKey(stream, stream.Encryption.DataKey); err != nil {
			return nil, err
		}
	}
	p := s.puts.Get().(*Put)
	p.key = key
	p.streams, p.route, p.arrival = s, r, s.clock.Now().UnixMilli()
	if len(p.partOf) < len(r.open) {
		p.partOf = make([]int32, len(r.open))
	}
	return p, nil
}

// Add gives a record its place and returns the room for its data, which the caller must fill before Commit.
// With explicit, the record goes where that hash key belongs, instead of the partition key's MD5. In a stream that distributes records itself both are
// ignored; the partition key, which may be empty there, is kept.
func (p *Put) Add(partitionKey []byte, explicit *record.HashKey, dataSize int) []byte {
	size := len(partitionKey) + dataSize
	open, key := p.placeFor(partitionKey, explicit, size)
	at := p.partFor(open)
	part := p.parts[at]
	p.placed = append(p.placed, placed{key: key, part: at, index: int32(part.batch.Len()), size: int32(size)})
	part.bytes += int64(size)
	var raw [16]byte
	var hashKey []byte // explicit, when it is kept
	if explicit != nil && !p.route.auto {
		binary.BigEndian.PutUint64(raw[:], explicit.Hi)
		binary.BigEndian.PutUint64(raw[8:], explicit.Lo)
		hashKey = raw[:]
	}
	if p.key != nil {
		return p.addSealed(part, partitionKey, hashKey, dataSize)
	}
	if hashKey == nil {
		return part.batch.AppendRoom(p.arrival, partitionKey, dataSize)
	}
	return part.batch.AppendRoom(p.arrival, partitionKey, dataSize, batch.Header{Key: explicitHeader, Value: hashKey})
}

// partFor is the index of the part for a shard, begun if this is the first record for it.
func (p *Put) partFor(open int32) int32 {
	if known := p.partOf[open]; known > 0 {
		return known - 1
	}
	if p.used == len(p.parts) {
		p.parts = append(p.parts, new(part))
	}
	part := p.parts[p.used]
	part.shard, part.open = p.route.open[open], open
	p.used++
	p.partOf[open] = int32(p.used)
	return int32(p.used - 1)
}

// Commit appends every record that the limits of its shard let in, shard by shard at the same time, and returns when each shard's outcome is
// known. A failure on one shard leaves the others alone: it is in the Results.
func (p *Put) Commit(ctx context.Context) {
	if p.used > 0 {
		p.sealPending()
		p.admit()
		p.append(ctx)
	}
}

// append writes every part to its log.
func (p *Put) append(ctx context.Context) {
	p.wait.Add(p.used - 1)
	for i := 1; i < p.used; i++ {
		go func() {
			defer p.wait.Done()
			p.appendPart(ctx, int32(i))
		}()
	}
	p.appendPart(ctx, 0)
	p.wait.Wait()
}

// appendPart writes a part to its log. What customers may hear of a failure is said in AWS's words.
func (p *Put) appendPart(ctx context.Context, i int32) {
	part, stream := p.parts[i], p.route.stream
	if part.batch.Len() == 0 { // all of it was over the limit
		return
	}
	if part.err = p.failed; part.err != nil {
		return
	}
	part.first, part.err = part.shard.log.Append(ctx, &part.batch)
	if fault.Is(part.err, fault.Sealed) {
		part.moved, part.err = p.move(ctx, i)
	}
	switch {
	case part.err == nil:
	case fault.Is(part.err, fault.NotFound): // deleted under our hands
		part.err = NotFound(stream.Account, stream.Name)
	case fault.Is(part.err, fault.Throttled):
		part.err = rateExceeded(stream, part.shard.ID)
	default:
		part.err = fault.Wrap(part.err, "put: %s of %s", part.shard.ID, stream.Name)
	}
}

// Stream is the stream that p goes into.
func (p *Put) Stream() *catalog.Stream { return p.route.stream }

// Result is what became of record i, counted in order of Add.
func (p *Put) Result(i int) Result {
	at := p.placed[i]
	part := p.parts[at.part]
	if at.index < 0 {
		return Result{ShardID: part.shard.ID, Err: part.refused}
	}
	if part.err != nil {
		return Result{ShardID: part.shard.ID, Err: part.err}
	}
	if part.moved != nil {
		return part.moved.Result(int(at.index))
	}
	return Result{ShardID: part.shard.ID, Sequence: part.shard.sequence(part.first+int64(at.index), p.arrival)}
}

// Release gives the put's memory back. The put must not be used afterwards.
func (p *Put) Release() {
	for _, part := range p.parts[:p.used] {
		p.partOf[part.open] = 0
		if part.moved != nil {
			part.moved.Release()
		}
		part.shard, part.moved, part.err, part.refused, part.over, part.bytes = nil, nil, nil, nil, 0, 0
		part.batch.Reset()
	}
	if p.spare.Cap() > batchesKept/2 {
		p.spare = batch.Batch{}
	}
	kept := p.spare.Cap()
	for _, part := range p.parts { // also those that this request did not use
		if kept += part.batch.Cap(); kept > batchesKept {
			kept -= part.batch.Cap()
			part.batch = batch.Batch{}
		}
	}
	s := p.streams
	p.streams, p.route, p.used, p.placed, p.runLeft = nil, nil, 0, p.placed[:0], 0
	p.key, p.pending, p.failed = nil, nil, nil
	s.puts.Put(p)
}

// SequenceOf is the sequence number of a record that was read from the shard.
func (s *Shard) SequenceOf(r *batch.Record) record.SequenceNumber {
	return s.sequence(r.Position, r.Timestamp)
}

// sequence is the sequence number of the record at a position of the shard's log that arrived at a time in ms. It is computed
// whenever it is needed and never stored.
func (s *Shard) sequence(position commitlog.Position, arrivalMillis int64) record.SequenceNumber {
	return record.SequenceNumber{
		ShardCreated:  s.Created.Unix(),
		Shard:         s.Number,
		Position:      position + s.Base,
		ArrivalSecond: arrivalMillis / 1000,
	}
}
