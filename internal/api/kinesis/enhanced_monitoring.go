package kinesis

import (
	"slices"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// shardLevelMetrics are all that there are, sorted; ALL means these.
var shardLevelMetrics = []string{
	string(shapes.MetricsNameIncomingBytes), string(shapes.MetricsNameIncomingRecords), string(shapes.MetricsNameIteratorAgeMilliseconds),
	string(shapes.MetricsNameOutgoingBytes), string(shapes.MetricsNameOutgoingRecords),
	string(shapes.MetricsNameReadProvisionedThroughputExceeded), string(shapes.MetricsNameWriteProvisionedThroughputExceeded),
}

// EnableEnhancedMonitoring adds shard-level metrics, which the console then shows for each shard of the stream.
//
// Source: API_EnableEnhancedMonitoring (read 2026-11). Shown by: TestEnhancedMonitoring in test/aws.
// The answer has the metrics before and after; they count from the node's start, not from now.
func (a *API) enableEnhancedMonitoring(c *edge.Call, in *shapes.EnableEnhancedMonitoringInput) (*shapes.EnhancedMonitoringOutput, error) {
	return a.setShardMetrics(c, in.StreamName, in.StreamARN, in.StreamId, func(now []string) []string {
		return append(now, namedMetrics(in.ShardLevelMetrics)...)
	})
}

// DisableEnhancedMonitoring takes shard-level metrics away.
//
// Source: API_DisableEnhancedMonitoring (read 2026-11). Shown by: TestEnhancedMonitoring in test/aws.
func (a *API) disableEnhancedMonitoring(c *edge.Call, in *shapes.DisableEnhancedMonitoringInput) (*shapes.EnhancedMonitoringOutput, error) {
	gone := namedMetrics(in.ShardLevelMetrics)
	return a.setShardMetrics(c, in.StreamName, in.StreamARN, in.StreamId, func(now []string) []string {
		return slices.DeleteFunc(now, func(name string) bool { return slices.Contains(gone, name) })
	})
}

// namedMetrics are the metrics that a request names; wire has held them against the model's list.
func namedMetrics(names []shapes.MetricsName) (metrics []string) {
	for _, name := range names {
		if name == shapes.MetricsNameAll {
			return shardLevelMetrics
		}
		metrics = append(metrics, string(name))
	}
	return metrics
}

func (a *API) setShardMetrics(c *edge.Call, name, streamARN, streamID *string, change func(now []string) []string) (*shapes.EnhancedMonitoringOutput, error) {
	stream, err := a.stream(c, name, streamARN, streamID)
	if err != nil {
		return nil, err
	}
	wanted := change(slices.Clone(stream.ShardMetrics))
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	command := catalog.SetShardMetrics{Address: catalog.Address{Account: stream.Account, Region: stream.Region, Name: stream.Name}, Metrics: wanted}
	if err := a.control.Propose(c.Ctx, command); err != nil {
		return nil, err
	}
	return &shapes.EnhancedMonitoringOutput{
		StreamName: &stream.Name, StreamARN: &stream.ARN,
		CurrentShardLevelMetrics: metricNames(stream.ShardMetrics), DesiredShardLevelMetrics: metricNames(wanted),
	}, nil
}

// metricNames are never nil: an empty list is an answer.
func metricNames(metrics []string) []shapes.MetricsName {
	names := make([]shapes.MetricsName, len(metrics))
	for i := range metrics {
		names[i] = shapes.MetricsName(metrics[i])
	}
	return names
}
