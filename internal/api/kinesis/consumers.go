package kinesis

import (
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// Consumers are named by their ARN, or by their stream's ARN and their own name; all of them together must agree.

// findConsumer is the consumer that a request names, and its stream.
func (a *API) findConsumer(c *edge.Call, streamARN, name, consumerARN *string) (*catalog.Stream, *catalog.Consumer, error) {
	if consumerARN == nil {
		if streamARN == nil || name == nil {
			return nil, nil, fault.New(fault.Invalid, "Either ConsumerARN, or both StreamARN and ConsumerName must be provided.")
		}
		stream, err := a.findStream(c, nil, []byte(*streamARN))
		if err != nil {
			return nil, nil, err
		}
		if found := stream.Consumer(*name); found != nil {
			return stream, found, nil
		}
		return nil, nil, noConsumer(stream.Account, stream.Name, *name)
	}
	stream, consumer, err := a.consumerByARN(c, *consumerARN)
	if err != nil {
		return nil, nil, err
	}
	if streamARN != nil && *streamARN != stream.ARN || name != nil && *name != consumer.Name {
		return nil, nil, fault.New(fault.Invalid, "ConsumerARN %s does not agree with StreamARN and ConsumerName.", *consumerARN)
	}
	return stream, consumer, nil
}

// consumerByARN finds a consumer by its ARN, in which the second of its registration stands: not another one that has its name now.
func (a *API) consumerByARN(c *edge.Call, text string) (*catalog.Stream, *catalog.Consumer, error) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "%s is not a valid ARN.", text)
	}
	of, name, _, err := parsed.ConsumerOf()
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "%s is not the ARN of a consumer.", text)
	}
	stream, err := a.findStream(c, nil, []byte(of.String()))
	if err != nil {
		return nil, nil, err
	}
	if found := stream.Consumer(name); found != nil && found.ARN == text {
		return stream, found, nil
	}
	return nil, nil, noConsumer(stream.Account, stream.Name, name)
}

func noConsumer(account, stream, name string) error {
	return fault.New(fault.NotFound, "Consumer %s of stream %s under account %s not found.", name, stream, account)
}

// consumerShape is a consumer as the API shows it. It is ACTIVE from its registration to its end.
func consumerShape(c *catalog.Consumer) shapes.Consumer {
	return shapes.Consumer{
		ConsumerName: ptr(c.Name), ConsumerARN: ptr(c.ARN), ConsumerStatus: ptr(shapes.ConsumerStatusActive), ConsumerCreationTimestamp: ptr(c.Created),
	}
}
