package producer_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/producer"
)

// After the tests nothing of any Producer runs.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// manual is a Producer on a clock that the test moves, and knows its shards.
func manual(t *testing.T, f *fake, o producer.Options) (*producer.Producer, *clock.Manual) {
	t.Helper()
	m := clock.NewManual(noon)
	o.API, o.Clock = f, m
	return begin(t, o), m
}

// pass moves the clock by small steps, so that whoever waits for a time sees it, until the condition holds; it says how long that took by the clock.
func pass(t testing.TB, m *clock.Manual, what string, condition func() bool) time.Duration {
	t.Helper()
	began := m.Now()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
			next := m.Now().Add(5 * time.Millisecond)
			if due, ok := m.NextDue(); ok && due.Before(next) {
				next = due
			}
			m.AdvanceTo(next)
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
	return m.Now().Sub(began)
}

func ended(f *producer.Future) func() bool {
	return func() bool {
		_, err := f.Result()
		return !errors.Is(err, producer.ErrPending)
	}
}

// Shows that a record leaves when it has waited for RecordMaxBufferedTime and not before, that what came meanwhile goes with it, packed as the KPL packs; and that one alone
// stays as it is.
func TestBufferedTime(t *testing.T) {
	f := newFake(1)
	p, m := manual(t, f, producer.Options{})
	warm := put(t, p, "warm", "the shards are learnt with it")
	pass(t, m, "it leaves", ended(warm))
	f.shards[0].stored, f.requests = nil, nil
	first := put(t, p, "pk1", "hello")
	m.Advance(50 * time.Millisecond)
	put(t, p, "pk2", "world")
	last, err := p.Put(t.Context(), producer.UserRecord{Stream: "s", PartitionKey: "pk1", ExplicitHashKey: "123", Data: []byte("!")})
	if err != nil {
		t.Fatal(err)
	}
	m.Advance(49 * time.Millisecond)
	if f.calls() != 0 || ended(first)() {
		t.Fatal("it left before its time")
	}
	took := pass(t, m, "it leaves", ended(first))
	if took > 2*time.Second { // a loaded machine moves the clock further before the pump has seen it
		t.Errorf("it left %s late", took)
	}
	result, _ := done(t, last)
	if result.SubSequenceNumber != 2 || result.ShardID != "shardId-000000000000" || len(result.Attempts) != 1 {
		t.Errorf("the third: %+v", result)
	}
	alone := put(t, p, "pk3", "alone")
	pass(t, m, "the other leaves", ended(alone))
	if result, _ := done(t, alone); result.SubSequenceNumber != 0 {
		t.Errorf("alone: %+v", result)
	}
	got := f.shards[0].stored
	// What npm aws-kinesis-agg 4.2.8 makes of the same records.
	const golden = "f3899ac20a03706b310a03706b3212033132331a0908001a0568656c6c6f1a0908011a05776f726c641a07080010001a012114bbecc5819a4bc4f7b410144532ec10"
	if len(got) != 2 || hex.EncodeToString(got[0].data) != golden || got[0].key != "a" || got[0].explicit != record.HashKeyOfString("pk1").String() {
		t.Errorf("packed: %+v", got)
	}
	if len(got) == 2 && (string(got[1].data) != "alone" || got[1].key != "pk3" || got[1].explicit != record.HashKeyOfString("pk3").String()) {
		t.Errorf("alone: %+v", got[1])
	}
}

// Shows what leaves without waiting: as much for one shard as the KPL takes for enough; and how much a request holds.
func TestEnough(t *testing.T) {
	f := newFake(1)
	p, _ := manual(t, f, producer.Options{})
	for range 12 {
		put(t, p, "k", strings.Repeat("x", 40_000)) // two do not fit into one
	}
	until(t, "a request leaves while the clock stands", func() bool { return f.calls() >= 1 })
	f.mu.Lock()
	defer f.mu.Unlock()
	size := 0
	for _, r := range f.requests[0] {
		size += len(r.Data)
	}
	if size > 256<<10 || len(f.requests[0]) != 6 {
		t.Errorf("%d records of %d bytes", len(f.requests[0]), size)
	}
}

