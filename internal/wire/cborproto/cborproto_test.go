package cborproto_test

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

func decode(operation, body string) (any, error) {
	op := kinesis.Service.Operations[operation]
	input := op.NewInput()
	return input, cborproto.Decode(op.Input, []byte(body), input)
}

func encode(operation string, value any) []byte {
	return cborproto.Encode(nil, kinesis.Service.Operations[operation].Input, value)
}

// TestDecode shows what each form of a body becomes. The first rows are what Java clients send.
func TestDecode(t *testing.T) {
	for _, row := range []struct {
		name, operation, body string
		want                  any
	}{
		{"indefinite map", "ListStreams", "\xbf\x65Limit\x01\xff", &kinesis.ListStreamsInput{Limit: new(int32(1))}},
		{"empty indefinite map", "ListStreams", "\xbf\xff", &kinesis.ListStreamsInput{}},
		{"definite map", "ListStreams", "\xa1\x65Limit\x18\x64", &kinesis.ListStreamsInput{Limit: new(int32(100))}},
		{"timestamp", "GetShardIterator", "\xa1\x69Timestamp\xc1\x1b\x00\x00\x01\x8b\xcf\xe5\x68\x7b", at(1700000000123)},
		{"timestamp without tag", "GetShardIterator", "\xa1\x69Timestamp\x1b\x00\x00\x01\x8b\xcf\xe5\x68\x7b", at(1700000000123)},
		{"timestamp before 1970", "GetShardIterator", "\xa1\x69Timestamp\xc1\x20", at(-1)},
		{"timestamp as a float is milliseconds too", "GetShardIterator", "\xa1\x69Timestamp\xc1\xfb\x40\x59\x0c\xcc\xcc\xcc\xcc\xcd", at(100)},
		{"unknown members", "ListStreams", "\xa3\x61A\x9f\x01\xbf\x61b\xf6\xff\xff\x65Limit\x01\x61Z\xd8\x2a\x5f\x41a\xff", &kinesis.ListStreamsInput{Limit: new(int32(1))}},
		{"null and undefined are absent", "ListStreams", "\xa2\x65Limit\xf6\x69NextToken\xf7", &kinesis.ListStreamsInput{}},
		{"the last wins", "ListStreams", "\xa2\x65Limit\x01\x65Limit\x02", &kinesis.ListStreamsInput{Limit: new(int32(2))}},
		{"long heads", "ListStreams", "\xbb\x00\x00\x00\x00\x00\x00\x00\x01\x78\x05Limit\x1b\x00\x00\x00\x00\x00\x00\x00\x07", &kinesis.ListStreamsInput{Limit: new(int32(7))}},
		{"half float", "ListStreams", "\xa1\x65Limit\xf9\x3e\x00", &kinesis.ListStreamsInput{Limit: new(int32(1))}},
		{"float", "ListStreams", "\xa1\x65Limit\xfa\x40\x20\x00\x00", &kinesis.ListStreamsInput{Limit: new(int32(2))}},
		{"infinity", "ListStreams", "\xa1\x65Limit\xf9\xfc\x00", &kinesis.ListStreamsInput{Limit: new(int32(math.MinInt32))}},
		{"too large", "ListStreams", "\xa1\x65Limit\x1b\xff\xff\xff\xff\xff\xff\xff\xff", &kinesis.ListStreamsInput{Limit: new(int32(math.MaxInt32))}},
		{"too small", "ListStreams", "\xa1\x65Limit\x3b\xff\xff\xff\xff\xff\xff\xff\xff", &kinesis.ListStreamsInput{Limit: new(int32(math.MinInt32))}},
		{"text in chunks", "ListStreams", "\xa1\x7f\x64Next\x65Token\xff\x7f\x61a\x60\x62bc\xff", &kinesis.ListStreamsInput{NextToken: new("abc")}},
		{"blob", "PutRecord", "\xa1\x64Data\x42\x00\xff", &kinesis.PutRecordInput{Data: []byte{0, 255}}},
		{"blob in chunks", "PutRecord", "\xa1\x64Data\x5f\x41a\x42bc\xff", &kinesis.PutRecordInput{Data: []byte("abc")}},
		{"empty blob", "PutRecord", "\xa1\x64Data\x40", &kinesis.PutRecordInput{Data: []byte{}}},
		{"empty list", "PutRecords", "\xa1\x67Records\x80", &kinesis.PutRecordsInput{Records: []kinesis.PutRecordsRequestEntry{}}},
		{"indefinite list", "PutRecords", "\xa1\x67Records\x9f\xbf\xff\xa0\xff", &kinesis.PutRecordsInput{Records: make([]kinesis.PutRecordsRequestEntry, 2)}},
		{"boolean", "PutRecord", "\xa1\x66DryRun\xf5", &kinesis.PutRecordInput{DryRun: new(true)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := decode(row.operation, row.body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %q\nwant %q", encode(row.operation, got), encode(row.operation, row.want))
			}
		})
	}
}

