package streams_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
)

// register makes a consumer and gives the stream that has it.
func (f *fixture) register(name, consumer string) *catalog.Stream {
	f.Helper()
	must(f.T, f.control.Propose(f.ctx, catalog.RegisterConsumer{Address: catalog.Address{Account: account, Region: region, Name: name}, Consumer: consumer}))
	return f.await(name, func(s *catalog.Stream) bool { return s.Consumer(consumer) != nil })
}

// subscriber drives a subscription as the API does, and keeps what it was sent.
type subscriber struct {
	*streams.Subscription
	f     *fixture
	stop  chan struct{}
	waits chan func() bool // of the subscription's Idle, the newest
	got   string           // data of every record, in order, each behind a space
	bytes int
	last  streams.Event
}

func (f *fixture) request(s *catalog.Stream, consumer string, start streams.Start) streams.SubscribeRequest {
	return streams.SubscribeRequest{Stream: s, Consumer: s.Consumer(consumer), ShardID: "0", Start: start}
}

func (f *fixture) subscribe(s *catalog.Stream, consumer string, start streams.Start) *subscriber {
	f.Helper()
	sub, err := f.streams.Subscribe(f.ctx, f.request(s, consumer, start))
	must(f.T, err)
	return &subscriber{Subscription: sub, f: f, stop: make(chan struct{}), waits: make(chan func() bool, 1)}
}

func (s *subscriber) Waits(pending func() bool) {
	select {
	case <-s.waits:
	default:
	}
	s.waits <- pending
}

func (s *subscriber) Resumes() {}

// event is the next event, for which it may wait, and whether it was due to records.
func (s *subscriber) event() (records bool, err error) {
	records, err = s.Await(s.f.ctx, s.stop, s)
	if err != nil {
		return records, err
	}
	limit := 0
	if records {
		limit = 100
	}
	e, err := s.Read(s.f.ctx, nil, limit)
	if err != nil {
		return records, err
	}
	for _, r := range e.Records {
		s.got += " " + string(r.Value)
	}
	s.bytes = e.Bytes
	e.Release()
	s.Advance(e)
	s.last = e
	return records, nil
}

// must is event where nothing may go wrong.
func (s *subscriber) must() bool {
	s.f.Helper()
	records, err := s.event()
	must(s.f.T, err)
	return records
}

// outcome is how an event came out that was waited for in the background.
type outcome struct {
	records bool
	err     error
}

// background waits for the next event while the test goes on; it has begun to wait when background returns.
func (s *subscriber) background() (came chan outcome, pending func() bool) {
	came = make(chan outcome, 1)
	go func() {
		records, err := s.event()
		came <- outcome{records, err}
	}()
	return came, <-s.waits
}

// Nothing comes for five seconds, and then a heartbeat that says more than the last; records come at once; after five minutes it is over.
func TestSubscriptionLife(t *testing.T) {
	f := setUp(t)
	f.create("s", 1)
	s := f.register("s", "c")
	f.put(s, "a", "b")
	sub := f.subscribe(s, "c", streams.Start{})
	defer sub.Close()
	if !sub.must() || sub.got != " a b" || sub.last.MillisBehind != 0 {
		t.Fatalf("%q, %+v", sub.got, sub.last)
	}
	came, pending := sub.background()
	f.clock.Advance(5*time.Second - time.Millisecond)
	if pending() || len(came) > 0 {
		t.Error("it is due before five seconds")
	}
	before := sub.last.Continuation
	f.clock.Advance(time.Millisecond)
	if !pending() {
		t.Error("it is not due after five seconds")
	}
	if got := <-came; got.records || got.err != nil || sub.last.Continuation.Compare(before) <= 0 {
		t.Errorf("heartbeat %+v, continuation %+v after %+v", got, sub.last.Continuation, before)
	}
	came, pending = sub.background()
	f.put(s, "c")
	if !pending() && len(came) == 0 && sub.got != " a b c" {
		t.Error("a record that was put is not pending")
	}
	if got := <-came; !got.records || got.err != nil || sub.got != " a b c" {
		t.Errorf("%+v, %q", got, sub.got)
	}
	came, _ = sub.background()
	f.clock.Advance(5 * time.Minute)
	if got := <-came; !errors.Is(got.err, io.EOF) {
		t.Errorf("after five minutes: %+v", got)
	}
}

