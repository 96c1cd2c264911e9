package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

// GetShardIterator says where GetRecords begins. An iterator lives 15 minutes.
//
// Source: API_streams_GetShardIterator (read 2026-11). Shown by: TestTableStream and TestTableStreamErrors in test/dynamodb.
// Differs from AWS: none known.
func (a *API) getShardIterator(c *edge.Call, in *shapes.GetShardIteratorInput) (*shapes.GetShardIteratorOutput, error) {
	r, s, err := a.findStream(c, deref(in.StreamArn))
	if err != nil {
		return nil, err
	}
	if err := checkShard(s, *in.StreamArn, deref(in.ShardId)); err != nil {
		return nil, err
	}
	it := iterator{stream: s.ID, made: a.clock.Now()}
	if it.next, err = iteratorStart(r, s, in); err != nil {
		return nil, err
	}
	return &shapes.GetShardIteratorOutput{ShardIterator: ptr(a.writeIterator(*in.StreamArn, it))}, nil
}

func iteratorStart(r *tables.Region, s *tables.Stream, in *shapes.GetShardIteratorInput) (tables.Sequence, error) {
	first, end, err := r.ChangeBounds(s)
	if err != nil {
		return 0, err
	}
	kind := string(deref(in.ShardIteratorType))
	switch kind {
	case "TRIM_HORIZON":
		return first, nil
	case "LATEST":
		return end, nil
	case "AT_TIMESTAMP":
		if in.Timestamp == nil {
			return 0, invalid("Timestamp is required for ShardIteratorType AT_TIMESTAMP")
		}
		return r.ChangeAt(s, *in.Timestamp)
	}
	if in.SequenceNumber == nil {
		return 0, invalid("SequenceNumber is required for ShardIteratorType %s", kind)
	}
	seq, err := tables.ParseSequence(*in.SequenceNumber)
	if err != nil || seq < s.Begin() || seq > end {
		return 0, invalid("Invalid SequenceNumber: %s is not in shard %s", deref(in.SequenceNumber), deref(in.ShardId))
	}
	if seq < s.Trimmed {
		return 0, fault.New(fault.Trimmed, "The operation attempted to read past the oldest stream record in a shard.")
	}
	if kind == "AFTER_SEQUENCE_NUMBER" {
		seq++
	}
	return seq, nil
}
