package meter_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
)

var seed = flag.Uint64("seed", 0, "repeat a random test")

var (
	start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)
	aws   = meter.LimitsOf(quota.Default())
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// Shows what a shard lets in: 1,000 records and 1 MiB a second, refilled as time goes, and a large record once its time has been saved up.
func TestWrite(t *testing.T) {
	type step struct {
		after   time.Duration // since the step before
		records int
		bytes   int64
		ok      bool
	}
	for _, row := range []struct {
		name    string
		largest int64
		steps   []step
	}{
		{"records", mib, []step{{0, 1000, 1000, true}, {0, 1, 1, false}, {time.Millisecond, 1, 1, true}, {0, 1, 1, false}, {time.Second, 1000, 0, true}}},
		{"bytes", mib, []step{{0, 1, mib, true}, {0, 1, 1, false}, {500 * time.Millisecond, 1, mib / 2, true}, {0, 1, 1, false}}},
		{"a refusal takes nothing", mib, []step{{0, 999, 10, true}, {0, 2, 10, false}, {0, 1, mib, false}, {0, 1, 10, true}}},
		{"idle time is worth a second", mib, []step{{time.Hour, 1, mib, true}, {0, 1, 1, false}}},
		{"exactly full, in odd parts", mib, []step{{0, 1, 333_333, true}, {0, 1, 333_333, true}, {0, 1, mib - 666_666, true}, {0, 1, 2, false}}},
		{"a large record waits for its time", 10 * mib, []step{
			{0, 1, 10 * mib, true}, {time.Second, 1, mib, true}, {time.Second, 1, 10 * mib, false}, {8 * time.Second, 1, 10 * mib, false},
			{2 * time.Second, 1, 10 * mib, true}, {0, 1, kib, false}, {time.Millisecond, 1, kib, true},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var shard meter.Shard
			now := start
			for i, s := range row.steps {
				now = now.Add(s.after)
				if got := shard.Write(now, aws, s.records, s.bytes, row.largest); got != s.ok {
					t.Errorf("step %d: %d records, %d bytes: %v", i, s.records, s.bytes, got)
				}
			}
		})
	}
}

// Shows what a shard gives: five calls a second, a second's worth in one go or in several, and nothing while more than that is being paid off.
func TestRead(t *testing.T) {
	type step struct {
		after time.Duration // since the step before
		bytes int64         // of the answer, when ok
		ok    bool
	}
	for _, row := range []struct {
		name  string
		steps []step
	}{
		{"calls", []step{{0, 0, true}, {0, 0, true}, {0, 0, true}, {0, 0, true}, {0, 0, true}, {0, 0, false}, {199 * time.Millisecond, 0, false}, {time.Millisecond, 0, true}, {0, 0, false}}},
		{"five seconds after 10 MiB", []step{{0, 10 * mib, true}, {time.Second, 0, false}, {3999 * time.Millisecond, 0, false}, {time.Millisecond, 10 * mib, true}, {4 * time.Second, 0, false}}},
		{"a second's worth is not owed", []step{{0, mib, true}, {0, mib - kib, true}, {0, kib, true}, {0, 0, false}, {2 * time.Millisecond, 0, true}}},
		{"what is over is paid off whole", []step{{0, mib, true}, {0, 3 * mib, true}, {time.Second, 0, false}, {999 * time.Millisecond, 0, false}, {time.Millisecond, 0, true}}},
		{"at its rate for ever", []step{{0, 2 * mib, true}, {time.Second, 2 * mib, true}, {time.Second, 2 * mib, true}, {time.Second, 2 * mib, true}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var shard meter.Shard
			now := start
			for i, s := range row.steps {
				now = now.Add(s.after)
				got := shard.Read(now, aws)
				if got != s.ok {
					t.Errorf("step %d: %v", i, got)
				}
				if got {
					shard.Gave(now, aws, 1, s.bytes)
				}
			}
		})
	}
}