// Shows that a record that nobody takes is tried until its time is over, with what happened each time; and that a lost answer is told apart from a refusal.
func TestExpired(t *testing.T) {
	for _, row := range []struct {
		name    string
		refuse  func(f *fake)
		code    string
		unknown bool
	}{
		{"refused", func(f *fake) { f.refuse = func(int, int) string { return "ProvisionedThroughputExceededException" } }, "ProvisionedThroughputExceededException", false},
		{"lost", func(f *fake) { f.after = func(int) error { return errors.New("connection reset") } }, producer.CodeNoAnswer, true},
		{"throttled as a whole", func(f *fake) {
			f.before = func(int, *kinesis.PutRecordsInput) error { return &types.LimitExceededException{} }
		}, "LimitExceededException", false},
	} {
		for _, ordered := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, " ordered=", ordered), func(t *testing.T) {
				f := newFake(1)
				row.refuse(f)
				p, m := manual(t, f, producer.Options{RecordTtl: 500 * time.Millisecond, Ordered: ordered})
				one := put(t, p, "k", "x")
				took := pass(t, m, "it expires", ended(one))
				_, failure := done(t, one)
				if failure == nil || failure.Code != producer.CodeExpired || failure.Unknown != row.unknown || took < 500*time.Millisecond {
					t.Fatalf("after %s: %+v", took, failure)
				}
				n := len(failure.Attempts)
				if n < 3 || n > 15 || failure.Attempts[0].ErrorCode != row.code || failure.Attempts[n-1].ErrorCode != producer.CodeExpired {
					t.Errorf("%d attempts: %+v", n, failure.Attempts)
				}
				if !strings.Contains(failure.Error(), row.code) {
					t.Errorf("%v does not say why", failure)
				}
			})
		}
	}
}

// Shows which refusals end a record at once.
func TestFinal(t *testing.T) {
	for _, row := range []struct {
		name string
		o    producer.Options
		make func(f *fake)
		code string
	}{
		{"throttled, FailIfThrottled", producer.Options{FailIfThrottled: true}, func(f *fake) {
			f.refuse = func(int, int) string { return "ProvisionedThroughputExceededException" }
		}, "ProvisionedThroughputExceededException"},
		{"no such stream", producer.Options{}, func(f *fake) {
			f.before = func(int, *kinesis.PutRecordsInput) error { return &types.ResourceNotFoundException{} }
		}, "ResourceNotFoundException"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(1)
			row.make(f)
			p, m := manual(t, f, row.o)
			one := put(t, p, "k", "x")
			pass(t, m, "it fails", ended(one))
			_, failure := done(t, one)
			if failure == nil || failure.Code != row.code || len(failure.Attempts) != 1 || f.calls() != 1 || failure.Unknown {
				t.Errorf("%d requests, %+v", f.calls(), failure)
			}
		})
	}
}

// Shows that a request without an answer ends with RequestTimeout, and the record goes again.
func TestRequestTimeout(t *testing.T) {
	f := &hanging{fake: newFake(1)}
	m := clock.NewManual(noon)
	p := begin(t, producer.Options{API: f, Clock: m, RequestTimeout: 300 * time.Millisecond})
	one := put(t, p, "k", "x")
	pass(t, m, "it is taken the second time", ended(one))
	result, failure := done(t, one)
	if failure != nil || len(result.Attempts) != 2 || !strings.Contains(result.Attempts[0].ErrorMessage, "RequestTimeout") {
		t.Fatalf("%+v, %v", result, failure)
	}
	if took := result.Attempts[0].Ended.Sub(result.Attempts[0].Began); took < 300*time.Millisecond {
		t.Errorf("given up after %s", took)
	}
}

// hanging does not answer the first PutRecords.
type hanging struct {
	*fake
	hangs atomic.Bool // or has hung
}

func (h *hanging) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, o ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	if h.hangs.CompareAndSwap(false, true) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.fake.PutRecords(ctx, in, o...)
}

