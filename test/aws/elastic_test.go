package aws

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/quota"
)

// onDemand is how a stream says that it is one.
var onDemand = &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}

// demand makes an ON_DEMAND stream and waits until it is ACTIVE.
func (s *session) demand(stream string) {
	s.t.Helper()
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &stream, StreamModeDetails: onDemand}))(s)
	s.active(stream)
}

// TestOnDemandScales: shards of an ON_DEMAND stream double while records are being put faster than half of what they take, and halve when a day has been
// quiet; no record is lost, doubled or refused.
func TestOnDemandScales(t *testing.T) {
	// A shard is good for ten records a second here, so that a test can fill some. Nothing is refused: limits are off.
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z", Quotas: map[quota.Name]int64{quota.ShardWriteRecords: 10}}).plain(t)
	s.demand("tolls")
	stream := aws.String("tolls")
	const writers, batch = 4, 100
	put := map[string]int{} // by data: how often it was acknowledged
	var mu sync.Mutex       // guards put
	var most int32
	for round := range 12 {
		var putting sync.WaitGroup
		for w := range writers {
			putting.Go(func() {
				var records []types.PutRecordsRequestEntry
				for i := range batch {
					data := fmt.Sprintf("%d/%d/%d", round, w, i)
					records = append(records, types.PutRecordsRequestEntry{PartitionKey: &data, Data: []byte(data)})
				}
				answer, err := s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: stream, Records: records})
				if err != nil || *answer.FailedRecordCount != 0 {
					t.Errorf("round %d: %v %+v", round, err, answer)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range records {
					put[string(records[i].Data)]++
				}
			})
		}
		s.advance("15s") // while they put: 1,600 a minute are worth 2.7 shards
		putting.Wait()
		most = max(most, *s.active("tolls").OpenShardCount)
	}
	s.advance("15s")
	if open := *s.active("tolls").OpenShardCount; open != 8 || most != 8 {
		t.Errorf("%d shards are open, at most there were %d; want 8", open, most)
	}
	got := map[string]int{}
	for _, shard := range s.shards("tolls") {
		for _, record := range s.readAll("tolls", *shard.ShardId) {
			got[string(record.Data)]++
		}
	}
	if len(got) != len(put) || len(got) != 12*writers*batch {
		t.Errorf("%d records were acknowledged, %d are there", len(put), len(got))
	}
	for data, times := range got {
		if times != 1 || put[data] != 1 {
			t.Errorf("%s: put %d times, there %d times", data, put[data], times)
		}
	}
	for _, row := range []struct {
		after string
		open  int32
	}{{"23h", 8}, {"2h", 4}, {"100h", 4}} {
		s.advance(row.after)
		if open := *s.active("tolls").OpenShardCount; open != row.open {
			t.Errorf("after %s without records: %d shards are open, want %d", row.after, open, row.open)
		}
	}
}

// TestAccountSettings: the billing commitment lasts a day at least; its end can be called off; it does not end while a stream has warm throughput.
func TestAccountSettings(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).plain(t)
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	says := func(got *types.MinimumThroughputBillingCommitmentOutput, status string, started, earliest, ended *time.Time) {
		t.Helper()
		text := func(at *time.Time) string {
			if at == nil {
				return "never"
			}
			return at.UTC().Format(time.RFC3339)
		}
		if string(got.Status) != status || text(got.StartedAt) != text(started) || text(got.EarliestAllowedEndAt) != text(earliest) || text(got.EndedAt) != text(ended) {
			t.Errorf("%s, started %s, earliest end %s, ended %s", got.Status, text(got.StartedAt), text(got.EarliestAllowedEndAt), text(got.EndedAt))
		}
	}
	described := func() *types.MinimumThroughputBillingCommitmentOutput {
		t.Helper()
		return must(s.DescribeAccountSettings(s.ctx, &kinesis.DescribeAccountSettingsInput{}))(s).MinimumThroughputBillingCommitment
	}
	set := func(status types.MinimumThroughputBillingCommitmentInputStatus) (*types.MinimumThroughputBillingCommitmentOutput, error) {
		answer, err := s.UpdateAccountSettings(s.ctx, &kinesis.UpdateAccountSettingsInput{MinimumThroughputBillingCommitment: &types.MinimumThroughputBillingCommitmentInput{Status: status}})
		if err != nil {
			return nil, err
		}
		return answer.MinimumThroughputBillingCommitment, nil
	}
	earliest := began.Add(24 * time.Hour)
	says(described(), "DISABLED", nil, nil, nil)
	says(must(set("ENABLED"))(s), "ENABLED", &began, &earliest, nil)
	says(described(), "ENABLED", &began, &earliest, nil)

	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("warm"), StreamModeDetails: onDemand, WarmThroughputMiBps: aws.Int32(6)}))(s)
	if open := *s.active("warm").OpenShardCount; open != 6 {
		t.Errorf("6 MiB/s of warm throughput are %d shards", open)
	}
	_, err := set("DISABLED")
	s.refused(err, "InvalidArgumentException", ".*cannot be DISABLED while stream warm has a warm throughput of 6 MiB/s\\.")
	must(s.UpdateStreamWarmThroughput(s.ctx, &kinesis.UpdateStreamWarmThroughputInput{StreamName: aws.String("warm"), WarmThroughputMiBps: aws.Int32(0)}))(s)

	s.advance("1h")
	says(must(set("DISABLED"))(s), "ENABLED_UNTIL_EARLIEST_ALLOWED_END", &began, &earliest, nil)
	says(must(set("ENABLED"))(s), "ENABLED", &began, &earliest, nil)
	says(must(set("DISABLED"))(s), "ENABLED_UNTIL_EARLIEST_ALLOWED_END", &began, &earliest, nil)
	s.advance("23h")
	says(described(), "DISABLED", &began, &earliest, &earliest)
	if other := s.server.plain(t); string(must(other.DescribeAccountSettings(s.ctx, &kinesis.DescribeAccountSettingsInput{}))(s).MinimumThroughputBillingCommitment.Status) != "DISABLED" {
		t.Error("another account is committed too")
	}
	_, err = s.UpdateAccountSettings(s.ctx, &kinesis.UpdateAccountSettingsInput{MinimumThroughputBillingCommitment: &types.MinimumThroughputBillingCommitmentInput{Status: "PERHAPS"}})
	s.refused(err, "ValidationException", "(?s).*PERHAPS.*")
}