// Shows that without limits everything is let through and counted, and that with them refusals are counted too.
func TestCounts(t *testing.T) {
	var shard meter.Shard
	for range 10 {
		if !shard.Write(start, nil, 1000, mib, mib) || !shard.Read(start, nil) || !shard.Iterator(start, nil) {
			t.Fatal("refused without limits")
		}
		shard.Gave(start, nil, 100, 10*mib)
	}
	if !shard.Read(start, aws) {
		t.Error("what was given without limits is not owed")
	}
	shard.Gave(start, aws, 1, 10*mib)
	if shard.Read(start, aws) {
		t.Error("read while owing")
	}
	shard.Refused(3)
	want := meter.Counts{InBytes: 10 * mib, InRecords: 10_000, InRefused: 3, OutBytes: 110 * mib, OutRecords: 1001, OutRefused: 1}
	if got := shard.Counts(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i := range 6 {
		if got := shard.Iterator(start, aws); got != (i < 5) {
			t.Errorf("iterator %d: %v", i, got)
		}
	}
}

// Shows that an override of nothing forbids, and that a large one does not overflow.
func TestExtremeLimits(t *testing.T) {
	var shard meter.Shard
	none := &meter.Limits{}
	if shard.Write(start, none, 1, 1, 10*mib) || shard.Read(start, none) || shard.Iterator(start, none) {
		t.Error("let through at a rate of nothing")
	}
	const huge = math.MaxInt64
	all := &meter.Limits{WriteBytes: huge, WriteRecords: huge, ReadBytes: huge, ReadCalls: huge, IteratorCalls: huge}
	for range 100 {
		if !shard.Write(start, all, 500, 10*mib, mib) || !shard.Read(start, all) {
			t.Fatal("refused without a limit to speak of")
		}
		shard.Gave(start, all, 10_000, 10*mib)
	}
}

// Shows, for requests of any size at any time, that over any window of W seconds a shard lets in at most rate × (W + burst), and that a client who
// always has more gets the rate.
func TestNoWindowHasMore(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	defer func() {
		if t.Failed() {
			t.Logf("repeat: go test ./internal/quota/meter -run TestNoWindowHasMore -seed %d", s)
		}
	}()
	random := rand.New(rand.NewPCG(s, 1))
	for _, largest := range []int64{mib, 10 * mib} {
		type taking struct {
			at             time.Time
			records, bytes int64 // up to and with this one
		}
		var shard meter.Shard
		all := []taking{{at: start}}
		now := start
		for range 3000 {
			now = now.Add(time.Duration(random.ExpFloat64() * float64(20*time.Millisecond)))
			records := 1 + random.IntN(500)
			size := random.Int64N(10 * kib)
			if random.IntN(50) == 0 {
				records, size = 1, random.Int64N(largest)
			}
			if !shard.Write(now, aws, records, int64(records)*size, largest) {
				continue
			}
			last := all[len(all)-1]
			all = append(all, taking{now, last.records + int64(records), last.bytes + int64(records)*size})
		}
		for i := 1; i < len(all); i++ {
			for j := i; j < len(all); j++ {
				window := all[j].at.Sub(all[i].at).Seconds()
				if got := all[j].records - all[i-1].records; float64(got) > 1000*(window+1)+1 {
					t.Fatalf("%d records in %v s", got, window)
				}
				if got := all[j].bytes - all[i-1].bytes; float64(got) > mib*(window+float64(largest)/mib)+1 {
					t.Fatalf("%d bytes in %v s", got, window)
				}
			}
		}
		taken := all[len(all)-1]
		if seconds := now.Sub(start).Seconds(); float64(taken.bytes) < 0.8*mib*seconds && float64(taken.records) < 0.8*1000*seconds {
			t.Errorf("largest %d: %d records and %d bytes in %.0f s are less than the rate", largest, taken.records, taken.bytes, seconds)
		}
	}
}

// Shows the same for reading, where what was given is known only after it was: over any window of W seconds at most five calls × (W + 1), and 2 MiB × (W + 1)
// and one answer.
func TestNoWindowReadsMore(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	defer func() {
		if t.Failed() {
			t.Logf("repeat: go test ./internal/quota/meter -run TestNoWindowReadsMore -seed %d", s)
		}
	}()
	random := rand.New(rand.NewPCG(s, 2))
	type reading struct {
		at    time.Time
		bytes int64 // up to and with this one
	}
	var shard meter.Shard
	all := []reading{{at: start}}
	now := start
	for range 3000 {
		now = now.Add(time.Duration(random.ExpFloat64() * float64(100*time.Millisecond)))
		if !shard.Read(now, aws) {
			continue
		}
		bytes := random.Int64N(mib)
		if random.IntN(20) == 0 {
			bytes = random.Int64N(10*mib + 1)
		}
		shard.Gave(now, aws, 1, bytes)
		all = append(all, reading{now, all[len(all)-1].bytes + bytes})
	}
	for i := 1; i < len(all); i++ {
		for j := i; j < len(all); j++ {
			window := all[j].at.Sub(all[i].at).Seconds()
			if float64(j-i+1) > 5*(window+1)+1e-3 {
				t.Fatalf("%d calls in %v s", j-i+1, window)
			}
			if got := all[j].bytes - all[i-1].bytes; float64(got) > 2*mib*(window+1)+10*mib {
				t.Fatalf("%d bytes in %v s", got, window)
			}
		}
	}
	if seconds := now.Sub(start).Seconds(); float64(all[len(all)-1].bytes) < 0.5*2*mib*seconds {
		t.Errorf("%d bytes in %.0f s are less than half the rate", all[len(all)-1].bytes, seconds)
	}
}

// Shows that calls are counted by key, and that keys are forgotten when a second has gone by without a call.
func TestCalls(t *testing.T) {
	var calls meter.Calls
	for i := range 7 {
		if got := calls.Take(start, "DescribeStream", 5); got != (i < 5) {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if !calls.Take(start, "DescribeLimits", 1) || calls.Take(start, "DescribeLimits", 1) || !calls.Take(start.Add(time.Second), "DescribeLimits", 1) {
		t.Error("one a second")
	}
	if calls.Take(start, "forbidden", 0) {
		t.Error("let through at a rate of nothing")
	}
	now := start
	for i := range 100_000 {
		now = now.Add(time.Millisecond)
		if !calls.Take(now, fmt.Sprint(i), 5) {
			t.Fatal("a new key is refused")
		}
	}
	if calls.Len() > 2*1024 {
		t.Errorf("%d buckets are kept, of which a thousandth is not full", calls.Len())
	}
}

// Shows that traffic is told minute by minute, and that the oldest is forgotten.
func TestTraffic(t *testing.T) {
	var traffic meter.Traffic
	if got := traffic.Since(time.Unix(0, 0)); len(got) != 0 {
		t.Errorf("nothing came: %v", got)
	}
	traffic.Add(start, 2, 100)
	traffic.Add(start.Add(59*time.Second), 1, 50)
	traffic.Add(start.Add(3*time.Minute), 1, 7)
	want := []meter.Minute{{start, 150, 3}, {start.Add(3 * time.Minute), 7, 1}}
	if got := traffic.Since(start.Add(-time.Hour)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := traffic.Since(start.Add(3*time.Minute + 30*time.Second)); fmt.Sprint(got) != fmt.Sprint(want[1:]) {
		t.Errorf("got %v, want %v", got, want[1:])
	}
	for i := range 100 {
		traffic.Add(start.Add(time.Duration(i)*time.Minute), 1, 1)
	}
	got := traffic.Since(start)
	if len(got) != 64 || !got[0].Start.Equal(start.Add(36*time.Minute)) {
		t.Errorf("%d minutes from %v", len(got), got[0].Start)
	}
}

// The sketch: a lock, two multiplications and two divisions; nothing is allocated.
func BenchmarkWrite(b *testing.B) {
	var shard meter.Shard
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		shard.Write(now, aws, 1, 1000, mib)
	}
}
