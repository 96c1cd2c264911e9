package readers_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every test here runs the real control plane, streams and checkpoints over the in-memory log, with a clock that is moved by hand.

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

const account, region = "123456789012", "eu-west-3"

type world struct {
	*testing.T
	clock       *clock.Manual
	control     *controller.Controller
	streams     *streams.Streams
	checkpoints *readers.Checkpoints

	mu  sync.Mutex // guards the rest
	got []string   // shard/text, in the order in which they were committed
	lag []readers.Event
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func setUp(t *testing.T) *world {
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{T: t, clock: clock.NewManual(start)}
	store := commitlog.NewMemory(w.clock, commitlog.Forever)
	open := func(member uint32) commitlog.Log {
		must(t, store.Create(ctx, commitlog.ID{Member: member}, commitlog.Config{}))
		log, err := store.Open(ctx, commitlog.ID{Member: member})
		must(t, err)
		return log
	}
	var err error
	w.control, err = controller.Open(ctx, controller.Options{Log: open(0), FS: vfs.NewMem(), Dir: "control", Clock: w.clock, Session: 1})
	must(t, err)
	w.streams, err = streams.New(streams.Options{Store: store, Control: w.control, Clock: w.clock, Secret: make([]byte, 32), Random: rand.Reader})
	must(t, err)
	w.checkpoints, err = readers.OpenCheckpoints(ctx, readers.CheckpointOptions{Log: open(4), FS: vfs.NewMem(), Dir: "checkpoints", Clock: w.clock, Session: 1, TestClock: true})
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() { _ = w.control.Run(ctx) })
	all.Go(func() { _ = w.streams.Run(ctx, slog.New(slog.DiscardHandler)) })
	all.Go(func() { _ = w.checkpoints.Run(ctx) })
	t.Cleanup(func() { cancel(); all.Wait(); store.Close() })
	return w
}

func (w *world) create(name string, shards int) {
	w.Helper()
	must(w.T, w.control.Propose(w.Context(), catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: shards}))
	w.active(name)
}

func (w *world) active(name string) *catalog.Stream {
	w.Helper()
	for state := w.control.State(); ; {
		if s := state.Stream(account, region, name); s != nil && s.Status == catalog.Active {
			return s
		}
		var err error
		state, err = w.control.Await(w.Context(), state.Version())
		must(w.T, err)
	}
}

func (w *world) reshard(name string, to int) {
	w.Helper()
	must(w.T, w.control.Propose(w.Context(), catalog.UpdateShardCount{Address: catalog.Address{Account: account, Region: region, Name: name}, Target: to}))
	w.active(name)
}

// put puts key=text records.
func (w *world) put(name string, texts ...string) {
	w.Helper()
	p, err := w.streams.Begin(w.Context(), w.control.State().Stream(account, region, name))
	must(w.T, err)
	for _, text := range texts {
		key, _, _ := strings.Cut(text, "=")
		copy(p.Add([]byte(key), nil, len(text)), text)
	}
	p.Commit(w.Context())
	for i := range texts {
		must(w.T, p.Result(i).Err)
	}
	p.Release()
}

// read starts a reader that commits after each chunk of up to three records, and waits until it has begun.
func (w *world) read(name string, from readers.Start) (activity *readers.Activity, stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	begun := make(chan struct{})
	activity = new(readers.Activity)
	r := readers.New(readers.Options{
		Source: &readers.Kinesis{Streams: w.streams, Control: w.control, Account: account, Region: region, Name: name}, Consumer: "test", Start: from,
		Checkpoints: w.checkpoints, Clock: w.clock, Begun: func() { close(begun) }, Activity: activity, Consume: w.consume,
		OnEvent: func(e readers.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if e.Kind == readers.Lost {
				w.lag = append(w.lag, e)
			}
			if e.Kind == readers.Failed {
				w.Log(e.Shard, e.Err)
			}
		},
	})
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.Cleanup(stop)
	<-begun
	return activity, stop
}

func (w *world) consume(ctx context.Context, shard *readers.Shard) error {
	for {
		chunk, err := shard.Read(ctx, 3)
		if err != nil {
			return err
		}
		// A commit that is given up may have happened: a test that stops a reader must know what it did.
		if err := shard.Commit(context.WithoutCancel(ctx), chunk.Next, nil); err != nil {
			return err
		}
		w.mu.Lock()
		for _, r := range chunk.Records {
			w.got = append(w.got, shard.ID[len(shard.ID)-1:]+"/"+string(r.Data))
		}
		w.mu.Unlock()
		if chunk.End {
			return shard.Finish(ctx)
		}
		if len(chunk.Records) == 0 {
			if err := shard.Await(ctx, readers.Wait{Records: true}); err != nil {
				return err
			}
		}
	}
}

