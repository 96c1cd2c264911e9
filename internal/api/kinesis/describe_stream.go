package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// describeShardsDefault is how many shards one DescribeStream gives unless told (API_DescribeStream: 100).
const describeShardsDefault = 100

// DescribeStream describes a stream and up to 10,000 of its shards.
//
// Source: API_DescribeStream (read 2026-11). Shown by: TestDescribeStreamPages in test/aws.
// A stream that is CREATING has no shards to show yet.
func (a *API) describeStream(c *edge.Call, in *shapes.DescribeStreamInput) (*shapes.DescribeStreamOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	after, err := shardNumber(in.ExclusiveStartShardId, stream)
	if err != nil {
		return nil, err
	}
	limit := describeShardsDefault
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	d := &shapes.StreamDescription{
		StreamName:              ptr(stream.Name),
		StreamARN:               ptr(stream.ARN),
		StreamStatus:            ptr(shapes.StreamStatus(stream.Status)),
		StreamModeDetails:       modeDetails(stream),
		Shards:                  []shapes.Shard{},
		HasMoreShards:           ptr(false),
		RetentionPeriodHours:    ptr(int32(stream.RetentionHours)),
		StreamCreationTimestamp: ptr(stream.Created),
		EnhancedMonitoring:      []shapes.EnhancedMetrics{{ShardLevelMetrics: metricNames(stream.ShardMetrics)}},
	}
	d.EncryptionType, d.KeyId = encryptionOf(stream)
	if stream.Status != catalog.Creating {
		shards, more := a.streams.ListShards(stream, streams.Filter{}, after, limit)
		d.Shards, d.HasMoreShards = shardShapes(shards), &more
	}
	return &shapes.DescribeStreamOutput{StreamDescription: d}, nil
}

func modeDetails(stream *catalog.Stream) *shapes.StreamModeDetails {
	return &shapes.StreamModeDetails{StreamMode: ptr(shapes.StreamMode(stream.Mode))}
}

// shardNumber is the number of the shard after which a list begins: −1 for the beginning.
func shardNumber(id *string, stream *catalog.Stream) (int64, error) {
	if id == nil {
		return -1, nil
	}
	number, ok := streams.ParseShardID(*id)
	if !ok {
		return 0, fault.New(fault.Invalid, "Shard %s in stream %s under account %s is not a valid shard id.", *id, stream.Name, stream.Account)
	}
	return int64(number), nil
}

// shardShapes is shards as the API shows them.
func shardShapes(shards []*catalog.Shard) []shapes.Shard {
	out := make([]shapes.Shard, len(shards))
	for i, shard := range shards {
		created := shard.Created.Unix()
		out[i] = shapes.Shard{
			ShardId:      ptr(streams.ShardID(shard.Number)),
			HashKeyRange: hashKeyRange(shard),
			SequenceNumberRange: &shapes.SequenceNumberRange{
				StartingSequenceNumber: ptr(record.StartingSequenceNumber(created, shard.Number).String()),
			},
		}
		if shard.Parent != nil {
			out[i].ParentShardId = ptr(streams.ShardID(*shard.Parent))
		}
		if shard.AdjacentParent != nil {
			out[i].AdjacentParentShardId = ptr(streams.ShardID(*shard.AdjacentParent))
		}
		if shard.Status == catalog.Closed {
			out[i].SequenceNumberRange.EndingSequenceNumber = ptr(record.EndingSequenceNumber(created, shard.Number, shard.ClosedAt.Unix()).String())
		}
	}
	return out
}

func hashKeyRange(shard *catalog.Shard) *shapes.HashKeyRange {
	return &shapes.HashKeyRange{StartingHashKey: ptr(shard.Range.Start.String()), EndingHashKey: ptr(shard.Range.End.String())}
}
