package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// MergeShards replaces two neighbours by one. It answers at once; the stream is UPDATING until the child takes records. The parents are read until
// their records expire.
//
// Source: API_MergeShards (read 2026-11); texts as AWS sends them. Shown by: TestMergeShards in test/aws.
// AdjacentShardToMerge begins where ShardToMerge ends; the other way round is refused.
func (a *API) mergeShards(c *edge.Call, in *shapes.MergeShardsInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	first, err := reshardable(stream, deref(in.ShardToMerge))
	if err != nil {
		return nil, err
	}
	second, err := reshardable(stream, deref(in.AdjacentShardToMerge))
	if err != nil {
		return nil, err
	}
	return nil, reshardRefusal(a.control.Propose(c.Ctx, catalog.MergeShards{Address: address(stream), Shard: first, Adjacent: second}))
}