// settled waits until a reader has nothing to do, and gives what has been read.
func (w *world) settled(a *readers.Activity) []string {
	w.Helper()
	w.eventually("a reader to settle", func() bool { return w.streams.Settled() && a.Settled() })
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

func (w *world) eventually(what string, condition func() bool) {
	w.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			w.Fatal("waited for ", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func (w *world) want(got []string, want ...string) {
	w.Helper()
	if !slices.Equal(got, want) {
		w.Errorf("read %q, want %q", got, want)
	}
}

// Each way to begin begins where it says, and remembers it: what came before the reader ran again is read, and nothing twice.
func TestStarts(t *testing.T) {
	for name, row := range map[string]struct {
		start readers.Start
		want  []string
	}{
		"trim horizon": {readers.Start{}, []string{"0/k=1", "0/k=2", "0/k=3", "0/k=4"}},
		"latest":       {readers.Start{Type: readers.Latest}, []string{"0/k=3", "0/k=4"}},
		"at timestamp": {readers.Start{Type: readers.AtTimestamp, Time: start.Add(time.Second)}, []string{"0/k=2", "0/k=3", "0/k=4"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := setUp(t)
			w.create("s", 1)
			w.put("s", "k=1")
			w.clock.Advance(time.Second)
			w.put("s", "k=2")
			w.clock.Advance(time.Second)
			_, stop := w.read("s", row.start)
			stop() // where it begins is known from here on
			w.put("s", "k=3")
			a, stop := w.read("s", row.start)
			w.put("s", "k=4")
			w.want(w.settled(a), row.want...)
			stop()
			a, _ = w.read("s", row.start)
			w.want(w.settled(a), row.want...)
		})
	}
}

// Shards that close are read before those that took over, through a split and a merge, also when the reader comes late and when it began with what is latest; what is
// done is not read again after a restart.
func TestParentsBeforeChildren(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			w := setUp(t)
			w.create("s", 1)
			from := readers.Start{Type: readers.Latest}
			if late {
				from = readers.Start{}
			}
			var a *readers.Activity
			if !late {
				a, _ = w.read("s", from)
			}
			for round, shards := range []int{1, 2, 1} {
				if round > 0 {
					w.reshard("s", shards)
				}
				for i := range 20 {
					w.put("s", fmt.Sprintf("%d=%d.%d", i%5, round, i))
				}
			}
			if late {
				a, _ = w.read("s", from)
			}
			got := w.settled(a)
			if len(got) != 60 {
				t.Fatalf("%d records: %q", len(got), got)
			}
			last := map[string]string{}
			for _, text := range got {
				_, record, _ := strings.Cut(text, "/")
				key, value, _ := strings.Cut(record, "=")
				round, i, _ := strings.Cut(value, ".")
				if value = round + fmt.Sprintf("%2s", i); value <= last[key] {
					t.Errorf("key %s: %q after %q", key, value, last[key])
				}
				last[key] = value
			}
			a, _ = w.read("s", from)
			if again := w.settled(a); len(again) != 60 {
				t.Errorf("read again: %q", again[60:])
			}
		})
	}
}

// Records that expired unread are told, with where reading goes on; shards that expire leave no checkpoint behind.
func TestLostToRetention(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	a, stop := w.read("s", readers.Start{})
	w.put("s", "k=1")
	w.want(w.settled(a), "0/k=1")
	stop()
	w.put("s", "k=2", "k=3")
	w.clock.Advance(25 * time.Hour)
	w.put("s", "k=4")
	a, _ = w.read("s", readers.Start{})
	w.want(w.settled(a), "0/k=1", "0/k=4")
	w.mu.Lock()
	if len(w.lag) != 1 || w.lag[0].From != 1 || w.lag[0].To != 3 {
		t.Errorf("events %+v", w.lag)
	}
	w.mu.Unlock()
	w.reshard("s", 2)
	w.settled(a)
	if left := w.checkpoints.Shards("test"); len(left) != 4 { // three shards, and that it has begun
		t.Errorf("checkpoints %v", left)
	}
	w.clock.Advance(26 * time.Hour)
	w.put("s", "k=5")
	w.eventually("the shard to expire", func() bool { return len(w.checkpoints.Shards("test")) == 3 })
}

// A stream that is deleted and made again is read from its beginning; a consumer that is not registered reads nothing.
func TestIncarnations(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	a, _ := w.read("s", readers.Start{Type: readers.Latest})
	w.put("s", "k=1")
	w.want(w.settled(a), "0/k=1")
	must(t, w.control.Propose(t.Context(), catalog.DeleteStream{Account: account, Region: region, Name: "s", WithConsumers: true}))
	w.eventually("the stream to go", func() bool { return w.control.State().Stream(account, region, "s") == nil })
	w.create("s", 1)
	w.put("s", "k=2")
	w.eventually("the new stream to be read", func() bool { return slices.Equal(w.settled(a), []string{"0/k=1", "0/k=2"}) })
	k := &readers.Kinesis{Streams: w.streams, Control: w.control, Account: account, Region: region, Name: "s", Consumer: "arn:aws:kinesis:x"}
	if _, _, err := k.Shards(t.Context()); !fault.Is(err, fault.NotFound) {
		t.Errorf("a consumer that is not there: %v", err)
	}
}
