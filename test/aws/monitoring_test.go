package aws

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// TestEnhancedMonitoring: shard-level metrics are added and taken away by name, ALL is all of them, both answers tell what was and what is, and the descriptions
// say the same.
func TestEnhancedMonitoring(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("s", 1)
		name := aws.String("s")
		same := func(what string, got []types.MetricsName, want ...types.MetricsName) {
			s.t.Helper()
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				s.t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		enable := func(metrics ...types.MetricsName) *kinesis.EnableEnhancedMonitoringOutput {
			s.t.Helper()
			return must(s.EnableEnhancedMonitoring(s.ctx, &kinesis.EnableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: metrics}))(s)
		}
		in, age := types.MetricsNameIncomingBytes, types.MetricsNameIteratorAgeMilliseconds
		out := enable(in)
		same("before", out.CurrentShardLevelMetrics)
		same("after", out.DesiredShardLevelMetrics, in)
		if aws.ToString(out.StreamName) != "s" || aws.ToString(out.StreamARN) != s.arn("s") {
			s.t.Errorf("%+v", out)
		}
		same("added", enable(age, in).DesiredShardLevelMetrics, in, age)
		same("described", must(s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name}))(s).StreamDescriptionSummary.EnhancedMonitoring[0].ShardLevelMetrics, in, age)
		gone := must(s.DisableEnhancedMonitoring(s.ctx, &kinesis.DisableEnhancedMonitoringInput{StreamARN: aws.String(s.arn("s")), ShardLevelMetrics: []types.MetricsName{in}}))(s)
		same("before disabling", gone.CurrentShardLevelMetrics, in, age)
		same("after disabling", gone.DesiredShardLevelMetrics, age)
		if all := enable(types.MetricsNameAll).DesiredShardLevelMetrics; len(all) != 7 || slices.Contains(all, types.MetricsNameAll) {
			s.t.Errorf("all are %v", all)
		}
		same("described at length", must(s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: name}))(s).StreamDescription.EnhancedMonitoring[0].ShardLevelMetrics,
			types.MetricsNameIncomingBytes, types.MetricsNameIncomingRecords, types.MetricsNameOutgoingBytes, types.MetricsNameOutgoingRecords,
			types.MetricsNameIteratorAgeMilliseconds, types.MetricsNameReadProvisionedThroughputExceeded, types.MetricsNameWriteProvisionedThroughputExceeded)

		_, err := s.EnableEnhancedMonitoring(s.ctx, &kinesis.EnableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{"Everything"}})
		s.refused(err, "ValidationException", ".*Everything.*")
		_, err = s.EnableEnhancedMonitoring(s.ctx, &kinesis.EnableEnhancedMonitoringInput{StreamName: aws.String("none"), ShardLevelMetrics: []types.MetricsName{in}})
		s.refused(err, "ResourceNotFoundException", "Stream none under account .* not found\\.")
		_, err = s.DisableEnhancedMonitoring(s.ctx, &kinesis.DisableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{}})
		s.refused(err, "ValidationException", ".*shardLevelMetrics.*")
	})
}
