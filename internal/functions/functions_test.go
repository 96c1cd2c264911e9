package functions

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/sandbox"
	"github.com/weir-stream/weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

const (
	account = "123456789012"
	region  = "us-east-1"
)

// pretend is a sandbox that answers as a test says.
type pretend struct {
	mu     sync.Mutex
	calls  []sandbox.Event
	to     []*sandbox.Function
	answer func(call int, f *sandbox.Function, e sandbox.Event) (sandbox.Outcome, error)
	forgot []string
}

func (p *pretend) Invoke(ctx context.Context, f *sandbox.Function, e sandbox.Event) (sandbox.Outcome, error) {
	p.mu.Lock()
	p.calls, p.to = append(p.calls, e), append(p.to, f)
	n, answer := len(p.calls), p.answer
	p.mu.Unlock()
	if answer == nil {
		return sandbox.Outcome{Payload: e.Payload}, nil
	}
	return answer(n, f, e)
}

func (p *pretend) called() []sandbox.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func (p *pretend) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgot = append(p.forgot, key)
}

type noCredentials struct{}

func (noCredentials) Credentials(account string) ([]string, error) {
	return []string{"AWS_ACCESS_KEY_ID=" + account}, nil
}

// world is what outlives a Functions: its logs, its disk and its clock.
type world struct {
	t       *testing.T
	store   commitlog.Store
	fs      vfs.FS
	clock   *clock.Manual
	cache   string
	pretend *pretend
	session uint64
	change  func(*Options)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: commitlog.NewMemory(clock.Real, commitlog.Forever), fs: vfs.NewMem(), clock: clock.NewManual(start), cache: t.TempDir(), pretend: &pretend{}}
	for member := range uint32(2) {
		if err := w.store.Create(t.Context(), commitlog.ID{Member: member}, commitlog.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.store.Close() })
	return w
}

// open runs Functions until stop, or the end of the test.
func (w *world) open() (f *Functions, stop func()) {
	w.t.Helper()
	logs := make([]commitlog.Log, 2)
	for member := range uint32(2) {
		var err error
		if logs[member], err = w.store.Open(w.t.Context(), commitlog.ID{Member: member}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.session++
	o := Options{
		Log: logs[0], Events: logs[1], FS: w.fs, Dir: "functions", Clock: w.clock, Session: w.session, TestClock: true, Sandbox: w.pretend, Forget: w.pretend.forget,
		Cache: w.cache, Credentials: noCredentials{}, Random: rand.Reader, Runs: func(string) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}
	if w.change != nil {
		w.change(&o)
	}
	f, err := Open(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error("Run:", err)
		}
	})
	w.t.Cleanup(stop)
	return f, stop
}

