package aws

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// TestNobodyLearnsAStreamID: what a client learns, the Kinesis Client Library 3.5 puts into its calls for consumers, and the SDKs then ask a host of AWS's own, whatever endpoint
// they have.
func TestNobodyLearnsAStreamID(t *testing.T) {
	s := shared.session(t, transports[0], nextAccount(), "us-east-1")
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("ids"), ShardCount: aws.Int32(1)}))(s)
	if summary := s.active("ids"); summary.StreamId != nil {
		t.Errorf("DescribeStreamSummary tells the StreamId %s, which AWS reserves", *summary.StreamId)
	}
}

// TestStreamLife: a stream is created, described in both ways, and deleted; then its name is free again.
func TestStreamLife(t *testing.T) {
	everyTransport(t, func(s *session) {
		began := time.Now().Add(-2 * time.Second)
		name := aws.String("life")
		must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(3)}))(s)
		summary := s.active("life")
		if got, want := *summary.StreamARN, s.arn("life"); got != want {
			s.t.Errorf("ARN is %s, want %s", got, want)
		}
		if *summary.StreamName != "life" || *summary.OpenShardCount != 3 || *summary.RetentionPeriodHours != 24 {
			s.t.Errorf("summary is %s, %d shards, %d hours", *summary.StreamName, *summary.OpenShardCount, *summary.RetentionPeriodHours)
		}
		if summary.StreamModeDetails == nil || summary.StreamModeDetails.StreamMode != types.StreamModeProvisioned {
			s.t.Errorf("mode is %+v, want PROVISIONED", summary.StreamModeDetails)
		}
		if created := *summary.StreamCreationTimestamp; created.Before(began) || created.After(time.Now().Add(2*time.Second)) {
			s.t.Errorf("created at %s, and it is %s", created, time.Now())
		}

		description := must(s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: name}))(s).StreamDescription
		if *description.StreamARN != *summary.StreamARN || *description.HasMoreShards || *description.RetentionPeriodHours != 24 {
			s.t.Errorf("description is %+v", description)
		}
		wholeRange(s.t, description.Shards)
		for i, shard := range description.Shards {
			if want := fmt.Sprintf("shardId-%012d", i); *shard.ShardId != want {
				s.t.Errorf("shard %d is %s, want %s", i, *shard.ShardId, want)
			}
			if shard.ParentShardId != nil || shard.SequenceNumberRange.EndingSequenceNumber != nil {
				s.t.Errorf("an open first shard has a parent or an end: %+v", shard)
			}
			sequenceNumber(s.t, *shard.SequenceNumberRange.StartingSequenceNumber, i)
		}

		must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name}))(s)
		eventually(s.t, "the stream to be gone", func() bool {
			_, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
			var gone *types.ResourceNotFoundException
			return errors.As(err, &gone)
		})
		s.create("life", 1)
		if records := s.readAll("life", "shardId-000000000000"); len(records) != 0 {
			s.t.Errorf("the second stream of the name begins with %d records", len(records))
		}
	})
}

// TestCreateStreamDefaults: without a shard count there are four.
func TestCreateStreamDefaults(t *testing.T) {
	s := shared.plain(t)
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("four")}))(s)
	if got := *s.active("four").OpenShardCount; got != 4 {
		t.Errorf("%d shards, want 4", got)
	}
}

// TestCreateStreamTakesTagsAndRecordSize at birth.
func TestCreateStreamTakesTagsAndRecordSize(t *testing.T) {
	s := shared.plain(t)
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("born"), ShardCount: aws.Int32(1),
		Tags: map[string]string{"team": "tolls"}, MaxRecordSizeInKiB: aws.Int32(2048)}))(s)
	if got := s.active("born").MaxRecordSizeInKiB; got == nil || *got != 2048 {
		t.Errorf("record size is %v, want 2048", got)
	}
	tags := must(s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: aws.String("born")}))(s).Tags
	if len(tags) != 1 || *tags[0].Key != "team" || *tags[0].Value != "tolls" {
		t.Errorf("tags are %v", tags)
	}
}

