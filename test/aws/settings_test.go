package aws

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// TestRetention goes up and down within 24 and 8760 hours, and the same value again is no mistake.
func TestRetention(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("kept", 1)
		name := aws.String("kept")
		increase := func(hours int32) error {
			_, err := s.IncreaseStreamRetentionPeriod(s.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: &hours})
			return err
		}
		decrease := func(hours int32) error {
			_, err := s.DecreaseStreamRetentionPeriod(s.ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: &hours})
			return err
		}
		for _, step := range []struct {
			change        func(int32) error
			hours         int32
			after         int32  // what the stream says afterwards
			code, pattern string // empty: accepted
		}{
			{increase, 48, 48, "", ""},
			{increase, 48, 48, "", ""},
			{increase, 24, 48, "InvalidArgumentException", ".*can not be shorter than existing retention period \\(48 hours\\)\\. Use DecreaseRetentionPeriod API\\."},
			{decrease, 72, 48, "InvalidArgumentException", ".*can not be longer than existing retention period \\(48 hours\\)\\. Use IncreaseRetentionPeriod API\\."},
			{decrease, 23, 48, "InvalidArgumentException", quote("Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.")},
			{increase, 8761, 48, "InvalidArgumentException", ".*8760 hours.*8761 hours.*"},
			{increase, 8760, 8760, "", ""},
			{decrease, 24, 24, "", ""},
			{decrease, 24, 24, "", ""},
		} {
			err := step.change(step.hours)
			switch {
			case step.code != "":
				s.refused(err, step.code, step.pattern)
			case err != nil:
				s.t.Errorf("%d hours: %v", step.hours, err)
			}
			if got := *s.active("kept").RetentionPeriodHours; got != step.after {
				s.t.Errorf("after %d hours were asked for there are %d, want %d", step.hours, got, step.after)
			}
		}
	})
}

// TestStreamTags: AddTagsToStream, RemoveTagsFromStream and ListTagsForStream, with pages and the limit of fifty.
func TestStreamTags(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tagged", 1)
		name := aws.String("tagged")
		add := func(tags map[string]string) error {
			_, err := s.AddTagsToStream(s.ctx, &kinesis.AddTagsToStreamInput{StreamName: name, Tags: tags})
			return err
		}
		if err := add(map[string]string{"a": "1", "b": "2", "c": ""}); err != nil {
			s.t.Fatal(err)
		}
		if err := add(map[string]string{"b": "two"}); err != nil {
			s.t.Fatal(err)
		}
		s.wantTags("tagged", map[string]string{"a": "1", "b": "two", "c": ""})

		page := must(s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name, Limit: aws.Int32(2)}))(s)
		if len(page.Tags) != 2 || *page.Tags[0].Key != "a" || *page.Tags[1].Key != "b" || !*page.HasMoreTags {
			s.t.Errorf("first page is %v, more %v", page.Tags, *page.HasMoreTags)
		}
		page = must(s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name, ExclusiveStartTagKey: aws.String("b")}))(s)
		if len(page.Tags) != 1 || *page.Tags[0].Key != "c" || *page.HasMoreTags {
			s.t.Errorf("after b there is %v, more %v", page.Tags, *page.HasMoreTags)
		}

		must(s.RemoveTagsFromStream(s.ctx, &kinesis.RemoveTagsFromStreamInput{StreamName: name, TagKeys: []string{"a", "never there"}}))(s)
		s.wantTags("tagged", map[string]string{"b": "two", "c": ""})

		// 2 are there; five times ten reach over fifty only at the end, and then nothing is added.
		for i := range 5 {
			tags := map[string]string{}
			for j := range 10 {
				tags[fmt.Sprintf("tag-%d-%d", i, j)] = "x"
			}
			err := add(tags)
			if i < 4 && err != nil {
				s.t.Errorf("tags up to %d: %v", 2+10*(i+1), err)
			}
			if i == 4 {
				s.refused(err, "InvalidArgumentException", ".*50.*|.*tags.*")
			}
		}
		all := must(s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: name, Limit: aws.Int32(50)}))(s)
		if len(all.Tags) != 42 {
			s.t.Errorf("%d tags, want 42", len(all.Tags))
		}
	})
}

