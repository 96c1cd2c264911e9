package controller_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/vfs"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

const account, region = "000000000000", "us-east-1"

func controlLog(t *testing.T) commitlog.Log {
	t.Helper()
	store := commitlog.NewMemory(clock.NewManual(start), commitlog.Forever)
	t.Cleanup(func() { store.Close() })
	if err := store.Create(t.Context(), commitlog.ID{}, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Open(t.Context(), commitlog.ID{})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func options(log commitlog.Log, fs vfs.FS, c clock.Clock) controller.Options {
	return controller.Options{
		Log: log, FS: fs, Dir: "control", Clock: c, Session: rand.Uint64() | 1,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// running opens and runs a controller until stop, which waits for the end and gives Run's error.
func running(t *testing.T, o controller.Options) (c *controller.Controller, stop func() error) {
	t.Helper()
	c, err := controller.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- c.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { stop() })
	return c, stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every method gets its command through, its effect is in State when it returns, and refusals come back with kind and words.
func TestCommands(t *testing.T) {
	c, _ := running(t, options(controlLog(t), vfs.NewMem(), clock.NewManual(start)))
	ctx := t.Context()
	stream := func() *catalog.Stream { return c.State().Stream(account, region, "s") }
	must(t, c.Propose(ctx, catalog.CreateStream{Account: account, Region: region, Name: "s", ShardCount: 2}))
	if s := stream(); s == nil || s.Status != catalog.Creating || len(s.Shards) != 2 || !s.Created.Equal(start) || s.RetentionHours != 24 {
		t.Fatalf("%+v", s)
	}
	must(t, c.Propose(ctx, catalog.StreamReady{Group: 1}))
	must(t, c.Propose(ctx, catalog.IncreaseRetention{Account: account, Region: region, Name: "s", Hours: 72}))
	must(t, c.Propose(ctx, catalog.DecreaseRetention{Account: account, Region: region, Name: "s", Hours: 48}))
	must(t, c.Propose(ctx, catalog.AddTags{Account: account, Region: region, Name: "s", Tags: map[string]string{"a": "b", "c": "d"}}))
	must(t, c.Propose(ctx, catalog.RemoveTags{Account: account, Region: region, Name: "s", Keys: []string{"a"}}))
	must(t, c.Propose(ctx, catalog.UpdateMaxRecordSize{Account: account, Region: region, Name: "s", MaxRecordKiB: 2048}))
	if s := stream(); s.Status != catalog.Active || s.RetentionHours != 48 || fmt.Sprint(s.Tags) != "map[c:d]" || s.MaxRecordKiB != 2048 {
		t.Errorf("%+v", s)
	}
	must(t, c.Propose(ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s"}))
	must(t, c.Propose(ctx, catalog.StreamGone{Group: 1}))
	if stream() != nil {
		t.Error("the stream is still there")
	}
	must(t, c.Barrier(ctx))

	err := c.Propose(ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s"})
	if !fault.Is(err, fault.NotFound) || err.Error() != "Stream s under account 000000000000 not found." {
		t.Errorf("refusal: %v", err)
	}
	before := c.Applied()
	err = c.Propose(ctx, catalog.AddTags{Tags: map[string]string{"aws:x": ""}})
	if !fault.Is(err, fault.Invalid) || c.Applied() != before {
		t.Errorf("what makes no sense reached the log: %v", err)
	}
	if err := c.SetTestClock(ctx, catalog.SetTestClock{Now: start}); !fault.Is(err, fault.WrongState) {
		t.Errorf("a test clock in real time: %v", err)
	}
}

// Await and Watch wake whoever waits for a newer state.
func TestWatch(t *testing.T) {
	c, _ := running(t, options(controlLog(t), vfs.NewMem(), clock.NewManual(start)))
	state, changed := c.Watch()
	got := make(chan *catalog.State, 1)
	go func() {
		newer, err := c.Await(t.Context(), state.Version())
		if err != nil {
			t.Error(err)
		}
		got <- newer
	}()
	must(t, c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "s"}))
	<-changed
	if newer := <-got; newer.Version() <= state.Version() || newer.Len() != 1 || state.Len() != 0 {
		t.Errorf("version %d after %d, %d streams", newer.Version(), state.Version(), newer.Len())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Await(ctx, c.State().Version()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Await after its context: %v", err)
	}
}

// A deadline that passes brings a tick, and the tick its change; the manual clock is all that moves.
func TestTick(t *testing.T) {
	manual := clock.NewManual(start)
	c, _ := running(t, options(controlLog(t), vfs.NewMem(), manual))
	must(t, c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "s"}))
	must(t, c.Propose(t.Context(), catalog.StreamReady{Group: 1}))
	must(t, c.Propose(t.Context(), catalog.IncreaseRetention{Account: account, Region: region, Name: "s", Hours: 48}))
	due, some := c.State().NextDeadline()
	if !some {
		t.Fatal("no deadline")
	}
	manual.BlockUntil(1)
	version := c.State().Version()
	manual.AdvanceTo(due.Add(-time.Millisecond))
	must(t, c.Barrier(t.Context()))
	if c.State().Version() != version {
		t.Fatal("something changed before the deadline")
	}
	manual.Advance(time.Millisecond)
	state, err := c.Await(t.Context(), version)
	must(t, err)
	if s := state.Stream(account, region, "s"); !s.HorizonFloor.IsZero() {
		t.Errorf("floor %v after the tick", s.HorizonFloor)
	}
	if _, some := state.NextDeadline(); some {
		t.Error("a deadline is left")
	}
}

// The test clock resumes where it stood, also when the process is gone without notice, and does not go back.
func TestTestClockIsKept(t *testing.T) {
	log, fs := controlLog(t), vfs.NewMem()
	testOptions := func(start time.Time) (controller.Options, *clock.Manual) {
		manual := clock.NewManual(time.Unix(0, 0))
		o := options(log, fs, nil)
		o.TestClock, o.TestClockStart = manual, start
		return o, manual
	}
	o, manual := testOptions(start)
	c, stop := running(t, o)
	if !manual.Now().Equal(start) {
		t.Errorf("begins at %v", manual.Now())
	}
	fired := manual.NewTimer(30 * 24 * time.Hour)
	moved := start.Add(31 * 24 * time.Hour)
	must(t, c.SetTestClock(t.Context(), catalog.SetTestClock{Now: moved}))
	if at := <-fired.C(); !at.Equal(start.Add(30*24*time.Hour)) || !manual.Now().Equal(moved) {
		t.Errorf("timer at %v, clock at %v", at, manual.Now())
	}
	if err := c.SetTestClock(t.Context(), catalog.SetTestClock{Now: start}); !fault.Is(err, fault.Invalid) {
		t.Errorf("going back: %v", err)
	}
	must(t, c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "s"}))
	if got := c.State().Stream(account, region, "s").Created; !got.Equal(moved) {
		t.Errorf("a stream is created at %v", got)
	}
	must(t, stop())

	o, manual = testOptions(start.Add(time.Hour))
	c, _ = running(t, o)
	if !manual.Now().Equal(moved) {
		t.Errorf("resumes at %v, want %v", manual.Now(), moved)
	}
	must(t, c.SetTestClock(t.Context(), catalog.SetTestClock{Now: moved.Add(time.Second)}))
}

// A test clock that nobody has moved yet is kept, too: a restart begins where the first start did.
func TestStartOfTestClockIsKept(t *testing.T) {
	log, fs := controlLog(t), vfs.NewMem()
	o := options(log, fs, nil)
	o.TestClock, o.TestClockStart = clock.NewManual(time.Unix(0, 0)), start
	c, stop := running(t, o)
	if _, err := c.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	must(t, stop())
	o = options(log, fs, nil)
	o.TestClock, o.TestClockStart = clock.NewManual(time.Unix(0, 0)), start.Add(24*time.Hour)
	running(t, o)
	if got := o.TestClock.Now(); !got.Equal(start) {
		t.Errorf("resumes at %v, want %v", got, start)
	}
}

// Limits decide once: a smaller quota refuses new streams, and old commands are done as before when the log is read again.
func TestQuotaDoesNotChangeHistory(t *testing.T) {
	log := controlLog(t)
	c, stop := running(t, options(log, vfs.NewMem(), clock.NewManual(start)))
	must(t, c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "large", ShardCount: 1000}))
	must(t, stop())

	small, err := quota.New(map[quota.Name]int64{quota.Shards: 10})
	must(t, err)
	o := options(log, vfs.NewMem(), clock.NewManual(start))
	o.Quota = small
	c, _ = running(t, o)
	if s := c.State().Stream(account, region, "large"); s == nil || len(s.Shards) != 1000 {
		t.Errorf("the stream that was there: %v", s)
	}
	if err := c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "more", ShardCount: 1}); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("beyond the quota: %v", err)
	}
}

