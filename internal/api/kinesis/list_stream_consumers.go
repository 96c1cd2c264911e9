package kinesis

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// listConsumersDefault is how many consumers one ListStreamConsumers gives unless told (API_ListStreamConsumers: 100).
const listConsumersDefault = 100

// ListStreamConsumers lists the consumers of a stream, in order of name, page by page.
//
// Source: API_ListStreamConsumers (read 2026-11). Shown by: TestListConsumers in test/aws.
func (a *API) listStreamConsumers(c *edge.Call, in *shapes.ListStreamConsumersInput) (*shapes.ListStreamConsumersOutput, error) {
	stream, err := a.stream(c, nil, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if err := inUse(stream); err != nil {
		return nil, err
	}
	if in.StreamCreationTimestamp != nil && stream.Created.Unix() != in.StreamCreationTimestamp.Unix() {
		return nil, streams.NotFound(stream.Account, stream.Name) // another incarnation of the name was meant
	}
	after := ""
	if in.NextToken != nil {
		if after, err = a.streams.OpenConsumerPage(*in.NextToken, stream.Group); err != nil {
			return nil, err
		}
	}
	limit := listConsumersDefault
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &shapes.ListStreamConsumersOutput{Consumers: []shapes.Consumer{}}
	for i := range stream.Consumers {
		consumer := &stream.Consumers[i]
		if consumer.Name <= after {
			continue
		}
		if len(out.Consumers) == limit {
			token, err := a.streams.ConsumerPageToken(stream.Group, *out.Consumers[limit-1].ConsumerName)
			if err != nil {
				return nil, err
			}
			out.NextToken = &token
			break
		}
		out.Consumers = append(out.Consumers, consumerShape(consumer))
	}
	return out, nil
}
