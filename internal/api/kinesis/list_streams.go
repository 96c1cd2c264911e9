package kinesis

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// listStreamsDefault is how many streams one ListStreams gives unless told (API_ListStreams: 100).
const listStreamsDefault = 100

// ListStreams lists the streams of the caller's account and region, in order of name.
//
// Source: API_ListStreams (read 2026-11). Shown by: TestListStreams in test/aws.
func (a *API) listStreams(c *edge.Call, in *shapes.ListStreamsInput) (*shapes.ListStreamsOutput, error) {
	after := deref(in.ExclusiveStartStreamName)
	if in.NextToken != nil {
		if in.ExclusiveStartStreamName != nil {
			return nil, fault.New(fault.Invalid, "NextToken and ExclusiveStartStreamName cannot be provided together.")
		}
		var err error
		if after, err = a.streams.OpenStreamPage(*in.NextToken, c.Account, c.Region); err != nil {
			return nil, err
		}
	}
	limit := listStreamsDefault
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &shapes.ListStreamsOutput{StreamNames: []string{}, StreamSummaries: []shapes.StreamSummary{}, HasMoreStreams: ptr(false)}
	for stream := range a.control.State().Streams(c.Account, c.Region, after) {
		if len(out.StreamNames) == limit {
			token, err := a.streams.StreamPageToken(c.Account, c.Region, out.StreamNames[limit-1])
			if err != nil {
				return nil, err
			}
			out.HasMoreStreams, out.NextToken = ptr(true), &token
			break
		}
		out.StreamNames = append(out.StreamNames, stream.Name)
		out.StreamSummaries = append(out.StreamSummaries, shapes.StreamSummary{
			StreamName:              ptr(stream.Name),
			StreamARN:               ptr(stream.ARN),
			StreamStatus:            ptr(shapes.StreamStatus(stream.Status)),
			StreamModeDetails:       modeDetails(stream),
			StreamCreationTimestamp: ptr(stream.Created),
		})
	}
	return out, nil
}
