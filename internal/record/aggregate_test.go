package record_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// golden is what another implementation of the format (npm aws-kinesis-agg 4.2.8) makes of goldenRecords.
const golden = "f3899ac20a03706b310a03706b3212033132331a0908001a0568656c6c6f1a0908011a05776f726c641a07080010001a012114bbecc5819a4bc4f7b410144532ec10"

var goldenRecords = []record.UserRecord{
	{PartitionKey: "pk1", Data: []byte("hello"), SubSequence: 0},
	{PartitionKey: "pk2", Data: []byte("world"), SubSequence: 1},
	{PartitionKey: "pk1", ExplicitHashKey: "123", Data: []byte("!"), SubSequence: 2},
}

func TestAggregateGolden(t *testing.T) {
	if got := hex.EncodeToString(record.Aggregate(goldenRecords)); got != golden {
		t.Errorf("aggregate:\n%s\nwant\n%s", got, golden)
	}
	data, _ := hex.DecodeString(golden)
	records, aggregate, err := record.Deaggregate("a", data)
	if err != nil || !aggregate || !reflect.DeepEqual(records, goldenRecords) || !record.IsAggregate(data) {
		t.Errorf("%v, %v: %+v", aggregate, err, records)
	}
}

func randomRecords(r *rand.Rand) []record.UserRecord {
	records := make([]record.UserRecord, 1+r.IntN(40))
	for i := range records {
		data := make([]byte, r.IntN(400))
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		records[i] = record.UserRecord{PartitionKey: fmt.Sprint("key", r.IntN(10)), Data: data, SubSequence: uint64(i)}
		if r.IntN(3) == 0 {
			records[i].ExplicitHashKey = record.HashKey{Hi: uint64(r.IntN(5))}.String()
		}
		for range max(0, r.IntN(5)-2) {
			records[i].Tags = append(records[i].Tags, record.Tag{Key: fmt.Sprint("tag", r.IntN(3)), Value: "", HasValue: r.IntN(2) == 0})
		}
	}
	return records
}

// Whatever goes in comes out, the size is what was announced, and the limit is kept.
func TestAggregateRoundTrip(t *testing.T) {
	r := random(t)
	var a record.Aggregator // reused, so that what one aggregate leaves behind would show in the next
	for range 500 {
		a.MaxBytes = 64 + r.IntN(3000)
		var puts []record.UserRecord
		records := randomRecords(r)
		for _, rec := range records {
			if a.Add(rec) {
				continue
			}
			put, ok := a.Finish()
			if !ok {
				t.Fatal("full and empty")
			}
			puts = append(puts, put)
			if !a.Add(rec) {
				t.Fatal("an empty aggregator refuses a record")
			}
		}
		announced, last := a.Size(), a.Len()
		put, _ := a.Finish()
		if record.IsAggregate(put.Data) && len(put.Data) != announced {
			t.Fatalf("%d bytes, announced %d", len(put.Data), announced)
		}
		puts = append(puts, put)
		if a.Len() != 0 || a.Size() != 0 || last == 0 {
			t.Fatal("Finish does not empty")
		}

		var got []record.UserRecord
		for _, put := range puts {
			opened, aggregate, err := record.Deaggregate(put.PartitionKey, put.Data)
			if err != nil {
				t.Fatal(err)
			}
			if aggregate != (put.PartitionKey == "a") {
				t.Fatalf("aggregate %v under key %q", aggregate, put.PartitionKey)
			}
			if !aggregate { // the explicit key of a plain record travels beside its data
				opened[0].ExplicitHashKey = put.ExplicitHashKey
			}
			if len(opened) > 1 && len(put.Data) > a.MaxBytes {
				t.Fatalf("%d bytes, at most %d", len(put.Data), a.MaxBytes)
			}
			for i, user := range opened {
				if user.SubSequence != uint64(i) {
					t.Fatalf("sub-sequence %d at %d", user.SubSequence, i)
				}
			}
			first, err := opened[0].HashKey()
			if err != nil {
				t.Fatal(err)
			}
			if target, err := put.HashKey(); err != nil || target != first {
				t.Fatalf("goes to %s, its first record to %s (%v)", target, first, err)
			}
			got = append(got, opened...)
		}
		for i := range got {
			got[i].SubSequence = uint64(i)
			if len(got[i].Data) == 0 {
				got[i].Data = []byte{}
			}
		}
		if !reflect.DeepEqual(got, records) {
			t.Fatalf("got %+v\nwant %+v", got, records)
		}
	}
	if _, ok := a.Finish(); ok {
		t.Error("an empty aggregator gives something")
	}
	if record.Aggregate(nil) != nil {
		t.Error("an aggregate of nothing")
	}
}

// seal makes a message an aggregate.
func seal(message ...byte) []byte {
	sum := md5.Sum(message)
	return append(append([]byte("\xf3\x89\x9a\xc2"), message...), sum[:]...)
}

