package aws

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// The Java SDK speaks CBOR to Kinesis. These tests build its requests from bytes, with an encoder of
// their own, so that a misunderstanding in the server's codec cannot hide in the test.

// tagged is a CBOR tag and what it marks.
type tagged struct {
	tag   uint64
	value any
}

// pair is a member of a CBOR map; a list of them keeps the order.
type pair struct {
	key   string
	value any
}

// encode writes nil, bool, int, float64, string, []byte, []any, []pair and tagged.
func encode(value any) []byte {
	switch value := value.(type) {
	case nil:
		return []byte{0xf6}
	case bool:
		if value {
			return []byte{0xf5}
		}
		return []byte{0xf4}
	case int:
		if value < 0 {
			return head(1, uint64(-1-value))
		}
		return head(0, uint64(value))
	case float64:
		return binary.BigEndian.AppendUint64([]byte{0xfb}, math.Float64bits(value))
	case []byte:
		return append(head(2, uint64(len(value))), value...)
	case string:
		return append(head(3, uint64(len(value))), value...)
	case []any:
		out := head(4, uint64(len(value)))
		for _, one := range value {
			out = append(out, encode(one)...)
		}
		return out
	case []pair:
		out := head(5, uint64(len(value)))
		for _, one := range value {
			out = append(append(out, encode(one.key)...), encode(one.value)...)
		}
		return out
	case tagged:
		return append(head(6, value.tag), encode(value.value)...)
	}
	panic(fmt.Sprintf("encode %T", value))
}

