package jsonproto_test

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

func decode(operation, body string) (any, error) {
	op := kinesis.Service.Operations[operation]
	input := op.NewInput()
	return input, jsonproto.Decode(op.Input, []byte(body), input)
}

// TestDecode shows what each form of a body becomes.
func TestDecode(t *testing.T) {
	for _, row := range []struct {
		name, operation, body string
		want                  any
	}{
		{"empty", "ListStreams", "", &kinesis.ListStreamsInput{}},
		{"white space", "ListStreams", " \r\n\t", &kinesis.ListStreamsInput{}},
		{"object", "ListStreams", " {\n} ", &kinesis.ListStreamsInput{}},
		{"unknown members", "ListStreams", `{"A":{"b":[1,"\"]",null,true]},"Limit":1,"limit":2}`, &kinesis.ListStreamsInput{Limit: new(int32(1))}},
		{"null is absent", "ListStreams", `{"Limit":null}`, &kinesis.ListStreamsInput{}},
		{"the last wins", "ListStreams", `{"Limit":1,"Limit":2}`, &kinesis.ListStreamsInput{Limit: new(int32(2))}},
		{"null wins too", "ListStreams", `{"Limit":1,"Limit":null}`, &kinesis.ListStreamsInput{}},
		{"a fraction is cut off", "ListStreams", `{"Limit":2.9}`, &kinesis.ListStreamsInput{Limit: new(int32(2))}},
		{"an exponent", "ListStreams", `{"Limit":1.5e1}`, &kinesis.ListStreamsInput{Limit: new(int32(15))}},
		{"too large for 32 bits", "ListStreams", `{"Limit":2147483648}`, &kinesis.ListStreamsInput{Limit: new(int32(math.MaxInt32))}},
		{"too large for everything", "ListStreams", `{"Limit":-1e999999999999}`, &kinesis.ListStreamsInput{Limit: new(int32(math.MinInt32))}},
		{"escapes", "ListStreams", `{"NextToken":"\u0041\"\\\/\b\f\n\r\t\ud83d\ude00\ud83dx"}`, &kinesis.ListStreamsInput{NextToken: new("A\"\\/\b\f\n\r\t😀\uFFFDx")}},
		{"escaped name", "ListStreams", `{"\u004cimit":1}`, &kinesis.ListStreamsInput{Limit: new(int32(1))}},
		{"blob", "PutRecord", `{"Data":"aGk="}`, &kinesis.PutRecordInput{Data: []byte("hi")}},
		{"blob with an escaped slash", "PutRecord", `{"Data":"\/\/\/\/"}`, &kinesis.PutRecordInput{Data: []byte{255, 255, 255}}},
		{"empty blob", "PutRecord", `{"Data":""}`, &kinesis.PutRecordInput{Data: []byte{}}},
		{"empty list", "PutRecords", `{"Records":[]}`, &kinesis.PutRecordsInput{Records: []kinesis.PutRecordsRequestEntry{}}},
		{"map", "AddTagsToStream", `{"Tags":{"a":"b","a":"c"}}`, &kinesis.AddTagsToStreamInput{Tags: map[string]string{"a": "c"}}},
		{"booleans", "PutRecord", `{"DryRun":true}`, &kinesis.PutRecordInput{DryRun: new(true)}},
		{"words for booleans", "PutRecord", `{"DryRun":"False"}`, &kinesis.PutRecordInput{DryRun: new(false)}},
		{"timestamp", "GetShardIterator", `{"Timestamp":1700000000.123}`, at(1700000000123)},
		{"whole seconds", "GetShardIterator", `{"Timestamp":1700000000}`, at(1700000000000)},
		{"scientific seconds", "GetShardIterator", `{"Timestamp":1.700000000123E9}`, at(1700000000123)},
		{"more than milliseconds", "GetShardIterator", `{"Timestamp":1700000000.1234999}`, at(1700000000123)},
		{"a float just below", "GetShardIterator", `{"Timestamp":1700000000.12299990654}`, at(1700000000123)},
		{"before 1970", "GetShardIterator", `{"Timestamp":-0.0015}`, at(-2)},
		{"tiny", "GetShardIterator", `{"Timestamp":1e-400}`, at(0)},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := decode(row.operation, row.body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %s\nwant %s", encode(row.operation, got), encode(row.operation, row.want))
			}
		})
	}
}

func at(millis int64) *kinesis.GetShardIteratorInput {
	return &kinesis.GetShardIteratorInput{Timestamp: new(time.UnixMilli(millis).UTC())}
}

func encode(operation string, value any) []byte {
	return jsonproto.Encode(nil, kinesis.Service.Operations[operation].Input, value)
}

