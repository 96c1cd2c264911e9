package batch_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

type plain struct {
	timestamp  int64
	key, value []byte
	headers    []batch.Header
}

func randomRecords(r *rand.Rand) []plain {
	records := make([]plain, 1+r.IntN(20))
	for i := range records {
		records[i] = plain{timestamp: 1_790_000_000_000 + r.Int64N(5000) - 2500, key: randomBytes(r, 300), value: randomBytes(r, 3000)}
		for range r.IntN(3) {
			records[i].headers = append(records[i].headers, batch.Header{Key: fmt.Sprintf("w.%d", r.IntN(5)), Value: randomBytes(r, 20)})
		}
	}
	return records
}

func randomBytes(r *rand.Rand, most int) []byte {
	out := make([]byte, r.IntN(most))
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func build(b *batch.Batch, records []plain) []byte {
	b.Reset()
	for _, r := range records {
		b.Append(r.timestamp, r.key, r.value, r.headers...)
	}
	return b.Bytes()
}

// What our encoder writes, Kafka's own definition reads: kmsg is the oracle for header, records and headers.
func TestEncoderAgainstKmsg(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var b batch.Batch // reused, so that what one batch leaves behind would show in the next
	for range 300 {
		records := randomRecords(r)
		raw := bytes.Clone(build(&b, records))
		base := r.Int64N(1 << 40)
		batch.SetBase(raw, base)

		var k kmsg.RecordBatch
		if err := k.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		if k.FirstOffset != base || k.Magic != 2 || int(k.Length) != len(raw)-12 || k.Attributes != 0 || k.ProducerID != -1 || k.ProducerEpoch != -1 || k.FirstSequence != -1 ||
			int(k.NumRecords) != len(records) || int(k.LastOffsetDelta) != len(records)-1 || k.FirstTimestamp != records[0].timestamp || k.MaxTimestamp != b.MaxTimestamp() {
			t.Fatalf("header %+v", k)
		}
		rest := k.Records
		for i, want := range records {
			var got kmsg.Record
			if err := got.ReadFrom(rest); err != nil {
				t.Fatal(err)
			}
			if int(got.OffsetDelta) != i || k.FirstTimestamp+got.TimestampDelta64 != want.timestamp || !bytes.Equal(got.Key, want.key) || !bytes.Equal(got.Value, want.value) || len(got.Headers) != len(want.headers) {
				t.Fatalf("record %d: %+v", i, got)
			}
			for j, h := range want.headers {
				if got.Headers[j].Key != h.Key || !bytes.Equal(got.Headers[j].Value, h.Value) {
					t.Fatalf("record %d header %d: %+v", i, j, got.Headers[j])
				}
			}
			rest = rest[len(got.AppendTo(nil)):]
		}
		if err := batch.Check(raw); err != nil {
			t.Fatal(err)
		}
		read(t, raw, base, records)
	}
}

func read(t *testing.T, raw []byte, base int64, want []plain) {
	t.Helper()
	it := batch.Iterate(raw)
	var got batch.Record
	for i, w := range want {
		if !it.Next(&got) {
			t.Fatalf("record %d: %v", i, it.Err())
		}
		if got.Position != base+int64(i) || got.Timestamp != w.timestamp || !bytes.Equal(got.Key, w.key) || !bytes.Equal(got.Value, w.value) || got.Headers() != len(w.headers) {
			t.Fatalf("record %d: %+v", i, got)
		}
		for _, h := range w.headers {
			if _, ok := got.Header(h.Key); !ok {
				t.Fatalf("record %d lost header %s", i, h.Key)
			}
		}
	}
	if it.Next(&got) || it.Err() != nil {
		t.Fatalf("after the last: %v", it.Err())
	}
}

// Several batches back to back read as one sequence.
func TestIterateCrossesBatches(t *testing.T) {
	var b batch.Batch
	var chunk []byte
	next := int64(100)
	for i := range 5 {
		b.Reset()
		for range i + 1 {
			b.Append(1, []byte("k"), []byte("v"))
		}
		batch.SetBase(b.Bytes(), next)
		chunk = append(chunk, b.Bytes()...)
		next += int64(i+1) + 3 // positions may have gaps between batches
	}
	var positions []int64
	var rec batch.Record
	for it := batch.Iterate(chunk); it.Next(&rec); {
		positions = append(positions, rec.Position)
	}
	if got := fmt.Sprint(positions); got != "[100 104 105 109 110 111 115 116 117 118 122 123 124 125 126]" {
		t.Error(got)
	}
}

// Any flipped bit behind the base offset and the leader epoch is found.
func TestCheckFindsEveryFlippedBit(t *testing.T) {
	var b batch.Batch
	b.Append(1_790_000_000_000, []byte("customer-1"), []byte("payload"), batch.Header{Key: "w.h", Value: []byte{1, 2}})
	raw := bytes.Clone(b.Bytes())
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			err := batch.Check(raw)
			outside := i < 8 || i >= 12 && i < 16
			if !outside && !fault.Is(err, fault.Corrupt) {
				t.Errorf("byte %d bit %d: %v", i, bit, err)
			}
			raw[i] ^= 1 << bit
		}
	}
	for size := range raw {
		if !fault.Is(batch.Check(raw[:size]), fault.Corrupt) {
			t.Errorf("cut to %d bytes: not found", size)
		}
	}
}

// AppendRoom lets the caller write the value in place.
func TestAppendRoom(t *testing.T) {
	var b batch.Batch
	for _, v := range []string{"one", "", "three"} {
		copy(b.AppendRoom(5, []byte("k"), len(v)), v)
	}
	read(t, b.Bytes(), 0, []plain{{5, []byte("k"), []byte("one"), nil}, {5, []byte("k"), nil, nil}, {5, []byte("k"), []byte("three"), nil}})
}

func FuzzIterate(f *testing.F) {
	var b batch.Batch
	b.Append(7, []byte("key"), []byte("value"), batch.Header{Key: "w.h", Value: []byte{9}})
	b.Append(8, nil, nil)
	f.Add(bytes.Clone(b.Bytes()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		it := batch.Iterate(raw)
		var rec batch.Record
		n := 0
		for it.Next(&rec) {
			rec.Header("w.h")
			if n++; n > len(raw) {
				t.Fatal("more records than bytes")
			}
		}
		_ = batch.Check(raw)
	})
}

// Sketch, per 1 KiB record: 1 KiB copied once, 1 KiB checksummed once, no allocation, no sync.
func BenchmarkAppend(b *testing.B) {
	key, value := []byte("customer-4711"), make([]byte, 1024)
	var bt batch.Batch
	b.SetBytes(500 * 1024)
	b.ReportAllocs()
	for b.Loop() {
		bt.Reset()
		for range 500 {
			bt.Append(1_790_000_000_000, key, value)
		}
		bt.Bytes()
	}
}
