package kinesis

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

// randomBatch is what a Get could give: records of any bytes, with keys that need escaping, sometimes the end of a closed shard.
func randomBatch(r *rand.Rand) streams.Batch {
	keys := []string{"k", "käse", "\"quoted\"", "back\\slash", "tab\tand\u2028line", "\x01"}
	var raw batch.Batch
	for range r.IntN(6) {
		data := make([]byte, r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		raw.Append(r.Int64N(1<<41), []byte(keys[r.IntN(len(keys))]), data)
	}
	out := streams.Batch{Shard: &streams.Shard{ID: "shardId-000000000003"}, MillisBehind: r.Int64N(1 << 40), Next: "AAAAAAAAAAE+/="}
	out.Shard.Number, out.Shard.Created = 3, start
	for it := batch.Iterate(raw.Bytes()); ; {
		var rec batch.Record
		if !it.Next(&rec) {
			break
		}
		out.Records = append(out.Records, rec)
	}
	if r.IntN(3) == 0 {
		child := &streams.Shard{Shard: catalog.Shard{Number: 4, Range: record.FullRange}, ID: "shardId-000000000004"}
		out.Next, out.Children = "", []streams.Child{{Shard: child, Parents: []string{"shardId-000000000002", "shardId-000000000003"}}}
	}
	return out
}

// The answers that are written by hand say the same in JSON and in CBOR, and what they say is what was read.
func TestGetRecordsAnswersAreEqual(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		got := randomBatch(r)
		var fromJSON, fromCBOR shapes.GetRecordsOutput
		decodeAnswer(t, jsonproto.Codec, "GetRecords", appendRecordsJSON(nil, got), &fromJSON)
		decodeAnswer(t, cborproto.Codec, "GetRecords", appendRecordsCBOR(nil, got), &fromCBOR)
		if !reflect.DeepEqual(fromJSON, fromCBOR) {
			t.Fatalf("JSON %+v\nCBOR %+v", fromJSON, fromCBOR)
		}
		if len(fromJSON.Records) != len(got.Records) || deref(fromJSON.MillisBehindLatest) != got.MillisBehind || deref(fromJSON.NextShardIterator) != got.Next || len(fromJSON.ChildShards) != len(got.Children) {
			t.Fatalf("%+v", fromJSON)
		}
		for i, rec := range fromJSON.Records {
			want := &got.Records[i]
			if string(rec.Data) != string(want.Value) || deref(rec.PartitionKey) != string(want.Key) || rec.ApproximateArrivalTimestamp.UnixMilli() != want.Timestamp ||
				deref(rec.SequenceNumber) != got.Shard.SequenceOf(want).String() {
				t.Fatalf("record %d: %+v", i, rec)
			}
		}
	}
}

// The same for one result of PutRecords, taken or refused.
func TestPutRecordsResultsAreEqual(t *testing.T) {
	for _, result := range []streams.Result{
		{ShardID: "shardId-000000000001", Sequence: record.SequenceNumber{ShardCreated: start.Unix(), Shard: 1, Position: 7, ArrivalSecond: start.Unix()}},
		{ShardID: "shardId-000000000001", Err: fault.New(fault.Throttled, "Rate exceeded for shard shardId-000000000001 in stream \"s\" under account 123456789012.")},
		{ShardID: "shardId-000000000001", Err: fault.New(fault.Full, "no space")},
		{ShardID: "shardId-000000000001", Err: fault.Unknown(fault.Unavailable, nil, "sync")},
	} {
		output := shapes.Service.Operations["PutRecords"].Output
		entry := output.Members[output.MemberNamed([]byte("Records"))].Shape.Element
		var fromJSON, fromCBOR shapes.PutRecordsResultEntry
		if err := jsonproto.Codec.Decode(entry, appendResultJSON(nil, result), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if err := cborproto.Codec.Decode(entry, appendResultCBOR(nil, result), &fromCBOR); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(fromJSON, fromCBOR) || (result.Err == nil) != (fromJSON.SequenceNumber != nil) || (result.Err != nil) != (fromJSON.ErrorCode != nil) {
			t.Errorf("JSON %+v\nCBOR %+v", fromJSON, fromCBOR)
		}
	}
}

func decodeAnswer(t *testing.T, codec wire.Codec, operation string, body []byte, into any) {
	t.Helper()
	if err := codec.Decode(shapes.Service.Operations[operation].Output, body, into); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
}
