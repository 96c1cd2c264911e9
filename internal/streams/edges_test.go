package streams

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A pooled Put keeps little, however many shards its requests touched and however large each part was: parts of several requests must not
// add up to 500 times what one may keep.
func TestReleasedPutKeepsLittle(t *testing.T) {
	const parts = 64
	p := &Put{streams: new(Streams), partOf: make([]int32, parts), used: parts}
	for i := range parts {
		one := &part{open: int32(i)}
		one.batch.Grow(1 << 20)
		p.parts = append(p.parts, one)
	}
	p.Release()
	kept := 0
	for _, one := range p.parts {
		kept += one.batch.Cap()
	}
	if most := batchesKept; kept > most {
		t.Errorf("%d bytes kept, at most %d expected", kept, most)
	}
}

// failing is a store whose next creations of a stream's logs fail.
type failing struct {
	commitlog.Store
	left atomic.Int64
}

func (f *failing) Create(ctx context.Context, id commitlog.ID, config commitlog.Config) error {
	if id.Group > 0 && f.left.Add(-1) >= 0 {
		return fault.New(fault.Full, "no room")
	}
	return f.Store.Create(ctx, id, config)
}

type world struct {
	*testing.T
	ctx     context.Context
	clock   *clock.Manual
	store   *failing
	control *controller.Controller
	streams *Streams
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, func(c clock.Clock) commitlog.Store { return commitlog.NewMemory(c, commitlog.Forever) })
}