// A closed stop channel, a new subscription, the end of the consumer, of the stream: each ends a subscription that waits, in its own way.
func TestSubscriptionEnds(t *testing.T) {
	f := setUp(t)
	f.create("s", 1)
	address := catalog.Address{Account: account, Region: region, Name: "s"}
	s := f.register("s", "c")
	start := streams.Start{Type: streams.Latest}

	sub := f.subscribe(s, "c", start)
	sub.must()
	came, _ := sub.background()
	if n := f.streams.Subscriptions(); n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	close(sub.stop)
	if got := <-came; !errors.Is(got.err, io.EOF) {
		t.Errorf("stopped: %v", got.err)
	}
	sub.Close()
	if n := f.streams.Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions after it was closed", n)
	}

	if _, err := f.streams.Subscribe(f.ctx, f.request(s, "c", start)); !fault.Is(err, fault.Conflict) || !strings.HasSuffix(err.Error(), "for this consumer: "+account+":s:shardId-000000000000:c") {
		t.Errorf("at once again: %v", err)
	}
	f.clock.Advance(5 * time.Second)
	sub = f.subscribe(s, "c", start)
	sub.must()
	came, _ = sub.background()
	f.clock.Advance(4999 * time.Millisecond)
	if _, err := f.streams.Subscribe(f.ctx, f.request(s, "c", start)); !fault.Is(err, fault.Conflict) {
		t.Errorf("after 4.999 s: %v", err)
	}
	f.clock.Advance(time.Millisecond)
	if got := <-came; got.err != nil { // its heartbeat
		t.Error(got.err)
	}
	came, _ = sub.background()
	second := f.subscribe(s, "c", start)
	if got := <-came; !fault.Is(got.err, fault.Conflict) {
		t.Errorf("taken over: %v", got.err)
	}
	sub.Close()
	if n := f.streams.Subscriptions(); n != 1 {
		t.Errorf("%d subscriptions after a takeover", n)
	}

	second.must()
	came, _ = second.background()
	must(t, f.control.Propose(f.ctx, catalog.DeregisterConsumer{Address: address, Consumer: "c"}))
	if got := <-came; !fault.Is(got.err, fault.NotFound) || !strings.Contains(got.err.Error(), "Consumer c") {
		t.Errorf("deregistered: %v", got.err)
	}
	second.Close()

	f.clock.Advance(time.Second) // another registration of the name is another consumer, whom nobody keeps waiting
	s = f.register("s", "c")
	third := f.subscribe(s, "c", start)
	defer third.Close()
	third.must()
	came, _ = third.background()
	must(t, f.control.Propose(f.ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s", WithConsumers: true}))
	if got := <-came; !fault.Is(got.err, fault.NotFound) || !strings.Contains(got.err.Error(), "Stream s") {
		t.Errorf("deleted: %v", got.err)
	}
}

// With a rate, a second's worth goes at once and the rest as time passes; a record that is larger than that goes whole, and is waited for afterwards. Another subscription
// does not begin with a full second again.
func TestSubscriptionIsPaced(t *testing.T) {
	f := setUpWith(t, func(o *streams.Options) {
		o.Limits = &meter.Limits{WriteBytes: 1 << 30, WriteRecords: 1 << 30, ReadBytes: 1 << 30, ReadCalls: 1 << 30, IteratorCalls: 1 << 30, FanOutBytes: 1000}
	})
	f.create("s", 1)
	s := f.register("s", "c")
	text := strings.Repeat("x", 499) // 500 with the key
	f.put(s, text, text, text, strings.Repeat("y", 9999), "z")
	sub := f.subscribe(s, "c", streams.Start{})
	one := func() int {
		t.Helper()
		records, err := sub.Await(f.ctx, sub.stop, sub)
		if err != nil || !records {
			t.Errorf("%v, %v", records, err)
			return 0
		}
		e, err := sub.Read(f.ctx, nil, 1)
		if err != nil {
			t.Error(err)
		}
		sub.Advance(e)
		e.Release()
		sub.last = e
		return e.Bytes
	}
	for i := range 2 {
		if got := one(); got != 500 {
			t.Fatalf("record %d has %d bytes", i, got)
		}
	}
	later := func(after time.Duration, want int) {
		t.Helper()
		got := make(chan int, 1)
		go func() { got <- one() }()
		pending := <-sub.waits
		f.clock.Advance(after - 10*time.Millisecond)
		if pending() {
			t.Errorf("%d bytes are due before %s", want, after)
		}
		f.clock.Advance(10 * time.Millisecond)
		if n := <-got; n != want {
			t.Errorf("%d bytes came, want %d", n, want)
		}
	}
	later(10*time.Millisecond, 500) // there is a little again as soon as anything was gained
	later(500*time.Millisecond, 10000)
	sub.Close()
	f.clock.Advance(5 * time.Second) // of the ten that the large record took
	sub = f.subscribe(s, "c", streams.Start{Type: streams.AfterSequence, Sequence: sub.last.Continuation.String()})
	defer sub.Close()
	later(4991*time.Millisecond, 2)
}

// Records that expire before they are pushed are passed over, as GetRecords passes them over.
func TestSubscriptionPassesOverExpired(t *testing.T) {
	f := setUp(t)
	f.create("s", 1)
	s := f.register("s", "c")
	f.put(s, "old")
	f.clock.Advance(23 * time.Hour)
	f.put(s, "young")
	sub := f.subscribe(s, "c", streams.Start{})
	defer sub.Close()
	f.clock.Advance(time.Hour + time.Second)
	// Its five minutes are over, but what it would send next is what the log may still show.
	e, err := sub.Read(f.ctx, nil, 10)
	must(t, err)
	defer e.Release()
	if texts(e.Records) != "young" {
		t.Errorf("pushed %q", texts(e.Records))
	}
}

// damaged is a store whose logs answer every Read with damage once broken is set.
type damaged struct {
	commitlog.Store
	broken *bool
}

type damagedLog struct {
	commitlog.Log
	broken *bool
}

func (d damaged) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	log, err := d.Store.Open(ctx, id)
	return damagedLog{log, d.broken}, err
}

