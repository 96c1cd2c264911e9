package mapping

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/arn"
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

// Every test here runs the real control plane, streams, readers and mappings over the in-memory log, with a clock that is moved by hand and functions that are Go.

var (
	seed  = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")
	start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)
)

const (
	account = "123456789012"
	region  = "eu-west-3"
	role    = "arn:aws:iam::123456789012:role/tolls"
)

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *mathrand.Rand {
	s := *seed
	if s == 0 {
		s = mathrand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/functions/mapping -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return mathrand.New(mathrand.NewPCG(s, s))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// event is what a function is given.
type event struct {
	Records []struct {
		Kinesis struct {
			Key, Number string
			Data        []byte
		}
		ID string `json:"eventID"`
	}
	windowEvent
	raw string
	at  time.Time
}

func (e *event) UnmarshalJSON(b []byte) error {
	var w struct {
		Records []struct {
			Kinesis struct {
				Key    string `json:"partitionKey"`
				Number string `json:"sequenceNumber"`
				Data   []byte `json:"data"`
			} `json:"kinesis"`
			ID string `json:"eventID"`
		}
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	e.Records = nil
	for _, r := range w.Records {
		out := struct {
			Kinesis struct {
				Key, Number string
				Data        []byte
			}
			ID string `json:"eventID"`
		}{ID: r.ID}
		out.Kinesis.Key, out.Kinesis.Number, out.Kinesis.Data = r.Kinesis.Key, r.Kinesis.Number, r.Kinesis.Data
		e.Records = append(e.Records, out)
	}
	e.raw = string(b)
	return json.Unmarshal(b, &e.windowEvent)
}

// data is what the records hold.
func (e *event) data() string {
	var out []string
	for i := range e.Records {
		out = append(out, string(e.Records[i].Kinesis.Data))
	}
	return strings.Join(out, " ")
}

func (e *event) number(data string) string {
	for i := range e.Records {
		if string(e.Records[i].Kinesis.Data) == data {
			return e.Records[i].Kinesis.Number
		}
	}
	return ""
}

// functions are Go functions by name.
type functions struct {
	clock clock.Clock

	mu    sync.Mutex // guards everything below
	calls map[string][]*event
	do    map[string]func(ctx context.Context, e *event) (Result, error)
}

func (f *functions) Role(functionARN string) (string, error) { return role, nil }

func (f *functions) Invoke(ctx context.Context, r Request) (Result, error) {
	e := new(event)
	if err := json.Unmarshal(r.Payload, e); err != nil {
		return Result{}, err
	}
	name := nameOf(r.Function)
	e.at = f.clock.Now()
	f.mu.Lock()
	f.calls[name] = append(f.calls[name], e)
	do := f.do[name]
	id := fmt.Sprintf("request-%d", len(f.calls[name]))
	f.mu.Unlock()
	result := Result{}
	if do != nil {
		var err error
		if result, err = do(ctx, e); err != nil {
			return Result{}, err
		}
	}
	result.RequestID, result.Version = id, "$LATEST"
	return result, nil
}

// objects keeps what was put.
type objects struct {
	mu   sync.Mutex // guards everything below
	put  map[string][]byte
	fail int // this many puts fail first
}

func (o *objects) Put(_ context.Context, _, _, bucket, key string, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail > 0 {
		o.fail--
		return fault.New(fault.Full, "no room")
	}
	o.put[bucket+"/"+key] = body
	return nil
}

// world is what outlives an Engine, and the Engine.
type world struct {
	*testing.T
	clock       *clock.Manual
	store       commitlog.Store
	control     *controller.Controller
	streams     *streams.Streams
	functions   *functions
	objects     *objects
	sources     Sources // nil: data streams
	checkpoints *readers.Checkpoints
	engine      *Engine
	crash       func() // ends the engine and the checkpoints, as kill -9 does
	session     uint64
	fs          vfs.FS
}

func setUp(t *testing.T) *world {
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{T: t, clock: clock.NewManual(start), objects: &objects{put: map[string][]byte{}}, fs: vfs.NewMem()}
	w.functions = &functions{clock: w.clock, calls: map[string][]*event{}, do: map[string]func(context.Context, *event) (Result, error){}}
	w.store = commitlog.NewMemory(w.clock, commitlog.Forever)
	for _, member := range []uint32{0, 4, 5} {
		must(t, w.store.Create(ctx, commitlog.ID{Member: member}, commitlog.Config{}))
	}
	var err error
	w.control, err = controller.Open(ctx, controller.Options{Log: w.log(0), FS: w.fs, Dir: "control", Clock: w.clock, Session: 1})
	must(t, err)
	w.streams, err = streams.New(streams.Options{Store: w.store, Control: w.control, Clock: w.clock, Secret: make([]byte, 32), Random: rand.Reader})
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() { _ = w.control.Run(ctx) })
	all.Go(func() { _ = w.streams.Run(ctx, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() { w.crash(); cancel(); all.Wait(); w.store.Close() })
	w.open()
	return w
}

func (w *world) log(member uint32) commitlog.Log {
	log, err := w.store.Open(context.Background(), commitlog.ID{Member: member})
	must(w.T, err)
	return log
}

// open starts mappings and checkpoints, the first time or after crash.
func (w *world) open() {
	w.Helper()
	w.session++
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	w.checkpoints, err = readers.OpenCheckpoints(ctx, readers.CheckpointOptions{Log: w.log(4), FS: w.fs, Dir: "checkpoints", Clock: w.clock, Session: w.session, TestClock: true})
	must(w.T, err)
	o := Options{
		Log: w.log(5), FS: w.fs, Dir: "mappings", Clock: w.clock, Session: w.session, TestClock: true, Checkpoints: w.checkpoints, Sources: w.sources, Functions: w.functions,
		Objects: w.objects, Random: rand.Reader, Logger: slog.New(slog.NewTextHandler(w.T.Output(), nil)),
	}
	if o.Sources == nil {
		o.Sources = kinesisSources{w}
	}
	w.engine, err = Open(ctx, o)
	must(w.T, err)
	var all sync.WaitGroup
	all.Go(func() { _ = w.checkpoints.Run(ctx) })
	all.Go(func() { _ = w.engine.Run(ctx) })
	w.crash = sync.OnceFunc(func() { cancel(); all.Wait() })
}

type kinesisSources struct{ w *world }

func (s kinesisSources) Source(text string) (Source, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return Source{}, err
	}
	stream, consumer := a, ""
	if of, _, _, err := a.ConsumerOf(); err == nil {
		stream, consumer = of, text
	}
	name, err := stream.StreamName()
	if err != nil {
		return Source{}, err
	}
	k := &readers.Kinesis{Streams: s.w.streams, Control: s.w.control, Account: a.Account, Region: a.Region, Name: name, Consumer: consumer}
	return Source{Source: k, Kind: Kinesis, Stream: stream.String(), Region: a.Region}, nil
}

func (w *world) stream(name string) *catalog.Stream {
	return w.control.State().Stream(account, region, name)
}

// create makes a stream.
func (w *world) create(name string, shards int) {
	w.Helper()
	must(w.T, w.control.Propose(w.Context(), catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: shards}))
	w.active(name)
}

func (w *world) active(name string) {
	w.Helper()
	w.eventually("stream "+name, func() bool { s := w.stream(name); return s != nil && s.Status == catalog.Active })
}

func (w *world) reshard(name string, to int) {
	w.Helper()
	must(w.T, w.control.Propose(w.Context(), catalog.UpdateShardCount{Address: catalog.Address{Account: account, Region: region, Name: name}, Target: to}))
	w.active(name)
}

// put puts records in one request, each with the key before its "=", or "k".
func (w *world) put(name string, texts ...string) {
	w.Helper()
	p, err := w.streams.Begin(w.Context(), w.stream(name))
	must(w.T, err)
	for _, text := range texts {
		key, _, has := strings.Cut(text, "=")
		if !has {
			key = "k"
		}
		copy(p.Add([]byte(key), nil, len(text)), text)
	}
	p.Commit(w.Context())
	for i := range texts {
		must(w.T, p.Result(i).Err)
	}
	p.Release()
}

// mapTo makes a mapping of stream "s" to a function, and waits until it is Enabled.
func (w *world) mapTo(function string, change func(*Config)) *Mapping {
	w.Helper()
	return w.mapFrom(function, "TRIM_HORIZON", "arn:aws:kinesis:"+region+":"+account+":stream/s", change)
}

func (w *world) mapFrom(function, position, source string, change func(*Config)) *Mapping {
	w.Helper()
	c := Create{Account: account, Region: region, Function: functionARN(function), Source: source, Starting: Starting{Position: position}, Config: Defaults(), Enabled: true}
	if change != nil {
		change(&c.Config)
	}
	var err error
	c.UUID, err = w.engine.NewUUID()
	must(w.T, err)
	must(w.T, w.engine.Propose(w.Context(), c))
	return w.inState(c.UUID, Enabled)
}

func functionARN(name string) string {
	return arn.ARN{Partition: "aws", Service: "lambda", Region: region, Account: account, Resource: "function:" + name}.String()
}

func (w *world) mapping(uuid string) *Mapping {
	return w.engine.Catalog().Mapping(account, region, uuid)
}

func (w *world) inState(uuid string, s State) *Mapping {
	w.Helper()
	w.eventually("mapping to be "+string(s), func() bool { m := w.mapping(uuid); return m != nil && m.State == s })
	return w.mapping(uuid)
}

// update changes a mapping and waits until that is so.
func (w *world) update(uuid string, change func(*Update)) *Mapping {
	w.Helper()
	m := w.mapping(uuid)
	u := Update{UUID: uuid, Was: m.Changed, Function: m.Function, Config: m.Config, Enabled: m.Enabled}
	change(&u)
	must(w.T, w.engine.Propose(w.Context(), u))
	if u.Enabled {
		return w.inState(uuid, Enabled)
	}
	return w.inState(uuid, Disabled)
}

// does says what a function does.
func (w *world) does(name string, do func(ctx context.Context, e *event) (Result, error)) {
	w.functions.mu.Lock()
	defer w.functions.mu.Unlock()
	w.functions.do[name] = do
}

func answers(payload string) (Result, error) { return Result{Payload: []byte(payload)}, nil }

var errored = Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"no"}`)}

// settle waits until nothing has anything to do.
func (w *world) settle() {
	w.Helper()
	w.eventually("everything to settle", func() bool {
		due, waiting := w.clock.NextDue()
		return w.streams.Settled() && w.engine.Settled() && !(waiting && !due.After(w.clock.Now()))
	})
}

// pass lets time pass, from one thing that is due to the next, and each do what it has to.
func (w *world) pass(d time.Duration) {
	w.Helper()
	end := w.clock.Now().Add(d)
	for {
		w.settle()
		due, waiting := w.clock.NextDue()
		if !waiting || due.After(end) {
			break
		}
		w.clock.AdvanceTo(due)
	}
	w.clock.AdvanceTo(end)
	w.settle()
}

// called is the events that a function was given.
func (w *world) called(name string) []*event {
	w.Helper()
	w.settle()
	w.functions.mu.Lock()
	defer w.functions.mu.Unlock()
	return slices.Clone(w.functions.calls[name])
}

// batches is the data of the events that a function was given, one text for each.
func (w *world) batches(name string) (out []string) {
	w.Helper()
	for _, e := range w.called(name) {
		out = append(out, e.data())
	}
	return out
}

func (w *world) want(function string, want ...string) {
	w.Helper()
	if got := w.batches(function); !slices.Equal(got, want) {
		w.Errorf("function %s was given\n%q, want\n%q", function, got, want)
	}
}

// documents is what was told of discarded batches, in order of key, and the keys.
func (w *world) documents() (docs []map[string]any, keys []string) {
	w.Helper()
	w.objects.mu.Lock()
	defer w.objects.mu.Unlock()
	for key, body := range w.objects.put {
		var d map[string]any
		must(w.T, json.Unmarshal(body, &d))
		docs, keys = append(docs, d), append(keys, key)
	}
	return docs, keys
}

func (w *world) eventually(what string, condition func() bool) {
	w.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			w.Fatal("waited for ", what)
		case <-time.After(100 * time.Microsecond):
		}
	}
}
