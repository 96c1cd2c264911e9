package aws

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/quota"
)

// limited is a session on a server that holds to AWS's limits and whose clock stands still, so that a test knows how much time has passed: none.
func limited(t *testing.T) *session {
	t.Helper()
	return startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z", Limits: "aws"}).plain(t)
}

// made makes a stream and moves the clock a second, which fills every bucket; the stream is ACTIVE then.
func (s *session) made(stream string, shards int32) {
	s.t.Helper()
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: &shards}))(s)
	s.advance("1s")
}

// entries makes n records of size bytes each, with keys of one byte.
func entries(n, size int) []types.PutRecordsRequestEntry {
	records := make([]types.PutRecordsRequestEntry, n)
	for i := range records {
		records[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: bytes.Repeat([]byte{'x'}, size)}
	}
	return records
}

// puts writes records in one request and says which of them were refused; each refusal must be AWS's.
func (s *session) puts(stream string, records []types.PutRecordsRequestEntry) (refused []int) {
	s.t.Helper()
	answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: &stream, Records: records}))(s)
	for i, r := range answer.Records {
		if r.ErrorCode == nil {
			continue
		}
		refused = append(refused, i)
		want := "Rate exceeded for shard shardId-000000000000 in stream " + stream + " under account " + s.account + "."
		if *r.ErrorCode != "ProvisionedThroughputExceededException" || *r.ErrorMessage != want || r.SequenceNumber != nil || r.ShardId != nil {
			s.t.Errorf("record %d: %s: %s", i, *r.ErrorCode, *r.ErrorMessage)
		}
	}
	if int(*answer.FailedRecordCount) != len(refused) {
		s.t.Errorf("FailedRecordCount is %d, and %d records say that they failed", *answer.FailedRecordCount, len(refused))
	}
	return refused
}

// TestWriteLimits: a shard takes 1,000 records and 1 MiB a second; what is over is refused record by record, the rest is written, and time gives
// room again. A large record has its room when its time has been saved up.
func TestWriteLimits(t *testing.T) {
	s := limited(t)
	s.made("s", 1)
	for i, want := range []string{"[]", "[]", "[0 1 2 3 4 5 6 7 8 9]"} {
		if got := fmt.Sprint(s.puts("s", entries([]int{500, 500, 10}[i], 10))); got != want {
			t.Errorf("request %d: refused %s, want %s", i, got, want)
		}
	}
	_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("x")})
	s.refused(err, "ProvisionedThroughputExceededException", quote("Rate exceeded for shard shardId-000000000000 in stream s under account ")+"{account}"+quote("."))
	s.advance("2ms")
	if got := fmt.Sprint(s.puts("s", entries(4, 10))); got != "[2 3]" {
		t.Errorf("after 2 ms: refused %s", got)
	}
	s.advance("1s")
	mixed := append(entries(3, 400<<10), entries(1, 100)...)
	if got := fmt.Sprint(s.puts("s", mixed)); got != "[2]" {
		t.Errorf("bytes: refused %s", got)
	}
	s.advance("1s")
	if got, want := len(s.readAll("s", "0")), 1000+2+3; got != want {
		t.Errorf("%d records are in the shard, want %d", got, want)
	}

	must(s.UpdateMaxRecordSize(s.ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: aws.String(s.arn("s")), MaxRecordSizeInKiB: aws.Int32(4096)}))(s)
	s.advance("3s")
	if got := fmt.Sprint(s.puts("s", entries(1, 4<<20-1))); got != "[]" {
		t.Errorf("a large record: refused %s", got)
	}
	s.advance("1s")
	if got := fmt.Sprint(s.puts("s", append(entries(1, 2<<20), entries(1, 1<<20-1)...))); got != "[0]" {
		t.Errorf("a second after a large record: refused %s", got)
	}
}