func (d damagedLog) Read(ctx context.Context, from commitlog.Position, maxBytes int) (commitlog.Chunk, error) {
	if *d.broken {
		return commitlog.Chunk{}, fault.New(fault.Corrupt, "position %d is damaged", from)
	}
	return d.Log.Read(ctx, from, maxBytes)
}

// Damage ends a subscription: nothing is passed over.
func TestSubscriptionMeetsDamage(t *testing.T) {
	broken := false
	f := setUpWith(t, func(o *streams.Options) { o.Store = damaged{o.Store, &broken} })
	f.create("s", 1)
	s := f.register("s", "c")
	sub := f.subscribe(s, "c", streams.Start{})
	defer sub.Close()
	sub.must()
	f.put(s, "a")
	broken = true
	if _, err := sub.event(); !fault.Is(err, fault.Corrupt) {
		t.Errorf("%v", err)
	}
}

// At the end of a shard that is split while somebody waits at its end, the last event has the children and nothing follows; and also when there were records.
func TestSubscriptionAtTheEndOfAShard(t *testing.T) {
	for _, texts := range [][]string{nil, {"a", "b"}} {
		t.Run(fmt.Sprint(len(texts)), func(t *testing.T) {
			f := setUp(t)
			f.create("s", 1)
			s := f.register("s", "c")
			sub := f.subscribe(s, "c", streams.Start{})
			defer sub.Close()
			sub.must()
			came, _ := sub.background()
			must(t, f.control.Propose(f.ctx, catalog.SplitShard{Address: catalog.Address{Account: account, Region: region, Name: "s"}, Shard: 0, At: record.HashKey{Hi: 1 << 63}}))
			if got := <-came; got.err != nil || !sub.last.End || len(sub.last.Children) != 2 || sub.last.Children[0].Parents[0] != "shardId-000000000000" {
				t.Fatalf("%+v, %+v", got, sub.last)
			}
			if _, err := sub.event(); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// Random puts, waits, heartbeats, disconnections before and after an event has been taken, and subscriptions from the last continuation that the consumer has seen,
// at it or after it: every record comes once, in order.
func TestContinuationIsExact(t *testing.T) {
	for range 20 {
		seed := mathrand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := mathrand.New(mathrand.NewPCG(seed, 1))
			f := setUp(t)
			f.create("s", 1)
			s := f.register("s", "c")
			sub := f.subscribe(s, "c", streams.Start{})
			want, got, put := "", "", 0
			start := streams.Start{}
			for range 200 {
				switch r.IntN(5) {
				case 0, 1: // put
					for range 1 + r.IntN(4) {
						text := fmt.Sprint(put)
						f.put(s, text)
						want += " " + text
						put++
					}
				case 2, 3: // take an event, if one is there: with records, or because time has passed
					if r.IntN(4) == 0 {
						f.clock.Advance(5 * time.Second)
					} else if want == got {
						continue
					}
					sub.got = ""
					sub.must()
					got += sub.got
					start = streams.Start{Type: []streams.StartType{streams.AtSequence, streams.AfterSequence}[r.IntN(2)], Sequence: sub.last.Continuation.String()}
				case 4: // lose the connection, half of the time with an event in it that does not arrive
					if r.IntN(2) == 0 && want != got {
						sub.must()
					}
					sub.Close()
					f.clock.Advance(time.Duration(5000+r.IntN(2000)) * time.Millisecond)
					sub = f.subscribe(s, "c", start)
				}
				if !strings.HasPrefix(want, got) {
					t.Fatalf("pushed%s\nof%s", got, want)
				}
			}
			for want != got {
				sub.got = ""
				sub.must()
				if got += sub.got; !strings.HasPrefix(want, got) {
					t.Fatalf("pushed%s\nof%s", got, want)
				}
			}
			sub.Close()
		})
	}
}
