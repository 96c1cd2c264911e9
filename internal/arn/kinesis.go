package arn

import (
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

const (
	kinesis          = "kinesis"
	streamPrefix     = "stream/"
	consumerInfix    = "/consumer/"
	nameMax          = 128 // StreamName, ConsumerName: [a-zA-Z0-9_.-]{1,128}
	creationSecsDigs = 12  // enough for any time of creation in seconds that people will see
)

// Stream is the ARN of a Kinesis data stream: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME.
func Stream(region, account, name string) ARN {
	return ARN{Partition: PartitionOf(region), Service: kinesis, Region: region, Account: account, Resource: streamPrefix + name}
}

// Consumer is the ARN of a consumer of a stream: STREAM/consumer/NAME:CREATED, with the second of its creation since 1970, so that one
// that is registered again under its old name has another ARN.
func Consumer(stream ARN, name string, created int64) ARN {
	consumer := stream
	consumer.Resource += consumerInfix + name + ":" + strconv.FormatInt(created, 10)
	return consumer
}

// StreamName is the name of the stream that a names. Invalid when a is not the ARN of a stream.
func (a ARN) StreamName() (string, error) {
	name, ok := strings.CutPrefix(a.Resource, streamPrefix)
	if !ok || a.Service != kinesis || a.Region == "" || a.Account == "" || !isResourceName(name) {
		return "", fault.New(fault.Invalid, "arn %q is not that of a stream", a)
	}
	return name, nil
}

// ConsumerOf takes the ARN of a consumer apart: the stream's ARN, the consumer's name, and the second of its creation since 1970.
// Invalid when a is not the ARN of a consumer.
func (a ARN) ConsumerOf() (stream ARN, name string, created int64, err error) {
	of, consumer, ok := strings.Cut(a.Resource, consumerInfix)
	name, seconds, hasSeconds := strings.Cut(consumer, ":")
	stream = a
	stream.Resource = of
	_, notStream := stream.StreamName()
	created, notNumber := parseSeconds(seconds)
	if !ok || !hasSeconds || notStream != nil || notNumber != nil || !isResourceName(name) {
		return ARN{}, "", 0, fault.New(fault.Invalid, "arn %q is not that of a consumer", a)
	}
	return stream, name, created, nil
}

// parseSeconds reads what FormatInt wrote of a number that is not negative, and nothing else.
func parseSeconds(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > creationSecsDigs || strconv.FormatUint(n, 10) != text {
		return 0, fault.New(fault.Invalid, "%q is no time of creation", text)
	}
	return int64(n), nil
}

func isResourceName(name string) bool {
	if len(name) == 0 || len(name) > nameMax {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