// A command of a newer version ends Run and every restart, by name and position.
func TestUnknownCommandStops(t *testing.T) {
	log, fs := controlLog(t), vfs.NewMem()
	c, stop := running(t, options(log, fs, clock.NewManual(start)))
	must(t, c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: "s"}))
	must(t, stop())
	var known batch.Record
	chunk, err := log.Read(t.Context(), 1, 1<<20)
	must(t, err)
	for records := batch.Iterate(chunk.Batches); records.Next(&known); {
	}
	newer := bytes.Replace(known.Value, []byte("CreateStream.2"), []byte("CreateStream.9"), 1)
	newer[18]++ // the last byte of the sequence: another command
	var b batch.Batch
	b.Append(known.Timestamp, nil, newer)
	position, err := log.Append(t.Context(), &b)
	must(t, err)
	_, err = controller.Open(t.Context(), options(log, fs, clock.NewManual(start)))
	if want := fmt.Sprintf(`control log at %d: command "CreateStream.9" is not known to this version of Weir`, position); !fault.Is(err, fault.Unsupported) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// duplicator appends every batch twice, now and then, and loses replies, before and after appending.
type duplicator struct {
	commitlog.Log
	mu sync.Mutex
	r  *rand.Rand
}

func (d *duplicator) Append(ctx context.Context, b *batch.Batch) (commitlog.Position, error) {
	d.mu.Lock()
	dice := d.r.IntN(10)
	d.mu.Unlock()
	if dice == 0 {
		return 0, fault.Unknown(fault.Unavailable, io.ErrUnexpectedEOF, "append")
	}
	position, err := d.Log.Append(ctx, b)
	if err == nil && dice == 1 {
		_, err = d.Log.Append(ctx, b)
	}
	if err == nil && dice == 2 {
		return 0, fault.Unknown(fault.Unavailable, io.ErrUnexpectedEOF, "append")
	}
	return position, err
}