// TestResourceTags: TagResource, UntagResource and ListTagsForResource see the same tags as the older family.
func TestResourceTags(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tagged", 1)
		resource := aws.String(s.arn("tagged"))
		must(s.TagResource(s.ctx, &kinesis.TagResourceInput{ResourceARN: resource, Tags: map[string]string{"env": "test", "team": "tolls"}}))(s)
		s.wantTags("tagged", map[string]string{"env": "test", "team": "tolls"})
		must(s.UntagResource(s.ctx, &kinesis.UntagResourceInput{ResourceARN: resource, TagKeys: []string{"env"}}))(s)
		got := map[string]string{}
		for _, tag := range must(s.ListTagsForResource(s.ctx, &kinesis.ListTagsForResourceInput{ResourceARN: resource}))(s).Tags {
			got[*tag.Key] = *tag.Value
		}
		if want := map[string]string{"team": "tolls"}; !maps.Equal(got, want) {
			s.t.Errorf("tags are %v, want %v", got, want)
		}
		gone := aws.String(s.arn("gone"))
		_, err := s.TagResource(s.ctx, &kinesis.TagResourceInput{ResourceARN: gone, Tags: map[string]string{"a": "b"}})
		s.refused(err, "ResourceNotFoundException", ".*not found.*")
		_, err = s.ListTagsForResource(s.ctx, &kinesis.ListTagsForResourceInput{ResourceARN: gone})
		s.refused(err, "ResourceNotFoundException", ".*not found.*")
		_, err = s.UntagResource(s.ctx, &kinesis.UntagResourceInput{ResourceARN: gone, TagKeys: []string{"a"}})
		s.refused(err, "ResourceNotFoundException", ".*not found.*")
	})
}

// wantTags compares a stream's tags by the older family.
func (s *session) wantTags(stream string, want map[string]string) {
	s.t.Helper()
	got := map[string]string{}
	for _, tag := range must(s.ListTagsForStream(s.ctx, &kinesis.ListTagsForStreamInput{StreamName: &stream}))(s).Tags {
		got[*tag.Key] = *tag.Value
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("tags are %v, want %v", got, want)
	}
}

// TestRecordSize: a stream takes 1 MiB, key included, until UpdateMaxRecordSize lets it take more, up
// to 10 MiB; the large record comes back whole.
func TestRecordSize(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("wide", 1)
		const mib = 1 << 20
		put := func(size int) error {
			_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("wide"), PartitionKey: aws.String("k"), Data: bytes.Repeat([]byte{'x'}, size)})
			return err
		}
		if err := put(mib - 1); err != nil {
			s.t.Errorf("1 MiB, key included: %v", err)
		}
		if err := put(mib); err == nil {
			s.t.Error("a byte over 1 MiB was accepted")
		} else {
			s.refused(err, "InvalidArgumentException", ".+")
		}
		for _, size := range []int32{1023, 10241} {
			_, err := s.UpdateMaxRecordSize(s.ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: aws.String(s.arn("wide")), MaxRecordSizeInKiB: aws.Int32(size)})
			s.refused(err, "ValidationException", fmt.Sprintf(".*'%d' at 'maxRecordSizeInKiB'.*", size))
		}
		must(s.UpdateMaxRecordSize(s.ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: aws.String(s.arn("wide")), MaxRecordSizeInKiB: aws.Int32(10240)}))(s)
		if got := *s.active("wide").MaxRecordSizeInKiB; got != 10240 {
			s.t.Errorf("record size is %d KiB, want 10240", got)
		}
		if err := put(10*mib - 1); err != nil {
			s.t.Fatalf("10 MiB, key included: %v", err)
		}
		records := s.readAll("wide", "shardId-000000000000")
		if len(records) != 2 || len(records[1].Data) != 10*mib-1 || strings.Trim(string(records[1].Data), "x") != "" {
			s.t.Errorf("%d records came back, want the two", len(records))
		}
	})
}

// TestPutRecordsRequestSize: ten records of 1 MiB fit into a request, keys included; one byte more does not.
func TestPutRecordsRequestSize(t *testing.T) {
	s := shared.plain(t)
	s.create("request", 1)
	const mib = 1 << 20
	entry := types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: bytes.Repeat([]byte{'x'}, mib-1)}
	answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("request"), Records: slicesOf(entry, 10)}))(s)
	if *answer.FailedRecordCount != 0 {
		t.Errorf("%d records failed", *answer.FailedRecordCount)
	}
	over := append(slicesOf(entry, 10), types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte{}})
	_, err := s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("request"), Records: over})
	s.refused(err, "InvalidArgumentException", ".+")
}
