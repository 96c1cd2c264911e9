package firehose

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// listDefault is how many delivery streams one ListDeliveryStreams gives unless told (API_ListDeliveryStreams: 10).
const listDefault = 10

// ListDeliveryStreams lists the delivery streams of the caller's account and region, in order of name.
//
// Source: API_ListDeliveryStreams (read 2026-11). Shown by: TestList in test/firehose.
func (a *API) listDeliveryStreams(c *edge.Call, in *shapes.ListDeliveryStreamsInput) (*shapes.ListDeliveryStreamsOutput, error) {
	if err := a.authorize(c, c.Operation, "*", nil); err != nil {
		return nil, err
	}
	limit := listDefault
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &shapes.ListDeliveryStreamsOutput{DeliveryStreamNames: []string{}, HasMoreDeliveryStreams: ptr(false)}
	for _, s := range a.delivery.Catalog().Streams(c.Account, c.Region) {
		if s.Name <= deref(in.ExclusiveStartDeliveryStreamName) || in.DeliveryStreamType != nil && s.Type() != string(*in.DeliveryStreamType) {
			continue
		}
		if len(out.DeliveryStreamNames) == limit {
			out.HasMoreDeliveryStreams = ptr(true)
			break
		}
		out.DeliveryStreamNames = append(out.DeliveryStreamNames, s.Name)
	}
	return out, nil
}
