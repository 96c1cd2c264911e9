package streams

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// Resharding as its two sides see it. What closes and what opens the catalog has decided (catalog/reshard.go).
//
//	reshard                              a put that meets it
//	makes the children's logs            appends to the parent, and is acknowledged
//	seals the parents' logs              is Sealed: nothing of it is in the parent, and nothing will be
//	proposes ShardsSealed with the ends  waits for the catalog to say that the parent is closed
//	                                     puts the records into the children, in the same order
//
// Between seal and report lie one sync for the seals, which share it, and one for the report; so long does a put wait. A crash between them
// leaves an UPDATING stream whose parents are sealed: the restart seals again, is given the same ends, and reports.
//
// Order per key: what the parent acknowledged stands below its end, and children take nothing before that end is in the catalog. Nothing is
// doubled: Sealed means not appended. An append whose outcome is unknown is not moved; its caller learns that it may have happened.

// sealedWait is how long a put waits for the shards that take over. It takes milliseconds unless the disk is full or broken.
const sealedWait = 10 * time.Second

// reshard carries one round of a reshard out and reports it.
func (s *Streams) reshard(ctx context.Context, stream *catalog.Stream) error {
	if err := s.eachLog(ctx, stream, func(shard *catalog.Shard) bool { return shard.Status == catalog.Opening }, func(ctx context.Context, shard uint32) error {
		return s.store.Create(ctx, LogID(stream, shard), logConfig(stream))
	}); err != nil {
		return err
	}
	report := catalog.ShardsSealed{Group: stream.Group}
	var mu sync.Mutex // guards report
	if err := s.eachLog(ctx, stream, func(shard *catalog.Shard) bool { return shard.Closing }, func(ctx context.Context, shard uint32) error {
		log, err := s.store.Open(ctx, LogID(stream, shard))
		if err != nil {
			return err
		}
		end, err := log.Seal(ctx)
		if err != nil {
			return fault.Wrap(err, "seal %s", ShardID(shard))
		}
		mu.Lock()
		defer mu.Unlock()
		report.Ends = append(report.Ends, catalog.ShardEnd{Shard: shard, End: end})
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(report.Ends, func(a, b catalog.ShardEnd) int { return int(a.Shard) - int(b.Shard) })
	return s.control.Propose(ctx, report)
}

// bury removes the logs of shards whose records have all expired, and reports them gone.
func (s *Streams) bury(ctx context.Context, stream *catalog.Stream) error {
	expired := func(shard *catalog.Shard) bool { return shard.Status == catalog.Expired }
	report := catalog.ShardsGone{Group: stream.Group}
	for i := range stream.Shards {
		if expired(&stream.Shards[i]) {
			report.Shards = append(report.Shards, stream.Shards[i].Number)
		}
	}
	if len(report.Shards) == 0 {
		return nil
	}
	if err := s.eachLog(ctx, stream, expired, func(ctx context.Context, shard uint32) error {
		s.meters.shards.Delete(LogID(stream, shard))
		return s.store.Delete(ctx, LogID(stream, shard))
	}); err != nil {
		return err
	}
	return s.control.Propose(ctx, report)
}

// move puts the records of a part whose shard was closed into the shards that took over. The caller releases what it gets.
func (p *Put) move(ctx context.Context, i int32) (*Put, error) {
	part := p.parts[i]
	stream, err := p.streams.afterReshard(ctx, p.route.stream.Group, part.shard.Number)
	if err != nil {
		return nil, err
	}
	again, err := p.streams.Begin(ctx, stream)
	if err != nil {
		return nil, err
	}
	again.arrival = p.arrival
	records := batch.Iterate(part.batch.Bytes())
	var r batch.Record
	for j := range p.placed {
		if p.placed[j].part == i && p.placed[j].index >= 0 && records.Next(&r) { // a part's records are placed in the order of its batch
			again.addWritten(p.placed[j].key, &r)
		}
	}
	if again.used > 0 {
		again.append(ctx) // the closed shard has let them in already
	}
	return again, nil
}

// addWritten is Add for a record as another part has it.
func (p *Put) addWritten(key record.HashKey, r *batch.Record) {
	at := p.partFor(int32(p.route.shardFor(key)))
	part := p.parts[at]
	p.placed = append(p.placed, placed{key: key, part: at, index: int32(part.batch.Len())})
	part.batch.Append(p.arrival, r.Key, r.Value, r.CopyHeaders(nil)...)
}

// afterReshard waits until the catalog says that a shard of a stream is closed, and gives the stream as it is then. Unavailable when that takes too long.
func (s *Streams) afterReshard(ctx context.Context, group uint64, shard uint32) (*catalog.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, sealedWait)
	defer cancel()
	for state := s.control.State(); ; {
		stream := state.StreamByGroup(group)
		if stream == nil {
			return nil, fault.New(fault.NotFound, "the stream is gone")
		}
		if now := stream.Shard(shard); now == nil || now.Status != catalog.Open {
			return stream, nil
		}
		var err error
		if state, err = s.control.Await(ctx, state.Version()); err != nil {
			return nil, fault.Wrap(err, "waiting for the shards that take over from %s", ShardID(shard))
		}
	}
}

// endOf is the position in its log behind a closed shard's last record.
func endOf(shard *Shard) commitlog.Position { return shard.End - shard.Base }
