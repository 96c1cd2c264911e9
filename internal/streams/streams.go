// Package streams gives records a place: shards, hash-key ranges, sequence numbers, iterators, retention.
//
// It owns what a position in a stream means, and keeps the logs in step with the streams that exist. Bytes on disk belong to
// commitlog, which streams exist belongs to catalog, who may call belongs to auth, and how a request looks belongs to api/kinesis.
//
// Read put.go, then get.go, then lifecycle.go.
package streams

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/record"
)

// Options is what Streams works with. Every field but Backoff, Limits and Keys is required.
type Options struct {
	Store   commitlog.Store        // holds one log per shard
	Control *controller.Controller // says which streams exist, and hears which are ready
	Clock   clock.Clock
	Backoff clock.Clock    // for pauses before trying again; it is not Clock because a test clock stands still. Default clock.Real
	Secret  []byte         // 32 bytes that sign iterators and tokens; the same on every node and after a restart
	Random  io.Reader      // makes each iterator differ from the last; crypto/rand in life
	Limits  *meter.Limits  // what a shard takes, gives and pushes a second; nil is as much as comes
	Keys    *envelope.Ring // the master keys of encrypted streams. Nil is none: such streams take and give no records
}

// Streams serves every stream of one node. It is safe for concurrent use.
type Streams struct {
	store   commitlog.Store
	control *controller.Controller
	clock   clock.Clock
	backoff clock.Clock
	tokens  *tokens
	limits  *meter.Limits
	meters  meters
	began   time.Time      // when the node did, by clock
	keys    *envelope.Ring // nil when there are no master keys
	puts    sync.Pool      // of *Put

	settled atomic.Int64 // the catalog's version whose changes Run has carried out; −1 before the first

	subscribers subscribers

	routes sync.Map // log group (uint64) → *route; an entry is replaced when the catalog's stream has changed
}

// New makes the streams of a node. Run keeps them in step with the catalog.
func New(o Options) (*Streams, error) {
	tokens, err := newTokens(o.Secret, o.Random)
	if err != nil {
		return nil, err
	}
	s := &Streams{store: o.Store, control: o.Control, clock: o.Clock, backoff: o.Backoff, tokens: tokens, limits: o.Limits, keys: o.Keys, began: o.Clock.Now()}
	if s.backoff == nil {
		s.backoff = clock.Real
	}
	s.settled.Store(-1)
	s.subscribers = subscribers{clock: o.Clock, places: make(map[subscriber]*place)}
	if o.Limits != nil {
		s.subscribers.rate = int(o.Limits.FanOutBytes)
	}
	s.puts.New = func() any { return new(Put) }
	return s, nil
}

// Shard is a shard of a stream and the log it lives in.
type Shard struct {
	catalog.Shard
	ID    string // shardId-000000000000
	log   commitlog.Log
	meter *meter.Shard
}

// route is what a request needs to know of one version of a stream. Immutable but for turn.
type route struct {
	stream *catalog.Stream
	shards []*Shard // those that may be read, in order of number
	open   []*Shard // the open ones, in order of hash range; together they cover every hash key

	traffic *meter.Traffic
	stats   *Stats
	auto    bool          // the stream distributes records itself
	turn    atomic.Uint32 // where in open the last run of records went, when it does
}

// route finds the way into stream. WrongState when its shards are not there: it is being made or deleted.
func (s *Streams) route(ctx context.Context, stream *catalog.Stream) (*route, error) {
	if known, ok := s.routes.Load(stream.Group); ok && known.(*route).stream == stream {
		return known.(*route), nil
	}
	if stream.Status == catalog.Creating || stream.Status == catalog.Deleting {
		return nil, NotFound(stream.Account, stream.Name)
	}
	r := &route{stream: stream, shards: make([]*Shard, 0, len(stream.Shards)), traffic: s.meters.stream(stream.Group), stats: s.meters.statsOf(stream.Group), auto: stream.Distribution == catalog.Auto}
	for _, shard := range stream.Shards {
		if !shard.Status.Listed() {
			continue
		}
		log, err := s.store.Open(ctx, LogID(stream, shard.Number))
		if fault.Is(err, fault.NotFound) && shard.Status == catalog.Closed && !s.listed(stream.Group, shard.Number) {
			continue // it has expired since the request looked at the stream, and is nobody's business
		}
		if err != nil {
			return nil, fault.Wrap(err, "stream %s: shard %d", stream.Name, shard.Number)
		}
		opened := &Shard{Shard: shard, ID: ShardID(shard.Number), log: log, meter: s.meters.shard(LogID(stream, shard.Number))}
		r.shards = append(r.shards, opened)
		if shard.Status == catalog.Open {
			r.open = append(r.open, opened)
		}
	}
	slices.SortFunc(r.open, func(a, b *Shard) int { return a.Range.Start.Cmp(b.Range.Start) })
	s.routes.Store(stream.Group, r)
	return r, nil
}

// shardFor is the place in r.open of the shard whose range holds key.
func (r *route) shardFor(key record.HashKey) int {
	lo, hi := 0, len(r.open)-1 // invariant: the answer is in [lo, hi]
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if r.open[mid].Range.Start.Cmp(key) <= 0 {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// byNumber finds a shard by its number, or gives nil.
func (r *route) byNumber(number uint32) *Shard {
	i, ok := slices.BinarySearchFunc(r.shards, number, func(s *Shard, n uint32) int { return cmp.Compare(s.Number, n) })
	if !ok {
		return nil
	}
	return r.shards[i]
}

// LogID names the log of a stream's shard.
func LogID(stream *catalog.Stream, shard uint32) commitlog.ID {
	return commitlog.ID{Group: stream.Group, Member: shard}
}

// ShardID is a shard's name on the wire (API_Shard: "shardId-" and twelve digits).
func ShardID(number uint32) string { return fmt.Sprintf("shardId-%012d", number) }

// NotFound is the refusal for a stream that does not exist, in AWS's words.
func NotFound(account, name string) error {
	return fault.New(fault.NotFound, "Stream %s under account %s not found.", name, account)
}
