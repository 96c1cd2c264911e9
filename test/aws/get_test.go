package aws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// TestIteratorTypes: a row is a way to open a shard that holds "0" … "4", and what is read from there.
func TestIteratorTypes(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("opened", 1)
		name, shard := aws.String("opened"), aws.String("shardId-000000000000")
		var numbers []string
		for i := range 5 {
			numbers = append(numbers, *s.put("opened", "k", fmt.Sprint(i)).SequenceNumber)
		}
		arrived := s.readAll("opened", *shard)
		start := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name}))(s).Shards[0].SequenceNumberRange.StartingSequenceNumber
		for _, row := range []struct {
			name string
			open kinesis.GetShardIteratorInput
			want string
		}{
			{"TRIM_HORIZON", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}, "01234"},
			{"LATEST", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeLatest}, ""},
			{"AT the third", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &numbers[2]}, "234"},
			{"AFTER the third", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &numbers[2]}, "34"},
			{"AFTER the last", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &numbers[4]}, ""},
			{"AT the shard's start", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: start}, "01234"},
			{"AT_TIMESTAMP long ago", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Unix(1, 0))}, "01234"},
			{"AT_TIMESTAMP of the first", kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: arrived[0].ApproximateArrivalTimestamp}, "01234"},
		} {
			row.open.StreamName, row.open.ShardId = name, shard
			got := ""
			for _, record := range s.read(s.iterator(&row.open)) {
				got += string(record.Data)
			}
			if got != row.want {
				s.t.Errorf("%s reads %q, want %q", row.name, got, row.want)
			}
		}
		// What comes after LATEST was opened is read, whatever was there before.
		latest := s.iterator(&kinesis.GetShardIteratorInput{StreamName: name, ShardId: shard, ShardIteratorType: types.ShardIteratorTypeLatest})
		s.put("opened", "k", "new")
		if records := s.read(latest); len(records) != 1 || string(records[0].Data) != "new" {
			s.t.Errorf("after LATEST came %v", records)
		}
	})
}

// TestAtTimestampIsExactToTheMillisecond: records put a second apart, read from each one's own arrival.
func TestAtTimestampIsExactToTheMillisecond(t *testing.T) {
	clocked := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"})
	s := clocked.plain(t)
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("timed"), ShardCount: aws.Int32(1)}))(s)
	s.advanceUntilActive("timed")
	for i := range 3 {
		s.put("timed", "k", fmt.Sprint(i))
		s.advance("1500ms")
	}
	all := s.readAll("timed", "shardId-000000000000")
	if len(all) != 3 {
		t.Fatalf("%d records, want 3", len(all))
	}
	for i, record := range all {
		for _, row := range []struct {
			at    time.Time
			first int
		}{{*record.ApproximateArrivalTimestamp, i}, {record.ApproximateArrivalTimestamp.Add(time.Millisecond), i + 1}} {
			rest := s.read(s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("timed"), ShardId: aws.String("shardId-000000000000"),
				ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(row.at)}))
			if len(rest) != 3-row.first {
				t.Errorf("%d records from %s, want %d", len(rest), row.at.Format(time.RFC3339Nano), 3-row.first)
			}
		}
		if i > 0 {
			if gap := record.ApproximateArrivalTimestamp.Sub(*all[i-1].ApproximateArrivalTimestamp); gap != 1500*time.Millisecond {
				t.Errorf("records %d and %d arrived %s apart, want 1.5s", i-1, i, gap)
			}
		}
	}
}

// TestGetRecordsPages by Limit; each answer has an iterator of its own, and an old one stays good.
func TestGetRecordsPages(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("paged", 1)
		for i := range 7 {
			s.put("paged", "k", fmt.Sprint(i))
		}
		first := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("paged"), ShardId: aws.String("shardId-000000000000"),
			ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		seen := map[string]bool{first: true}
		got, iterator := "", first
		for range 6 {
			answer := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator, Limit: aws.Int32(3)}))(s)
			if len(answer.Records) > 3 {
				s.t.Errorf("%d records, limit 3", len(answer.Records))
			}
			for _, record := range answer.Records {
				got += string(record.Data)
			}
			iterator = *answer.NextShardIterator
			if seen[iterator] {
				s.t.Error("the same iterator came twice")
			}
			seen[iterator] = true
			if len(answer.ChildShards) != 0 {
				s.t.Errorf("an open shard has children: %v", answer.ChildShards)
			}
			if behind := *answer.MillisBehindLatest; got == "0123456" && behind != 0 || behind < 0 {
				s.t.Errorf("%d ms behind after %q", behind, got)
			}
		}
		if got != "0123456" {
			s.t.Errorf("pages hold %q", got)
		}
		if again := s.read(first); len(again) != 7 {
			s.t.Errorf("the first iterator gives %d records the second time, want 7", len(again))
		}
		quoted := `"` + first + `"`
		if again := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &quoted}))(s); len(again.Records) != 7 {
			s.t.Errorf("in double quotes it gives %d records, want 7", len(again.Records))
		}
	})
}

