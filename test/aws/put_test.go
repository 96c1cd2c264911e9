package aws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// TestPutRecord: what goes in comes out, byte for byte, under numbers that grow.
func TestPutRecord(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("bytes", 1)
		random := rand.New(rand.NewPCG(7, 11))
		var want [][]byte
		last := sequenceNumber(s.t, *s.put("bytes", "first", "").SequenceNumber, 0)
		want = append(want, nil)
		for size := 1; size <= 1<<16; size *= 4 {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			answer := must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("bytes"), PartitionKey: aws.String("clé ☃ 𝄞"), Data: data}))(s)
			number := sequenceNumber(s.t, *answer.SequenceNumber, 0)
			if number.Cmp(last) <= 0 {
				s.t.Errorf("%s comes after %s", number, last)
			}
			last = number
			want = append(want, data)
		}
		records := s.readAll("bytes", "shardId-000000000000")
		if len(records) != len(want) {
			s.t.Fatalf("%d records, want %d", len(records), len(want))
		}
		for i, record := range records {
			if !bytes.Equal(record.Data, want[i]) {
				s.t.Errorf("record %d has other bytes (%d of them, want %d)", i, len(record.Data), len(want[i]))
			}
			if i > 0 && *record.PartitionKey != "clé ☃ 𝄞" {
				s.t.Errorf("record %d has key %q", i, *record.PartitionKey)
			}
			if record.EncryptionType != "" {
				s.t.Errorf("record %d says EncryptionType %q; AWS leaves it out", i, record.EncryptionType)
			}
		}
	})
}

// TestExplicitHashKey: the first and the last hash key of a shard lead to it, whatever the partition key.
func TestExplicitHashKey(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("hashed", 4)
		shards := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: aws.String("hashed")}))(s).Shards
		for _, shard := range shards {
			for _, key := range []*string{shard.HashKeyRange.StartingHashKey, shard.HashKeyRange.EndingHashKey} {
				answer := must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("hashed"), PartitionKey: aws.String("same"), ExplicitHashKey: key, Data: []byte("x")}))(s)
				if *answer.ShardId != *shard.ShardId {
					s.t.Errorf("hash key %s went to %s, want %s", *key, *answer.ShardId, *shard.ShardId)
				}
			}
		}
		_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("hashed"), PartitionKey: aws.String("k"), Data: []byte("x"),
			ExplicitHashKey: aws.String("340282366920938463463374607431768211456")})
		s.refused(err, "InvalidArgumentException", quote("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "+
			"Specified value was 340282366920938463463374607431768211456"))
	})
}

// TestPartitionKeyGoesWhereMD5Says: known digests, known shards. "polygenelubricants" is a key whose
// 32-bit hash is negative in some languages, which has broken servers before.
func TestPartitionKeyGoesWhereMD5Says(t *testing.T) {
	s := shared.plain(t)
	s.create("digest", 2)
	for key, shard := range map[string]string{
		"a":                  "shardId-000000000000", // 0cc1…
		"b":                  "shardId-000000000001", // 92eb…
		"c":                  "shardId-000000000000", // 4a8a…
		"d":                  "shardId-000000000001", // 8277…
		"polygenelubricants": "shardId-000000000000", // 1ae7…
	} {
		if answer := s.put("digest", key, "x"); *answer.ShardId != shard {
			t.Errorf("key %q went to %s, want %s", key, *answer.ShardId, shard)
		}
	}
}

// TestPutRecords: 500 records in one call, answered in request order, each readable where the answer says.
func TestPutRecords(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("many", 3)
		var entries []types.PutRecordsRequestEntry
		for i := range 500 {
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprintf("key-%d", i)), Data: fmt.Appendf(nil, "record %d", i)})
		}
		answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("many"), Records: entries}))(s)
		if *answer.FailedRecordCount != 0 || len(answer.Records) != 500 || answer.EncryptionType != "" {
			s.t.Fatalf("%d failed of %d, encryption %q", *answer.FailedRecordCount, len(answer.Records), answer.EncryptionType)
		}
		read := map[string]string{} // shard and sequence number → data
		for i := range 3 {
			shard := fmt.Sprintf("shardId-%012d", i)
			for _, record := range s.readAll("many", shard) {
				read[shard+" "+*record.SequenceNumber] = string(record.Data)
			}
		}
		if len(read) != 500 {
			s.t.Errorf("%d records are readable, want 500", len(read))
		}
		for i, placed := range answer.Records {
			if got, want := read[*placed.ShardId+" "+*placed.SequenceNumber], fmt.Sprintf("record %d", i); got != want {
				s.t.Fatalf("answer %d names %q, want %q", i, got, want)
			}
		}
	})
}