// TestWarmThroughput: it makes shards at once, is told by DescribeStreamSummary, releases shards when asked for again, and is for ON_DEMAND streams of accounts
// with a billing commitment.
func TestWarmThroughput(t *testing.T) {
	s := shared.plain(t)
	s.demand("tolls")
	update := func(stream string, mibps int32) (*types.WarmThroughputObject, error) {
		answer, err := s.UpdateStreamWarmThroughput(s.ctx, &kinesis.UpdateStreamWarmThroughputInput{StreamARN: aws.String(s.arn(stream)), WarmThroughputMiBps: &mibps})
		if err != nil {
			return nil, err
		}
		if *answer.StreamName != stream || *answer.StreamARN != s.arn(stream) {
			t.Errorf("%s %s", *answer.StreamName, *answer.StreamARN)
		}
		return answer.WarmThroughput, nil
	}
	_, err := update("tolls", 10)
	s.refused(err, "InvalidArgumentException", ".*MinimumThroughputBillingCommitment is not ENABLED.*")
	if warm := s.active("tolls").WarmThroughput; warm != nil {
		t.Errorf("without a commitment: %+v", warm)
	}
	must(s.UpdateAccountSettings(s.ctx, &kinesis.UpdateAccountSettingsInput{MinimumThroughputBillingCommitment: &types.MinimumThroughputBillingCommitmentInput{Status: "ENABLED"}}))(s)
	if warm := must(update("tolls", 10))(s); *warm.TargetMiBps != 10 {
		t.Errorf("target %d", *warm.TargetMiBps)
	}
	says := func(current, target int32) {
		t.Helper()
		if warm := s.active("tolls").WarmThroughput; *warm.CurrentMiBps != current || *warm.TargetMiBps != target {
			t.Errorf("%d of %d MiB/s, want %d of %d", *warm.CurrentMiBps, *warm.TargetMiBps, current, target)
		}
	}
	says(10, 10)
	must(update("tolls", 6))(s)
	says(6, 6)
	must(update("tolls", 0))(s)
	says(4, 0)

	s.create("provisioned", 1)
	_, err = update("provisioned", 10)
	s.refused(err, "InvalidArgumentException", ".*warm throughput is for streams in mode ON_DEMAND\\.")
	_, err = update("gone", 10)
	s.refused(err, "ResourceNotFoundException", "Stream gone under account {account} not found\\.")
	_, err = update("tolls", 20_000)
	s.refused(err, "LimitExceededException", ".*between 0 and 10240 MiB/s.*")
	_, err = update("tolls", -1)
	s.refused(err, "ValidationException", ".*warmThroughputMiBps.*")
	_, err = s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("cold"), ShardCount: aws.Int32(1), WarmThroughputMiBps: aws.Int32(5)})
	s.refused(err, "InvalidArgumentException", ".*warm throughput is for streams in mode ON_DEMAND\\.")
}