// TestIteratorErrors: a row is a question that makes no sense, and AWS's words for it.
func TestIteratorErrors(t *testing.T) {
	s := shared.plain(t)
	s.create("asked", 2)
	s.create("other", 1)
	name, shard := aws.String("asked"), aws.String("shardId-000000000000")
	var ofShard1 *string
	shards := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name}))(s).Shards
	ofShard1 = must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte("x"),
		ExplicitHashKey: shards[1].HashKeyRange.StartingHashKey}))(s).SequenceNumber
	mustEither := "Must either specify \\(1\\) .* or \\(2\\) .*"
	for _, row := range []struct {
		name, code, pattern string
		open                kinesis.GetShardIteratorInput
	}{
		{"number of another shard", "InvalidArgumentException", quote("Invalid StartingSequenceNumber. It encodes shardId-000000000001, " +
			"while it was used in a call to a shard with shardId-000000000000"),
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: ofShard1}},
		{"number that is none", "InvalidArgumentException", "StartingSequenceNumber 12 used in GetShardIterator on shard shardId-000000000000 in stream asked under account {account} is invalid\\b.*",
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: aws.String("12")}},
		{"AT without a number", "InvalidArgumentException", mustEither,
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber}},
		{"AFTER without a number", "InvalidArgumentException", mustEither,
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber}},
		{"LATEST with a number", "InvalidArgumentException", mustEither,
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeLatest, StartingSequenceNumber: ofShard1}},
		{"TRIM_HORIZON with a number", "InvalidArgumentException", mustEither,
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon, StartingSequenceNumber: ofShard1}},
		{"AT_TIMESTAMP without a time", "InvalidArgumentException", quote("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter."),
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp}},
		{"AT_TIMESTAMP tomorrow", "InvalidArgumentException", "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis\\. timestampInMillis: \\d+, currentTimestampInMillis: \\d+",
			kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Now().Add(24 * time.Hour))}},
		{"type that is none", "ValidationException", "1 validation error detected: Value 'SOMEWHERE' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: \\[.*\\]",
			kinesis.GetShardIteratorInput{ShardIteratorType: "SOMEWHERE"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			here := *s
			here.t = t
			row.open.StreamName, row.open.ShardId = name, shard
			_, err := s.GetShardIterator(s.ctx, &row.open)
			here.refused(err, row.code, row.pattern)
		})
	}
	_, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("AAAAAAAAAAH=")})
	s.refused(err, "InvalidArgumentException", "Invalid ShardIterator\\.")
	opened := s.iterator(&kinesis.GetShardIteratorInput{StreamName: name, ShardId: shard, ShardIteratorType: types.ShardIteratorTypeLatest})
	forged := []byte(opened)
	forged[len(forged)/2] ^= 1
	_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String(string(forged))})
	s.refused(err, "InvalidArgumentException", "Invalid ShardIterator\\.")
	_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &opened, Limit: aws.Int32(10001)})
	s.refused(err, "ValidationException", "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000")
}

// TestNumberOfAnotherIncarnation: a number from a deleted stream of the same name means nothing in the new one.
func TestNumberOfAnotherIncarnation(t *testing.T) {
	clocked := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"})
	s := clocked.plain(t)
	name := aws.String("twice")
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}))(s)
	s.advanceUntilActive("twice")
	old := s.put("twice", "k", "x").SequenceNumber
	must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name}))(s)
	s.advance("1h")
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}))(s)
	s.advanceUntilActive("twice")
	_, err := s.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: name, ShardId: aws.String("shardId-000000000000"),
		ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: old})
	s.refused(err, "InvalidArgumentException", ".*is invalid because it did not come from this stream\\.")
}

// TestIteratorExpires after five minutes, to the minute, on the server's clock.
func TestIteratorExpires(t *testing.T) {
	clocked := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"})
	s := clocked.plain(t)
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("old"), ShardCount: aws.Int32(1)}))(s)
	s.advanceUntilActive("old")
	opened := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("old"), ShardId: aws.String("shardId-000000000000"),
		ShardIteratorType: types.ShardIteratorTypeLatest})
	s.advance("4m59s")
	must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &opened}))(s)
	s.advance("2s")
	_, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &opened})
	s.refused(err, "ExpiredIteratorException", `Iterator expired\. The iterator was created at time \w{3} \w{3} \d\d 12:\d\d:\d\d UTC 2026 `+
		`while right now it is \w{3} \w{3} \d\d 12:\d\d:\d\d UTC 2026 which is further in the future than the tolerated delay of 300000 milliseconds\.`)
}

// TestRetentionExpires: what is older than the retention period is gone for every kind of iterator.
func TestRetentionExpires(t *testing.T) {
	clocked := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"})
	s := clocked.plain(t)
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("kept"), ShardCount: aws.Int32(1)}))(s)
	s.advanceUntilActive("kept")
	s.put("kept", "k", "old")
	s.advance("23h")
	s.put("kept", "k", "young")
	if records := s.readAll("kept", "shardId-000000000000"); len(records) != 2 {
		t.Fatalf("%d records within the day, want 2", len(records))
	}
	s.advance("2h")
	records := s.readAll("kept", "shardId-000000000000")
	if len(records) != 1 || string(records[0].Data) != "young" {
		t.Errorf("%d records after the day, want the young one", len(records))
	}
}
