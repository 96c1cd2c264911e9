package streams

import (
	"context"
	"math"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// What the server itself needs to consume a stream: the positions that iterators stand for, without iterators. All of them are shard positions: those in the log with the
// shard's Base added, as sequence numbers have them. Nothing here counts against what customers may read.

// followBytes is how much data and keys one Follow returns at most when there is more than one record: little enough for many shards at once, and some thirty reads of
// the log in a row when a consumer is behind.
const followBytes = 2 << 20

// Followed is what one Follow found.
type Followed struct {
	Batch // without Next
	// Position is where to go on.
	Position commitlog.Position
	// End says that the shard is closed and everything in it has been given.
	End bool
	// Lost says that records between the position asked for and the first one given have expired.
	Lost bool
	// Horizon is when the oldest record that may be read now arrived.
	Horizon time.Time
}

// Follow reads up to limit records of a shard from a position on. The caller releases the Batch. NotFound when stream or shard is gone; Corrupt where the log is damaged.
func (s *Streams) Follow(ctx context.Context, stream *catalog.Stream, number uint32, from commitlog.Position, limit int) (Followed, error) {
	shard, err := s.followed(ctx, stream, number)
	if err != nil {
		return Followed{}, err
	}
	now := s.clock.Now()
	f := Followed{Batch: Batch{Shard: shard, most: followBytes}, Horizon: stream.Horizon(now)}
	at := max(from-shard.Base, 0)
	next, err := s.read(ctx, stream, &f.Batch, at, limit, now)
	if err != nil {
		f.Release()
		return Followed{}, err
	}
	f.Position, f.Lost = next+shard.Base, f.from > at
	f.End = shard.Status == catalog.Closed && next >= endOf(shard)
	return f, nil
}

// FollowFrom is the position of a start.
func (s *Streams) FollowFrom(ctx context.Context, stream *catalog.Stream, number uint32, start Start) (commitlog.Position, error) {
	shard, err := s.followed(ctx, stream, number)
	if err != nil {
		return 0, err
	}
	r, err := s.route(ctx, stream)
	if err != nil {
		return 0, err
	}
	position, err := s.startPosition(ctx, r, shard, start)
	return position + shard.Base, err
}

// FollowWait returns nil once Follow finds something at a position: records, or that the shard has ended. NotFound when it is gone.
func (s *Streams) FollowWait(ctx context.Context, group uint64, number uint32, from commitlog.Position) error {
	for {
		state, changed := s.control.Watch()
		shard, err := s.followed(ctx, state.StreamByGroup(group), number)
		if err != nil {
			return err
		}
		if shard.Status == catalog.Closed {
			return nil
		}
		at := max(from-shard.Base, 0)
		if err := shard.log.Wait(ctx, at); err != nil {
			return err
		}
		bounds, err := shard.log.Bounds(ctx)
		if err != nil {
			return err
		}
		if bounds.Next > at {
			return nil
		}
		select { // sealed: what is missing is the catalog's word that the shard is closed
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// FollowReady says whether FollowWait would return now.
func (s *Streams) FollowReady(group uint64, number uint32, from commitlog.Position) bool {
	shard, err := s.followed(context.Background(), s.control.State().StreamByGroup(group), number)
	if err != nil || shard.Status == catalog.Closed {
		return true
	}
	bounds, err := shard.log.Bounds(context.Background())
	return err != nil || bounds.Next > max(from-shard.Base, 0)
}

// Readable is the shards of a stream that may hold records, or may get some, in order of number.
func (s *Streams) Readable(stream *catalog.Stream) []*catalog.Shard {
	shards, _ := s.ListShards(stream, Filter{}, -1, math.MaxInt)
	return shards
}

func (s *Streams) followed(ctx context.Context, stream *catalog.Stream, number uint32) (*Shard, error) {
	if stream == nil {
		return nil, fault.New(fault.NotFound, "the stream is gone")
	}
	r, err := s.route(ctx, stream)
	if err != nil {
		return nil, err
	}
	shard := r.byNumber(number)
	if shard == nil {
		return nil, fault.New(fault.NotFound, "%s of stream %s is gone", ShardID(number), stream.Name)
	}
	return shard, nil
}
