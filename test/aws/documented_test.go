package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/node"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// The errors that the service model documents for each operation, provoked one by one through the SDK.
//
// An operation has one request that would succeed (plain). Most errors are what comes of it when one thing is changed for all operations alike: the
// stream's name, the caller's permissions, the pace. What is left has rows of its own, or stands in never with its reason.

// plain is a request of each operation that has nothing wrong with it, as JSON with the names of the model. @STREAM, @ARN, @CONSUMER and @ITERATOR
// stand for a stream, its ARN, the ARN of its consumer "reader" and an iterator of it.
var plain = map[string]string{
	"AddTagsToStream":                        `{"StreamName":"@STREAM","Tags":{"a":"b"}}`,
	"CreateStream":                           `{"StreamName":"another"}`,
	"DecreaseStreamRetentionPeriod":          `{"StreamName":"@STREAM","RetentionPeriodHours":24}`,
	"DeleteResourcePolicy":                   `{"ResourceARN":"@ARN"}`,
	"DeleteStream":                           `{"StreamName":"@STREAM"}`,
	"DeregisterStreamConsumer":               `{"StreamARN":"@ARN","ConsumerName":"reader"}`,
	"DescribeAccountSettings":                `{}`,
	"DescribeLimits":                         `{}`,
	"DescribeStream":                         `{"StreamName":"@STREAM"}`,
	"DescribeStreamConsumer":                 `{"StreamARN":"@ARN","ConsumerName":"reader"}`,
	"DescribeStreamSummary":                  `{"StreamName":"@STREAM"}`,
	"DisableEnhancedMonitoring":              `{"StreamName":"@STREAM","ShardLevelMetrics":["ALL"]}`,
	"EnableEnhancedMonitoring":               `{"StreamName":"@STREAM","ShardLevelMetrics":["ALL"]}`,
	"GetRecords":                             `{"ShardIterator":"@ITERATOR"}`,
	"GetResourcePolicy":                      `{"ResourceARN":"@ARN"}`,
	"GetShardIterator":                       `{"StreamName":"@STREAM","ShardId":"0","ShardIteratorType":"LATEST"}`,
	"IncreaseStreamRetentionPeriod":          `{"StreamName":"@STREAM","RetentionPeriodHours":24}`,
	"ListShards":                             `{"StreamName":"@STREAM"}`,
	"ListStreamConsumers":                    `{"StreamARN":"@ARN"}`,
	"ListStreams":                            `{}`,
	"ListTagsForResource":                    `{"ResourceARN":"@ARN"}`,
	"ListTagsForStream":                      `{"StreamName":"@STREAM"}`,
	"MergeShards":                            `{"StreamName":"@STREAM","ShardToMerge":"0","AdjacentShardToMerge":"1"}`,
	"PutRecord":                              `{"StreamName":"@STREAM","PartitionKey":"k","Data":"eA=="}`,
	"PutRecords":                             `{"StreamName":"@STREAM","Records":[{"PartitionKey":"k","Data":"eA=="}]}`,
	"PutResourcePolicy":                      `{"ResourceARN":"@ARN","Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"kinesis:PutRecord\",\"Resource\":\"@ARN\"}]}"}`,
	"RegisterStreamConsumer":                 `{"StreamARN":"@ARN","ConsumerName":"another"}`,
	"RemoveTagsFromStream":                   `{"StreamName":"@STREAM","TagKeys":["a"]}`,
	"SplitShard":                             `{"StreamName":"@STREAM","ShardToSplit":"0","NewStartingHashKey":"99"}`,
	"StartStreamEncryption":                  `{"StreamName":"@STREAM","EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}`,
	"StopStreamEncryption":                   `{"StreamName":"@STREAM","EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}`,
	"SubscribeToShard":                       `{"ConsumerARN":"@CONSUMER","ShardId":"0","StartingPosition":{"Type":"LATEST"}}`,
	"TagResource":                            `{"ResourceARN":"@ARN","Tags":{"a":"b"}}`,
	"UntagResource":                          `{"ResourceARN":"@ARN","TagKeys":["a"]}`,
	"UpdateAccountSettings":                  `{"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}}`,
	"UpdateMaxRecordSize":                    `{"StreamARN":"@ARN","MaxRecordSizeInKiB":1024}`,
	"UpdateShardCount":                       `{"StreamName":"@STREAM","TargetShardCount":3,"ScalingType":"UNIFORM_SCALING"}`,
	"UpdateStreamMode":                       `{"StreamARN":"@ARN","StreamModeDetails":{"StreamMode":"ON_DEMAND"}}`,
	"UpdateStreamRecordDistributionStrategy": `{"StreamARN":"@ARN","RecordDistributionStrategy":"USER_PARTITION_KEY"}`,
	"UpdateStreamWarmThroughput":             `{"StreamARN":"@ARN","WarmThroughputMiBps":1}`,
}

