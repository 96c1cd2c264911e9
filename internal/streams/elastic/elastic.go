// Package elastic scales the streams in mode ON_DEMAND with what comes into them.
//
// It owns when a stream gets how many shards. What came is counted by streams, and how shards split and merge belongs to catalog and streams.
//
// The rule, with AWS's words behind it (Kinesis developer guide, Choose the right mode to stream in, read 2026-11):
//
//	peak      the busiest minute of the last 24 hours, in shards: bytes a second over what a shard takes, or records, whichever is more
//	grow      doubles until the capacity is twice the peak. "accommodates up to double the peak write throughput"; a shard is split when it takes
//	          more than 500 KB/s, which is half of what it may
//	shrink    halves, once a day at most, when the half is still twice the peak. AWS looks back 30 days; here it is one
//	floor     four shards, which a stream begins with (4 MB/s), or one for each MiB/s of warm throughput while the account has it
//	ceiling   the quota of shards of one stream. The account's shard quota is for provisioned streams
//
// AWS promises to have scaled within 15 minutes; this looks every 15 seconds, also at the minute that is not over yet. Since shrinking leaves exactly what
// growing asks for, the two never take turns. All shards are split alike, as AWS splits: one busy partition key is not isolated.
//
// What was seen is kept in memory. After a restart a stream grows as ever, and shrinks when it has been watched for a day.
//
// Read Scaler, then plan.go.
package elastic

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
)

// lookEvery is how often the streams are looked at.
const lookEvery = 15 * time.Second

// Control is what the scaler asks of the control plane: a controller.Controller.
type Control interface {
	State() *catalog.State
	Propose(ctx context.Context, command catalog.Command) error
}

// Options is what a Scaler works with. All but Logger are required.
type Options struct {
	Control Control
	Traffic func(stream *catalog.Stream, from time.Time) []meter.Minute // see streams.Traffic
	Clock   clock.Clock
	Quota   *quota.Table // what a shard takes, how many a stream begins with and may have
	Logger  *slog.Logger // hears of scaling, and of what was refused. Default slog.Default
}

// Scaler scales the ON_DEMAND streams of one node.
type Scaler struct {
	control Control
	traffic func(stream *catalog.Stream, from time.Time) []meter.Minute
	clock   clock.Clock
	limits  *meter.Limits
	bounds  bounds
	logger  *slog.Logger

	watched map[uint64]*history // by log group; only Run
	next    atomic.Int64        // when Run looks next, ns since 1970; 0 before it has looked
	due     chan struct{}       // capacity 1: somebody has seen that a look is due
}

// New makes a scaler. Run scales.
func New(o Options) *Scaler {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Scaler{
		control: o.Control, traffic: o.Traffic, clock: o.Clock, limits: meter.LimitsOf(o.Quota), logger: o.Logger,
		bounds:  bounds{least: int(o.Quota.Get(quota.OnDemandShards)), most: int(o.Quota.Get(quota.StreamShards))},
		watched: map[uint64]*history{}, due: make(chan struct{}, 1),
	}
}

// Run looks at every ON_DEMAND stream until ctx ends.
func (s *Scaler) Run(ctx context.Context) error {
	for {
		now := s.clock.Now()
		s.look(ctx, now)
		if ctx.Err() != nil {
			return nil
		}
		next := now.Add(lookEvery)
		s.next.Store(next.UnixNano())
		for s.clock.Now().Before(next) {
			timer := s.clock.NewTimer(next.Sub(s.clock.Now()))
			select {
			case <-timer.C():
			case <-s.due: // or it was due for the look before
				timer.Stop()
			case <-ctx.Done():
				timer.Stop()
				return nil
			}
		}
	}
}

// Settled says whether everything that was due by now has been asked for, and sees to it that it will be. A test clock that is moved while Run makes its timer
// leaves that timer behind the look that it is for; whoever waits for this would then wait for the clock.
func (s *Scaler) Settled() bool {
	if s.next.Load() > s.clock.Now().UnixNano() {
		return true
	}
	select {
	case s.due <- struct{}{}:
	default:
	}
	return false
}

// look judges every stream by what came into it since the last look.
func (s *Scaler) look(ctx context.Context, now time.Time) {
	state := s.control.State()
	for group := range s.watched {
		if stream := state.StreamByGroup(group); stream == nil || stream.Mode != catalog.OnDemand {
			delete(s.watched, group)
		}
	}
	for stream := range state.All() {
		if stream.Mode != catalog.OnDemand || stream.Status != catalog.Active && stream.Status != catalog.Updating {
			continue
		}
		h := s.watched[stream.Group]
		if h == nil {
			h = &history{since: now, seen: stream.Created}
			s.watched[stream.Group] = h
		}
		for _, minute := range s.traffic(stream, h.seen) {
			h.note(minute.Start, load(minute, s.limits))
		}
		h.seen = now
		if stream.Status != catalog.Active {
			continue
		}
		if target := s.bounds.of(state, stream, now).plan(stream.OpenShards(), lastChange(stream), now, h); target != stream.OpenShards() {
			s.scale(ctx, stream, target, h.peak(now, lastChange(stream)))
		}
	}
}

// scale asks for another number of shards. What is refused is tried again at the next look, if it is still wanted then.
func (s *Scaler) scale(ctx context.Context, stream *catalog.Stream, target int, peak float64) {
	err := s.control.Propose(ctx, catalog.ScaleStream{Group: stream.Group, Target: target})
	switch {
	case err == nil:
		s.logger.Info("an ON_DEMAND stream scales with its traffic", "stream", stream.Name, "account", stream.Account, "region", stream.Region,
			"shards", stream.OpenShards(), "target", target, "peak_shards", peak)
	case ctx.Err() == nil && !fault.Is(err, fault.NotFound): // deleted under our hands
		s.logger.Warn("an ON_DEMAND stream could not be scaled; it is tried again", "stream", stream.Name, "target", target, "err", err)
	}
}

// Needed is how many shards a stream needs for what came into it since a time, by the rule for growing, and at least what it begins with.
func Needed(minutes []meter.Minute, t *quota.Table) int {
	peak := 0.0
	for _, minute := range minutes {
		peak = max(peak, load(minute, meter.LimitsOf(t)))
	}
	return max(shardsFor(peak), int(t.Get(quota.OnDemandShards)))
}

// lastChange is when the number of open shards changed last, or the stream was made.
func lastChange(stream *catalog.Stream) time.Time {
	last := stream.Created
	for i := range stream.Shards {
		if shard := &stream.Shards[i]; shard.Status == catalog.Open && shard.Opened().After(last) {
			last = shard.Opened()
		}
	}
	return last
}