// head is the first bytes of a CBOR item: three bits of major type, then the shortest form of n.
func head(major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return []byte{major | byte(n)}
	case n <= math.MaxUint8:
		return []byte{major | 24, byte(n)}
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16([]byte{major | 25}, uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32([]byte{major | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major | 27}, n)
}

// decode reads one item: maps become map[string]any, lists []any, and the rest as encode takes it.
func decode(t *testing.T, data []byte) (value any, rest []byte) {
	t.Helper()
	if len(data) == 0 {
		t.Fatal("CBOR ends early")
	}
	major, info := data[0]>>5, data[0]&31
	data = data[1:]
	endless := info == 31
	var n uint64
	switch {
	case info < 24:
		n = uint64(info)
	case info <= 27:
		width := 1 << (info - 24)
		if len(data) < width {
			t.Fatal("CBOR ends early")
		}
		for _, b := range data[:width] {
			n = n<<8 | uint64(b)
		}
		data = data[width:]
	}
	more := func(i uint64) bool {
		if !endless {
			return i < n
		}
		if len(data) > 0 && data[0] == 0xff {
			data = data[1:]
			return false
		}
		return true
	}
	switch major {
	case 0:
		return int(n), data
	case 1:
		return -1 - int(n), data
	case 2, 3:
		var all []byte
		if endless {
			for more(0) {
				var part any
				part, data = decode(t, data)
				if text, ok := part.(string); ok {
					part = []byte(text)
				}
				all = append(all, part.([]byte)...)
			}
		} else {
			all, data = data[:n], data[n:]
		}
		if major == 3 {
			return string(all), data
		}
		return all, data
	case 4:
		list := []any{}
		for i := uint64(0); more(i); i++ {
			var one any
			one, data = decode(t, data)
			list = append(list, one)
		}
		return list, data
	case 5:
		members := map[string]any{}
		for i := uint64(0); more(i); i++ {
			var key, one any
			key, data = decode(t, data)
			one, data = decode(t, data)
			members[key.(string)] = one
		}
		return members, data
	case 6:
		var inner any
		inner, data = decode(t, data)
		return tagged{n, inner}, data
	}
	switch info {
	case 20, 21:
		return info == 21, data
	case 22, 23:
		return nil, data
	case 27:
		return math.Float64frombits(n), data
	}
	t.Fatalf("CBOR item of type 7, %d", info)
	return nil, nil
}

// cbor calls an operation and decodes the answer, which must be CBOR of one item.
func (s *session) cbor(operation string, status int, members ...pair) map[string]any {
	s.t.Helper()
	got := s.raw("application/x-amz-cbor-1.1", operation, string(encode(members)))
	if got.StatusCode != status {
		s.t.Fatalf("%s: %d %q, want %d", operation, got.StatusCode, got.body, status)
	}
	if got.body == "" {
		return nil
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/x-amz-cbor-1.1" {
		s.t.Errorf("%s: Content-Type is %q", operation, kind)
	}
	value, rest := decode(s.t, []byte(got.body))
	if len(rest) != 0 {
		s.t.Errorf("%s: %d bytes after the answer", operation, len(rest))
	}
	decoded, ok := value.(map[string]any)
	if !ok {
		s.t.Fatalf("%s: the answer is a %T", operation, value)
	}
	return decoded
}

// TestCBOR: a stream's life as the Java SDK says it. Data is bytes, not base64; times are tag 1 over
// integer milliseconds, in both directions.
func TestCBOR(t *testing.T) {
	s := shared.plain(t)
	if got := s.cbor("CreateStream", 200, pair{"StreamName", "java"}, pair{"ShardCount", 1}); got != nil {
		t.Errorf("CreateStream answers %v, want nothing", got)
	}
	s.active("java")
	data := []byte{0, 1, 0xfe, 0xff}
	began := time.Now()
	put := s.cbor("PutRecord", 200, pair{"StreamName", "java"}, pair{"PartitionKey", "k"}, pair{"Data", data})
	many := s.cbor("PutRecords", 200, pair{"StreamName", "java"}, pair{"Records", []any{
		[]pair{{"PartitionKey", "k"}, {"Data", []byte("one")}}, []pair{{"PartitionKey", "k"}, {"Data", []byte("two")}, {"ExplicitHashKey", "0"}}}})
	if many["FailedRecordCount"] != 0 || len(many["Records"].([]any)) != 2 {
		t.Errorf("PutRecords answers %v", many)
	}

	described := s.cbor("DescribeStreamSummary", 200, pair{"StreamName", "java"})["StreamDescriptionSummary"].(map[string]any)
	created, ok := described["StreamCreationTimestamp"].(tagged)
	if millis, whole := created.value.(int); !ok || created.tag != 1 || !whole || time.UnixMilli(int64(millis)).Year() != time.Now().UTC().Year() {
		t.Errorf("StreamCreationTimestamp is %#v, want tag 1 over milliseconds", described["StreamCreationTimestamp"])
	}

	for _, open := range [][]pair{
		{{"ShardIteratorType", "TRIM_HORIZON"}},
		{{"ShardIteratorType", "AT_SEQUENCE_NUMBER"}, {"StartingSequenceNumber", put["SequenceNumber"]}},
		{{"ShardIteratorType", "AT_TIMESTAMP"}, {"Timestamp", tagged{1, int(began.Add(-time.Minute).UnixMilli())}}},
	} {
		opened := s.cbor("GetShardIterator", 200, append([]pair{{"StreamName", "java"}, {"ShardId", "shardId-000000000000"}}, open...)...)
		got := s.cbor("GetRecords", 200, pair{"ShardIterator", opened["ShardIterator"]}, pair{"Limit", 10})
		records := got["Records"].([]any)
		if len(records) != 3 {
			t.Fatalf("%v: %d records, want 3", open, len(records))
		}
		first := records[0].(map[string]any)
		if bytes, ok := first["Data"].([]byte); !ok || string(bytes) != string(data) {
			t.Errorf("Data is %#v", first["Data"])
		}
		arrived, ok := first["ApproximateArrivalTimestamp"].(tagged)
		millis, whole := arrived.value.(int)
		if !ok || arrived.tag != 1 || !whole || time.UnixMilli(int64(millis)).Sub(began).Abs() > time.Minute {
			t.Errorf("ApproximateArrivalTimestamp is %#v, want tag 1 over milliseconds", first["ApproximateArrivalTimestamp"])
		}
		if got["MillisBehindLatest"] != 0 {
			t.Errorf("MillisBehindLatest is %#v", got["MillisBehindLatest"])
		}
	}
}

// TestCBORErrors have the same two members as in JSON.
func TestCBORErrors(t *testing.T) {
	s := shared.plain(t)
	got := s.cbor("DescribeStreamSummary", 400, pair{"StreamName", "gone"})
	if got["__type"] != "ResourceNotFoundException" || got["message"] != "Stream gone under account "+s.account+" not found." {
		t.Errorf("the error is %v", got)
	}
	if got := s.cbor("DescribeStreamSummary", 400, pair{"StreamName", 1}); got["__type"] != "SerializationException" {
		t.Errorf("a number for a string is answered with %v", got)
	}
	broken := s.raw("application/x-amz-cbor-1.1", "ListStreams", "\xa1\x61")
	if broken.StatusCode != 400 || !strings.Contains(broken.body, "SerializationException") {
		t.Errorf("half a map is answered with %d %q", broken.StatusCode, broken.body)
	}
}

// TestCBORCodecOfTheTest: it is only a witness when it can read what it writes.
func TestCBORCodecOfTheTest(t *testing.T) {
	value, rest := decode(t, encode([]pair{{"a", -5}, {"b", []any{true, nil, 1.5, 70000}}, {"c", tagged{1, 1 << 40}}, {"d", []byte("x")}}))
	got := fmt.Sprintf("%v %d", value, len(rest))
	if want := "map[a:-5 b:[true <nil> 1.5 70000] c:{1 1099511627776} d:[120]] 0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