// TestReadLimits: a shard answers five GetRecords a second, and none until an answer of more than 2 MiB is paid off: five seconds after 10 MiB.
func TestReadLimits(t *testing.T) {
	s := limited(t)
	s.made("s", 1)
	for range 11 {
		s.puts("s", entries(1, 1<<20-1))
		s.advance("1s")
	}
	start := &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	from := s.iterator(start)
	text := quote("Rate exceeded for shard shardId-000000000000 in stream s under account ") + "{account}" + quote(".")
	read := func(want int) {
		t.Helper()
		answer, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &from})
		if want < 0 {
			s.refused(err, "ProvisionedThroughputExceededException", text)
		} else if must(answer, err)(s); len(answer.Records) != want {
			t.Errorf("%d records, want %d", len(answer.Records), want)
		}
	}
	read(10)
	s.advance("4900ms")
	read(-1)
	s.advance("100ms")
	read(10)
	s.advance("5s")

	from = *must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &from}))(s).NextShardIterator
	s.advance("5s")
	latest := *start
	latest.ShardIteratorType = types.ShardIteratorTypeLatest
	from = s.iterator(&latest)
	for range 5 {
		read(0)
	}
	read(-1)
	s.advance("200ms")
	read(0)

	for range 5 {
		_, _ = s.GetShardIterator(s.ctx, start)
	}
	_, err := s.GetShardIterator(s.ctx, start)
	s.refused(err, "ProvisionedThroughputExceededException", text)
	s.advance("1s")
	s.iterator(start)
}

// TestOperationRates: how often each operation may be called, counted by account and region, or by stream.
func TestOperationRates(t *testing.T) {
	s := limited(t)
	s.made("s", 1)
	s.made("other", 1)
	other := s.server.plain(t)
	for _, row := range []struct {
		operation string
		rate      int
		perStream bool
		call      func(s *session, stream string) error
	}{
		{"DescribeLimits", 1, false, func(s *session, _ string) error {
			_, err := s.DescribeLimits(s.ctx, &kinesis.DescribeLimitsInput{})
			return err
		}},
		{"ListStreams", 5, false, func(s *session, _ string) error {
			_, err := s.ListStreams(s.ctx, &kinesis.ListStreamsInput{})
			return err
		}},
		{"DescribeStream", 10, false, func(s *session, stream string) error {
			_, err := s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: &stream})
			return err
		}},
		{"DescribeStreamSummary", 20, false, func(s *session, stream string) error {
			_, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String(s.arn(stream))})
			return err
		}},
		{"DeleteStream", 5, false, func(s *session, stream string) error {
			_, err := s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("not-" + stream)})
			return err
		}},
		{"AddTagsToStream", 5, false, func(s *session, stream string) error {
			_, err := s.AddTagsToStream(s.ctx, &kinesis.AddTagsToStreamInput{StreamName: &stream, Tags: map[string]string{"a": "b"}})
			return err
		}},
		{"ListTagsForStream", 5, true, func(s *session, stream string) error {
			_, err := s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: &stream})
			return err
		}},
		{"IncreaseStreamRetentionPeriod", 5, true, func(s *session, stream string) error {
			_, err := s.IncreaseStreamRetentionPeriod(s.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &stream, RetentionPeriodHours: aws.Int32(24)})
			return err
		}},
		{"ListTagsForResource", 5, true, func(s *session, stream string) error {
			_, err := s.ListTagsForResource(s.ctx, &kinesis.ListTagsForResourceInput{ResourceARN: aws.String(s.arn(stream))})
			return err
		}},
		{"SplitShard", 5, true, func(s *session, stream string) error {
			_, err := s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: aws.String("7"), NewStartingHashKey: aws.String("1")})
			return err
		}},
		{"MergeShards", 5, true, func(s *session, stream string) error {
			_, err := s.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: &stream, ShardToMerge: aws.String("7"), AdjacentShardToMerge: aws.String("8")})
			return err
		}},
		{"UpdateShardCount", 10, false, func(s *session, stream string) error {
			_, err := s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: &stream, TargetShardCount: aws.Int32(99), ScalingType: types.ScalingTypeUniformScaling})
			return err
		}},
		{"UpdateStreamMode", 5, true, func(s *session, stream string) error {
			_, err := s.UpdateStreamMode(s.ctx, &kinesis.UpdateStreamModeInput{StreamARN: aws.String(s.arn(stream)), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeProvisioned}})
			return err
		}},
		{"DescribeAccountSettings", 5, false, func(s *session, _ string) error {
			_, err := s.DescribeAccountSettings(s.ctx, &kinesis.DescribeAccountSettingsInput{})
			return err
		}},
		{"UpdateStreamWarmThroughput", 5, false, func(s *session, stream string) error {
			_, err := s.UpdateStreamWarmThroughput(s.ctx, &kinesis.UpdateStreamWarmThroughputInput{StreamName: &stream, WarmThroughputMiBps: aws.Int32(1)})
			return err
		}},
		{"ListStreamConsumers", 5, true, func(s *session, stream string) error {
			_, err := s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: aws.String(s.arn(stream))})
			return err
		}},
		{"DescribeStreamConsumer", 20, true, func(s *session, stream string) error {
			_, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: aws.String(s.arn(stream) + "/consumer/c:1")})
			return err
		}},
		{"ListShards", 1000, true, func(s *session, stream string) error {
			_, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &stream})
			return err
		}},
	} {
		t.Run(row.operation, func(t *testing.T) {
			for range row.rate {
				if err := row.call(s, "s"); isThrottle(err) {
					t.Fatal(err)
				}
			}
			who := quote("Rate exceeded for ") + "(stream (not-)?s under account |account ){account}" + quote(".")
			s.refused(row.call(s, "s"), "LimitExceededException", who)
			if err := row.call(s, "other"); isThrottle(err) == row.perStream {
				t.Errorf("another stream: %v", err)
			}
			if err := row.call(other, "s"); isThrottle(err) {
				t.Errorf("another account: %v", err)
			}
			s.advance("1s")
			if err := row.call(s, "s"); isThrottle(err) {
				t.Errorf("a second later: %v", err)
			}
		})
	}
}

