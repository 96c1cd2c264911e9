package kinesis

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DescribeStreamConsumer describes a consumer.
//
// Source: API_DescribeStreamConsumer (read 2026-11). Shown by: TestConsumers, TestConsumerErrors in test/aws.
func (a *API) describeStreamConsumer(c *edge.Call, in *shapes.DescribeStreamConsumerInput) (*shapes.DescribeStreamConsumerOutput, error) {
	if err := refuseStreamID(in.StreamId); err != nil {
		return nil, err
	}
	stream, consumer, err := a.findConsumer(c, in.StreamARN, in.ConsumerName, in.ConsumerARN)
	if err != nil {
		return nil, err
	}
	shown := consumerShape(consumer)
	return &shapes.DescribeStreamConsumerOutput{ConsumerDescription: &shapes.ConsumerDescription{
		ConsumerName: shown.ConsumerName, ConsumerARN: shown.ConsumerARN, ConsumerStatus: shown.ConsumerStatus,
		ConsumerCreationTimestamp: shown.ConsumerCreationTimestamp, StreamARN: ptr(stream.ARN),
	}}, nil
}