// call makes a request of an operation from JSON, by way of the SDK's method of that name.
func (s *session) call(operation, request string) error {
	s.t.Helper()
	method := reflect.ValueOf(s.Client).MethodByName(operation)
	in := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal([]byte(request), in.Interface()); err != nil {
		s.t.Fatalf("%s: %v", operation, err)
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(s.ctx), in})
	if err, failed := out[1].Interface().(error); failed {
		return err
	}
	if subscribed, ok := out[0].Interface().(*kinesis.SubscribeToShardOutput); ok {
		_ = subscribed.GetStream().Close() // hung up at once
	}
	return nil
}

// codeOf is AWS's name of an error, or what else it says.
func codeOf(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &api):
		return api.ErrorCode()
	default:
		return err.Error()
	}
}

// filled is a plain request for a stream of the session, or the same with other text replaced.
func (s *session) filled(operation, stream string, replace ...string) string {
	consumer := s.arn(stream) + "/consumer/reader:1"
	if description, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: ptrTo(s.arn(stream)), ConsumerName: ptrTo("reader")}); err == nil {
		consumer = *description.ConsumerDescription.ConsumerARN
	}
	request := strings.NewReplacer(replace...).Replace(plain[operation])
	return strings.NewReplacer("@STREAM", stream, "@CONSUMER", consumer, "@ARN", s.arn(stream), "@ITERATOR", s.anyIterator(stream)).Replace(request)
}

func ptrTo[T any](v T) *T { return &v }

// anyIterator is a valid iterator of a stream, or none.
func (s *session) anyIterator(stream string) string {
	answer, err := s.GetShardIterator(s.ctx, &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: ptrTo("0"), ShardIteratorType: types.ShardIteratorTypeLatest})
	if err != nil {
		return "none"
	}
	return *answer.ShardIterator
}

// served is the operations that this version serves, in order of name.
func served() []string {
	var names []string
	for name := range plain {
		if supported[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// documented is the codes of the errors that the model lists for an operation.
func documented(operation string) []string {
	var codes []string
	for _, shape := range shapes.Service.Operations[operation].Errors {
		codes = append(codes, shape.Name)
	}
	return codes
}

// provoked collects, for TestDocumentedErrors, which operations answered with which errors.
type provoked map[string]map[string]bool

func (p provoked) add(operation string, err error) {
	if p[operation] == nil {
		p[operation] = map[string]bool{}
	}
	code := codeOf(err)
	p[operation][code] = true
	if code == "InternalFailure" {
		p[operation]["InternalFailureException"] = true // the model's name of what the wire calls InternalFailure
	}
}

// never is what no request can bring about here, and why. The key is the operation and the code; an operation that is left out is every one.
var never = map[string]string{
	" KMSDisabledException":                             "master keys of this server are not disabled: they are there or not",
	" KMSAccessDeniedException":                         "who may use a stream may use its keys: the server opens them for everyone alike",
	" KMSOptInRequired":                                 "there is nothing to opt in to",
	" KMSThrottlingException":                           "opening a data key costs microseconds",
	" InternalFailureException":                         "told as InternalFailure, which is the same to SDKs",
	"CreateStream AccessDenied":                         "",
	"PutRecords ProvisionedThroughputExceededException": "told record by record (API_PutRecordsResultEntry): TestWriteLimits",
	"StartStreamEncryption KMSInvalidStateException":    "a key is taken by its name, and then it is that key",
	"SubscribeToShard LimitExceededException":           "its rate is the five-second rule, which answers ResourceInUseException",
}

// TestDocumentedErrors: every error that the model lists for an operation is answered by it, or stands in never.
func TestDocumentedErrors(t *testing.T) {
	p := provoked{}
	provokeAbsent(t, p)
	provokeInvalid(t, p)
	provokeDenied(t, p)
	provokeLimits(t, p)
	provokeStates(t, p)
	provokeKeys(t, p)
	for _, operation := range served() {
		for _, code := range documented(operation) {
			_, impossible := never[operation+" "+code]
			if !impossible {
				_, impossible = never[" "+code]
			}
			switch {
			case p[operation][code] && impossible && never[operation+" "+code] != "":
				t.Errorf("%s answered with %s, which stands in never", operation, code)
			case !p[operation][code] && !impossible:
				t.Errorf("%s was not brought to answer with %s; it answered with %v", operation, code, p[operation])
			}
		}
	}
}

// has says whether the input of an operation has a member.
func (s *session) has(operation, member string) bool {
	_, found := reflect.ValueOf(s.Client).MethodByName(operation).Type().In(1).Elem().FieldByName(member)
	return found
}

// provokeAbsent asks about what is not there.
func provokeAbsent(t *testing.T, p provoked) {
	s := shared.plain(t)
	for _, operation := range served() {
		if operation != "GetRecords" && slices.Contains(documented(operation), "ResourceNotFoundException") {
			p.add(operation, s.call(operation, s.filled(operation, "none")))
		}
	}
	s.create("gone", 1)
	iterator := s.anyIterator("gone")
	must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: ptrTo("gone")}))(s)
	p.add("GetRecords", s.call("GetRecords", `{"ShardIterator":"`+iterator+`"}`))
}

