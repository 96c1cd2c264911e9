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

// TestConsumers: a consumer is registered, described by its ARN and by its names, counted, and deregistered in both ways.
func TestConsumers(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("read", 1)
		began := time.Now().Add(-2 * time.Second)
		stream, name := aws.String(s.arn("read")), aws.String("dash.board_1-x")
		made := must(s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: stream, ConsumerName: name}))(s).Consumer
		want := fmt.Sprintf("%s/consumer/%s:%d", *stream, *name, made.ConsumerCreationTimestamp.Unix())
		if *made.ConsumerName != *name || *made.ConsumerARN != want || made.ConsumerStatus != types.ConsumerStatusActive || made.ConsumerCreationTimestamp.Before(began) {
			s.t.Errorf("registered %+v, want %s", made, want)
		}
		for _, by := range []kinesis.DescribeStreamConsumerInput{
			{ConsumerARN: made.ConsumerARN}, {StreamARN: stream, ConsumerName: name}, {ConsumerARN: made.ConsumerARN, StreamARN: stream, ConsumerName: name},
		} {
			got := must(s.DescribeStreamConsumer(s.ctx, &by))(s).ConsumerDescription
			if *got.ConsumerName != *name || *got.ConsumerARN != want || got.ConsumerStatus != types.ConsumerStatusActive || *got.StreamARN != *stream ||
				!got.ConsumerCreationTimestamp.Equal(*made.ConsumerCreationTimestamp) {
				s.t.Errorf("described %+v", got)
			}
		}
		second := s.register("read", "second")
		if count := *s.active("read").ConsumerCount; count != 2 {
			s.t.Errorf("%d consumers, want 2", count)
		}
		must(s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{StreamARN: stream, ConsumerName: name}))(s)
		must(s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &second}))(s)
		if count := *s.active("read").ConsumerCount; count != 0 {
			s.t.Errorf("%d consumers, want none", count)
		}
		_, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &second})
		s.refused(err, "ResourceNotFoundException", "Consumer second of stream read under account {account} not found\\.")
	})
}

// TestConsumerErrors: a row is a question about consumers that makes no sense.
func TestConsumerErrors(t *testing.T) {
	s := shared.plain(t)
	s.create("asked", 1)
	s.create("full", 1)
	stream, name := aws.String(s.arn("asked")), aws.String("c")
	consumer := aws.String(s.register("asked", "c"))
	register := func(stream, name string) error {
		_, err := s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &stream, ConsumerName: &name})
		return err
	}
	describe := func(in kinesis.DescribeStreamConsumerInput) error {
		_, err := s.DescribeStreamConsumer(s.ctx, &in)
		return err
	}
	for i := range 20 {
		s.register("full", fmt.Sprint("c", i))
	}
	both := "Either ConsumerARN, or both StreamARN and ConsumerName must be provided\\."
	for _, row := range []struct {
		name          string
		err           error
		code, pattern string
	}{
		{"twice", register(*stream, "c"), "ResourceInUseException", "Consumer c of stream asked under account {account} already exists\\."},
		{"one too many", register(s.arn("full"), "c20"), "LimitExceededException", "Stream full under account {account} cannot have more than 20 registered consumers\\."},
		{"no such stream", register(s.arn("other"), "c"), "ResourceNotFoundException", "Stream other under account {account} not found\\."},
		{"a name that is none", register(*stream, "a b"), "ValidationException", ".*consumerName.*"},
		{"nothing", describe(kinesis.DescribeStreamConsumerInput{}), "InvalidArgumentException", both},
		{"a name alone", describe(kinesis.DescribeStreamConsumerInput{ConsumerName: name}), "InvalidArgumentException", both},
		{"no such consumer", describe(kinesis.DescribeStreamConsumerInput{StreamARN: stream, ConsumerName: aws.String("d")}), "ResourceNotFoundException",
			"Consumer d of stream asked under account {account} not found\\."},
		{"another registration", describe(kinesis.DescribeStreamConsumerInput{ConsumerARN: aws.String(*stream + "/consumer/c:1")}), "ResourceNotFoundException",
			"Consumer c of stream asked under account {account} not found\\."},
		{"names that disagree", describe(kinesis.DescribeStreamConsumerInput{ConsumerARN: consumer, ConsumerName: aws.String("d")}), "InvalidArgumentException", ".*does not agree.*"},
		{"another region", describe(kinesis.DescribeStreamConsumerInput{ConsumerARN: aws.String("arn:aws:kinesis:eu-west-1:" + s.account + ":stream/asked/consumer/c:1")}),
			"InvalidArgumentException", ".*of region eu-west-1.*"},
	} {
		if row.err == nil {
			t.Errorf("%s: taken", row.name)
			continue
		}
		s.refused(row.err, row.code, row.pattern)
	}
}