// Shows that no more goes to a shard than RateLimit lets: a second's worth at once, and then as time goes by.
func TestRateLimit(t *testing.T) {
	f := newFake(1)
	p, m := manual(t, f, producer.Options{RateLimit: 10, AggregationEnabled: aws.Bool(false)}) // 100 records and 100 KiB a second
	var last *producer.Future
	for range 350 {
		last = put(t, p, "k", "x")
	}
	took := pass(t, m, "all are taken", ended(last))
	if took < 2500*time.Millisecond || took > 15*time.Second {
		t.Errorf("350 records at 100 a second, after 100 at once, took %s", took)
	}
	began := m.Now()
	for range 5 {
		last = put(t, p, "k", strings.Repeat("x", 80<<10))
	}
	pass(t, m, "the large ones are taken", ended(last))
	if took := m.Now().Sub(began); took < 2*time.Second || took > 15*time.Second {
		t.Errorf("400 KiB at 100 KiB a second took %s", took)
	}
}

// Shows that Put waits and TryPut refuses when as much is outstanding as the options let, by number and by size, and that a record alone is let in however large.
func TestBackPressure(t *testing.T) {
	for _, o := range []producer.Options{{OutstandingRecordsMax: 3}, {OutstandingBytesMax: 30}} {
		f := newFake(1)
		p, m := manual(t, f, o)
		var all []*producer.Future
		for range 3 {
			all = append(all, put(t, p, "key", "0123456"))
		}
		if _, err := p.TryPut(producer.UserRecord{Stream: "s", PartitionKey: "key", Data: []byte("x")}); !errors.Is(err, producer.ErrFull) {
			t.Fatalf("TryPut: %v", err)
		}
		if records, bytes := p.Outstanding(); records != 3 || bytes != 30 {
			t.Errorf("%d records, %d bytes", records, bytes)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Put(ctx, producer.UserRecord{Stream: "s", PartitionKey: "key"}); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v", err)
		}
		let := make(chan *producer.Future)
		go func() {
			one, _ := p.Put(context.Background(), producer.UserRecord{Stream: "s", PartitionKey: "key", Data: make([]byte, 100)})
			let <- one
		}()
		var one *producer.Future
		pass(t, m, "there is room", func() bool {
			select {
			case one = <-let:
				return true
			default:
				return false
			}
		})
		if !ended(all[0])() {
			t.Error("it was let in while nothing was done")
		}
		pass(t, m, "it is taken", ended(one))
	}
}