// with is a request with one more member.
func with(request, member string) string {
	if request == "{}" {
		return "{" + member + "}"
	}
	return strings.TrimSuffix(request, "}") + "," + member + "}"
}

// provokeInvalid asks for what makes no sense, or only pretends to ask.
func provokeInvalid(t *testing.T, p provoked) {
	s := shared.plain(t)
	s.create("sound", 2)
	must(s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: ptrTo(s.arn("sound")), ConsumerName: ptrTo("reader")}))(s)
	for _, operation := range served() {
		if s.has(operation, "StreamId") && slices.Contains(documented(operation), "InvalidArgumentException") {
			// By hand: with a StreamId the SDK asks a host of AWS's own.
			answer := s.json(operation, with(s.filled(operation, "sound"), `"StreamId":"aaaaaaaaaaaaaaaaaaaa-aaa"`))
			var refusal struct {
				Type string `json:"__type"`
			}
			if err := json.Unmarshal([]byte(answer.body), &refusal); err != nil {
				t.Fatalf("%s: %s", operation, answer.body)
			}
			p.add(operation, &smithy.GenericAPIError{Code: refusal.Type})
		}
		if s.has(operation, "DryRun") {
			p.add(operation, s.call(operation, with(s.filled(operation, "sound"), `"DryRun":true`)))
		}
	}
	demand := `"StreamModeDetails":{"StreamMode":"ON_DEMAND"}`
	for _, row := range []struct{ operation, request string }{
		{"CreateStream", `{"StreamName":"x","ShardCount":2,` + demand + `}`},
		{"CreateStream", `{"StreamName":"not a name"}`},
		{"ListStreams", `{"NextToken":"none"}`},
		{"MergeShards", s.filled("MergeShards", "sound", `"ShardToMerge":"0"`, `"ShardToMerge":"not an id"`)},
		{"SplitShard", s.filled("SplitShard", "sound", `"99"`, `"many"`)},
		{"UpdateShardCount", s.filled("UpdateShardCount", "sound", `3`, `0`)},
		{"UpdateAccountSettings", `{"MinimumThroughputBillingCommitment":{"Status":"PERHAPS"}}`},
		{"UpdateMaxRecordSize", `{"StreamARN":"no arn","MaxRecordSizeInKiB":1024}`},
		{"UpdateStreamMode", `{"StreamARN":"no arn",` + demand + `}`},
		{"UpdateStreamRecordDistributionStrategy", `{"StreamARN":"no arn","RecordDistributionStrategy":"AUTO"}`},
		{"UpdateStreamWarmThroughput", `{"StreamARN":"no arn","WarmThroughputMiBps":1}`},
	} {
		p.add(row.operation, s.call(row.operation, row.request))
	}
	// An account whose commitment a stream's warm throughput holds.
	for _, step := range []struct{ operation, request string }{
		{"UpdateAccountSettings", plain["UpdateAccountSettings"]},
		{"CreateStream", `{"StreamName":"warm","WarmThroughputMiBps":4,` + demand + `}`},
	} {
		if err := s.call(step.operation, step.request); err != nil {
			t.Fatal(err)
		}
	}
	s.active("warm")
	p.add("UpdateAccountSettings", s.call("UpdateAccountSettings", `{"MinimumThroughputBillingCommitment":{"Status":"DISABLED"}}`))
}

// provokeDenied asks as somebody who may nothing.
func provokeDenied(t *testing.T, p provoked) {
	k := newKeyed(t, node.Config{})
	nobody := k.key(ours, "nobody", allowing(`"firehose:*"`, "*", ""))
	root := k.as(ours, k.key(ours, ""))
	root.create("closed", 1)
	must(root.RegisterStreamConsumer(root.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: ptrTo(root.arn("closed")), ConsumerName: ptrTo("reader")}))(root)
	s := k.as(ours, nobody)
	for _, operation := range served() {
		p.add(operation, s.call(operation, root.filled(operation, "closed")))
	}
}

