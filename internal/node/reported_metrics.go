package node

import (
	"math"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	reported "github.com/weir-stream/weir/internal/metrics"
)

// reportedMetrics shows what programs have reported with PutMetricData. It asks when it is asked: the series of a metric go with the metric.
type reportedMetrics struct{ store *reported.Store }

var (
	ofReported = []string{"account", "region", "namespace", "metric", "dimensions", "unit"}

	reportedValue   = prometheus.NewDesc("aws_cloudwatch_metric", "A metric that a program has reported: the sum and the count of its samples since it was first seen. What it means is the program's.", ofReported, nil)
	reportedLowest  = prometheus.NewDesc("aws_cloudwatch_metric_minimum", "The lowest sample of a reported metric since it was first seen.", ofReported, nil)
	reportedHighest = prometheus.NewDesc("aws_cloudwatch_metric_maximum", "The highest sample of a reported metric since it was first seen.", ofReported, nil)
	reportedLast    = prometheus.NewDesc("aws_cloudwatch_metric_reported_seconds", "When a metric was reported last, in seconds since 1970. One that stays behind belongs to a program that is gone.", ofReported, nil)
	reportedEvicted = prometheus.NewDesc("aws_cloudwatch_evicted_metrics_total", "Reported metrics that were forgotten to make room for others. A rise means too many metrics, such as one for each request.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (m *reportedMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{reportedValue, reportedLowest, reportedHighest, reportedLast, reportedEvicted} {
		ch <- desc
	}
}

// Collect is part of prometheus.Collector. Nothing is sent while the store is held.
func (m *reportedMetrics) Collect(ch chan<- prometheus.Metric) {
	var all []reported.Series
	m.store.Each(func(s *reported.Series) { all = append(all, *s) })
	for i := range all {
		s := &all[i]
		labels := []string{s.ID.Account, s.ID.Region, s.ID.Namespace, s.ID.Name, dimensionsText(s.ID.Dimensions), s.Unit}
		ch <- prometheus.MustNewConstSummary(reportedValue, uint64(math.Round(min(s.Total.Count, 1<<53))), s.Total.Sum, nil, labels...)
		ch <- prometheus.MustNewConstMetric(reportedLowest, prometheus.GaugeValue, s.Total.Min, labels...)
		ch <- prometheus.MustNewConstMetric(reportedHighest, prometheus.GaugeValue, s.Total.Max, labels...)
		ch <- prometheus.MustNewConstMetric(reportedLast, prometheus.GaugeValue, float64(s.Put.UnixMilli())/1000, labels...)
	}
	ch <- prometheus.MustNewConstMetric(reportedEvicted, prometheus.CounterValue, float64(m.store.Evicted()))
}

// textEscapes keep dimensions apart whatever is in them.
var textEscapes = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `=`, `\=`)

// dimensionsText is name=value,name=value.
func dimensionsText(dimensions []reported.Dimension) string {
	parts := make([]string, len(dimensions))
	for i, d := range dimensions {
		parts[i] = textEscapes.Replace(d.Name) + "=" + textEscapes.Replace(d.Value)
	}
	return strings.Join(parts, ",")
}
