package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DescribeStreamSummary describes a stream without its shards.
//
// Source: API_DescribeStreamSummary (read 2026-11). Shown by: TestStreamLife, TestNobodyLearnsAStreamID in test/aws.
// StreamId is left out: AWS reserves it, and an SDK that is given one asks a host of AWS's for that stream from then on, whatever endpoint it has.
func (a *API) describeStreamSummary(c *edge.Call, in *shapes.DescribeStreamSummaryInput) (*shapes.DescribeStreamSummaryOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	encryption, keyID := encryptionOf(stream)
	summary := &shapes.StreamDescriptionSummary{
		StreamName:              ptr(stream.Name),
		StreamARN:               ptr(stream.ARN),
		StreamStatus:            ptr(shapes.StreamStatus(stream.Status)),
		StreamModeDetails:       modeDetails(stream),
		RetentionPeriodHours:    ptr(int32(stream.RetentionHours)),
		StreamCreationTimestamp: ptr(stream.Created),
		EncryptionType:          encryption,
		KeyId:                   keyID,
		EnhancedMonitoring:      []shapes.EnhancedMetrics{{ShardLevelMetrics: metricNames(stream.ShardMetrics)}},
		OpenShardCount:          ptr(int32(stream.OpenShards())),
		ConsumerCount:           ptr(int32(len(stream.Consumers))),
		MaxRecordSizeInKiB:      ptr(int32(stream.MaxRecordKiB)),
		WarmThroughput:          a.warmThroughput(stream),
	}
	if stream.Mode == catalog.OnDemand {
		summary.RecordDistributionStrategy = ptr(shapes.RecordDistributionStrategy(stream.Distribution))
	}
	return &shapes.DescribeStreamSummaryOutput{StreamDescriptionSummary: summary}, nil
}
