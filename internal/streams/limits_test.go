package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
)

// small is what the shards of these tests may do: few enough to fill by hand.
var small = &meter.Limits{WriteBytes: 1 << 20, WriteRecords: 5, ReadBytes: 100, ReadCalls: 5, IteratorCalls: 5}

// Shows that records over a shard's limit are refused one by one, in AWS's words, while the rest of the request is written in its order and at the
// places that were answered, explicit hash keys included; and that other shards go on.
func TestRecordsOverTheLimit(t *testing.T) {
	f := setUp(t, small)
	s := f.create("s", 2)
	p, err := f.streams.Begin(f.ctx, s)
	must(t, err)
	second := record.HashKey{Hi: 1 << 63} // where shard 1 of two begins
	for i := range 14 {
		text := fmt.Sprint(i)
		explicit := &record.HashKey{}
		if i%2 == 1 {
			explicit = &second
		}
		if i%7 == 3 { // larger than what a shard ever takes at once
			text = strings.Repeat("x", 1<<20)
		}
		copy(p.Add([]byte("k"), explicit, len(text)), text)
	}
	p.Commit(f.ctx)
	var in []int
	at := map[string]int{}
	for i := range 14 {
		switch r := p.Result(i); {
		case r.Err == nil:
			in = append(in, i)
			at[r.Sequence.String()] = i
		case !fault.Is(r.Err, fault.Throttled) || r.Err.Error() != "Rate exceeded for shard "+r.ShardID+" in stream s under account "+account+".":
			t.Errorf("record %d of %s: %v", i, r.ShardID, r.Err)
		}
	}
	p.Release()
	// Shard 0 takes the even ones but the large 10, and stops at five of them; shard 1 the odd ones but the large 3.
	if got, want := fmt.Sprint(in), "[0 1 2 4 5 6 7 8 9 11]"; got != want {
		t.Errorf("in are %s, want %s", got, want)
	}
	for shard := range 2 {
		got := f.get(f.iterator(s, fmt.Sprint(shard), streams.Start{}), 100)
		if len(got.Records) != 5 {
			t.Errorf("%d records in shard %d", len(got.Records), shard)
		}
		for i := range got.Records {
			r := &got.Records[i]
			number := got.Shard.SequenceOf(r).String()
			if want, known := at[number]; !known || string(r.Value) != fmt.Sprint(want) || r.Headers() != 1 {
				t.Errorf("shard %d, %s: %q with %d headers", shard, number, r.Value, r.Headers())
			}
		}
		got.Release()
	}
	want := meter.Counts{InBytes: 5*2 + 0, InRecords: 5, InRefused: 2, OutBytes: 10, OutRecords: 5}
	if got := f.streams.Counts(s, 0); got != want {
		t.Errorf("shard 0 counts %+v, want %+v", got, want)
	}
	// A second later there is room for five again, and the pooled put has forgotten what it was.
	for _, after := range []time.Duration{0, time.Second} {
		f.clock.Advance(after)
		for i, r := range f.put(s, "a", "b", "c", "d", "e", "f") {
			if ok := after > 0 && i < 5; ok != (r.Err == nil) {
				t.Errorf("after %v, record %d: %v", after, i, r.Err)
			}
		}
	}
}

// Shows the limits of reading: calls, what was given, and iterators; and that another shard has its own.
func TestReadsOverTheLimit(t *testing.T) {
	f := setUp(t, small)
	s := f.create("s", 2)
	f.put(s, strings.Repeat("x", 500))
	shard := f.put(s, "y")[0].ShardID
	from := f.iterator(s, shard, streams.Start{})
	read := func() error {
		t.Helper()
		got, err := f.streams.Get(f.ctx, from, 10, nil, anyone)
		got.Release()
		return err
	}
	refused := func(err error) {
		t.Helper()
		if !fault.Is(err, fault.Throttled) || err.Error() != "Rate exceeded for shard "+shard+" in stream s under account "+account+"." {
			t.Errorf("%v", err)
		}
	}
	must(t, read()) // 503 bytes at 100 a second
	f.clock.Advance(5 * time.Second)
	refused(read())
	f.clock.Advance(30 * time.Millisecond)
	must(t, read())
	f.clock.Advance(6 * time.Second)
	from = f.iterator(s, shard, streams.Start{Type: streams.Latest})
	for range 5 {
		must(t, read())
	}
	refused(read())
	other := map[string]string{"shardId-000000000000": "1", "shardId-000000000001": "0"}[shard]
	got := f.get(f.iterator(s, other, streams.Start{}), 10)
	got.Release()

	for range 4 {
		f.iterator(s, shard, streams.Start{})
	}
	_, err := f.streams.Iterator(f.ctx, s, shard, streams.Start{})
	refused(err)
	f.clock.Advance(200 * time.Millisecond)
	f.iterator(s, shard, streams.Start{})
}

// Shows that nothing is refused without limits, that what comes is counted for scaling all the same, and that it is forgotten with the stream.
func TestTrafficIsCounted(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	for range 3 {
		for i, r := range f.put(s, strings.Split(strings.Repeat("x,", 400)+"x", ",")...) {
			if r.Err != nil {
				t.Fatalf("record %d: %v", i, r.Err)
			}
		}
	}
	f.clock.Advance(time.Minute)
	f.put(s, "abc")
	want := []meter.Minute{{Start: start, Bytes: 2406, Records: 1203}, {Start: start.Add(time.Minute), Bytes: 4, Records: 1}}
	if got := f.streams.Traffic(s, start); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	must(t, f.control.Propose(f.ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s"}))
	f.await("s", func(s *catalog.Stream) bool { return s == nil })
	if got := f.streams.Traffic(s, start); len(got) > 0 {
		t.Errorf("%v is remembered of a stream that is gone", got)
	}
}