func zipOf(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	to, err := z.Create("bootstrap")
	if err == nil {
		_, err = to.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func named(name string) Name { return Name{account, region, name} }

func arnOf(name string) string {
	return "arn:aws:lambda:" + region + ":" + account + ":function:" + name
}

// create makes a function and waits until it is Active.
func create(t *testing.T, f *Functions, name string) {
	t.Helper()
	code, release, err := f.Keep(zipOf(t, "code of "+name))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := f.Propose(t.Context(), CreateFunction{Name: named(name), Code: code, Config: config(), CodeBytesMax: 1 << 30}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.await(t.Context(), arnOf(name)); err != nil {
		t.Fatal(err)
	}
}

func config() Config {
	return Config{Runtime: "provided.al2023", Handler: "bootstrap", Role: "arn:aws:iam::123456789012:role/r", MemoryMB: 128, TimeoutSeconds: 3, EphemeralMB: 512, Architecture: "x86_64"}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatal("waited for ", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// A function is Pending until its code is unpacked, is invoked with its environment, and is there after a restart; a change makes another key.
func TestLife(t *testing.T) {
	w := newWorld(t)
	f, stop := w.open()
	create(t, f, "tolls")
	result, err := f.Invoke(t.Context(), Request{Function: arnOf("tolls"), Payload: []byte(`{"a":1}`)})
	if err != nil || string(result.Payload) != `{"a":1}` || result.Version != Latest || result.RequestID == "" {
		t.Errorf("%+v, %v", result, err)
	}
	to := w.pretend.to[0]
	if to.Name != "tolls" || to.ARN != arnOf("tolls") || !slices.Contains(to.Env, "AWS_ACCESS_KEY_ID="+account) || !sandbox.Unpacked(to.Code) || to.Timeout != 3*time.Second {
		t.Errorf("%+v", to)
	}
	if _, err := f.Invoke(t.Context(), Request{Function: arnOf("nobody")}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
	stop()
	f, _ = w.open()
	if result, err := f.Invoke(t.Context(), Request{Function: arnOf("tolls:$LATEST")}); err != nil || string(result.Payload) != "{}" {
		t.Errorf("after a restart: %+v, %v", result, err)
	}
	if w.pretend.to[1].Key != to.Key {
		t.Error("the same function has another key")
	}
	code, release, err := f.Keep(zipOf(t, "other code"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Propose(t.Context(), UpdateCode{Name: named("tolls"), Code: code, CodeBytesMax: 1 << 30}, nil); err != nil {
		t.Fatal(err)
	}
	release()
	eventually(t, "the old processes to be let go", func() bool {
		w.pretend.mu.Lock()
		defer w.pretend.mu.Unlock()
		return slices.Contains(w.pretend.forgot, to.Key)
	})
	eventually(t, "the old code to be swept", func() bool {
		names, err := w.fs.List("functions/code")
		return err == nil && slices.Equal(names, []string{code.SHA256 + ".zip"})
	})
}

// What was unpacked of a code stays while something may be running with it, and not for ever.
func TestUnpackedCodeGoes(t *testing.T) {
	w := newWorld(t)
	w.change = func(o *Options) { o.Backoff = w.clock }
	f, _ := w.open()
	create(t, f, "f")
	create(t, f, "g")
	dir := filepath.Join(w.cache, f.Catalog().Function(account, region, "f").Latest.Code.SHA256)
	kept := filepath.Join(w.cache, f.Catalog().Function(account, region, "g").Latest.Code.SHA256)
	change := func(value string) {
		t.Helper()
		if err := f.Propose(t.Context(), Tag{Name: named("g"), Tags: map[string]string{"k": value}, Most: 9}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the change to be looked at", func() bool { return f.Settled(w.clock.Now()) })
	}
	if err := f.Propose(t.Context(), DeleteFunction{Name: named("f")}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change to be looked at", func() bool { return f.Settled(w.clock.Now()) })
	w.clock.Advance(unpackedKept - time.Second)
	change("early")
	if !sandbox.Unpacked(dir) {
		t.Error("it went while something may run with it")
	}
	w.clock.Advance(time.Second)
	change("late")
	if sandbox.Unpacked(dir) || !sandbox.Unpacked(kept) {
		t.Errorf("the old one is there: %v, the other: %v", sandbox.Unpacked(dir), sandbox.Unpacked(kept))
	}
}

// A reservation of 0 stops a function, one of 1 lets one at a time run, and what is reserved is taken from the others.
func TestConcurrency(t *testing.T) {
	w := newWorld(t)
	w.change = func(o *Options) { o.ConcurrencyMax = 2 }
	f, _ := w.open()
	create(t, f, "a")
	create(t, f, "b")
	hold := make(chan struct{})
	w.pretend.answer = func(int, *sandbox.Function, sandbox.Event) (sandbox.Outcome, error) {
		<-hold
		return sandbox.Outcome{}, nil
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer close(hold)
	begin := func(name string) {
		t.Helper()
		before := len(w.pretend.called())
		all.Go(func() { _, _ = f.Invoke(context.Background(), Request{Function: arnOf(name)}) })
		eventually(t, name+" to run", func() bool { return len(w.pretend.called()) > before })
	}
	throttled := func(name string) {
		t.Helper()
		if _, err := f.Invoke(t.Context(), Request{Function: arnOf(name)}); !fault.Is(err, fault.Throttled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	reserve := func(name string, n int) error {
		return f.Propose(t.Context(), SetConcurrency{Name: named(name), Reserved: &n, Most: 2}, nil)
	}
	if err := reserve("a", 0); err != nil {
		t.Fatal(err)
	}
	throttled("a")
	if err := reserve("a", 1); err != nil {
		t.Fatal(err)
	}
	if err := reserve("b", 2); !fault.Is(err, fault.Invalid) {
		t.Errorf("more than there is: %v", err)
	}
	begin("a")
	throttled("a")
	begin("b")
	throttled("b") // one of two is a's
}

func sendEvent(f *Functions, t *testing.T, name, payload string) string {
	t.Helper()
	id, err := f.InvokeEvent(t.Context(), Request{Function: arnOf(name), Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// An event that fails is tried again after one and after two minutes, under one id, and then goes to its destination; one that succeeds does once.
func TestEventRetries(t *testing.T) {
	w := newWorld(t)
	f, _ := w.open()
	create(t, f, "bad")
	create(t, f, "after")
	if err := f.Propose(t.Context(), SetEventConfig{Name: named("bad"), Config: EventConfig{OnFailure: arnOf("after")}}, nil); err != nil {
		t.Fatal(err)
	}
	w.pretend.answer = func(_ int, to *sandbox.Function, e sandbox.Event) (sandbox.Outcome, error) {
		if to.Name == "bad" {
			return sandbox.Outcome{Payload: []byte(`{"errorType":"E"}`), FunctionError: "Unhandled"}, nil
		}
		return sandbox.Outcome{Payload: []byte(`null`)}, nil
	}
	id := sendEvent(f, t, "bad", `{"car":7}`)
	for i, wait := range []time.Duration{0, time.Minute, 2 * time.Minute} {
		w.clock.Advance(wait - min(wait, time.Second))
		eventually(t, "the queue to settle", func() bool { return f.Settled(w.clock.Now()) })
		if calls := w.pretend.called(); wait > 0 && len(calls) != i {
			t.Fatalf("%d calls a second before try %d", len(calls), i+1)
		}
		w.clock.Advance(min(wait, time.Second))
		eventually(t, "the queue to settle", func() bool { return len(w.pretend.called()) > i && f.Settled(w.clock.Now()) })
	}
	calls := w.pretend.called()
	if len(calls) != 4 || calls[0].RequestID != id || calls[1].RequestID != id || calls[2].RequestID != id || calls[3].RequestID == id {
		t.Fatalf("%+v", calls)
	}
	var d outcomeDocument
	if err := json.Unmarshal(calls[3].Payload, &d); err != nil {
		t.Fatal(err)
	}
	if d.RequestContext.Condition != conditionExhausted || d.RequestContext.ApproximateInvokeCount != 3 || d.RequestContext.RequestID != id ||
		d.RequestContext.FunctionARN != arnOf("bad:$LATEST") || string(d.RequestPayload) != `{"car":7}` || d.ResponseContext.FunctionError != "Unhandled" ||
		string(d.ResponsePayload) != `{"errorType":"E"}` || d.Timestamp != "2026-11-18T13:03:00.000Z" {
		t.Errorf("%s", calls[3].Payload)
	}
	if f.Waiting() != 0 {
		t.Errorf("%d events wait", f.Waiting())
	}
}

// A throttled event costs no retry, waits longer each time, and is given up when it is too old.
func TestEventThrottled(t *testing.T) {
	w := newWorld(t)
	f, _ := w.open()
	create(t, f, "slow")
	create(t, f, "after")
	age := 600
	if err := f.Propose(t.Context(), SetEventConfig{Name: named("slow"), Config: EventConfig{OnFailure: arnOf("after"), AgeSeconds: &age}}, nil); err != nil {
		t.Fatal(err)
	}
	none := 0
	if err := f.Propose(t.Context(), SetConcurrency{Name: named("slow"), Reserved: &none, Most: 900}, nil); err != nil {
		t.Fatal(err)
	}
	sendEvent(f, t, "slow", `1`)
	for range 15 {
		eventually(t, "the queue to settle", func() bool { return f.Settled(w.clock.Now()) })
		w.clock.Advance(time.Minute)
	}
	eventually(t, "the queue to settle", func() bool { return f.Settled(w.clock.Now()) })
	calls := w.pretend.called()
	if len(calls) != 1 || w.pretend.to[0].Name != "after" || !strings.Contains(string(calls[0].Payload), conditionAge) {
		t.Fatalf("%+v", calls)
	}
	if err := f.Propose(t.Context(), SetConcurrency{Name: named("slow")}, nil); err != nil {
		t.Fatal(err)
	}
	sendEvent(f, t, "slow", `2`)
	eventually(t, "the event to run", func() bool { return len(w.pretend.called()) == 2 })
}

// Events that were acknowledged and not done run after a restart, also when the node stopped in the middle of one; those that were done do not.
func TestEventsAfterRestart(t *testing.T) {
	w := newWorld(t)
	f, stop := w.open()
	create(t, f, "f")
	sendEvent(f, t, "f", `"first"`)
	eventually(t, "the first", func() bool { return f.Settled(w.clock.Now()) && f.Waiting() == 0 })
	running := make(chan struct{})
	end := make(chan struct{})
	w.pretend.answer = func(int, *sandbox.Function, sandbox.Event) (sandbox.Outcome, error) {
		close(running)
		<-end
		return sandbox.Outcome{}, fault.New(fault.Unavailable, "stopped")
	}
	sendEvent(f, t, "f", `"second"`)
	<-running
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	eventually(t, "Run to end", func() bool {
		select {
		case end <- struct{}{}:
		default:
		}
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	})
	w.pretend.mu.Lock()
	w.pretend.answer, w.pretend.calls = nil, nil
	w.pretend.mu.Unlock()
	f, _ = w.open()
	eventually(t, "the second", func() bool { return f.Settled(w.clock.Now()) && f.Waiting() == 0 })
	if calls := w.pretend.called(); len(calls) != 1 || string(calls[0].Payload) != `"second"` {
		t.Errorf("%+v", calls)
	}
}

// The log of events holds what is not done and little more.
func TestEventLogIsTrimmed(t *testing.T) {
	w := newWorld(t)
	f, _ := w.open()
	create(t, f, "f")
	for i := range 2 * trimEvery {
		sendEvent(f, t, "f", fmt.Sprint(i))
	}
	eventually(t, "all events", func() bool { return f.Settled(w.clock.Now()) && f.Waiting() == 0 })
	eventually(t, "the trim", func() bool {
		sendEvent(f, t, "f", `"more"`) // trims come with records
		bounds, err := f.options.Events.Bounds(t.Context())
		return err == nil && bounds.Next-bounds.First <= 2*trimEvery
	})
}

// Where events may not go on for ever, they do not.
func TestEventLoopEnds(t *testing.T) {
	w := newWorld(t)
	f, _ := w.open()
	create(t, f, "f")
	if err := f.Propose(t.Context(), SetEventConfig{Name: named("f"), Config: EventConfig{OnSuccess: arnOf("f")}}, nil); err != nil {
		t.Fatal(err)
	}
	w.pretend.answer = func(int, *sandbox.Function, sandbox.Event) (sandbox.Outcome, error) {
		return sandbox.Outcome{Payload: []byte("null")}, nil
	}
	sendEvent(f, t, "f", `1`)
	eventually(t, "the loop to end", func() bool { return f.Settled(w.clock.Now()) && f.Waiting() == 0 })
	if calls := w.pretend.called(); len(calls) != hopsMax+1 {
		t.Errorf("%d calls", len(calls))
	}
}

// What cannot be taken is refused before anything is written.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.change = func(o *Options) { o.EventsMax = 1 }
	f, _ := w.open()
	create(t, f, "f")
	large := []byte(`"` + strings.Repeat("x", EventPayloadBytesMax) + `"`)
	for name, row := range map[string]struct {
		r    Request
		kind fault.Kind
	}{
		"no JSON":       {Request{Function: arnOf("f"), Payload: []byte("{")}, fault.Invalid},
		"too large":     {Request{Function: arnOf("f"), Payload: large}, fault.LimitExceeded},
		"nobody":        {Request{Function: arnOf("g")}, fault.NotFound},
		"no such alias": {Request{Function: arnOf("f:live")}, fault.NotFound},
		"no function":   {Request{Function: "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, fault.Invalid},
	} {
		if _, err := f.InvokeEvent(t.Context(), row.r); !fault.Is(err, row.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := f.Keep([]byte("no zip")); !fault.Is(err, fault.Invalid) {
		t.Errorf("no zip: %v", err)
	}
	hold := make(chan struct{})
	w.pretend.answer = func(int, *sandbox.Function, sandbox.Event) (sandbox.Outcome, error) {
		<-hold
		return sandbox.Outcome{}, nil
	}
	sendEvent(f, t, "f", `1`)
	if _, err := f.InvokeEvent(t.Context(), Request{Function: arnOf("f")}); !fault.Is(err, fault.Throttled) {
		t.Errorf("more than wait: %v", err)
	}
	close(hold)
}
