package kinesis

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// The scanners must never take what the general codec refuses, and must find in what they take exactly what it finds.

// general reads a body the general way, and gives nil when that refuses it.
func general(c *edge.Call, single bool) *putRequest {
	r := new(putRequest)
	if single {
		in := new(shapes.PutRecordInput)
		if decode(c, in) != nil {
			return nil
		}
		r.fillOne(in)
		return r
	}
	in := new(shapes.PutRecordsInput)
	if decode(c, in) != nil {
		return nil
	}
	r.fill(in)
	return r
}

// agree compares the two ways on one body.
func agree(t *testing.T, protocol edge.Protocol, body []byte, single bool) (scanned bool) {
	t.Helper()
	operation := "PutRecords"
	if single {
		operation = "PutRecord"
	}
	c := &edge.Call{Protocol: protocol, Operation: operation, Body: body}
	fast := new(putRequest)
	if !fast.scan(c, single) {
		return false
	}
	for i := range fast.entries { // base64 that does not decode sends the request the general way, see place
		e := &fast.entries[i]
		if !e.encoded {
			continue
		}
		data := make([]byte, decodedSize(e.data))
		if !decodeInto(data, e.data) {
			return false
		}
		e.data = data
	}
	slow := general(c, single)
	if slow == nil {
		t.Fatalf("the scanner takes what the codec refuses: %q", body)
	}
	if !bytes.Equal(fast.streamName, slow.streamName) || !bytes.Equal(fast.streamARN, slow.streamARN) || slow.dryRun || slow.ordering != "" || len(fast.entries) != len(slow.entries) {
		t.Fatalf("%q\nscanner: %s %s %d\ncodec:   %s %s %d", body, fast.streamName, fast.streamARN, len(fast.entries), slow.streamName, slow.streamARN, len(slow.entries))
	}
	for i := range fast.entries {
		f, s := fast.entries[i], slow.entries[i]
		if !bytes.Equal(f.data, s.data) || !bytes.Equal(f.partitionKey, s.partitionKey) || !bytes.Equal(f.explicitHashKey, s.explicitHashKey) ||
			(f.explicitHashKey == nil) != (s.explicitHashKey == nil) {
			t.Fatalf("%q\nrecord %d\nscanner: %+v\ncodec:   %+v", body, i, f, s)
		}
	}
	return true
}