// isThrottle says whether an error is the refusal of a rate.
func isThrottle(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Rate exceeded")
}

// TestNothingIsLimitedInDev: without the setting, a server in development mode takes and gives what comes.
func TestNothingIsLimitedInDev(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).plain(t)
	s.create("s", 1)
	for range 6 {
		if got := s.puts("s", entries(500, 4096)); len(got) > 0 {
			t.Fatalf("refused %v", got)
		}
	}
	if got := s.readAll("s", "0"); len(got) != 3000 {
		t.Errorf("read %d records", len(got))
	}
	for range 30 {
		must(s.DescribeLimits(s.ctx, &kinesis.DescribeLimitsInput{}))(s)
	}
}

// TestDescribeLimits: what is used, and the quotas of the server, which bind.
func TestDescribeLimits(t *testing.T) {
	s := startFor(t, node.Config{Quotas: map[quota.Name]int64{quota.Shards: 5, quota.StreamsOnDemand: 1}}).plain(t)
	says := func(want string) {
		t.Helper()
		got := must(s.DescribeLimits(s.ctx, &kinesis.DescribeLimitsInput{}))(s)
		if text := fmt.Sprint(*got.OpenShardCount, " of ", *got.ShardLimit, ", ", *got.OnDemandStreamCount, " of ", *got.OnDemandStreamCountLimit, ", ", *got.ChannelCount, " of ", *got.ChannelCountLimit); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
	says("0 of 5, 0 of 1, 0 of 0")
	s.create("s", 4)
	onDemand := func(name string) error {
		_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &name, StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
		return err
	}
	must(0, onDemand("o"))(s)
	says("4 of 5, 1 of 1, 0 of 0")
	_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("too-many"), ShardCount: aws.Int32(2)})
	s.refused(err, "LimitExceededException", ".*shard limit for the account.*")
	s.refused(onDemand("too"), "LimitExceededException", ".*On-Demand mode.* Limit: 1.*")
	s = s.server.plain(t) // another account
	says("0 of 5, 0 of 1, 0 of 0")
}

// TestFanOutLimit: a consumer is pushed 2 MiB a second of a shard, of its own: reading with GetRecords takes nothing from it, nor another consumer.
func TestFanOutLimit(t *testing.T) {
	s := limited(t)
	s.made("s", 1)
	const records = 9
	for range records {
		s.puts("s", entries(1, 1<<20-1))
		s.advance("1s")
	}
	first, second := s.register("s", "first"), s.register("s", "second")
	trimHorizon := &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	one, other := s.subscribe(first, "0", trimHorizon), s.subscribe(second, "0", trimHorizon)
	for _, u := range []*subscription{one, other} {
		u.texts(2) // a second's worth comes at once
	}
	begin := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if got := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &begin}))(s); len(got.Records) != records {
		t.Errorf("GetRecords gives %d records", len(got.Records))
	}
	// Each half second, and the millisecond that rounds it up, is worth one record. A record comes before all of its worth is there, so that the first half
	// second brings two.
	for got, half := 2, 1; got < records; half++ {
		s.advance("501ms")
		for _, u := range []*subscription{one, other} {
			u.texts(3 + half - got)
		}
		got = 3 + half
		for _, u := range []*subscription{one, other} {
			select {
			case event := <-u.stream.Events():
				if e, is := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); !is || len(e.Value.Records) > 0 {
					t.Errorf("after %d half seconds more than %d MiB came: %T", half, got, event)
				}
			default:
			}
		}
	}
}