// TestOnDemandStream has four shards and says what it is; a shard count beside the mode makes no sense.
func TestOnDemandStream(t *testing.T) {
	s := shared.plain(t)
	mode := &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("demand"), StreamModeDetails: mode}))(s)
	summary := s.active("demand")
	if *summary.OpenShardCount != 4 || summary.StreamModeDetails.StreamMode != types.StreamModeOnDemand {
		t.Errorf("%d shards in mode %s", *summary.OpenShardCount, summary.StreamModeDetails.StreamMode)
	}
	_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("demand2"), StreamModeDetails: mode, ShardCount: aws.Int32(2)})
	s.refused(err, "InvalidArgumentException", ".*ShardCount.*")
}

// TestOptionsRefusedByName: what this version does not do is not taken and forgotten.
func TestOptionsRefusedByName(t *testing.T) {
	s := shared.plain(t)
	s.create("plain", 1)
	iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("plain"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeLatest})
	for operation, members := range map[string]string{
		"DescribeStream":                `"StreamName":"plain"`,
		"DescribeStreamSummary":         `"StreamName":"plain"`,
		"ListShards":                    `"StreamName":"plain"`,
		"PutRecord":                     `"StreamName":"plain","PartitionKey":"k","Data":"eA=="`,
		"PutRecords":                    `"StreamName":"plain","Records":[{"PartitionKey":"k","Data":"eA=="}]`,
		"GetShardIterator":              `"StreamName":"plain","ShardId":"0","ShardIteratorType":"LATEST"`,
		"GetRecords":                    `"ShardIterator":"` + iterator + `"`,
		"IncreaseStreamRetentionPeriod": `"StreamName":"plain","RetentionPeriodHours":48`,
		"DecreaseStreamRetentionPeriod": `"StreamName":"plain","RetentionPeriodHours":24`,
		"AddTagsToStream":               `"StreamName":"plain","Tags":{"a":"b"}`,
		"RemoveTagsFromStream":          `"StreamName":"plain","TagKeys":["a"]`,
		"ListTagsForStream":             `"StreamName":"plain"`,
		"UpdateMaxRecordSize":           `"StreamARN":"` + s.arn("plain") + `","MaxRecordSizeInKiB":2048`,
		"DeleteStream":                  `"StreamName":"plain"`,
	} {
		got := s.json(operation, `{`+members+`,"StreamId":"abcdefghij0123456789-abc"}`)
		if got.StatusCode != 400 || !strings.Contains(got.body, "StreamId") {
			t.Errorf("%s with a StreamId is answered with %d %s", operation, got.StatusCode, got.body)
		}
	}
}

// TestStreamErrors: a row is a call that is refused, and AWS's words for it.
func TestStreamErrors(t *testing.T) {
	s := shared.plain(t)
	s.create("here", 1)
	missing := "Stream gone under account {account} not found\\."
	for _, row := range []struct {
		name, code, pattern string
		call                func() error
	}{
		{"create what exists", "ResourceInUseException", "Stream here under account {account} already exists\\.", func() error {
			_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("here"), ShardCount: aws.Int32(1)})
			return err
		}},
		{"create a name with a space", "ValidationException", "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: " +
			"Member must satisfy regular expression pattern: .*", func() error {
			_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("a b"), ShardCount: aws.Int32(1)})
			return err
		}},
		{"create without shards", "ValidationException", "1 validation error detected: Value '0' at 'shardCount' failed to satisfy constraint: " +
			"Member must have value greater than or equal to 1", func() error {
			_, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("zero"), ShardCount: aws.Int32(0)})
			return err
		}},
		{"describe", "ResourceNotFoundException", missing, func() error {
			_, err := s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("gone")})
			return err
		}},
		{"summary", "ResourceNotFoundException", missing, func() error {
			_, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("gone")})
			return err
		}},
		{"summary by ARN", "ResourceNotFoundException", missing, func() error {
			_, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String(s.arn("gone"))})
			return err
		}},
		{"delete", "ResourceNotFoundException", missing, func() error {
			_, err := s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("gone")})
			return err
		}},
		{"put", "ResourceNotFoundException", missing, func() error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("gone"), PartitionKey: aws.String("k"), Data: []byte("x")})
			return err
		}},
		{"list shards", "ResourceNotFoundException", missing, func() error {
			_, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: aws.String("gone")})
			return err
		}},
		{"shard that is not there", "ResourceNotFoundException", "Shard shardId-000000000009 in stream here under account {account} does not exist", func() error {
			_, err := s.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: aws.String("here"),
				ShardId: aws.String("shardId-000000000009"), ShardIteratorType: types.ShardIteratorTypeLatest})
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			here := *s
			here.t = t
			here.refused(row.call(), row.code, row.pattern)
		})
	}
}

