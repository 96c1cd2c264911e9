package streams

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

const (
	// logsAtOnce is how many logs are made or deleted at the same time: enough of them share each sync that a stream of
	// 10,000 shards is made in a few hundred.
	logsAtOnce = 256
	// After a failure, such as a full disk, Run waits retryFirst before it tries again, and twice as long each time up to retryMost. The first are short
	// because puts may be waiting for shards that take over.
	retryFirst = 10 * time.Millisecond
	retryMost  = time.Second
)

// Run keeps the logs in step with the streams that the catalog says exist, until ctx ends: it makes the logs of a CREATING stream and reports
// it ready, removes those of a DELETING one and reports it gone, makes and seals logs for a reshard (reshard.go), and carries retention to the logs.
//
// It compares and reports; it decides nothing. Killed at any point, it finds the stream in the same state after the restart and does
// the same again: making a log that is there, and removing one that is not, are no errors.
func (s *Streams) Run(ctx context.Context, logger *slog.Logger) error {
	state := s.control.State()
	pause := retryFirst
	for done := int64(-1); ; { // changes up to version done have been carried out
		if err := s.settle(ctx, state, done); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			logger.Warn("streams: a stream's logs are not in step; trying again", "err", err)
			if clock.Sleep(ctx, s.backoff, pause) != nil {
				return nil
			}
			pause = min(2*pause, retryMost)
			state = s.control.State()
			continue
		}
		pause = retryFirst
		done = state.Version()
		s.settled.Store(done)
		var err error
		if state, err = s.control.Await(ctx, done); err != nil {
			return nil
		}
	}
}

// settle brings the logs of every stream that changed after version done to what state says of it.
func (s *Streams) settle(ctx context.Context, state *catalog.State, done int64) error {
	var first error
	for stream := range state.Since(done) {
		if err := s.settleStream(ctx, stream); err != nil && first == nil {
			first = fault.Wrap(err, "stream %s", stream.Name)
		}
	}
	return first
}

func (s *Streams) settleStream(ctx context.Context, stream *catalog.Stream) error {
	every := func(*catalog.Shard) bool { return true }
	switch stream.Status {
	case catalog.Creating:
		if err := s.eachLog(ctx, stream, every, func(ctx context.Context, shard uint32) error {
			return s.store.Create(ctx, LogID(stream, shard), logConfig(stream))
		}); err != nil {
			return err
		}
		return s.control.Propose(ctx, catalog.StreamReady{Group: stream.Group})
	case catalog.Deleting:
		if err := s.eachLog(ctx, stream, every, func(ctx context.Context, shard uint32) error {
			return s.store.Delete(ctx, LogID(stream, shard))
		}); err != nil {
			return err
		}
		s.routes.Delete(stream.Group)
		s.meters.forget(stream)
		return s.control.Propose(ctx, catalog.StreamGone{Group: stream.Group})
	}
	if stream.Status == catalog.Updating {
		if err := s.reshard(ctx, stream); err != nil {
			return err
		}
	}
	if err := s.Keep(ctx, stream); err != nil {
		return err
	}
	return s.bury(ctx, stream)
}

// Keep has every log of stream keep records for as long as stream says, durably. Run does so too, some time after the catalog has changed; until then a
// log may drop what its old retention lets expire, also after a crash and however long that lasts. So whoever answers that records live longer calls it first.
func (s *Streams) Keep(ctx context.Context, stream *catalog.Stream) error {
	config := logConfig(stream)
	return s.eachLog(ctx, stream, func(shard *catalog.Shard) bool { return shard.Status.Listed() }, func(ctx context.Context, shard uint32) error {
		log, err := s.store.Open(ctx, LogID(stream, shard))
		if err == nil && log.Config() != config {
			err = log.Configure(ctx, config)
		}
		if fault.Is(err, fault.NotFound) && !s.listed(stream.Group, shard) { // it has expired meanwhile
			return nil
		}
		return err
	})
}

// listed says whether customers see a shard now.
func (s *Streams) listed(group uint64, shard uint32) bool {
	stream := s.control.State().StreamByGroup(group)
	return stream != nil && stream.Shard(shard) != nil && stream.Shard(shard).Status.Listed()
}

// eachLog does something for every shard of stream that is wanted, many at a time.
func (s *Streams) eachLog(ctx context.Context, stream *catalog.Stream, wanted func(*catalog.Shard) bool, do func(ctx context.Context, shard uint32) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(logsAtOnce)
	for i := range stream.Shards {
		if wanted(&stream.Shards[i]) {
			group.Go(func() error { return do(ctx, stream.Shards[i].Number) })
		}
	}
	return group.Wait()
}

// Settled says whether every stream of the catalog's newest state has its logs: nothing is being made or removed.
func (s *Streams) Settled() bool { return s.settled.Load() >= s.control.State().Version() }