// Each row says whether the scanner is expected to take the body; when it does, both ways must agree.
func TestScanJSON(t *testing.T) {
	long := strings.Repeat("ü", 256)
	for _, row := range []struct {
		name, body    string
		single, taken bool
	}{
		{"SDK", `{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k"},{"Data":"","PartitionKey":"k2","ExplicitHashKey":"0"}]}`, false, true},
		{"other order and white space", " {\n\t\"Records\" : [ { \"PartitionKey\":\"k\", \"Data\" :\"YWI=\" } ] ,\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/s\" } ", false, true},
		{"one", `{"StreamName":"s","Data":"YWJj","PartitionKey":"k"}`, true, true},
		{"256 characters", `{"StreamName":"s","Data":"","PartitionKey":"` + long + `"}`, true, true},
		{"257 characters", `{"StreamName":"s","Data":"","PartitionKey":"` + long + `ü"}`, true, false},
		{"escape in the key", `{"StreamName":"s","Data":"YQ==","PartitionKey":"a\u0062"}`, true, false},
		{"escaped slash in the data", `{"StreamName":"s","Data":"\/\/\/\/","PartitionKey":"k"}`, true, false},
		{"null", `{"StreamName":"s","Data":null,"PartitionKey":"k"}`, true, false},
		{"number", `{"StreamName":"s","Data":"YQ==","PartitionKey":7}`, true, false},
		{"twice", `{"StreamName":"s","Data":"YQ==","Data":"YWI=","PartitionKey":"k"}`, true, false},
		{"unknown member", `{"StreamName":"s","Data":"YQ==","PartitionKey":"k","Colour":"red"}`, true, false},
		{"dry run", `{"StreamName":"s","Data":"YQ==","PartitionKey":"k","DryRun":true}`, true, false},
		{"no key", `{"StreamName":"s","Data":"YQ=="}`, true, true}, // the stream decides whether it needs one
		{"empty key", `{"StreamName":"s","Data":"YQ==","PartitionKey":""}`, true, false},
		{"no data", `{"StreamName":"s","PartitionKey":"k"}`, true, false},
		{"bad name", `{"StreamName":"s!","Data":"YQ==","PartitionKey":"k"}`, true, false},
		{"empty name", `{"StreamName":"","Data":"YQ==","PartitionKey":"k"}`, true, false},
		{"bad hash key", `{"StreamName":"s","Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"01"}`, true, false},
		{"name and ARN", `{"StreamName":"s","StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Data":"YQ==","PartitionKey":"k"}`, true, false},
		{"no records", `{"StreamName":"s","Records":[]}`, false, false},
		{"501 records", `{"StreamName":"s","Records":[` + strings.Repeat(`{"Data":"","PartitionKey":"k"},`, 500) + `{"Data":"","PartitionKey":"k"}]}`, false, false},
		{"cut off", `{"StreamName":"s","Records":[{"Data":"YQ==","Part`, false, false},
		{"more behind it", `{"StreamName":"s","Data":"YQ==","PartitionKey":"k"} x`, true, false},
		{"bad UTF-8", "{\"StreamName\":\"s\",\"Data\":\"YQ==\",\"PartitionKey\":\"\xff\"}", true, false},
		{"control character", "{\"StreamName\":\"s\",\"Data\":\"YQ==\",\"PartitionKey\":\"a\x01\"}", true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := agree(t, edge.JSON11, []byte(row.body), row.single); got != row.taken {
				t.Errorf("taken %v, want %v", got, row.taken)
			}
		})
	}
}

func cborRequest(records int) []byte {
	b := cborproto.AppendMapHeader(nil, 2)
	b = cborproto.AppendText(b, "StreamName")
	b = cborproto.AppendText(b, "s")
	b = cborproto.AppendText(b, "Records")
	b = cborproto.AppendArrayHeader(b, records)
	for i := range records {
		b = cborproto.AppendMapHeader(b, 2)
		b = cborproto.AppendText(b, "Data")
		b = cborproto.AppendBytes(b, []byte{byte(i), 1, 2})
		b = cborproto.AppendText(b, "PartitionKey")
		b = cborproto.AppendText(b, fmt.Sprint(i))
	}
	return b
}

// The Java SDK writes maps and arrays of unknown length; both forms are plain. A string in chunks is not.
func TestScanCBOR(t *testing.T) {
	indefinite := []byte("\xbfjStreamNameasgRecords\x9f\xbfdDataB\x01\x02lPartitionKeyak\xff\xff\xff")
	chunked := []byte("\xbfjStreamNameasgRecords\x9f\xbfdDataB\x01\x02lPartitionKey\x7fakaj\xff\xff\xff\xff")
	for _, row := range []struct {
		name  string
		body  []byte
		taken bool
	}{{"definite", cborRequest(3), true}, {"indefinite", indefinite, true}, {"chunked", chunked, false}, {"cut off", cborRequest(3)[:40], false}, {"more behind it", append(cborRequest(1), 0), false}} {
		t.Run(row.name, func(t *testing.T) {
			if got := agree(t, edge.CBOR11, row.body, false); got != row.taken {
				t.Errorf("taken %v, want %v", got, row.taken)
			}
		})
	}
}

func FuzzScanJSON(f *testing.F) {
	f.Add([]byte(`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"12"}]}`), false)
	f.Add([]byte(`{"StreamName":"s","Data":"YWJj","PartitionKey":"k"}`), true)
	f.Fuzz(func(t *testing.T, body []byte, single bool) { agree(t, edge.JSON11, body, single) })
}

func FuzzScanCBOR(f *testing.F) {
	f.Add(cborRequest(2), false)
	f.Fuzz(func(t *testing.T, body []byte, single bool) { agree(t, edge.CBOR11, body, single) })
}