// Shows what Put refuses, by name, and that it leaves nothing behind.
func TestPutRefuses(t *testing.T) {
	p, _ := manual(t, newFake(1), producer.Options{MaxUserRecordSize: 100})
	for want, r := range map[string]producer.UserRecord{
		"names no stream":   {PartitionKey: "k"},
		"partition key":     {Stream: "s"},
		"of 257 bytes":      {Stream: "s", PartitionKey: strings.Repeat("k", 257)},
		"in UTF-8":          {Stream: "s", PartitionKey: "\xff"},
		"MaxUserRecordSize": {Stream: "s", PartitionKey: "k", Data: make([]byte, 100)},
		"hash key":          {Stream: "s", PartitionKey: "k", ExplicitHashKey: "-1"},
	} {
		if _, err := p.Put(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if records, _ := p.Outstanding(); records != 0 {
		t.Errorf("%d are outstanding", records)
	}
	p2, _ := manual(t, newFake(1), producer.Options{})
	if _, err := p2.Put(t.Context(), producer.UserRecord{Stream: "s", PartitionKey: strings.Repeat("é", 256)}); err != nil {
		t.Errorf("256 characters of two bytes: %v", err)
	}
}

// Shows that Flush sends at once, and waits for what was put before and not for what comes after.
func TestFlush(t *testing.T) {
	f := newFake(2)
	p, _ := manual(t, f, producer.Options{}) // the clock stands
	var before []*producer.Future
	for i := range 10 {
		before = append(before, put(t, p, fmt.Sprint("k", i), "x"))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := p.TryPut(producer.UserRecord{Stream: "s", PartitionKey: "later"}); err != nil && !errors.Is(err, producer.ErrFull) {
					t.Error(err)
				}
			}
		}
	})
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	for _, one := range before {
		if _, err := one.Result(); err != nil {
			t.Error(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if records, _ := p.Outstanding(); records != 0 {
		t.Errorf("%d are outstanding", records)
	}
}

// Shows that Close sends what there is, and, when it may not wait, says how many are not in the stream and of how many that is not known.
func TestClose(t *testing.T) {
	f := newFake(1)
	p, _ := manual(t, f, producer.Options{})
	one := put(t, p, "k", "x")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Result(); err != nil {
		t.Error(err)
	}
	if _, err := p.Put(t.Context(), producer.UserRecord{Stream: "s", PartitionKey: "k"}); !errors.Is(err, producer.ErrClosed) {
		t.Errorf("Put after Close: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}

	h := &hanging{fake: newFake(1)}
	m := clock.NewManual(noon)
	p = begin(t, producer.Options{API: h, Clock: m, Ordered: true})
	sent := put(t, p, "k", "x")
	pass(t, m, "a request is on its way", func() bool { return h.hangs.Load() })
	waiting := put(t, p, "k", "y")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var unsent *producer.UnsentError
	if err := p.Close(ctx); !errors.As(err, &unsent) || unsent.Unsent+unsent.Unknown != 2 {
		t.Fatalf("Close: %v", err)
	}
	for _, f := range []*producer.Future{sent, waiting} {
		if _, failure := done(t, f); failure == nil || failure.Code != producer.CodeClosed {
			t.Errorf("%+v", failure)
		}
	}
}

// Shows what happens to a packed record that a split sends to one of two: since consumers drop it, all of it goes again, each part to where it belongs, and the table is corrected.
func TestSplitUnderway(t *testing.T) {
	f := newFake(1)
	p, m := manual(t, f, producer.Options{})
	pass(t, m, "the first is taken", ended(put(t, p, "k", "x")))
	f.split(0)
	var all []*producer.Future
	for i := range 40 {
		all = append(all, put(t, p, fmt.Sprint("k", i), fmt.Sprint(i)))
	}
	again := 0
	for i, one := range all {
		pass(t, m, "it is taken", ended(one))
		result, failure := done(t, one)
		if failure != nil {
			t.Fatal(failure)
		}
		s := f.shards[1]
		if result.ShardID == f.shards[2].id {
			s = f.shards[2]
		}
		if !s.hash.Contains(record.HashKeyOfString(fmt.Sprint("k", i))) {
			t.Errorf("record %d is in %s, which does not have its key", i, result.ShardID)
		}
		if len(result.Attempts) > 1 {
			again++
			if result.Attempts[0].ErrorCode != producer.CodeWrongShard || len(result.Attempts) != 2 {
				t.Errorf("attempts %+v", result.Attempts)
			}
		}
	}
	if again != len(all) {
		t.Errorf("%d of %d went again", again, len(all))
	}
	if f.lists != 2 && f.lists != 3 { // the third is for a closed shard, which none is
		t.Errorf("shards were listed %d times", f.lists)
	}
	all = nil
	for i := range 40 {
		all = append(all, put(t, p, fmt.Sprint("k", i), fmt.Sprint(i)))
	}
	for _, one := range all {
		pass(t, m, "it is taken", ended(one))
		if result, _ := done(t, one); len(result.Attempts) != 1 {
			t.Errorf("with the table corrected: %+v", result)
		}
	}
}

// Shows that records go one by one, unpacked, while the shards cannot be learnt, that somebody is told, and that they are packed as soon as they can.
func TestShardsUnknown(t *testing.T) {
	f := newFake(2)
	var mu sync.Mutex
	var told []error
	refused := errors.New("not authorized")
	f.listing = func(call int) error {
		if call < 2 {
			return refused
		}
		return nil
	}
	p, m := manual(t, f, producer.Options{Notice: func(err error) { mu.Lock(); told = append(told, err); mu.Unlock() }})
	a, b := put(t, p, "k", "x"), put(t, p, "k", "y")
	pass(t, m, "they are taken", func() bool { return ended(a)() && ended(b)() })
	ra, _ := done(t, a)
	rb, _ := done(t, b)
	if ra.SequenceNumber == rb.SequenceNumber {
		t.Error("packed without knowing the shards")
	}
	mu.Lock()
	if len(told) == 0 || !errors.Is(told[0], refused) {
		t.Errorf("told %v", told)
	}
	mu.Unlock()
	pass(t, m, "the shards are learnt", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.lists == 3 })
	pass(t, m, "records are packed", func() bool {
		a, b := put(t, p, "k", "x"), put(t, p, "k", "y")
		pass(t, m, "they are taken", func() bool { return ended(a)() && ended(b)() })
		ra, _ := done(t, a)
		rb, _ := done(t, b)
		return ra.SequenceNumber == rb.SequenceNumber && rb.SubSequenceNumber == 1
	})
}

// Shows that, ordered, a shard has one record of the stream in flight, that others go on, and that what failed goes before what came after it.
func TestOrderedOneInFlight(t *testing.T) {
	f := newFake(2)
	var mu sync.Mutex
	refusing := true
	arrived, answer := make(chan string, 100), make(chan struct{})
	f.before = func(_ int, in *kinesis.PutRecordsInput) error {
		var keys []string
		for _, r := range in.Records {
			records, _, _ := record.Deaggregate(*r.PartitionKey, r.Data)
			for _, one := range records {
				keys = append(keys, string(one.Data))
			}
		}
		arrived <- strings.Join(keys, " ")
		mu.Lock()
		stop := refusing && strings.HasPrefix(keys[0], "low")
		mu.Unlock()
		if stop {
			<-answer
			return &types.ProvisionedThroughputExceededException{}
		}
		return nil
	}
	p, m := manual(t, f, producer.Options{Ordered: true})
	shards := map[bool]string{}
	low, high := f.shards[0].hash, f.shards[1].hash
	for i := 0; len(shards) < 2; i++ {
		key := fmt.Sprint("k", i)
		switch hash := record.HashKeyOfString(key); {
		case low.Contains(hash):
			shards[false] = key
		case high.Contains(hash):
			shards[true] = key
		}
	}
	first := put(t, p, shards[false], "low1")
	pass(t, m, "the first is on its way", func() bool { return f.calls() == 1 })
	second, other := put(t, p, shards[false], "low2"), put(t, p, shards[true], "high1")
	pass(t, m, "the other shard goes on", ended(other))
	m.Advance(time.Second)
	if got := []string{<-arrived, <-arrived}; f.calls() != 2 || got[0] != "low1" || got[1] != "high1" {
		t.Fatalf("%d requests: %q", f.calls(), got)
	}
	mu.Lock()
	refusing = false
	mu.Unlock()
	close(answer)
	pass(t, m, "both are taken", func() bool { return ended(first)() && ended(second)() })
	if got := <-arrived; got != "low1" && got != "low1 low2" {
		t.Errorf("the next request has %q", got)
	}
	if all, _ := f.read(t); fmt.Sprintf("%s %s", all[0].Data, all[1].Data) != "low1 low2" {
		t.Errorf("stored %s, %s", all[0].Data, all[1].Data)
	}
}

// Shows that Done is called once for each record, for those of a key in order, and that it may put.
func TestDone(t *testing.T) {
	f := newFake(1)
	p, m := manual(t, f, producer.Options{Ordered: true, OutstandingRecordsMax: 4})
	var mu sync.Mutex
	var said bytes.Buffer
	var last *producer.Future
	var call func(name string) func(*producer.Future)
	call = func(name string) func(*producer.Future) {
		return func(one *producer.Future) {
			mu.Lock()
			defer mu.Unlock()
			if _, err := one.Result(); err != nil {
				t.Error(err)
			}
			said.WriteString(name)
			if name == "d" { // all four are outstanding until now
				last, _ = p.Put(context.Background(), producer.UserRecord{Stream: "s", PartitionKey: "k", Done: call("e")})
			}
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, err := p.Put(t.Context(), producer.UserRecord{Stream: "s", PartitionKey: "k", Done: call(name)}); err != nil {
			t.Fatal(err)
		}
	}
	pass(t, m, "all are told", func() bool { mu.Lock(); defer mu.Unlock(); return said.Len() == 5 })
	if said.String() != "abcde" || !ended(last)() {
		t.Errorf("told %q", said.String())
	}
}