func at(millis int64) *kinesis.GetShardIteratorInput {
	return &kinesis.GetShardIteratorInput{Timestamp: new(time.UnixMilli(millis).UTC())}
}

// TestDecodeTexts shows what is refused. What is no CBOR, or no structure, has no text.
func TestDecodeTexts(t *testing.T) {
	for _, row := range []struct{ operation, body, want string }{
		{"ListStreams", "\xa1\x69NextToken\x17", "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"},
		{"ListStreams", "\xa1\x69NextToken\x41a", "class java.nio.HeapByteBuffer can not be converted to an String"},
		{"ListStreams", "\xa1\x65Limit\x61a", "class java.lang.String can not be converted to an Integer"},
		{"PutRecord", "\xa1\x64Data\x64aGk=", "class java.lang.String can not be converted to a Blob"},
		{"PutRecord", "\xa1\x64Data\x80", "Start of list found where not expected"},
		{"PutRecords", "\xa1\x67Records\x01", "Expected list or null"},
		{"PutRecords", "\xa1\x67Records\x81\xf6", "null found where not expected."},
		{"GetShardIterator", "\xa1\x69Timestamp\xc0\x61x", "class java.lang.String can not be converted to milliseconds since epoch"},
		{"ListStreams", "", ""}, {"ListStreams", "{}", ""}, {"ListStreams", "\x80", ""}, {"ListStreams", "\xf6", ""}, {"ListStreams", "\xa0\xa0", ""}, {"ListStreams", "\xc1", ""},
		{"ListStreams", "\xa1", ""}, {"ListStreams", "\xa1\x61a", ""}, {"ListStreams", "\xa1\x01\x01", ""}, {"ListStreams", "\xbf\x61a\x01", ""}, {"ListStreams", "\xbf\x61a\xff", ""}, {"ListStreams", "\xff", ""},
		{"ListStreams", "\xa1\x61a\x1c", ""}, {"ListStreams", "\xa1\x61a\x1f", ""}, {"ListStreams", "\xa1\x61a\xdf", ""}, {"ListStreams", "\xa1\x61a\xff", ""}, {"ListStreams", "\xa1\x61a\x19\x01", ""},
		{"ListStreams", "\xa1\x61a\x7b\xff\xff\xff\xff\xff\xff\xff\xff", ""}, {"ListStreams", "\xa1\x61a\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", ""}, {"ListStreams", "\xba\xff\xff\xff\xff", ""},
		{"ListStreams", "\xa1\x61a\x7f\x41a\xff", ""}, {"ListStreams", "\xa1\x61a\x7f\x7f\xff\xff", ""}, {"ListStreams", "\xa1\x61a\x7f\x61a", ""}, {"ListStreams", "\xa1\x61a\x61\xff", ""},
		{"ListStreams", "\xa1\x61a\x7f\x61\xc3\x61\xa9\xff", ""}, {"ListStreams", "\xa1\x65Limit\xe0", ""},
		{"ListStreams", "\xa1\x61a" + strings.Repeat("\x81", wire.DepthMax) + "\x01", ""},
		{"ListStreams", "\xa1\x61a" + strings.Repeat("\x9f", 1<<20), ""},
		{"ListStreams", "\xa1\x61a" + strings.Repeat("\xc1", 1<<20), ""},
		{"PutRecords", "\xa1\x67Records\x9f" + strings.Repeat("\xa0", wire.ItemsMax+1) + "\xff", ""},
	} {
		_, err := decode(row.operation, row.body)
		e, ok := wire.AsAPIError(err)
		if !ok || e.Code != wire.CodeSerialization || !fault.Is(err, fault.Invalid) {
			t.Errorf("%.50q: not a SerializationException: %v", row.body, err)
			continue
		}
		if e.Message != row.want {
			t.Errorf("%.50q\ngot  %s\nwant %s", row.body, e.Message, row.want)
		}
	}
}