// TestListStreams pages by size, by name and by token, in order of name.
func TestListStreams(t *testing.T) {
	everyTransport(t, func(s *session) {
		var want []string
		for i := range 5 {
			name := fmt.Sprintf("list-%d", i)
			s.create(name, 1)
			want = append(want, name)
		}
		all := must(s.ListStreams(s.ctx, &kinesis.ListStreamsInput{}))(s)
		if !slices.Equal(all.StreamNames, want) || *all.HasMoreStreams {
			s.t.Errorf("streams are %v, more %v; want %v", all.StreamNames, *all.HasMoreStreams, want)
		}
		if len(all.StreamSummaries) != 5 || *all.StreamSummaries[4].StreamARN != s.arn("list-4") || all.StreamSummaries[4].StreamStatus != types.StreamStatusActive {
			s.t.Errorf("summaries are %+v", all.StreamSummaries)
		}
		first := must(s.ListStreams(s.ctx, &kinesis.ListStreamsInput{Limit: aws.Int32(2)}))(s)
		if !slices.Equal(first.StreamNames, want[:2]) || !*first.HasMoreStreams || first.NextToken == nil {
			s.t.Fatalf("first page is %v, more %v, token %v", first.StreamNames, *first.HasMoreStreams, first.NextToken)
		}
		second := must(s.ListStreams(s.ctx, &kinesis.ListStreamsInput{Limit: aws.Int32(2), NextToken: first.NextToken}))(s)
		if !slices.Equal(second.StreamNames, want[2:4]) || !*second.HasMoreStreams {
			s.t.Errorf("second page is %v, more %v", second.StreamNames, *second.HasMoreStreams)
		}
		rest := must(s.ListStreams(s.ctx, &kinesis.ListStreamsInput{ExclusiveStartStreamName: aws.String("list-3")}))(s)
		if !slices.Equal(rest.StreamNames, want[4:]) || *rest.HasMoreStreams {
			s.t.Errorf("after list-3 there is %v, more %v", rest.StreamNames, *rest.HasMoreStreams)
		}
	})
}

// TestDescribeStreamPages through the shards.
func TestDescribeStreamPages(t *testing.T) {
	s := shared.plain(t)
	s.create("pages", 5)
	var got []string
	var after *string
	for more := true; more; {
		page := must(s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("pages"), Limit: aws.Int32(2), ExclusiveStartShardId: after}))(s).StreamDescription
		if len(page.Shards) == 0 {
			t.Fatal("an empty page that says there is more")
		}
		for _, shard := range page.Shards {
			got = append(got, *shard.ShardId)
		}
		after, more = aws.String(got[len(got)-1]), *page.HasMoreShards
	}
	if len(got) != 5 || !slices.IsSorted(got) {
		t.Errorf("pages hold %v", got)
	}
}

