package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

// listStreamsMax is how many streams and shards a page has (API_streams_ListStreams, API_streams_DescribeStream: 100).
const listStreamsMax = 100

// ListStreams gives the change streams, of one table or of all, those of the last day included that are closed.
//
// Source: API_streams_ListStreams (read 2026-11). Shown by: TestTableStream in test/dynamodb.
// Differs from AWS: none known.
func (a *API) listStreams(c *edge.Call, in *shapes.ListStreamsInput) (*shapes.ListStreamsOutput, error) {
	if err := a.authorize(c, c.Operation, "*", nil); err != nil {
		return nil, err
	}
	out := &shapes.ListStreamsOutput{Streams: []shapes.Stream{}}
	r := a.tables.Find(c.Account, c.Region)
	if r == nil {
		return out, nil
	}
	limit := listStreamsMax
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	table := ""
	if in.TableName != nil {
		name, err := nameOf(c, *in.TableName)
		if err != nil {
			return nil, err
		}
		table = name
	}
	begun := in.ExclusiveStartStreamArn == nil
	for _, s := range r.Tables().Streams {
		name := streamARN(c, s)
		switch {
		case !begun:
			begun = name == *in.ExclusiveStartStreamArn
			continue
		case table != "" && s.Table != table:
			continue
		}
		if len(out.Streams) == limit {
			out.LastEvaluatedStreamArn = out.Streams[limit-1].StreamArn
			break
		}
		out.Streams = append(out.Streams, shapes.Stream{StreamArn: &name, TableName: ptr(s.Table), StreamLabel: ptr(s.Label())})
	}
	return out, nil
}
