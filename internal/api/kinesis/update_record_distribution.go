package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// UpdateStreamRecordDistributionStrategy says how records are given to the shards of an ON_DEMAND stream: by their partition key, or evenly.
//
// Source: API_UpdateStreamRecordDistributionStrategy (read 2026-11). Shown by: TestAutoDistribution in test/aws.
// It holds for what comes from then on. In AUTO a partition key may be left out, and does not choose the shard; neither does an ExplicitHashKey.
func (a *API) updateRecordDistribution(c *edge.Call, in *shapes.UpdateStreamRecordDistributionStrategyInput) (*nothing, error) {
	stream, err := a.stream(c, nil, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.UpdateDistribution{
		Address: address(stream), Distribution: catalog.Distribution(deref(in.RecordDistributionStrategy)),
	})
}
