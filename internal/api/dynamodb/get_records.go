package dynamodb

import (
	"time"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

// getRecordsMax is how many changes a call gives, unless it wants fewer; and 1 MB of them (API_streams_GetRecords: 1000).
const getRecordsMax = 1000

// GetRecords reads changes of a table, in their order, each exactly once along the iterators.
//
// Source: API_streams_GetRecords (read 2026-11). Shown by: TestTableStream and TestTableStreamErrors in test/dynamodb.
// A change is there when its write is: both are one batch on disk.
// Differs from AWS: how often a shard is read is not limited.
func (a *API) getRecords(c *edge.Call, in *shapes.GetRecordsInput) (*shapes.GetRecordsOutput, error) {
	name, it, err := a.readIterator(deref(in.ShardIterator))
	if err != nil {
		return nil, err
	}
	r, s, err := a.findStream(c, name)
	if err != nil {
		return nil, err
	}
	switch {
	case s.ID != it.stream:
		return nil, invalid("Invalid ShardIterator")
	case it.next < s.Trimmed:
		return nil, fault.New(fault.Trimmed, "The operation attempted to read past the oldest stream record in a shard.")
	}
	limit := getRecordsMax
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	changes, next, err := r.Changes(s, it.next, limit)
	if err != nil {
		return nil, err
	}
	out := &shapes.GetRecordsOutput{Records: make([]shapes.Record, len(changes))}
	for i := range changes {
		out.Records[i] = recordOf(c, s, &changes[i])
	}
	if last, closed := s.Last(); !closed || next <= last && len(changes) > 0 {
		out.NextShardIterator = ptr(a.writeIterator(name, iterator{stream: s.ID, next: next, made: a.clock.Now()}))
	}
	return out, nil
}

func recordOf(c *edge.Call, s *tables.Stream, ch *tables.Change) shapes.Record {
	r := shapes.Record{
		EventID: ptr(s.EventID(c.Account, c.Region, ch.Sequence)), EventName: ptr(shapes.OperationType(ch.Event)), EventVersion: ptr("1.1"), EventSource: ptr("aws:dynamodb"),
		AwsRegion: &c.Region,
		Dynamodb: &shapes.StreamRecord{
			ApproximateCreationDateTime: ptr(ch.At.Truncate(time.Second)), Keys: streamItem(ch.Keys), NewImage: streamItem(ch.New), OldImage: streamItem(ch.Old),
			SequenceNumber: ptr(ch.Sequence.String()), SizeBytes: ptr(int64(ch.Bytes)), StreamViewType: ptr(shapes.StreamViewType(s.View)),
		},
	}
	if ch.ByService {
		r.UserIdentity = &shapes.Identity{PrincipalId: ptr("dynamodb.amazonaws.com"), Type: ptr("Service")}
	}
	return r
}
