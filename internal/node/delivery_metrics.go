package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/delivery"
)

// deliveryMetrics shows the delivery streams of a node under the names of AWS's metrics, as kinesisMetrics does streams: aws_firehose_ and the name with underscores.
type deliveryMetrics struct {
	delivery *delivery.Engine
	clock    clock.Clock
}

// ofDeliveryStream is the labels of series.
var ofDeliveryStream = []string{"account", "region", "delivery_stream"}

func ofFirehose(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("aws_firehose_"+name, help, ofDeliveryStream, nil)
}

// countedDelivery are the metrics of a delivery stream that only grow.
var countedDelivery = []struct {
	desc  *prometheus.Desc
	value func(*delivery.Stats) int64
}{
	{ofFirehose("incoming_bytes_total", "IncomingBytes: data that was put directly and acknowledged."), func(s *delivery.Stats) int64 { return s.Puts.Bytes.Load() + s.Batches.Bytes.Load() }},
	{ofFirehose("incoming_records_total", "IncomingRecords: records that were put directly and acknowledged."), func(s *delivery.Stats) int64 { return s.Puts.Records.Load() + s.Batches.Records.Load() }},
	{ofFirehose("incoming_put_requests_total", "IncomingPutRequests: PutRecord and PutRecordBatch calls that succeeded."), func(s *delivery.Stats) int64 { return s.Puts.Requests.Load() + s.Batches.Requests.Load() }},
	{ofFirehose("put_record_bytes_total", "PutRecord.Bytes: data of PutRecord calls that succeeded."), func(s *delivery.Stats) int64 { return s.Puts.Bytes.Load() }},
	{ofFirehose("put_record_requests_total", "PutRecord.Requests: PutRecord calls that succeeded."), func(s *delivery.Stats) int64 { return s.Puts.Requests.Load() }},
	{ofFirehose("put_record_batch_bytes_total", "PutRecordBatch.Bytes: data that PutRecordBatch calls took."), func(s *delivery.Stats) int64 { return s.Batches.Bytes.Load() }},
	{ofFirehose("put_record_batch_records_total", "PutRecordBatch.Records: records that PutRecordBatch calls took."), func(s *delivery.Stats) int64 { return s.Batches.Records.Load() }},
	{ofFirehose("put_record_batch_requests_total", "PutRecordBatch.Requests: PutRecordBatch calls that succeeded."), func(s *delivery.Stats) int64 { return s.Batches.Requests.Load() }},
	{ofFirehose("data_read_from_kinesis_stream_bytes_total", "DataReadFromKinesisStream.Bytes: data of records that were read of the source stream."), func(s *delivery.Stats) int64 { return s.SourceBytes.Load() }},
	{ofFirehose("data_read_from_kinesis_stream_records_total", "DataReadFromKinesisStream.Records: records that were read of the source stream."), func(s *delivery.Stats) int64 { return s.SourceRecords.Load() }},
	{ofFirehose("delivery_to_s3_bytes_total", "DeliveryToS3.Bytes: data that was delivered, before compression."), func(s *delivery.Stats) int64 { return s.DeliveredBytes.Load() }},
	{ofFirehose("delivery_to_s3_records_total", "DeliveryToS3.Records: records that were delivered."), func(s *delivery.Stats) int64 { return s.DeliveredRecords.Load() }},
	{ofFirehose("delivery_to_s3_object_count_total", "DeliveryToS3.ObjectCount: objects that were delivered."), func(s *delivery.Stats) int64 { return s.Delivered.Load() }},
}

var (
	deliverySuccess   = ofFirehose("delivery_to_s3_success", "DeliveryToS3.Success: its sum is the tries to put an object that succeeded, its count all.")
	deliveryFreshness = ofFirehose("delivery_to_s3_data_freshness_seconds", "DeliveryToS3.DataFreshness: how old the oldest record is that was read and not delivered. Beyond the buffer's interval, the destination fails or is too slow.")
	deliveryBehind    = ofFirehose("kinesis_millis_behind_latest", "KinesisMillisBehindLatest: how old the oldest record of the source stream is that was not read.")
	deliveryLost      = prometheus.NewDesc("weir_delivery_lost_records_total", "Records that expired before they could be delivered: lost. Any rise is for the operator; the log says which.", ofDeliveryStream, nil)
)

// Describe says nothing: which series there are changes with the delivery streams, and Prometheus then checks each collection instead.
func (m deliveryMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the figures of every delivery stream.
func (m deliveryMetrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range m.delivery.Catalog().All() {
		if s.Status != delivery.Active {
			continue
		}
		labels, stats := []string{s.Account, s.Region, s.Name}, m.delivery.Stats(s.Number)
		for _, each := range countedDelivery {
			out <- counter(each.desc, each.value(stats), labels...)
		}
		done := stats.Delivered.Load()
		out <- averaged(deliverySuccess, done+stats.Failed.Load(), float64(done), labels...)
		out <- counter(deliveryLost, stats.LostRecords.Load(), labels...)
		standing, fresh := m.delivery.Standing(s.Number), time.Duration(0)
		if !standing.Oldest.IsZero() {
			fresh = m.clock.Now().Sub(standing.Oldest)
		}
		out <- prometheus.MustNewConstMetric(deliveryFreshness, prometheus.GaugeValue, fresh.Seconds(), labels...)
		if s.Source.Kinesis != nil {
			out <- prometheus.MustNewConstMetric(deliveryBehind, prometheus.GaugeValue, float64(standing.Behind.Milliseconds()), labels...)
		}
	}
}