// provokeLimits asks too often, too much, and too late. The clock stands still but where it is moved.
func provokeLimits(t *testing.T, p provoked) {
	s := limited(t)
	s.made("busy", 1)
	for _, operation := range served() {
		if !slices.Contains(documented(operation), "LimitExceededException") || never[operation+" LimitExceededException"] != "" {
			continue
		}
		request := s.filled(operation, "none")
		for range 1001 { // ListShards may be called 1,000 times a second
			err := s.call(operation, request)
			if p.add(operation, err); codeOf(err) == "LimitExceededException" {
				break
			}
		}
	}
	s.advance("1s")
	request := s.filled("GetRecords", "busy")
	for range 6 {
		p.add("GetRecords", s.call("GetRecords", request))
		p.add("GetShardIterator", s.call("GetShardIterator", s.filled("GetShardIterator", "busy")))
	}
	s.advance("1s")
	for range 2 {
		p.add("PutRecord", s.call("PutRecord", `{"StreamName":"busy","PartitionKey":"k","Data":"`+string(bytes.Repeat([]byte("AAAA"), 349_000))+`"}`))
	}

	// Iterators and page tokens live five minutes.
	s.made("second", 2)
	arn := s.arn("second")
	for _, consumer := range []string{"a", "b"} {
		must(s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &consumer}))(s)
	}
	s.advance("1s")
	iterator := s.anyIterator("second")
	one := ptrTo(int32(1))
	shards := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamARN: &arn, MaxResults: one}))(s).NextToken
	streams := must(s.ListStreams(s.ctx, &kinesis.ListStreamsInput{Limit: one}))(s).NextToken
	consumers := must(s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: &arn, MaxResults: one}))(s).NextToken
	s.advance("6m")
	p.add("GetRecords", s.call("GetRecords", `{"ShardIterator":"`+iterator+`"}`))
	p.add("ListShards", s.call("ListShards", `{"NextToken":"`+*shards+`"}`))
	p.add("ListStreams", s.call("ListStreams", `{"NextToken":"`+*streams+`"}`))
	p.add("ListStreamConsumers", s.call("ListStreamConsumers", `{"StreamARN":"`+arn+`","NextToken":"`+*consumers+`"}`))
}

// provokeStates asks of a stream that is CREATING for ever, and of one whose logs are broken.
func provokeStates(t *testing.T, p provoked) {
	s := standstill(t)
	for _, operation := range served() {
		p.add(operation, s.call(operation, s.filled(operation, "creating")))
		p.add(operation, s.call(operation, s.filled(operation, "broken")))
	}
	p.add("CreateStream", s.call("CreateStream", `{"StreamName":"creating"}`))
	p.add("RegisterStreamConsumer", s.call("RegisterStreamConsumer", s.filled("RegisterStreamConsumer", "creating")))

	again := shared.plain(t)
	again.create("watched", 1)
	must(again.RegisterStreamConsumer(again.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: ptrTo(again.arn("watched")), ConsumerName: ptrTo("reader")}))(again)
	for range 2 {
		p.add("SubscribeToShard", again.call("SubscribeToShard", again.filled("SubscribeToShard", "watched")))
	}
}

// provokeKeys asks for streams whose master key is not there, or is another one of its name.
func provokeKeys(t *testing.T, p provoked) {
	k := newKeyed(t, node.Config{})
	key := k.key(ours, "")
	s := k.as(ours, key)
	s.create("sealed", 1)
	p.add("StartStreamEncryption", s.call("StartStreamEncryption", s.filled("StartStreamEncryption", "sealed", "alias/aws/kinesis", "alias/none")))
	s.encrypt("sealed", ourKey)
	s.put("sealed", "k", "secret")
	ask := func() {
		iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: ptrTo("sealed"), ShardId: ptrTo("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		p.add("GetRecords", s.call("GetRecords", `{"ShardIterator":"`+iterator+`"}`))
		p.add("PutRecord", s.call("PutRecord", s.filled("PutRecord", "sealed")))
		p.add("PutRecords", s.call("PutRecords", s.filled("PutRecords", "sealed")))
	}
	k.halt(t)
	if err := os.Remove(filepath.Join(k.dir, datadir.MasterKeys)); err != nil {
		t.Fatal(err)
	}
	s = k.as(ours, key)
	ask()
	s.create("new", 1)
	s.encrypt("new", ourKey) // makes another master key of the name
	ask()
}
