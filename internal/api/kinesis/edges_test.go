package kinesis

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// A body of many tiny records must not take many times its size in memory: an empty map is one byte of CBOR, and the memory stays in the pool.
func TestScanTakesBoundedMemory(t *testing.T) {
	const records = 200_000
	cbor := cborproto.AppendMapHeader(nil, 1)
	cbor = cborproto.AppendText(cbor, "Records")
	cbor = cborproto.AppendArrayHeader(cbor, records)
	for range records {
		cbor = cborproto.AppendMapHeader(cbor, 0)
	}
	json := `{"StreamName":"s","Records":[` + strings.Repeat(`{"Data":""},`, records-1) + `{"Data":""}]}`
	for _, row := range []struct {
		name     string
		protocol edge.Protocol
		body     []byte
	}{{"JSON", edge.JSON11, []byte(json)}, {"CBOR", edge.CBOR11, cbor}} {
		t.Run(row.name, func(t *testing.T) {
			r := new(putRequest)
			if r.scan(&edge.Call{Protocol: row.protocol, Operation: "PutRecords", Body: row.body}, false) {
				t.Fatal("taken")
			}
			r.reset()
			if cap(r.entries) > 4*putRecordsMax {
				t.Errorf("%d bytes of body left room for %d entries in the pool", len(row.body), cap(r.entries))
			}
		})
	}
}

// Base64 that the hot path takes is base64 that the general codec takes, and means the same: raw control characters are no JSON.
func TestScannedBase64(t *testing.T) {
	for _, data := range []string{"QUJD", "QUI=", "QQ==", "QUJD\n", "QUJDREVG\r\n", "QR==", "QUJ=", strings.Repeat("QUJD", 40) + "\n", strings.Repeat("QUJD", 40) + "QR=="} {
		agree(t, edge.JSON11, []byte(`{"StreamName":"s","PartitionKey":"k","Data":"`+data+`"}`), true)
	}
}

// What the hot path takes keeps the constraints of the model, the pattern of an ARN too: an operation's refusals do not hang on how its body is read.
func TestScannedARN(t *testing.T) {
	for _, name := range []string{"foo", "arn:aws:kinesis:us-east-1:1:stream/s", "arn:aws:kinesis:us-east-1:123456789012:stream/s"} {
		c := &edge.Call{Protocol: edge.JSON11, Operation: "PutRecord", Body: []byte(`{"StreamARN":"` + name + `","PartitionKey":"k","Data":"QQ=="}`)}
		if new(putRequest).scan(c, true) && general(c, true) == nil {
			t.Errorf("the scanner takes %s, which the model refuses", name)
		}
	}
}

// AT_TIMESTAMP before the horizon lists the shards that were open at the horizon: their ranges leave no hole, or the KCL refuses to begin.
func TestShardFilterBeforeHorizon(t *testing.T) {
	now := time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)
	a := &API{clock: clock.NewManual(now)}
	s, err := streams.New(streams.Options{
		Store: commitlog.NewMemory(a.clock, commitlog.Forever), Clock: a.clock, Secret: make([]byte, 32), Random: bytes.NewReader(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	split := now.Add(-40 * time.Hour)
	parent := uint32(0)
	stream := &catalog.Stream{
		Account: "123456789012", Region: "us-east-1", Name: "s", Status: catalog.Active, RetentionHours: 24, Created: now.Add(-100 * time.Hour),
		Shards: []catalog.Shard{
			{Number: 0, Created: now.Add(-100 * time.Hour), Status: catalog.Closed, ClosedAt: split},
			{Number: 1, Created: split, Parent: &parent},
			{Number: 2, Created: split, Parent: &parent},
		},
	}
	for _, hours := range []time.Duration{23, 30, 50, 90, 200} {
		at := now.Add(-hours * time.Hour)
		kind := shapes.ShardFilterType("AT_TIMESTAMP")
		filter, err := a.shardFilter(stream, &shapes.ShardFilter{Type: &kind, Timestamp: &at})
		if err != nil {
			t.Fatal(err)
		}
		var got []uint32
		shards, _ := s.ListShards(stream, filter, -1, 100)
		for _, shard := range shards {
			got = append(got, shard.Number)
		}
		if !slices.Equal(got, []uint32{1, 2}) {
			t.Errorf("%d hours ago: shards %v, want [1 2]", hours, got)
		}
	}
}

// Our own failures are told to customers without files, logs and positions; those are for the operator.
func TestInternalFailuresSayNothingInternal(t *testing.T) {
	cause := fault.Wrap(fault.New(fault.Corrupt, "segment 00000007 at 4096: checksum"), "get: shardId-000000000000")
	for _, err := range []error{cause, fault.Unknown(fault.Unavailable, cause, "waiting for the disk")} {
		if e := apiError("GetRecords", err); e.Code != "InternalFailure" || e.HTTPStatus() != 500 || strings.Contains(e.Message, "segment") {
			t.Errorf("%s %d %s", e.Code, e.HTTPStatus(), e.Message)
		}
	}
}
