package multilang

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/consumer"
)

// FilterMetrics passes on what metricsLevel and metricsEnabledDimensions let through.
func FilterMetrics(s *Settings, to consumer.Metrics) consumer.Metrics {
	return filter{to: to, summary: s.MetricsLevel == "SUMMARY", dimensions: s.MetricsDimensions}
}

type filter struct {
	to         consumer.Metrics
	summary    bool
	dimensions []string
}

// detailed is what the KCL reports at the level DETAILED only, by the beginning of the name (MetricsLevel.DETAILED in amazon-kinesis-client 3.5.1).
var detailed = []string{"NewLeasesDiscovered", "CreateLease.", "RenewLease.", "UpdateLease.", "KinesisDataFetcher.getRecords."}

// Add passes a measurement on, with the dimensions that are wanted. Operation is always one (METRICS_ALWAYS_ENABLED_DIMENSIONS).
func (f filter) Add(name string, value float64, unit cloudwatch.StandardUnit, dims ...cloudwatch.Dimension) {
	if f.summary && slices.ContainsFunc(detailed, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return
	}
	if len(f.dimensions) > 0 && !slices.Contains(f.dimensions, "ALL") {
		var kept []cloudwatch.Dimension
		for _, d := range dims {
			if dimension := aws.ToString(d.Name); dimension == "Operation" || slices.Contains(f.dimensions, dimension) {
				kept = append(kept, d)
			}
		}
		dims = kept
	}
	f.to.Add(name, value, unit, dims...)
}