// TestDecodeTexts shows what is said of a value of the wrong type. A row is a request's body and the text.
func TestDecodeTexts(t *testing.T) {
	const number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
	const list, structure = "Start of list found where not expected", "Start of structure or map found where not expected."
	for _, row := range []struct{ operation, body, want string }{
		{"ListStreams", `{"NextToken":23}`, number + " can not be converted to an String"},
		{"ListStreams", `{"NextToken":true}`, "class java.lang.Boolean can not be converted to an String"},
		{"ListStreams", `{"NextToken":[]}`, list},
		{"ListStreams", `{"NextToken":{}}`, structure},
		{"ListStreams", `{"Limit":"23"}`, "class java.lang.String can not be converted to an Integer"},
		{"ListStreams", `{"Limit":true}`, "class java.lang.Boolean can not be converted to an Integer"},
		{"ListStreams", `{"Limit":[]}`, list},
		{"PutRecord", `{"DryRun":"what"}`, "'WHAT' can not be converted to an Boolean"},
		{"PutRecord", `{"DryRun":1}`, number + " can not be converted to an Boolean"},
		{"PutRecord", `{"Data":34.56}`, number + " can not be converted to a Blob"},
		{"PutRecord", `{"Data":false}`, "class java.lang.Boolean can not be converted to a Blob"},
		{"PutRecord", `{"Data":"23456"}`, "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{"PutRecord", `{"Data":"=+/="}`, "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"},
		{"PutRecord", `{"Data":"+/+="}`, "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected"},
		{"PutRecord", `{"Data":"ab\ncdefg"}`, "'ab\ncdefg' can not be converted to a Blob: Invalid Base64 character: '\n'"},
		{"PutRecord", `{"Data":"abcdéa"}`, "'abcdéa' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 7"},
		{"GetShardIterator", `{"Timestamp":"2026"}`, "class java.lang.String can not be converted to milliseconds since epoch"},
		{"GetShardIterator", `{"Timestamp":true}`, "class java.lang.Boolean can not be converted to milliseconds since epoch"},
		{"PutRecords", `{"Records":"x"}`, "Expected list or null"},
		{"PutRecords", `{"Records":{}}`, structure},
		{"PutRecords", `{"Records":["x"]}`, "Expected null"},
		{"PutRecords", `{"Records":[[]]}`, list},
		{"PutRecords", `{"Records":[null]}`, "null found where not expected."},
		{"AddTagsToStream", `{"Tags":3}`, "Expected map or null"},
		{"AddTagsToStream", `{"Tags":[]}`, list},
		// What is no JSON, or no structure, has no text.
		{"ListStreams", `hello`, ""}, {"ListStreams", `true`, ""}, {"ListStreams", `null`, ""}, {"ListStreams", `[]`, ""}, {"ListStreams", `"x"`, ""},
		{"ListStreams", `{`, ""}, {"ListStreams", `{}}`, ""}, {"ListStreams", `{} {}`, ""}, {"ListStreams", `{"a"}`, ""}, {"ListStreams", `{"a":}`, ""},
		{"ListStreams", `{"a":1,}`, ""}, {"ListStreams", `{,}`, ""}, {"ListStreams", `{"a":[1,]}`, ""}, {"ListStreams", `{"a":[1 2]}`, ""},
		{"ListStreams", `{"a":01}`, ""}, {"ListStreams", `{"a":1.}`, ""}, {"ListStreams", `{"a":.1}`, ""}, {"ListStreams", `{"a":1e}`, ""}, {"ListStreams", `{"a":-}`, ""}, {"ListStreams", `{"a":+1}`, ""},
		{"ListStreams", `{"a":tru}`, ""}, {"ListStreams", `{"a":nul}`, ""}, {"ListStreams", `{"Limit":nul}`, ""}, {"ListStreams", `{"a":'b'}`, ""}, {"ListStreams", `{a:1}`, ""},
		{"ListStreams", `{"a":"\x"}`, ""}, {"ListStreams", `{"a":"\u12g4"}`, ""}, {"ListStreams", `{"a":"`, ""}, {"ListStreams", `{"a":"\"`, ""},
		{"ListStreams", "{\"a\":\"\n\"}", ""}, {"ListStreams", "{\"a\":\"\xff\"}", ""}, {"ListStreams", "{\"a\":\"\xed\xa0\x80\"}", ""}, {"ListStreams", "\ufeff{}", ""},
		{"ListStreams", `{"a":` + strings.Repeat("[", wire.DepthMax) + strings.Repeat("]", wire.DepthMax) + `}`, ""},
		{"PutRecords", `{"Records":[{}` + strings.Repeat(",{}", wire.ItemsMax) + `]}`, ""},
	} {
		_, err := decode(row.operation, row.body)
		e, ok := wire.AsAPIError(err)
		if !ok || e.Code != wire.CodeSerialization || !fault.Is(err, fault.Invalid) {
			t.Errorf("%.100s: not a SerializationException: %v", row.body, err)
			continue
		}
		if e.Message != row.want {
			t.Errorf("%.100s\ngot  %s\nwant %s", row.body, e.Message, row.want)
		}
	}
}

// TestLongValuesAreCut shows that ten MiB of bad base64 do not come back.
func TestLongValuesAreCut(t *testing.T) {
	_, err := decode("PutRecord", `{"Data":"`+strings.Repeat("é", 100_000)+`-"}`)
	if e, ok := wire.AsAPIError(err); !ok || len(e.Message) > 2000 {
		t.Errorf("got %.100v", err)
	}
}

func TestAppend(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{string(jsonproto.AppendString(nil, "a\"\\\n\r\t\x00\x1f\x7f/<é😀\u2028")), "\"a\\\"\\\\\\n\\r\\t\\u0000\\u001f\x7f/<é😀\u2028\""},
		{string(jsonproto.AppendString(nil, "a\xff\xc3b\xe2\x82")), "\"a\uFFFD\uFFFDb\uFFFD\uFFFD\""},
		{string(jsonproto.AppendString([]byte("x"), []byte("é"))), `x"é"`},
		{string(jsonproto.AppendBlob(nil, []byte{255, 239})), `"/+8="`},
		{string(jsonproto.AppendMillis(nil, 0)), "0"},
		{string(jsonproto.AppendMillis(nil, 1700000000000)), "1700000000"},
		{string(jsonproto.AppendMillis(nil, 1700000000100)), "1700000000.1"},
		{string(jsonproto.AppendMillis(nil, 1700000000120)), "1700000000.12"},
		{string(jsonproto.AppendMillis(nil, 1700000000123)), "1700000000.123"},
		{string(jsonproto.AppendMillis(nil, 1700000000003)), "1700000000.003"},
		{string(jsonproto.AppendMillis(nil, 1700000000030)), "1700000000.03"},
		{string(jsonproto.AppendMillis(nil, -1)), "-0.001"},
		{string(jsonproto.AppendMillis(nil, math.MinInt64)), "-9223372036854775.808"},
		{string(jsonproto.AppendMillis(nil, math.MaxInt64)), "9223372036854775.807"},
		{string(jsonproto.AppendTimestamp(nil, time.Unix(1, 2_999_999))), "1.002"},
	} {
		if row.got != row.want {
			t.Errorf("got %s, want %s", row.got, row.want)
		}
	}
}

