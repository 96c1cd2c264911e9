package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// RegisterStreamConsumer makes a consumer, to which SubscribeToShard pushes the records of a stream. A stream has up to 20.
//
// Source: API_RegisterStreamConsumer (read 2026-11). Shown by: TestConsumers, TestConsumerErrors in test/aws.
// Permissions: kinesis:RegisterStreamConsumer on the stream, and with Tags kinesis:TagResource on the consumer to be.
// Differs from AWS: the consumer is ACTIVE when the call answers, and the answer says so.
func (a *API) registerStreamConsumer(c *edge.Call, in *shapes.RegisterStreamConsumerInput) (*shapes.RegisterStreamConsumerOutput, error) {
	stream, err := a.stream(c, nil, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	name := deref(in.ConsumerName)
	if len(in.Tags) > 0 {
		if err := a.authorize(c, "TagResource", noConsumerYet(stream, name, a.clock.Now())); err != nil {
			return nil, err
		}
	}
	if err := a.control.Propose(c.Ctx, catalog.RegisterConsumer{Address: address(stream), Consumer: name, Tags: in.Tags}); err != nil {
		return nil, err
	}
	now := a.control.State().StreamByGroup(stream.Group)
	if now == nil || now.Consumer(name) == nil {
		return nil, noConsumer(stream.Account, stream.Name, name) // it went as soon as it came
	}
	return &shapes.RegisterStreamConsumerOutput{Consumer: ptr(consumerShape(now.Consumer(name)))}, nil
}
