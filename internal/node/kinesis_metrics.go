package node

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/streams"
)

// kinesisMetrics shows the streams of a node under the names of AWS's metrics: aws_kinesis_ and the name with underscores, _total for what CloudWatch sums up. What CloudWatch
// averages is a summary: its sum and count are those of CloudWatch, and a Success of 1 is one call that succeeded.
//
// It asks when it is asked, of the streams that there are: the series of a stream go with it.
type kinesisMetrics struct {
	control *controller.Controller
	streams *streams.Streams
	clock   clock.Clock
}

// The labels of series.
var (
	ofStream   = []string{"account", "region", "stream"}
	ofConsumer = append(slices.Clone(ofStream), "consumer")
	ofShard    = append(slices.Clone(ofStream), "shard")
)

func described(name, help string, labels []string) *prometheus.Desc {
	return prometheus.NewDesc("aws_kinesis_"+name, help, labels, nil)
}

// countedMetrics are the metrics of a stream that only grow.
var countedMetrics = []struct {
	desc  *prometheus.Desc
	value func(*streams.Stats) int64
}{
	{described("incoming_bytes_total", "IncomingBytes: data and partition keys that were acknowledged.", ofStream), func(s *streams.Stats) int64 { return s.IncomingBytes.Load() }},
	{described("incoming_records_total", "IncomingRecords: records that were acknowledged.", ofStream), func(s *streams.Stats) int64 { return s.IncomingRecords.Load() }},
	{described("put_record_bytes_total", "PutRecord.Bytes: data and partition keys of PutRecord calls that succeeded.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordBytes.Load() }},
	{described("put_records_bytes_total", "PutRecords.Bytes: data and partition keys of records that PutRecords took.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordsBytes.Load() }},
	{described("put_records_total_records_total", "PutRecords.TotalRecords: records that PutRecords calls asked for.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordsTotal.Load() }},
	{described("put_records_successful_records_total", "PutRecords.SuccessfulRecords: records that PutRecords took.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordsSuccessful.Load() }},
	{described("put_records_failed_records_total", "PutRecords.FailedRecords: records that failed for a reason of the server's. Any rise is for the operator.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordsFailed.Load() }},
	{described("put_records_throttled_records_total", "PutRecords.ThrottledRecords: records that were over the limits of their shard.", ofStream), func(s *streams.Stats) int64 { return s.PutRecordsThrottled.Load() }},
	{described("get_records_bytes_total", "GetRecords.Bytes: data and partition keys that GetRecords gave.", ofStream), func(s *streams.Stats) int64 { return s.GetRecordsBytes.Load() }},
	{described("get_records_records_total", "GetRecords.Records: records that GetRecords gave.", ofStream), func(s *streams.Stats) int64 { return s.GetRecordsRecords.Load() }},
	{described("read_provisioned_throughput_exceeded_total", "ReadProvisionedThroughputExceeded: GetRecords calls that were refused. Readers are too many or too fast for the shards.", ofStream), func(s *streams.Stats) int64 { return s.ReadExceeded.Load() }},
	{described("write_provisioned_throughput_exceeded_total", "WriteProvisionedThroughputExceeded: records that were refused. The stream needs more shards, or its keys are uneven.", ofStream), func(s *streams.Stats) int64 { return s.WriteExceeded.Load() }},
}

// calledMetrics are the operations of a stream.
var calledMetrics = []struct {
	success, latency *prometheus.Desc
	calls            func(*streams.Stats) *streams.Calls
}{
	{described("put_record_success", "PutRecord.Success: its sum is calls that succeeded, its count all.", ofStream), described("put_record_latency_milliseconds", "PutRecord.Latency: from the request's header to the end of the answer.", ofStream), func(s *streams.Stats) *streams.Calls { return &s.PutRecord }},
	{described("put_records_success", "PutRecords.Success: its sum is calls that were answered, also with failed records, its count all.", ofStream), described("put_records_latency_milliseconds", "PutRecords.Latency: from the request's header to the end of the answer.", ofStream), func(s *streams.Stats) *streams.Calls { return &s.PutRecords }},
	{described("get_records_success", "GetRecords.Success: its sum is calls that succeeded, its count all.", ofStream), described("get_records_latency_milliseconds", "GetRecords.Latency: from the request's header to the end of the answer.", ofStream), func(s *streams.Stats) *streams.Calls { return &s.GetRecords }},
}

var (
	iteratorAge = described("get_records_iterator_age_milliseconds", "GetRecords.IteratorAgeMilliseconds: how old the last record of a GetRecords call was, the highest in the last minute or two; 0 is caught up. It rises when a reader is slower than the writers. Absent when nobody reads.", ofStream)

	subscribeSuccess = described("subscribe_to_shard_success", "SubscribeToShard.Success: its sum is subscriptions that began, its count all calls.", ofConsumer)
	subscribeRate    = described("subscribe_to_shard_rate_exceeded_total", "SubscribeToShard.RateExceeded: subscriptions that were refused because the consumer had another on the shard.", ofConsumer)
	eventSuccess     = described("subscribe_to_shard_event_success", "SubscribeToShardEvent.Success: its sum is events that were sent, its count all.", ofConsumer)
	eventBytes       = described("subscribe_to_shard_event_bytes_total", "SubscribeToShardEvent.Bytes: data and partition keys that were pushed.", ofConsumer)
	eventRecords     = described("subscribe_to_shard_event_records_total", "SubscribeToShardEvent.Records: records that were pushed.", ofConsumer)
	eventBehind      = described("subscribe_to_shard_event_millis_behind_latest", "SubscribeToShardEvent.MillisBehindLatest: how far the last event was behind the newest record.", ofConsumer)
)

// shardMetrics are shown for each shard of a stream that has them enabled, by the names that EnableEnhancedMonitoring takes.
var shardMetrics = []struct {
	name string
	desc *prometheus.Desc
	of   func(n *kinesisMetrics, stream *catalog.Stream, shard uint32) int64
}{
	{"IncomingBytes", described("shard_incoming_bytes_total", "IncomingBytes of a shard.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).InBytes
	}},
	{"IncomingRecords", described("shard_incoming_records_total", "IncomingRecords of a shard.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).InRecords
	}},
	{"OutgoingBytes", described("shard_outgoing_bytes_total", "OutgoingBytes of a shard: data and partition keys that GetRecords gave.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).OutBytes
	}},
	{"OutgoingRecords", described("shard_outgoing_records_total", "OutgoingRecords of a shard: records that GetRecords gave.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).OutRecords
	}},
	{"ReadProvisionedThroughputExceeded", described("shard_read_provisioned_throughput_exceeded_total", "ReadProvisionedThroughputExceeded of a shard: GetRecords calls.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).OutRefused
	}},
	{"WriteProvisionedThroughputExceeded", described("shard_write_provisioned_throughput_exceeded_total", "WriteProvisionedThroughputExceeded of a shard: records.", ofShard), func(n *kinesisMetrics, s *catalog.Stream, shard uint32) int64 {
		return n.streams.Counts(s, shard).InRefused
	}},
}

var shardAge = described("shard_iterator_age_milliseconds", "IteratorAgeMilliseconds of a shard, as that of a stream.", ofShard)

// Describe says nothing: which series there are changes with the streams, and Prometheus then checks each collection instead.
func (n *kinesisMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the figures of every stream.
func (n *kinesisMetrics) Collect(out chan<- prometheus.Metric) {
	now := n.clock.Now()
	for stream := range n.control.State().All() {
		if stream.Status == catalog.Creating || stream.Status == catalog.Deleting {
			continue
		}
		stats := n.streams.Stats(stream)
		stats.Keep(stream)
		labels := []string{stream.Account, stream.Region, stream.Name}
		for _, m := range countedMetrics {
			out <- counter(m.desc, m.value(stats), labels...)
		}
		for _, m := range calledMetrics {
			calls := m.calls(stats)
			out <- averaged(m.success, calls.Count.Load(), float64(calls.Succeeded.Load()), labels...)
			out <- averaged(m.latency, calls.Count.Load(), float64(calls.Took.Load())/float64(time.Millisecond), labels...)
		}
		if age, some := stats.IteratorAge.Highest(now); some {
			out <- prometheus.MustNewConstMetric(iteratorAge, prometheus.GaugeValue, float64(age), labels...)
		}
		for i := range stream.Consumers {
			n.consumer(out, stats.Consumer(stream.Consumers[i].Name), append(slices.Clone(labels), stream.Consumers[i].Name))
		}
		if len(stream.ShardMetrics) > 0 {
			n.shards(out, now, stream, stats)
		}
	}
}

func (n *kinesisMetrics) consumer(out chan<- prometheus.Metric, c *streams.ConsumerStats, labels []string) {
	out <- averaged(subscribeSuccess, c.Subscribe.Count.Load(), float64(c.Subscribe.Succeeded.Load()), labels...)
	out <- counter(subscribeRate, c.RateExceeded.Load(), labels...)
	out <- averaged(eventSuccess, c.Events.Count.Load(), float64(c.Events.Succeeded.Load()), labels...)
	out <- counter(eventBytes, c.Bytes.Load(), labels...)
	out <- counter(eventRecords, c.Records.Load(), labels...)
	if c.Events.Count.Load() > 0 {
		out <- prometheus.MustNewConstMetric(eventBehind, prometheus.GaugeValue, float64(c.MillisBehind.Load()), labels...)
	}
}

// shards gives the shard-level metrics that the stream has enabled.
func (n *kinesisMetrics) shards(out chan<- prometheus.Metric, now time.Time, stream *catalog.Stream, stats *streams.Stats) {
	for i := range stream.Shards {
		shard := &stream.Shards[i]
		if !shard.Status.Listed() {
			continue
		}
		labels := []string{stream.Account, stream.Region, stream.Name, streams.ShardID(shard.Number)}
		for _, m := range shardMetrics {
			if slices.Contains(stream.ShardMetrics, m.name) {
				out <- counter(m.desc, m.of(n, stream, shard.Number), labels...)
			}
		}
		if slices.Contains(stream.ShardMetrics, "IteratorAgeMilliseconds") {
			if age, some := stats.ShardAge(shard.Number).Highest(now); some {
				out <- prometheus.MustNewConstMetric(shardAge, prometheus.GaugeValue, float64(age), labels...)
			}
		}
	}
}

func counter(desc *prometheus.Desc, value int64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

// averaged is a summary without quantiles: a sum and a count.
func averaged(desc *prometheus.Desc, count int64, sum float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstSummary(desc, uint64(count), sum, nil, labels...)
}
