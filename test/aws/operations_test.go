package aws

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// supported is what this version does. docs/aws/kinesis.md says how.
var supported = map[string]bool{
	"AddTagsToStream": true, "CreateStream": true, "DecreaseStreamRetentionPeriod": true, "DeleteResourcePolicy": true, "DeleteStream": true,
	"DescribeLimits": true, "DescribeAccountSettings": true, "UpdateAccountSettings": true, "UpdateStreamMode": true,
	"UpdateStreamRecordDistributionStrategy": true, "UpdateStreamWarmThroughput": true,
	"DescribeStream": true, "DescribeStreamSummary": true, "GetRecords": true, "GetResourcePolicy": true, "GetShardIterator": true,
	"IncreaseStreamRetentionPeriod": true, "ListShards": true, "ListStreams": true, "ListTagsForResource": true,
	"ListTagsForStream": true, "MergeShards": true, "PutRecord": true, "PutRecords": true, "PutResourcePolicy": true, "RemoveTagsFromStream": true,
	"SplitShard": true, "StartStreamEncryption": true, "StopStreamEncryption": true, "TagResource": true, "UntagResource": true, "UpdateMaxRecordSize": true, "UpdateShardCount": true,
	"RegisterStreamConsumer": true, "DeregisterStreamConsumer": true, "DescribeStreamConsumer": true, "ListStreamConsumers": true, "SubscribeToShard": true,
	"EnableEnhancedMonitoring": true, "DisableEnhancedMonitoring": true,
}

// operations is every operation of the service: the methods of the SDK's client that take a context
// and an input.
func operations(t *testing.T) []string {
	t.Helper()
	client := reflect.TypeFor[*kinesis.Client]()
	var names []string
	for i := range client.NumMethod() {
		method := client.Method(i)
		in := method.Type
		if in.NumIn() == 4 && in.In(1) == reflect.TypeFor[context.Context]() && in.In(2).Elem().Name() == method.Name+"Input" {
			names = append(names, method.Name)
		}
	}
	return names
}

// TestOperationsAreAllThere: the SDK knows 45, and everything that we say we support is one of them.
func TestOperationsAreAllThere(t *testing.T) {
	names := operations(t)
	if len(names) != 45 {
		t.Errorf("the SDK has %d operations, want 45: %v", len(names), names)
	}
	for name := range supported {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no operation", name)
		}
	}
}

// TestChannelsAreRefusedByName: delivery does not exist yet, and nothing pretends that it does.
func TestChannelsAreRefusedByName(t *testing.T) {
	s := shared.plain(t)
	for _, operation := range []string{"CreateChannel", "DeleteChannel", "DescribeChannel", "ListChannels", "UpdateChannel"} {
		got := s.json(operation, "{}")
		want := "The operation " + operation + " is not supported by this version of Weir."
		if got.StatusCode != 400 || !strings.Contains(got.body, want) || !strings.Contains(got.body, "UnsupportedOperationException") {
			t.Errorf("%s: %d %s", operation, got.StatusCode, got.body)
		}
	}
}
