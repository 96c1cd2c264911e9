package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// UpdateStreamMode says who chooses the number of shards from now on. The stream keeps those that it has.
//
// Source: API_UpdateStreamMode (read 2026-11). Shown by: TestStreamModes in test/aws.
// Twice in 24 hours. WarmThroughputMiBps is for a change to ON_DEMAND.
// Differs from AWS: without warm throughput to make shards for, the stream is ACTIVE again at once.
func (a *API) updateStreamMode(c *edge.Call, in *shapes.UpdateStreamModeInput) (*nothing, error) {
	stream, err := a.stream(c, nil, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.UpdateStreamMode{
		Address: address(stream), Mode: catalog.Mode(deref(in.StreamModeDetails.StreamMode)), WarmMiBps: int(deref(in.WarmThroughputMiBps)),
	})
}