// TestEscapesAreLinear shows that a body of nothing but escapes is read once: a scan that looked for the closing
// quote at every escape would take minutes for this one.
func TestEscapesAreLinear(t *testing.T) {
	body := `{"NextToken":"` + strings.Repeat(`\n`, 4<<20) + `"}`
	got, err := decode("ListStreams", body)
	if err != nil || len(*got.(*kinesis.ListStreamsInput).NextToken) != 4<<20 {
		t.Fatal(err)
	}
}

// TestScannerAllocatesNothing walks over a PutRecords body the way a hot operation does.
func TestScannerAllocatesNothing(t *testing.T) {
	body := []byte(`{"Records":[{"Data":"aGk=","PartitionKey":"k"},{"Data":"aGk=","PartitionKey":"k"}],"StreamName":"s"}`)
	allocations := testing.AllocsPerRun(100, func() {
		s := jsonproto.NewScanner(body)
		if err := s.Skip(); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// FuzzJSONDecode holds two promises for any bytes: Decode never panics, and what it takes is encoded and
// decoded again to the same value.
func FuzzJSONDecode(f *testing.F) {
	names := operationNames()
	for i, body := range []string{
		``, `{}`, `{"StreamName":"s","Data":"aGk=","PartitionKey":"k"}`, `{"Records":[{"Data":"aGk="},{}],"StreamARN":"\ud83d\ude00"}`,
		`{"Timestamp":1.7e9,"ShardId":null}`, `{"Tags":{"a":"b"}}`, `{"Limit":1e400}`, `{"x":[[{"y":-0.0}]]}`,
	} {
		f.Add(uint8(i), body)
	}
	for i, name := range names {
		f.Add(uint8(i), `{"StreamName":"`+name+`"}`)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		op := kinesis.Service.Operations[names[int(which)%len(names)]]
		value := op.NewInput()
		if err := jsonproto.Decode(op.Input, []byte(body), value); err != nil {
			if _, ok := wire.AsAPIError(err); !ok {
				t.Fatalf("not an APIError: %v", err)
			}
			return
		}
		encoded := jsonproto.Encode(nil, op.Input, value)
		again := op.NewInput()
		if err := jsonproto.Decode(op.Input, encoded, again); err != nil {
			t.Fatalf("%v\n%q", err, encoded)
		}
		if !reflect.DeepEqual(again, value) {
			t.Fatalf("not the same: %q", encoded)
		}
		_ = wire.Validate(op.Input, value)
	})
}

func operationNames() []string { return slices.Sorted(maps.Keys(kinesis.Service.Operations)) }