// TestListConsumers page by page, in order of name.
func TestListConsumers(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("listed", 1)
		for i := range 7 {
			s.register("listed", fmt.Sprint("c", (i*3)%7))
		}
		in := &kinesis.ListStreamConsumersInput{StreamARN: aws.String(s.arn("listed")), MaxResults: aws.Int32(3), StreamCreationTimestamp: s.active("listed").StreamCreationTimestamp}
		var sizes, names string
		for {
			page := must(s.ListStreamConsumers(s.ctx, in))(s)
			sizes += fmt.Sprint(len(page.Consumers))
			for _, c := range page.Consumers {
				names += *c.ConsumerName
				if c.ConsumerStatus != types.ConsumerStatusActive || c.ConsumerARN == nil || c.ConsumerCreationTimestamp == nil {
					s.t.Errorf("%+v", c)
				}
			}
			if in.NextToken = page.NextToken; page.NextToken == nil {
				break
			}
		}
		if sizes != "331" || names != "c0c1c2c3c4c5c6" {
			s.t.Errorf("pages of %s: %s", sizes, names)
		}
		s.create("other", 1)
		first := must(s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: in.StreamARN, MaxResults: aws.Int32(1)}))(s)
		_, err := s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: aws.String(s.arn("other")), NextToken: first.NextToken})
		s.refused(err, "InvalidArgumentException", "The specified NextToken is invalid\\.")
		_, err = s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: in.StreamARN, StreamCreationTimestamp: aws.Time(time.Unix(1, 0))})
		s.refused(err, "ResourceNotFoundException", ".+")
	})
}

// TestListConsumersTokenExpires after 300 seconds.
func TestListConsumersTokenExpires(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).plain(t)
	s.createClocked("old", 1)
	s.register("old", "a")
	s.register("old", "b")
	in := &kinesis.ListStreamConsumersInput{StreamARN: aws.String(s.arn("old")), MaxResults: aws.Int32(1)}
	in.NextToken = must(s.ListStreamConsumers(s.ctx, in))(s).NextToken
	s.advance("300s")
	must(s.ListStreamConsumers(s.ctx, in))(s)
	s.advance("1s")
	_, err := s.ListStreamConsumers(s.ctx, in)
	s.refused(err, "ExpiredNextTokenException", ".+")
}

// TestConsumerTags: a consumer is registered with tags, and tagged, listed and untagged by its ARN, apart from its stream.
func TestConsumerTags(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tagged", 1)
		stream := aws.String(s.arn("tagged"))
		consumer := must(s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: stream, ConsumerName: aws.String("c"), Tags: map[string]string{"a": "1", "b": "2"}}))(s).Consumer.ConsumerARN
		must(s.TagResource(s.ctx, &kinesis.TagResourceInput{ResourceARN: consumer, Tags: map[string]string{"c": "3"}}))(s)
		must(s.UntagResource(s.ctx, &kinesis.UntagResourceInput{ResourceARN: consumer, TagKeys: []string{"a"}}))(s)
		tags := func(arn *string) (out string) {
			for _, tag := range must(s.ListTagsForResource(s.ctx, &kinesis.ListTagsForResourceInput{ResourceARN: arn}))(s).Tags {
				out += *tag.Key + *tag.Value
			}
			return out
		}
		if got := tags(consumer); got != "b2c3" {
			s.t.Errorf("the consumer's tags are %s", got)
		}
		if got := tags(stream); got != "" {
			s.t.Errorf("the stream's tags are %s", got)
		}
		_, err := s.TagResource(s.ctx, &kinesis.TagResourceInput{ResourceARN: aws.String(*stream + "/consumer/c:1"), Tags: map[string]string{"c": "3"}})
		s.refused(err, "ResourceNotFoundException", ".+")
	})
}

// TestDeleteStreamWithConsumers: a stream that has consumers stays, unless the caller says that they go too.
func TestDeleteStreamWithConsumers(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("kept", 1)
		s.register("kept", "c")
		name := aws.String("kept")
		_, err := s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name})
		s.refused(err, "ResourceInUseException", ".*consumers.*EnforceConsumerDeletion.*")
		_, err = s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name, EnforceConsumerDeletion: aws.Bool(false)})
		s.refused(err, "ResourceInUseException", ".+")
		s.active("kept")
		must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: name, EnforceConsumerDeletion: aws.Bool(true)}))(s)
	})
}
