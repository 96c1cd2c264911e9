package wire_test

import (
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

const (
	arnPattern  = `arn:aws.*:kinesis:.*:\d{12}:stream/\S+`
	namePattern = `[a-zA-Z0-9_.-]+`
)

// TestValidateTexts shows what is sent for each kind of broken constraint. A row is a request and the whole text.
func TestValidateTexts(t *testing.T) {
	long := strings.Repeat("a", 129)
	for _, row := range []struct{ name, operation, body, want string }{
		{"valid", "PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"k"}`, ""},
		{"null", "PutRecord", `{"StreamName":"s","PartitionKey":"k"}`,
			`1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null`},
		{"two nulls in the order of the model", "GetShardIterator", `{"StreamName":"s"}`,
			`2 validation errors detected: Value null at 'shardId' failed to satisfy constraint: Member must not be null; ` +
				`Value null at 'shardIteratorType' failed to satisfy constraint: Member must not be null`},
		{"too long", "DeleteStream", `{"StreamName":"` + long + `"}`,
			`1 validation error detected: Value '` + long + `' at 'streamName' failed to satisfy constraint: Member must have length less than or equal to 128`},
		{"empty breaks length and pattern", "DeleteStream", `{"StreamName":""}`,
			`2 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1; ` +
				`Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: ` + namePattern},
		{"pattern binds the whole text", "DeleteStream", `{"StreamName":"good but"}`,
			`1 validation error detected: Value 'good but' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: ` + namePattern},
		{"pattern, and a dot is no line end", "DeleteStream", `{"StreamARN":"arn:aws\u0085:kinesis:r:123456789012:stream/s"}`,
			"1 validation error detected: Value 'arn:aws\u0085:kinesis:r:123456789012:stream/s' at 'streamARN' failed to satisfy constraint: " +
				`Member must satisfy regular expression pattern: ` + arnPattern},
		{"length counts code points", "PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"` + strings.Repeat("😀", 256) + `"}`, ""},
		{"value too small", "CreateStream", `{"StreamName":"s","ShardCount":0}`,
			`1 validation error detected: Value '0' at 'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1`},
		{"value too large", "GetRecords", `{"ShardIterator":"x","Limit":10001}`,
			`1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000`},
		{"enum", "GetShardIterator", `{"StreamName":"s","ShardId":"0","ShardIteratorType":"WHENEVER"}`,
			`1 validation error detected: Value 'WHENEVER' at 'shardIteratorType' failed to satisfy constraint: ` +
				`Member must satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AT_TIMESTAMP]`},
		{"inside a list", "PutRecords", `{"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"},{"ExplicitHashKey":"01"}]}`,
			`2 validation errors detected: Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null; ` +
				`Value '01' at 'records.2.member.explicitHashKey' failed to satisfy constraint: ` +
				`Member must satisfy regular expression pattern: ^(0|([1-9]\d{0,38}))$`},
		{"inside a structure", "CreateStream", `{"StreamName":"s","StreamModeDetails":{}}`,
			`1 validation error detected: Value null at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must not be null`},
		{"empty list", "PutRecords", `{"StreamName":"s","Records":[]}`,
			`1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1`},
		{"scalar in a list", "RemoveTagsFromStream", `{"StreamName":"s","TagKeys":["a",""]}`,
			`1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: ` +
				`Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]`},
		{"enum in a list", "EnableEnhancedMonitoring", `{"StreamName":"s","ShardLevelMetrics":["Nothing"]}`,
			`1 validation error detected: Value '[Nothing]' at 'shardLevelMetrics' failed to satisfy constraint: Member must satisfy constraint: ` +
				`[Member must satisfy enum value set: [IncomingBytes, IncomingRecords, OutgoingBytes, OutgoingRecords, ` +
				`WriteProvisionedThroughputExceeded, ReadProvisionedThroughputExceeded, IteratorAgeMilliseconds, ALL]]`},
		{"map keys", "AddTagsToStream", `{"StreamName":"s","Tags":{"":"v","b":"w"}}`,
			`1 validation error detected: Value '{=v, b=w}' at 'tags' failed to satisfy constraint: ` +
				`Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]`},
		{"map values", "AddTagsToStream", `{"StreamName":"s","Tags":{"a":"` + strings.Repeat("v", 257) + `"}}`,
			`1 validation error detected: Value '{a=` + strings.Repeat("v", 257) + `}' at 'tags' failed to satisfy constraint: ` +
				`Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := validate(t, row.operation, row.body)
			if row.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := wire.AsAPIError(err)
			if !ok || !fault.Is(err, fault.Invalid) || e.Code != wire.CodeValidation || e.HTTPStatus() != 400 {
				t.Fatalf("not a ValidationException: %v", err)
			}
			if e.Message != row.want {
				t.Errorf("got  %s\nwant %s", e.Message, row.want)
			}
		})
	}
}

func validate(t *testing.T, operation, body string) error {
	t.Helper()
	op := kinesis.Service.Operations[operation]
	input := op.NewInput()
	if err := jsonproto.Decode(op.Input, []byte(body), input); err != nil {
		t.Fatal(err)
	}
	return wire.Validate(op.Input, input)
}

// TestValidateStopsAtTen shows that the eleventh broken constraint is not told, and how a list of structures and
// a blob are quoted.
func TestValidateStopsAtTen(t *testing.T) {
	record := `{"Data":"","PartitionKey":""}`
	e, _ := wire.AsAPIError(validate(t, "PutRecords", `{"StreamName":"s","Records":[`+strings.Repeat(record+",", 500)+record+`]}`))
	if e == nil || !strings.HasPrefix(e.Message, "10 validation errors detected: Value '[com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@") {
		t.Fatalf("%.200v", e)
	}
	if !strings.Contains(e.Message, "' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500; "+
		"Value '' at 'records.1.member.partitionKey' failed") {
		t.Errorf("%.200s", e.Message)
	}
	if !strings.Contains(e.Message, "'records.9.member.partitionKey'") || strings.Contains(e.Message, "'records.10.member.partitionKey'") {
		t.Errorf("the texts do not end with the ninth record")
	}
	input := &kinesis.PutRecordInput{StreamName: new("s"), Data: make([]byte, 10485761), PartitionKey: new("k")}
	err := wire.Validate(kinesis.Service.Operations["PutRecord"].Input, input)
	want := "ValidationException: 1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=10485761 cap=10485761]' at 'data' " +
		"failed to satisfy constraint: Member must have length less than or equal to 10485760"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
