package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/functions/mapping"
)

// mappingMetrics are the figures of event source mappings: a line for each.
type mappingMetrics struct{ mappings *mapping.Engine }

var mappingLag = prometheus.NewDesc("weir_mapping_lag_seconds",
	"How old the oldest record is that an event source mapping has not done. Growing, its function fails, is too slow, or needs a higher ParallelizationFactor.",
	[]string{"mapping", "function", "source"}, nil)

// Describe is prometheus.Collector's.
func (m mappingMetrics) Describe(to chan<- *prometheus.Desc) { to <- mappingLag }

// Collect is prometheus.Collector's.
func (m mappingMetrics) Collect(to chan<- prometheus.Metric) {
	for _, each := range m.mappings.Catalog().All() {
		to <- prometheus.MustNewConstMetric(mappingLag, prometheus.GaugeValue, m.mappings.Lag(each.UUID).Seconds(), each.UUID, each.Function, each.Source)
	}
}
