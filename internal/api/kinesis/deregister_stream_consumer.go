package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DeregisterStreamConsumer ends a consumer. Its subscriptions end with a ResourceNotFoundException.
//
// Source: API_DeregisterStreamConsumer (read 2026-11). Shown by: TestConsumers, TestSubscriptionEndsWithItsConsumer in test/aws.
// Differs from AWS: the consumer is gone when the call answers; it is never DELETING.
func (a *API) deregisterStreamConsumer(c *edge.Call, in *shapes.DeregisterStreamConsumerInput) (*nothing, error) {
	if err := refuseStreamID(in.StreamId); err != nil {
		return nil, err
	}
	stream, consumer, err := a.findConsumer(c, in.StreamARN, in.ConsumerName, in.ConsumerARN)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.DeregisterConsumer{Address: address(stream), Consumer: consumer.Name})
}
