package kinesis

import (
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// Consumers are named by their ARN, or by their stream's ARN and their own name; all of them together must agree.

// findConsumer is the consumer that a request names, and its stream. The caller may do there what the call asks for, or gets AccessDeniedException, also when there is
// no such consumer.
func (a *API) findConsumer(c *edge.Call, streamARN, name, consumerARN *string) (*catalog.Stream, *catalog.Consumer, error) {
	if consumerARN == nil {
		if streamARN == nil || name == nil {
			return nil, nil, fault.New(fault.Invalid, "Either ConsumerARN, or both StreamARN and ConsumerName must be provided.")
		}
		parsed, err := streamOf(c, *streamARN)
		if err != nil {
			return nil, nil, err
		}
		if stream := a.control.State().StreamByARN(*streamARN); stream != nil && stream.Consumer(*name) != nil {
			return stream, stream.Consumer(*name), a.authorizeConsumer(c, stream, stream.Consumer(*name))
		}
		stream, err := a.findStream(c, nil, []byte(parsed.String()))
		if err != nil {
			return nil, nil, err
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

// consumerByARN is findConsumer for an ARN, in which the second of the consumer's registration stands: not another one that has its name now.
func (a *API) consumerByARN(c *edge.Call, text string) (*catalog.Stream, *catalog.Consumer, error) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "%s is not a valid ARN.", text)
	}
	of, name, _, err := parsed.ConsumerOf()
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "%s is not the ARN of a consumer.", text)
	}
	if err := sameRegion(c, parsed); err != nil {
		return nil, nil, err
	}
	stream := a.control.State().StreamByARN(of.String())
	if stream != nil {
		if found := stream.Consumer(name); found != nil && found.ARN == text {
			return stream, found, a.authorizeConsumer(c, stream, found)
		}
	}
	if err := a.authorize(c, c.Operation, target{arn: text, account: of.Account}); err != nil {
		return nil, nil, err
	}
	streamName, err := of.StreamName()
	if err == nil && stream == nil {
		err = streams.NotFound(of.Account, streamName)
	}
	if err == nil {
		err = noConsumer(of.Account, streamName, name)
	}
	return nil, nil, err
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
