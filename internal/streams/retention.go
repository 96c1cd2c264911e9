package streams

import (
	"context"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// horizon is the position of the oldest record that may be read. The log drops expired records later, whole files at a time; to the
// customer they end exactly here.
func (s *Streams) horizon(ctx context.Context, stream *catalog.Stream, shard *Shard) (commitlog.Position, error) {
	position, err := shard.log.PositionAt(ctx, stream.Horizon(s.clock.Now()))
	if fault.Is(err, fault.Corrupt) { // reading from the beginning will say where
		bounds, err := shard.log.Bounds(ctx)
		return bounds.First, fault.Wrap(err, "horizon of %s", shard.ID)
	}
	return position, fault.Wrap(err, "horizon of %s", shard.ID)
}

// logConfig is how the logs of stream are kept.
func logConfig(stream *catalog.Stream) commitlog.Config {
	return commitlog.Config{Retention: stream.Retention()}
}