func newWorldOn(t *testing.T, open func(clock.Clock) commitlog.Store) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	w := &world{T: t, ctx: ctx, clock: clock.NewManual(time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC))}
	w.store = &failing{Store: open(w.clock)}
	w.check(w.store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	log, err := w.store.Open(ctx, commitlog.ID{})
	w.check(err)
	w.control, err = controller.Open(ctx, controller.Options{Log: log, FS: vfs.NewMem(), Dir: "control", Clock: w.clock, Session: 1})
	w.check(err)
	w.streams, err = New(Options{Store: w.store, Control: w.control, Clock: w.clock, Secret: make([]byte, 32), Random: rand.Reader})
	w.check(err)
	done := make(chan error, 2)
	go func() { done <- w.control.Run(ctx) }()
	go func() { done <- w.streams.Run(ctx, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(name string) {
	w.Helper()
	w.check(w.control.Propose(w.ctx, catalog.CreateStream{Account: "123456789012", Region: "eu-west-3", Name: name, ShardCount: 1}))
}

func (w *world) await(name string, is func(*catalog.Stream) bool) *catalog.Stream {
	w.Helper()
	for state := w.control.State(); ; {
		if s := state.Stream("123456789012", "eu-west-3", name); is(s) {
			return s
		}
		var err error
		state, err = w.control.Await(w.ctx, state.Version())
		w.check(err)
	}
}

func active(s *catalog.Stream) bool { return s != nil && s.Status == catalog.Active }
func gone(s *catalog.Stream) bool   { return s == nil }

// A failure that waits for another try does not hold back the test clock, on which that try may wait: otherwise whoever drains before moving the
// clock waits for ever.
func TestRetryDoesNotHoldTheClock(t *testing.T) {
	w := newWorld(t)
	w.store.left.Store(1)
	w.create("s")
	for !w.streams.Settled() && w.ctx.Err() == nil {
		runtime.Gosched()
	}
	if w.ctx.Err() != nil {
		t.Error("not settled: the retry waits for a clock that waits for the retry")
	}
}

// A sequence number of a deleted stream is not taken for one of the next stream of that name, also when both were made in one second.
func TestNumbersOfAnotherIncarnation(t *testing.T) {
	w := newWorld(t)
	put := func(s *catalog.Stream) string {
		p, err := w.streams.Begin(w.ctx, s)
		w.check(err)
		p.Add([]byte("k"), nil, 0)
		p.Commit(w.ctx)
		defer p.Release()
		w.check(p.Result(0).Err)
		return p.Result(0).Sequence.String()
	}
	w.create("s")
	old := put(w.await("s", active))
	w.check(w.control.Propose(w.ctx, catalog.DeleteStream{Account: "123456789012", Region: "eu-west-3", Name: "s"}))
	w.await("s", gone)
	w.create("s")
	s := w.await("s", active)
	if again := put(s); again == old {
		t.Errorf("two records have the number %s", old)
	}
	if _, err := w.streams.Iterator(w.ctx, s, "0", Start{Type: AfterSequence, Sequence: old}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a number of the deleted stream: %v", err)
	}
}

// Writers whose requests are cut off at any moment, while their memory goes round in the pool and readers follow: what was acknowledged is there once,
// under the number that was said, nothing is there twice under one number, and no record holds bytes of another.
func TestPutsCutOff(t *testing.T) {
	const writers, requests, perRequest = 6, 150, 5
	var store *disklog.Store
	w := newWorldOn(t, func(clock.Clock) commitlog.Store {
		var err error
		store, err = disklog.Open(disklog.Options{FS: vfs.NewMem(), Dir: "log"})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
	t.Cleanup(func() { store.Close() })
	w.check(w.control.Propose(w.ctx, catalog.CreateStream{Account: "123456789012", Region: "eu-west-3", Name: "s", ShardCount: 3}))
	s := w.await("s", active)
	value := func(key string) string { return strings.Repeat(key+".", 1+len(key)*7%50) }

	var mu sync.Mutex
	acked := map[string]string{} // key to number
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			random := mathrand.New(mathrand.NewPCG(uint64(writer), 1))
			for request := range requests {
				p, err := w.streams.Begin(w.ctx, s)
				if err != nil {
					t.Error(err)
					return
				}
				var keys []string
				for i := range perRequest {
					key := fmt.Sprintf("%d-%d-%d", writer, request, i)
					keys = append(keys, key)
					copy(p.Add([]byte(key), nil, len(value(key))), value(key))
				}
				ctx, cancel := context.WithCancel(w.ctx)
				if random.IntN(2) == 0 {
					go cancel()
				}
				p.Commit(ctx)
				for i, key := range keys {
					if r := p.Result(i); r.Err == nil {
						mu.Lock()
						acked[key] = r.ShardID + " " + r.Sequence.String()
						mu.Unlock()
					}
				}
				p.Release()
				cancel()
			}
		})
	}
	writing.Wait()

	found := map[string]string{}
	numbers := map[string]bool{}
	for shard := range 3 {
		token, err := w.streams.Iterator(w.ctx, s, fmt.Sprint(shard), Start{Type: TrimHorizon})
		w.check(err)
		for {
			got, err := w.streams.Get(w.ctx, token, 37, make([]batch.Record, 0, 8), func(*catalog.Stream) error { return nil })
			w.check(err)
			for i := range got.Records {
				r := &got.Records[i]
				key, number := string(r.Key), got.Shard.ID+" "+got.Shard.SequenceOf(r).String()
				if string(r.Value) != value(key) {
					t.Fatalf("record %s holds %q", key, r.Value)
				}
				if found[key] != "" || numbers[number] {
					t.Fatalf("record %s or number %s twice", key, number)
				}
				found[key], numbers[number] = number, true
			}
			if got.MillisBehind == 0 && len(got.Records) == 0 {
				break
			}
			token = got.Next
		}
	}
	for key, number := range acked {
		if found[key] != number {
			t.Errorf("%s was acknowledged at %s and is at %q", key, number, found[key])
		}
	}
	if len(acked) == 0 || len(acked) == writers*requests*perRequest {
		t.Errorf("%d acknowledged: the test cuts nothing off", len(acked))
	}
}

// blind is a store whose streams' logs cannot be searched by time: the place that may hold the answer is damaged.
type blind struct{ commitlog.Store }

type blindLog struct{ commitlog.Log }

func (b blind) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	log, err := b.Store.Open(ctx, id)
	if err != nil || id.Group == 0 {
		return log, err
	}
	return blindLog{log}, nil
}

func (blindLog) PositionAt(context.Context, time.Time) (commitlog.Position, error) {
	return 0, fault.New(fault.Corrupt, "damaged")
}

// Damage at the beginning of a shard does not keep readers from beginning there: reading says what is wrong, and where.
func TestTrimHorizonOfDamagedShard(t *testing.T) {
	w := newWorldOn(t, func(c clock.Clock) commitlog.Store { return blind{commitlog.NewMemory(c, commitlog.Forever)} })
	w.create("s")
	s := w.await("s", active)
	if _, err := w.streams.Iterator(w.ctx, s, "0", Start{Type: TrimHorizon}); err != nil {
		t.Error(err)
	}
	if _, err := w.streams.Iterator(w.ctx, s, "0", Start{Type: AtTimestamp, Timestamp: w.clock.Now()}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a time cannot be found: %v", err)
	}
}