// Trim does nothing: another reader follows the log from its beginning, at its own speed.
func (d *duplicator) Trim(context.Context, commitlog.Position) error { return nil }

// One controller restarts at random points, from snapshots and with another session each time, while replies get lost and appends come
// twice. Another follows the whole log from its beginning. Every answer is as a model expects it, and both come to the same bytes.
func TestRestartsAndLostReplies(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/controller -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	r := rand.New(rand.NewPCG(s, s))
	log, fs, manual := controlLog(t), vfs.NewMem(), clock.NewManual(start)
	follower, _ := running(t, options(log, vfs.NewMem(), manual))
	restart := func() (*controller.Controller, func() error) {
		o := options(&duplicator{Log: log, r: rand.New(rand.NewPCG(r.Uint64(), 1))}, fs, manual)
		o.SnapshotEvery = 20
		return running(t, o)
	}
	c, stop := restart()
	model := map[string]catalog.Status{}
	groups := map[string]uint64{}
	last := uint64(0)
	for range 600 {
		if r.IntN(30) == 0 {
			must(t, stop())
			c, stop = restart()
		}
		name := fmt.Sprint("s", r.IntN(4))
		status, there := model[name]
		var err error
		var want fault.Kind // Internal is none
		switch r.IntN(5) {
		case 0:
			err = c.Propose(t.Context(), catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: 1})
			if there {
				want = fault.Exists
			} else {
				last++
				model[name], groups[name] = catalog.Creating, last
			}
		case 1:
			err = c.Propose(t.Context(), catalog.StreamReady{Group: groups[name]})
			switch {
			case !there:
				want = fault.NotFound
			case status == catalog.Creating:
				model[name] = catalog.Active
			case status == catalog.Deleting:
				want = fault.WrongState
			}
		case 2:
			err = c.Propose(t.Context(), catalog.DeleteStream{Account: account, Region: region, Name: name})
			switch {
			case !there:
				want = fault.NotFound
			case status != catalog.Active:
				want = fault.WrongState
			default:
				model[name] = catalog.Deleting
			}
		case 3:
			err = c.Propose(t.Context(), catalog.StreamGone{Group: groups[name]})
			switch {
			case !there && groups[name] == 0:
				want = fault.NotFound
			case there && status != catalog.Deleting:
				want = fault.WrongState
			default:
				delete(model, name)
			}
		default:
			manual.Advance(time.Duration(r.IntN(10)) * time.Minute)
		}
		if want == fault.Internal && err != nil || want != fault.Internal && !fault.Is(err, want) {
			t.Fatalf("stream %s, there %v, %s: %v, want %v", name, there, status, err, want)
		}
		got := c.State().Stream(account, region, name)
		if now, there := model[name]; there != (got != nil) || there && (got.Status != now || got.Group != groups[name]) {
			t.Fatalf("stream %s is %+v, want %v", name, got, now)
		}
	}
	must(t, c.Barrier(t.Context()))
	must(t, follower.Barrier(t.Context()))
	if a, b := c.State().Encode(), follower.State().Encode(); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
	if !strings.Contains(string(follower.State().Encode()), fmt.Sprintf(`"lastGroup":%d`, last)) {
		t.Errorf("%d streams were created", last)
	}
}
