package streams

import (
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota/meter"
)

// meters counts for every shard and every stream that was used since the node began, and outlives their routes. An entry goes when its shard's log or its stream does.
type meters struct {
	shards  sync.Map // commitlog.ID → *meter.Shard
	traffic sync.Map // log group (uint64) → *meter.Traffic
	stats   sync.Map // log group (uint64) → *Stats
}

func (m *meters) shard(id commitlog.ID) *meter.Shard {
	if known, ok := m.shards.Load(id); ok {
		return known.(*meter.Shard)
	}
	known, _ := m.shards.LoadOrStore(id, new(meter.Shard))
	return known.(*meter.Shard)
}

func (m *meters) stream(group uint64) *meter.Traffic {
	if known, ok := m.traffic.Load(group); ok {
		return known.(*meter.Traffic)
	}
	known, _ := m.traffic.LoadOrStore(group, new(meter.Traffic))
	return known.(*meter.Traffic)
}

// forget drops what was counted for a stream that is gone.
func (m *meters) forget(stream *catalog.Stream) {
	m.traffic.Delete(stream.Group)
	m.stats.Delete(stream.Group)
	for i := range stream.Shards {
		m.shards.Delete(LogID(stream, stream.Shards[i].Number))
	}
}

// Traffic is what came into a stream, minute by minute, from the minute of a time on; see meter.Traffic. What was refused does not count.
func (s *Streams) Traffic(stream *catalog.Stream, from time.Time) []meter.Minute {
	return s.meters.stream(stream.Group).Since(from)
}

// Recalls says whether Traffic has everything that came into a stream from a time on: the node began before it, or the stream was made since.
func (s *Streams) Recalls(stream *catalog.Stream, from time.Time) bool {
	return !s.began.After(from) || !s.began.After(stream.Created)
}

// Counts is what a shard has taken and given since the node began.
func (s *Streams) Counts(stream *catalog.Stream, shard uint32) meter.Counts {
	return s.meters.shard(LogID(stream, shard)).Counts()
}

// rateExceeded is the refusal of a shard that takes or gives no more for now, in AWS's words.
func rateExceeded(stream *catalog.Stream, shardID string) error {
	return fault.New(fault.Throttled, "Rate exceeded for shard %s in stream %s under account %s.", shardID, stream.Name, stream.Account)
}

// admit takes room in the meters for what the put holds, part by part. Where there is no room for a whole part, each of its records asks for itself,
// in the request's order, and those that find none are taken out of the batch.
func (p *Put) admit() {
	now := p.streams.clock.Now()
	stream, limits := p.route.stream, p.streams.limits
	largest := int64(stream.MaxRecordKiB) << 10
	records, bytes := 0, int64(0)
	for at, part := range p.parts[:p.used] {
		if !part.shard.meter.Write(now, limits, part.batch.Len(), part.bytes, largest) {
			p.thin(int32(at), func(size int64) bool { return part.shard.meter.Write(now, limits, 1, size, largest) })
		}
		records += part.batch.Len()
		bytes += part.bytes
	}
	if records > 0 {
		p.route.traffic.Add(now, records, bytes)
	}
}

// thin takes the records out of a part whose sizes are not admitted. The others keep their order.
func (p *Put) thin(at int32, admitted func(size int64) bool) {
	part := p.parts[at]
	from := part.batch
	part.batch, part.bytes = p.spare, 0
	part.refused = rateExceeded(p.route.stream, part.shard.ID)
	records := batch.Iterate(from.Bytes())
	var rec batch.Record
	for i := range p.placed {
		placed := &p.placed[i]
		if placed.part != at || !records.Next(&rec) { // a part's records are placed in the order of its batch
			continue
		}
		if !admitted(int64(placed.size)) {
			placed.index = -1
			continue
		}
		placed.index = int32(part.batch.Len())
		part.batch.Append(rec.Timestamp, rec.Key, rec.Value, rec.CopyHeaders(nil)...)
		part.bytes += int64(placed.size)
	}
	part.over = from.Len() - part.batch.Len()
	part.shard.meter.Refused(part.over)
	from.Reset()
	p.spare = from
}

// charge meters what a Get found.
func (s *Streams) charge(out *Batch, now time.Time) {
	out.Shard.meter.Gave(now, s.limits, len(out.Records), int64(out.Bytes))
}