// TestAddressing: every operation on a stream takes its name or its ARN.
func TestAddressing(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("addressed", 1)
		for _, by := range []struct {
			what      string
			name, arn *string
		}{
			{"name", aws.String("addressed"), nil},
			{"ARN", nil, aws.String(s.arn("addressed"))},
			{"both", aws.String("addressed"), aws.String(s.arn("addressed"))},
		} {
			check := func(operation string, err error) {
				if err != nil {
					s.t.Errorf("%s by %s: %v", operation, by.what, err)
				}
			}
			shard := aws.String("shardId-000000000000")
			_, err := s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: by.name, StreamARN: by.arn})
			check("DescribeStream", err)
			_, err = s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: by.name, StreamARN: by.arn})
			check("DescribeStreamSummary", err)
			_, err = s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: by.name, StreamARN: by.arn})
			check("ListShards", err)
			_, err = s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: by.name, StreamARN: by.arn, PartitionKey: aws.String("k"), Data: []byte("x")})
			check("PutRecord", err)
			_, err = s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: by.name, StreamARN: by.arn,
				Records: []types.PutRecordsRequestEntry{{PartitionKey: aws.String("k"), Data: []byte("x")}}})
			check("PutRecords", err)
			opened, err := s.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: by.name, StreamARN: by.arn, ShardId: shard,
				ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
			check("GetShardIterator", err)
			if err == nil {
				// GetRecords takes no name; a wrong ARN beside the iterator is another matter.
				_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: opened.ShardIterator, StreamARN: by.arn})
				check("GetRecords", err)
			}
			_, err = s.IncreaseStreamRetentionPeriod(s.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: by.name, StreamARN: by.arn, RetentionPeriodHours: aws.Int32(48)})
			check("IncreaseStreamRetentionPeriod", err)
			s.active("addressed")
			_, err = s.DecreaseStreamRetentionPeriod(s.ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: by.name, StreamARN: by.arn, RetentionPeriodHours: aws.Int32(24)})
			check("DecreaseStreamRetentionPeriod", err)
			s.active("addressed")
			_, err = s.AddTagsToStream(s.ctx, &kinesis.AddTagsToStreamInput{StreamName: by.name, StreamARN: by.arn, Tags: map[string]string{"a": "b"}})
			check("AddTagsToStream", err)
			_, err = s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: by.name, StreamARN: by.arn})
			check("ListTagsForStream", err)
			_, err = s.RemoveTagsFromStream(s.ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: by.name, StreamARN: by.arn, TagKeys: []string{"a"}})
			check("RemoveTagsFromStream", err)
		}
		must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamARN: aws.String(s.arn("addressed"))}))(s)
	})
}

// TestAddressingNeedsAName: neither name nor ARN is a mistake of the caller, not of ours.
func TestAddressingNeedsAName(t *testing.T) {
	s := shared.plain(t)
	_, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{})
	s.refused(err, "InvalidArgumentException", ".*StreamName.*StreamARN.*")
}

// wholeRange checks that shards cover every hash key once, in order.
func wholeRange(t *testing.T, shards []types.Shard) {
	t.Helper()
	next := new(big.Int)
	for _, shard := range shards {
		first, last := bigNumber(t, *shard.HashKeyRange.StartingHashKey), bigNumber(t, *shard.HashKeyRange.EndingHashKey)
		if first.Cmp(next) != 0 || last.Cmp(first) < 0 {
			t.Errorf("%s has %s … %s, and %s comes next", *shard.ShardId, first, last, next)
		}
		next.Add(last, big.NewInt(1))
	}
	if want := new(big.Int).Lsh(big.NewInt(1), 128); next.Cmp(want) != 0 {
		t.Errorf("shards end at %s, want %s", next, want)
	}
}

// sequenceNumber checks the layout that the Kinesis Client Library validates before it checkpoints:
// 186 bits, version 2 at the top, the shard's index in bits 4 to 35.
func sequenceNumber(t *testing.T, number string, shard int) *big.Int {
	t.Helper()
	n := bigNumber(t, number)
	if n.BitLen() != 186 {
		t.Errorf("%s has %d bits, want 186", number, n.BitLen())
	}
	if version := new(big.Int).Rsh(n, 184); version.Int64() != 2 {
		t.Errorf("%s is of version %s, want 2", number, version)
	}
	index := new(big.Int).And(new(big.Int).Rsh(n, 4), big.NewInt(1<<32-1))
	if index.Int64() != int64(shard) {
		t.Errorf("%s names shard %s, want %d", number, index, shard)
	}
	return n
}

func bigNumber(t *testing.T, text string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		t.Fatalf("%q is no decimal number", text)
	}
	return n
}