// TestAppend compares with the examples of RFC 8949, appendix A, and the dialect's timestamp.
func TestAppend(t *testing.T) {
	for _, row := range []struct {
		got  []byte
		want string
	}{
		{cborproto.AppendInt(nil, 0), "\x00"},
		{cborproto.AppendInt(nil, 23), "\x17"},
		{cborproto.AppendInt(nil, 24), "\x18\x18"},
		{cborproto.AppendInt(nil, 1000), "\x19\x03\xe8"},
		{cborproto.AppendInt(nil, 1000000), "\x1a\x00\x0f\x42\x40"},
		{cborproto.AppendInt(nil, 1000000000000), "\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"},
		{cborproto.AppendInt(nil, -1), "\x20"},
		{cborproto.AppendInt(nil, -1000), "\x39\x03\xe7"},
		{cborproto.AppendInt(nil, math.MinInt64), "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{cborproto.AppendFloat(nil, 100000), "\xfa\x47\xc3\x50\x00"},
		{cborproto.AppendFloat(nil, 1.1), "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"},
		{cborproto.AppendText(nil, "水"), "\x63\xe6\xb0\xb4"},
		{cborproto.AppendText([]byte{1}, []byte("a")), "\x01\x61a"},
		{cborproto.AppendBytes(nil, []byte{1, 2, 3, 4}), "\x44\x01\x02\x03\x04"},
		{cborproto.AppendMapHeader(nil, 2), "\xa2"},
		{cborproto.AppendArrayHeader(nil, 500), "\x99\x01\xf4"},
		{cborproto.AppendBool(nil, true), "\xf5"},
		{cborproto.AppendBool(nil, false), "\xf4"},
		{cborproto.AppendNull(nil), "\xf6"},
		{cborproto.AppendTimestampMillis(nil, 1700000000123), "\xc1\x1b\x00\x00\x01\x8b\xcf\xe5\x68\x7b"},
	} {
		if string(row.got) != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

// TestAnotherReader shows that a CBOR library that is not ours reads what we write, and we what it writes.
func TestAnotherReader(t *testing.T) {
	value := &kinesis.PutRecordsInput{
		StreamName: new("s"),
		Records:    []kinesis.PutRecordsRequestEntry{{Data: bytes.Repeat([]byte{7}, 300), PartitionKey: new("é")}, {}},
		DryRun:     new(false),
	}
	body := encode("PutRecords", value)
	read, err := cbor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	records := read.(cbor.Map)["Records"].(cbor.List)
	if len(records) != 2 || string(records[0].(cbor.Map)["PartitionKey"].(cbor.String)) != "é" || len(records[0].(cbor.Map)["Data"].(cbor.Slice)) != 300 {
		t.Errorf("it read %v", read)
	}
	back, err := decode("PutRecords", string(cbor.Encode(read)))
	if err != nil || !reflect.DeepEqual(back, value) {
		t.Errorf("we read %v: %v", back, err)
	}
}

// TestScannerAllocatesNothing walks over a PutRecords body the way a hot operation does.
func TestScannerAllocatesNothing(t *testing.T) {
	body := encode("PutRecords", &kinesis.PutRecordsInput{Records: []kinesis.PutRecordsRequestEntry{{Data: []byte("x"), PartitionKey: new("k")}, {Data: []byte("y")}}})
	total := 0
	allocations := testing.AllocsPerRun(100, func() {
		s := cborproto.NewScanner(body)
		total += walk(t, &s)
	})
	if allocations != 0 || total == 0 {
		t.Errorf("%v allocations, %d bytes", allocations, total)
	}
}

// walk adds up the data of all records.
func walk(t *testing.T, s *cborproto.Scanner) (total int) {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	members, err := s.EnterMap()
	check(err)
	for {
		more, err := s.More(&members)
		check(err)
		if !more {
			return total
		}
		key, err := s.Key()
		check(err)
		if string(key) != "Records" {
			check(s.Skip())
			continue
		}
		records, err := s.EnterList()
		check(err)
		for {
			more, err := s.More(&records)
			check(err)
			if !more {
				break
			}
			record, err := s.EnterMap()
			check(err)
			for {
				more, err := s.More(&record)
				check(err)
				if !more {
					break
				}
				key, err := s.Key()
				check(err)
				if string(key) != "Data" {
					check(s.Skip())
					continue
				}
				data, err := s.Bytes()
				check(err)
				total += len(data)
			}
		}
	}
}

// FuzzCBORDecode holds two promises for any bytes: Decode never panics, and what it takes is encoded and
// decoded again to the same value.
func FuzzCBORDecode(f *testing.F) {
	names := slices.Sorted(maps.Keys(kinesis.Service.Operations))
	for i, name := range names {
		f.Add(uint8(i), []byte("\xbf\x6aStreamName\x7f\x61"+name[:1]+"\xff\x64Data\x41x\xff"))
	}
	f.Add(uint8(slices.Index(names, "PutRecords")), []byte("\xa1\x67Records\x9f\xbf\x64Data\x41a\xff\xa0\xff"))
	f.Add(uint8(slices.Index(names, "GetShardIterator")), []byte("\xa1\x69Timestamp\xc1\x1b\x00\x00\x01\x8b\xcf\xe5\x68\x7b"))
	f.Add(uint8(slices.Index(names, "AddTagsToStream")), []byte("\xa1\x64Tags\xa1\x61a\x61b"))
	f.Add(uint8(slices.Index(names, "ListStreams")), []byte("\xa1\x65Limit\xf9\x7e\x00"))
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		op := kinesis.Service.Operations[names[int(which)%len(names)]]
		value := op.NewInput()
		if err := cborproto.Decode(op.Input, body, value); err != nil {
			if _, ok := wire.AsAPIError(err); !ok {
				t.Fatalf("not an APIError: %v", err)
			}
			return
		}
		encoded := cborproto.Encode(nil, op.Input, value)
		again := op.NewInput()
		if err := cborproto.Decode(op.Input, encoded, again); err != nil {
			t.Fatalf("%v\n%q", err, encoded)
		}
		if !reflect.DeepEqual(again, value) {
			t.Fatalf("not the same: %q", encoded)
		}
		_ = wire.Validate(op.Input, value)
	})
}
