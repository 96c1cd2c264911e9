package node_test

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// series are the metrics of a node that begin with a name, by what stands before the value.
func series(t *testing.T, n *node.Node, prefix string) map[string]float64 {
	t.Helper()
	response, err := http.Get("http://" + n.ConsoleAddr() + "/metrics")
	must(t, err)
	defer response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	found := make(map[string]float64)
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if !strings.HasPrefix(line, prefix) || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		must(t, err)
		found[line[:at]] = value
	}
	return found
}

// A stream is counted under AWS's names: what was put, read, pushed and refused, how old it was; a shard of it too once that is enabled. The series go with the stream.
func TestAWSMetrics(t *testing.T) {
	config := devConfig(t.TempDir())
	config.Limits = "aws"
	config.TestClock = "2026-11-18T13:00:00Z"
	n, _ := start(t, config)
	c := client(t, n)
	createStream(t, c, "tolls")
	name := aws.String("tolls")
	_, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("key"), Data: []byte("seven b")})
	must(t, err)
	in := &kinesis.PutRecordsInput{StreamName: name}
	for range 500 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("123456789")})
	}
	var failed int32
	for range 3 { // the clock stands: a shard takes 1,000 records in its second
		out, err := c.PutRecords(t.Context(), in)
		must(t, err)
		failed += *out.FailedRecordCount
	}
	_, err = c.EnableEnhancedMonitoring(t.Context(), &kinesis.EnableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameAll}})
	must(t, err)
	response, err := http.Post("http://"+n.ConsoleAddr()+"/_weir/clock", "application/json", strings.NewReader(`{"advance":"3s"}`))
	must(t, err)
	must(t, response.Body.Close())
	got, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String(iterator(t, c, "tolls"))})
	must(t, err)
	read := 0
	for range 6 {
		if _, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: got.NextShardIterator}); err != nil {
			read++
		}
	}
	if failed != 501 || read == 0 || len(got.Records) != 1000 {
		t.Fatalf("%d records failed, %d reads, %d records were read", failed, read, len(got.Records))
	}

	const stream, shard = `{account="123456789012",region="eu-west-3",stream="tolls"}`, `{account="123456789012",region="eu-west-3",shard="shardId-000000000000",stream="tolls"}`
	found := series(t, n, "aws_kinesis_")
	for name, want := range map[string]float64{
		"incoming_records_total" + stream:                           1000,
		"incoming_bytes_total" + stream:                             10 + 999*10,
		"put_record_bytes_total" + stream:                           10,
		"put_record_success_sum" + stream:                           1,
		"put_record_latency_milliseconds_count" + stream:            1,
		"put_records_success_sum" + stream:                          3,
		"put_records_success_count" + stream:                        3,
		"put_records_bytes_total" + stream:                          999 * 10,
		"put_records_total_records_total" + stream:                  1500,
		"put_records_successful_records_total" + stream:             999,
		"put_records_throttled_records_total" + stream:              501,
		"put_records_failed_records_total" + stream:                 0,
		"get_records_records_total" + stream:                        1000,
		"get_records_bytes_total" + stream:                          10_000,
		"get_records_success_count" + stream:                        7,
		"get_records_success_sum" + stream:                          7 - float64(read),
		"get_records_iterator_age_milliseconds" + stream:            3000,
		"read_provisioned_throughput_exceeded_total" + stream:       float64(read),
		"write_provisioned_throughput_exceeded_total" + stream:      501,
		"shard_incoming_records_total" + shard:                      1000,
		"shard_outgoing_records_total" + shard:                      1000,
		"shard_outgoing_bytes_total" + shard:                        10_000,
		"shard_write_provisioned_throughput_exceeded_total" + shard: 501,
		"shard_read_provisioned_throughput_exceeded_total" + shard:  float64(read),
		"shard_iterator_age_milliseconds" + shard:                   3000,
	} {
		if value, ok := found["aws_kinesis_"+name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
	if found["aws_kinesis_put_record_latency_milliseconds_sum"+stream] <= 0 {
		t.Error("a put took no time")
	}

	out, err := c.DisableEnhancedMonitoring(t.Context(), &kinesis.DisableEnhancedMonitoringInput{StreamName: name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameAll}})
	must(t, err)
	if len(out.CurrentShardLevelMetrics) != 7 || len(out.DesiredShardLevelMetrics) != 0 {
		t.Errorf("%+v", out)
	}
	if found := series(t, n, "aws_kinesis_shard_"); len(found) != 0 {
		t.Errorf("shards after disabling: %v", found)
	}
	_, err = c.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: name})
	must(t, err)
	if found := series(t, n, "aws_kinesis_"); len(found) != 0 {
		t.Errorf("of a stream that is deleted: %v", found)
	}
	if found := series(t, n, "weir_disk_free_bytes"); found["weir_disk_free_bytes"] <= 0 {
		t.Errorf("free room: %v", found)
	}
}

// What a consumer is pushed is counted by its name, and is gone with it.
func TestAWSMetricsOfConsumers(t *testing.T) {
	n, _ := start(t, devConfig(t.TempDir()))
	c := client(t, n)
	createStream(t, c, "tolls")
	described, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("tolls")})
	must(t, err)
	made, err := c.RegisterStreamConsumer(t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: described.StreamDescriptionSummary.StreamARN, ConsumerName: aws.String("reader")})
	must(t, err)
	_, err = c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte("123456789")})
	must(t, err)
	in := &kinesis.SubscribeToShardInput{
		ConsumerARN: made.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000000"), StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
	}
	var sub *kinesis.SubscribeToShardOutput
	for deadline := time.Now().Add(patience); ; { // a consumer is ACTIVE soon
		if sub, err = c.SubscribeToShard(t.Context(), in); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	event := <-sub.GetStream().Events()
	if records := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value.Records; len(records) != 1 {
		t.Errorf("%d records", len(records))
	}
	if _, err := c.SubscribeToShard(t.Context(), in); err == nil {
		t.Error("two subscriptions within five seconds")
	}
	const consumer = `{account="123456789012",consumer="reader",region="eu-west-3",stream="tolls"}`
	for deadline := time.Now().Add(patience); ; { // the event is counted when it has been sent, and so perhaps after it has come
		found := series(t, n, "aws_kinesis_subscribe_to_shard_")
		if found["aws_kinesis_subscribe_to_shard_event_records_total"+consumer] == 1 && found["aws_kinesis_subscribe_to_shard_event_bytes_total"+consumer] == 10 &&
			found["aws_kinesis_subscribe_to_shard_success_sum"+consumer] == 1 && found["aws_kinesis_subscribe_to_shard_rate_exceeded_total"+consumer] == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(found)
		}
	}
	must(t, sub.GetStream().Close())
	_, err = c.DeregisterStreamConsumer(t.Context(), &kinesis.DeregisterStreamConsumerInput{ConsumerARN: made.Consumer.ConsumerARN})
	must(t, err)
	if found := series(t, n, "aws_kinesis_subscribe_to_shard_"); len(found) != 0 {
		t.Errorf("of a consumer that is gone: %v", found)
	}
}