// TestStreamModes: a stream keeps its shards when its mode changes, which it may twice in a day; the shards can be chosen in PROVISIONED only.
func TestStreamModes(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).plain(t)
	s.create("tolls", 2)
	to := func(mode types.StreamMode) error {
		_, err := s.UpdateStreamMode(s.ctx, &kinesis.UpdateStreamModeInput{StreamARN: aws.String(s.arn("tolls")), StreamModeDetails: &types.StreamModeDetails{StreamMode: mode}})
		return err
	}
	count := func() error {
		_, err := s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: aws.String("tolls"), TargetShardCount: aws.Int32(3), ScalingType: types.ScalingTypeUniformScaling})
		return err
	}
	must(0, to("ON_DEMAND"))(s)
	summary := s.active("tolls")
	if summary.StreamModeDetails.StreamMode != "ON_DEMAND" || *summary.OpenShardCount != 2 || summary.RecordDistributionStrategy != types.RecordDistributionStrategyUserPartitionKey {
		t.Errorf("%+v", summary)
	}
	s.refused(count(), "ValidationException", "Request is invalid\\. Stream tolls under account {account} is in On-Demand mode\\.")
	must(0, to("PROVISIONED"))(s)
	must(0, count())(s)
	if summary = s.active("tolls"); summary.RecordDistributionStrategy != "" || *summary.OpenShardCount != 3 {
		t.Errorf("%+v", summary)
	}
	s.refused(to("ON_DEMAND"), "LimitExceededException", ".*more than 2 times in a rolling 24-hour period\\.")
	s.advance("24h")
	must(0, to("ON_DEMAND"))(s)
	s.refused(to("SOMETIMES"), "ValidationException", "(?s).*SOMETIMES.*")
}

// TestAutoDistribution: records spread evenly over the shards whatever their keys, which may be left out and are given back when they were there; PROVISIONED
// streams have no such thing.
func TestAutoDistribution(t *testing.T) {
	everyTransport(t, func(s *session) {
		auto := types.RecordDistributionStrategyAuto
		s.demand("tolls")
		distribute := func(stream string, strategy types.RecordDistributionStrategy) error {
			_, err := s.UpdateStreamRecordDistributionStrategy(s.ctx, &kinesis.UpdateStreamRecordDistributionStrategyInput{
				StreamARN: aws.String(s.arn(stream)), RecordDistributionStrategy: strategy})
			return err
		}
		must(0, distribute("tolls", auto))(s)
		if got := s.active("tolls").RecordDistributionStrategy; got != auto {
			s.t.Errorf("strategy %q", got)
		}
		records := make([]types.PutRecordsRequestEntry, 500)
		for i := range records {
			records[i] = types.PutRecordsRequestEntry{Data: []byte("x")}
			if i%2 == 0 {
				records[i].PartitionKey, records[i].ExplicitHashKey = aws.String("one key"), aws.String("0")
			}
		}
		for range 4 {
			if answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("tolls"), Records: records}))(s); *answer.FailedRecordCount != 0 {
				s.t.Fatalf("%d failed", *answer.FailedRecordCount)
			}
		}
		for range 8 {
			must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls"), Data: []byte("y")}))(s)
		}
		keyed := 0
		for _, shard := range s.shards("tolls") {
			got := s.readAll("tolls", *shard.ShardId)
			singles := 0
			for _, record := range got {
				switch {
				case record.PartitionKey == nil:
				case *record.PartitionKey == "one key":
					keyed++
				default:
					s.t.Errorf("partition key %q", *record.PartitionKey)
				}
				if string(record.Data) == "y" {
					singles++
				}
			}
			if len(got) < 440 || len(got) > 565 || singles != 2 {
				s.t.Errorf("%s has %d of 2,008 records, %d of the 8 that came alone", *shard.ShardId, len(got), singles)
			}
		}
		if keyed != 1000 {
			s.t.Errorf("%d records have their key, want 1000", keyed)
		}
		must(0, distribute("tolls", types.RecordDistributionStrategyUserPartitionKey))(s)
		_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls"), Data: []byte("y")})
		s.refused(err, "ValidationException", ".*Value null at '.*partitionKey' failed.*")

		must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("auto"), StreamModeDetails: onDemand, RecordDistributionStrategy: auto}))(s)
		s.active("auto")
		if got := s.json("PutRecord", `{"StreamName":"auto","Data":"eA==","PartitionKey":""}`); got.StatusCode != 400 || !strings.Contains(got.body, "ValidationException") {
			s.t.Errorf("an empty key: %d %s", got.StatusCode, got.body)
		}
		put := s.cbor("PutRecord", 200, pair{"StreamName", "auto"}, pair{"Data", []byte("x")})
		opened := s.cbor("GetShardIterator", 200, pair{"StreamName", "auto"}, pair{"ShardId", put["ShardId"]}, pair{"ShardIteratorType", "TRIM_HORIZON"})
		first := s.cbor("GetRecords", 200, pair{"ShardIterator", opened["ShardIterator"]})["Records"].([]any)[0].(map[string]any)
		if _, has := first["PartitionKey"]; has || len(first) != 3 {
			s.t.Errorf("over CBOR: %v", first)
		}
		s.create("provisioned", 1)
		s.refused(distribute("provisioned", auto), "InvalidArgumentException", ".*AUTO is for streams in mode ON_DEMAND\\.")
		_, err = s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("not"), ShardCount: aws.Int32(1), RecordDistributionStrategy: auto})
		s.refused(err, "InvalidArgumentException", ".*AUTO is for streams in mode ON_DEMAND\\.")
	})
}
