package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

// DescribeStream tells what a change stream is and which shards it has.
//
// Source: API_streams_DescribeStream (read 2026-11). Shown by: TestTableStream in test/dynamodb.
// Differs from AWS: a stream has one shard as long as it is open, where AWS begins new ones every few hours; a stream that is switched off or on is DISABLED or ENABLED at once.
func (a *API) describeStream(c *edge.Call, in *shapes.DescribeStreamInput) (*shapes.DescribeStreamOutput, error) {
	_, s, err := a.findStream(c, deref(in.StreamArn))
	if err != nil {
		return nil, err
	}
	d := &shapes.StreamDescription{
		StreamArn: in.StreamArn, StreamLabel: ptr(s.Label()), StreamStatus: ptr(shapes.StreamStatus("ENABLED")), StreamViewType: ptr(shapes.StreamViewType(s.View)),
		CreationRequestDateTime: &s.Created, TableName: ptr(s.Table), KeySchema: streamKeySchema(s.Key), Shards: []shapes.Shard{},
	}
	shard := shapes.Shard{ShardId: ptr(shardID(s)), SequenceNumberRange: &shapes.SequenceNumberRange{StartingSequenceNumber: ptr(s.Begin().String())}}
	if end, closed := s.Last(); closed {
		d.StreamStatus = ptr(shapes.StreamStatus("DISABLED"))
		shard.SequenceNumberRange.EndingSequenceNumber = ptr(end.String())
	}
	if f := in.ShardFilter; f != nil { // the children of a shard, of which there are none
		return &shapes.DescribeStreamOutput{StreamDescription: d}, checkShard(s, *in.StreamArn, deref(f.ShardId))
	}
	if in.ExclusiveStartShardId == nil {
		d.Shards = append(d.Shards, shard)
	} else if err := checkShard(s, *in.StreamArn, *in.ExclusiveStartShardId); err != nil {
		return nil, err
	}
	return &shapes.DescribeStreamOutput{StreamDescription: d}, nil
}

func streamKeySchema(k tables.KeySchema) []shapes.KeySchemaElement {
	out := []shapes.KeySchemaElement{{AttributeName: ptr(k.Hash.Name), KeyType: ptr(shapes.KeyType("HASH"))}}
	if k.Range.Name != "" {
		out = append(out, shapes.KeySchemaElement{AttributeName: ptr(k.Range.Name), KeyType: ptr(shapes.KeyType("RANGE"))})
	}
	return out
}