// What is not an aggregate is the customer's own data, as with the KCL; an aggregate whose indices lie is Corrupt.
func TestDeaggregateDamage(t *testing.T) {
	whole, _ := hex.DecodeString(golden)
	damaged := func(at int) []byte {
		d := bytes.Clone(whole)
		d[at] ^= 1
		return d
	}
	record1 := []byte{0x0a, 1, 'k', 0x1a, 5, 0x08, 0, 0x1a, 1, 'x'}
	with := func(more ...byte) []byte { return seal(append(bytes.Clone(record1), more...)...) }
	for _, row := range []struct {
		name      string
		data      []byte
		aggregate bool
		records   int
		kind      fault.Kind // Internal: no error
	}{
		{"nothing", nil, false, 1, 0},
		{"plain", []byte("hello"), false, 1, 0},
		{"magic alone", whole[:4], false, 1, 0},
		{"magic and checksum of nothing", seal(), false, 1, 0},
		{"wrong magic", damaged(0), false, 1, 0},
		{"wrong message", damaged(10), false, 1, 0},
		{"wrong checksum", damaged(len(whole) - 1), false, 1, 0},
		{"cut", whole[:len(whole)-1], false, 1, 0},
		{"no records", seal(0x0a, 1, 'k'), true, 0, 0},
		{"one record", with(), true, 1, 0},
		{"unknown fields of every type", with(0x20, 0xff, 1, 0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x32, 2, 1, 2, 0x3b, 0x0d, 1, 2, 3, 4, 0x43, 0x44, 0x3c, 0x45, 1, 2, 3, 4), true, 1, 0},
		{"known field in another type", with(0x08, 7), true, 1, 0},
		{"group without end", with(0x3b), false, 1, 0},
		{"group with another's end", with(0x3b, 0x44), false, 1, 0},
		{"end of no group", with(0x3c), false, 1, 0},
		{"groups too deep", with(bytes.Repeat([]byte{0x3b}, 1000)...), false, 1, 0},
		{"type 6", with(0x0e), false, 1, 0},
		{"field 0", with(0x02, 0), false, 1, 0},
		{"endless varint", with(0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), false, 1, 0},
		{"length beyond the end", with(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), false, 1, 0},
		{"record without data", with(0x1a, 2, 0x08, 0), false, 1, 0},
		{"record without key", with(0x1a, 3, 0x1a, 1, 'x'), false, 1, 0},
		{"tag without key", with(0x1a, 9, 0x08, 0, 0x1a, 1, 'x', 0x22, 2, 0x12, 0), false, 1, 0},
		{"partition key beyond the table", with(0x1a, 5, 0x08, 1, 0x1a, 1, 'x'), true, 1, fault.Corrupt},
		{"explicit hash key beyond the table", with(0x1a, 7, 0x08, 0, 0x10, 0, 0x1a, 1, 'x'), true, 1, fault.Corrupt},
		{"empty explicit hash key", with(0x12, 0, 0x1a, 7, 0x08, 0, 0x10, 0, 0x1a, 1, 'x'), true, 1, fault.Corrupt},
	} {
		records, aggregate, err := record.Deaggregate("own", row.data)
		if aggregate != row.aggregate || len(records) != row.records || fault.KindOf(err) != row.kind || (err != nil) != (row.kind != 0) {
			t.Errorf("%s: %d records, aggregate %v, %v", row.name, len(records), aggregate, err)
			continue
		}
		if !aggregate && (records[0].PartitionKey != "own" || !bytes.Equal(records[0].Data, row.data)) {
			t.Errorf("%s: not given as it was put: %+v", row.name, records[0])
		}
	}
}

func TestUserRecordHashKey(t *testing.T) {
	for _, row := range []struct {
		r    record.UserRecord
		want record.HashKey
		ok   bool
	}{
		{record.UserRecord{PartitionKey: "k"}, record.HashKeyOf([]byte("k")), true},
		{record.UserRecord{PartitionKey: "k", ExplicitHashKey: "5"}, record.HashKey{Lo: 5}, true},
		{record.UserRecord{PartitionKey: "k", ExplicitHashKey: "five"}, record.HashKey{}, false},
	} {
		if got, err := row.r.HashKey(); got != row.want || (err == nil) != row.ok {
			t.Errorf("%+v: %s, %v", row.r, got, err)
		}
	}
}

// Any data opens without a panic, and what opens as an aggregate packs and opens again as the same records.
func FuzzDeaggregate(f *testing.F) {
	whole, _ := hex.DecodeString(golden)
	f.Add(whole[4:len(whole)-16], true)
	f.Add(whole, false)
	f.Add([]byte{0x0a, 1, 'k', 0x1a, 5, 0x08, 0, 0x1a, 1, 'x', 0x3b, 0x3c}, true)
	f.Fuzz(func(t *testing.T, data []byte, asMessage bool) {
		if asMessage { // or the checksum would stop nearly everything
			data = seal(data...)
		}
		records, aggregate, err := record.Deaggregate("k", data)
		if !aggregate || err != nil || len(records) == 0 {
			return
		}
		again, aggregate, err := record.Deaggregate("k", record.Aggregate(records))
		if !aggregate || err != nil || !reflect.DeepEqual(again, records) {
			t.Errorf("%v, %v: %+v, want %+v", aggregate, err, again, records)
		}
	})
}

func BenchmarkDeaggregate(b *testing.B) {
	var records []record.UserRecord
	for i := range 100 {
		records = append(records, record.UserRecord{PartitionKey: fmt.Sprint("station-", i%10), Data: make([]byte, 200)})
	}
	data := record.Aggregate(records)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := record.Deaggregate("a", data); err != nil {
			b.Fatal(err)
		}
	}
}
