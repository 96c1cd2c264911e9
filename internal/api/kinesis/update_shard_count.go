package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// UpdateShardCount splits and merges until a stream has a number of open shards. It answers at once; the stream is UPDATING until it has them.
//
// Source: API_UpdateShardCount (read 2026-11). Shown by: TestUpdateShardCount in test/aws.
// On the way up every shard is halved and neighbours are merged, on the way down neighbours are merged, so that the shards that a stream has had come
// to the same number as AWS's. At most double, at least half, 10,000 a stream, ten times in 24 hours.
// Differs from AWS: only the shards that a stream ends with are held against the account's quota, not those in between.
func (a *API) updateShardCount(c *edge.Call, in *shapes.UpdateShardCountInput) (*shapes.UpdateShardCountOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	target := deref(in.TargetShardCount)
	if err := a.control.Propose(c.Ctx, catalog.UpdateShardCount{Address: address(stream), Target: int(target)}); err != nil {
		return nil, reshardRefusal(err)
	}
	return &shapes.UpdateShardCountOutput{
		StreamName:        ptr(stream.Name),
		StreamARN:         ptr(stream.ARN),
		CurrentShardCount: ptr(int32(stream.OpenShards())),
		TargetShardCount:  ptr(target),
	}, nil
}