// TestPutLimits: a row is a call one step over a limit of its shape.
func TestPutLimits(t *testing.T) {
	s := shared.plain(t)
	s.create("limits", 1)
	name := aws.String("limits")
	entry := types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("x")}
	for _, row := range []struct {
		name, code, pattern string
		call                func() error
	}{
		{"501 records", "ValidationException", "1 validation error detected: Value .* at 'records' failed to satisfy constraint: Member must have length less than or equal to 500", func() error {
			_, err := s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: name, Records: slicesOf(entry, 501)})
			return err
		}},
		{"no records", "ValidationException", "1 validation error detected: Value .* at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1", func() error {
			_, err := s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: name, Records: []types.PutRecordsRequestEntry{}})
			return err
		}},
		{"empty key", "ValidationException", "1 validation error detected: Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1", func() error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String(""), Data: []byte("x")})
			return err
		}},
		{"key of 257", "ValidationException", "1 validation error detected: Value '.*' at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256", func() error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String(strings.Repeat("é", 257)), Data: []byte("x")})
			return err
		}},
		{"hash key with a sign", "ValidationException", "1 validation error detected: Value '-1' at 'explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: .*", func() error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("-1"), Data: []byte("x")})
			return err
		}},
		{"ordering after the future", "InvalidArgumentException", "ExclusiveMinimumSequenceNumber 1234 used in PutRecord on stream limits under account {account} is invalid\\.", func() error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), SequenceNumberForOrdering: aws.String("1234"), Data: []byte("x")})
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			here := *s
			here.t = t
			here.refused(row.call(), row.code, row.pattern)
		})
	}
	must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String(strings.Repeat("é", 256)), Data: []byte("x")}))(s)
	if got := len(s.readAll("limits", "shardId-000000000000")); got != 1 {
		t.Errorf("%d records are there, want the one that was accepted", got)
	}
}

// TestSequenceNumberForOrdering: a number that the stream gave is accepted, and the next is greater.
func TestSequenceNumberForOrdering(t *testing.T) {
	s := shared.plain(t)
	s.create("ordered", 1)
	first := s.put("ordered", "k", "1")
	second := must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("ordered"), PartitionKey: aws.String("k"), Data: []byte("2"),
		SequenceNumberForOrdering: first.SequenceNumber}))(s)
	if bigNumber(t, *second.SequenceNumber).Cmp(bigNumber(t, *first.SequenceNumber)) <= 0 {
		t.Errorf("%s is not after %s", *second.SequenceNumber, *first.SequenceNumber)
	}
}

// TestDryRun: the answer is that it would have worked, and nothing has happened; what would fail fails as it would.
func TestDryRun(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("dry", 1)
		name, shard := aws.String("dry"), aws.String("shardId-000000000000")
		s.put("dry", "k", "real")
		opened := s.iterator(&kinesis.GetShardIteratorInput{StreamName: name, ShardId: shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		for _, stream := range []struct {
			name *string
			code string
		}{{name, "DryRunOperationException"}, {aws.String("gone"), "ResourceNotFoundException"}} {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: stream.name, PartitionKey: aws.String("k"), Data: []byte("dry"), DryRun: aws.Bool(true)})
			s.refused(err, stream.code, ".+")
			_, err = s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: stream.name, DryRun: aws.Bool(true),
				Records: []types.PutRecordsRequestEntry{{PartitionKey: aws.String("k"), Data: []byte("dry")}}})
			s.refused(err, stream.code, ".+")
			_, err = s.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: stream.name, ShardId: shard,
				ShardIteratorType: types.ShardIteratorTypeLatest, DryRun: aws.Bool(true)})
			s.refused(err, stream.code, ".+")
		}
		_, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &opened, DryRun: aws.Bool(true)})
		s.refused(err, "DryRunOperationException", ".+")
		_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("nonsense"), DryRun: aws.Bool(true)})
		s.refused(err, "InvalidArgumentException", "Invalid ShardIterator\\.")
		if records := s.readAll("dry", "shardId-000000000000"); len(records) != 1 {
			s.t.Errorf("%d records, want the one that was not dry", len(records))
		}
	})
}

// TestFullDisk: each record of a put is refused with an error that clients take as "slower, please",
// nothing of it is readable, and what was there before still is.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	account := nextAccount()
	before := startIn(t, dir, node.Config{})
	s := before.session(t, transports[0], account, "us-east-1")
	s.create("full", 1)
	s.put("full", "k", "before")
	before.halt(t)

	s = startIn(t, dir, node.Config{Faults: "disk-full"}).session(t, transports[0], account, "us-east-1")
	answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("full"),
		Records: slicesOf(types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("after")}, 3)}))(s)
	if *answer.FailedRecordCount != 3 {
		t.Errorf("%d records failed, want 3", *answer.FailedRecordCount)
	}
	for i, record := range answer.Records {
		if record.ErrorCode == nil || *record.ErrorCode != "ProvisionedThroughputExceededException" || record.ErrorMessage == nil || record.SequenceNumber != nil || record.ShardId != nil {
			t.Errorf("record %d says %+v", i, record)
		}
	}
	_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("full"), PartitionKey: aws.String("k"), Data: []byte("after")})
	s.refused(err, "ProvisionedThroughputExceededException", ".+")
	if records := s.readAll("full", "shardId-000000000000"); len(records) != 1 || string(records[0].Data) != "before" {
		t.Errorf("%d records are readable, want the one from before", len(records))
	}
}

// slicesOf is n of the same.
func slicesOf[T any](one T, n int) []T {
	many := make([]T, n)
	for i := range many {
		many[i] = one
	}
	return many
}

// TestPartitionKeyIsNeeded: the model makes it optional, for streams that spread records by
// themselves; this is none.
func TestPartitionKeyIsNeeded(t *testing.T) {
	s := shared.plain(t)
	s.create("keyed", 1)
	_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("keyed"), Data: []byte("x")})
	s.refused(err, "ValidationException", ".*Value null at '.*partitionKey' failed.*")
	_, err = s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("keyed"), Records: []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("k"), Data: []byte("x")}, {Data: []byte("x")}}})
	s.refused(err, "ValidationException", ".*Value null at '.*partitionKey' failed.*")
	if records := s.readAll("keyed", "shardId-000000000000"); len(records) != 0 {
		t.Errorf("%d records are there, want none", len(records))
	}
}
