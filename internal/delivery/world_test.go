package delivery

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/blob"
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

// The tests here run the real control plane, streams, readers and delivery streams over the in-memory log, with a clock that is moved by hand and an S3 of a few lines.

// kept is an object.
type kept struct {
	body   []byte
	header http.Header
	at     time.Time // when it was put
	puts   int       // under this key
	order  int       // of the first
}

// server is an S3 that knows what delivery needs, and fails as it is told.
type server struct {
	clock clock.Clock

	mu      sync.Mutex // guards everything below
	objects map[string]*kept
	parts   map[string]map[int][]byte       // of uploads, by id
	fails   func(r *http.Request) int       // a status other than 0 is the answer
	after   func(r *http.Request) int       // likewise, and what was asked for is done all the same
	blocks  func(r *http.Request) chan bool // the answer waits until the channel is closed
	uploads int
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	fails, after, blocks := s.fails, s.after, s.blocks
	s.mu.Unlock()
	if blocks != nil {
		if wait := blocks(r); wait != nil {
			select {
			case <-wait:
			case <-r.Context().Done():
				return
			}
		}
	}
	if fails != nil {
		if status := fails(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, query := r.URL.Path, r.URL.Query()
	id := query.Get("uploadId")
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		s.uploads++
		id = strconv.Itoa(s.uploads)
		s.parts[id] = map[int][]byte{}
		fmt.Fprintf(w, `<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, id)
		s.parts[id][0] = []byte(r.Header.Get("Content-Encoding"))
		return
	case r.Method == http.MethodPut && id != "":
		n, _ := strconv.Atoi(query.Get("partNumber"))
		s.parts[id][n] = body
		w.Header().Set("ETag", strconv.Itoa(n))
		return
	case r.Method == http.MethodDelete && id != "":
		delete(s.parts, id)
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodPost && id != "":
		var list struct {
			Part []struct{ PartNumber int }
		}
		_ = xml.Unmarshal(body, &list)
		header := http.Header{"Content-Encoding": {string(s.parts[id][0])}}
		var whole []byte
		for _, p := range list.Part {
			whole = append(whole, s.parts[id][p.PartNumber]...)
		}
		delete(s.parts, id)
		s.keep(key, whole, header)
		fmt.Fprint(w, `<CompleteMultipartUploadResult></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodPut:
		s.keep(key, body, r.Header.Clone())
	}
	if after != nil {
		if status := after(r); status != 0 {
			w.WriteHeader(status)
		}
	}
}

func (s *server) keep(key string, body []byte, header http.Header) {
	o := s.objects[key]
	if o == nil {
		o = &kept{order: len(s.objects)}
		s.objects[key] = o
	}
	o.body, o.header, o.at = body, header, s.clock.Now()
	o.puts++
}

// Client is Objects'.
func (s *server) Client(account, region string) (*blob.Client, error) {
	return blob.New(blob.Options{Endpoint: "http://s3.example", Region: region, AccessKeyID: account, SecretAccessKey: "s", Transport: blob.InProcess{Handler: s}})
}

func (s *server) does(change func(s *server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// world is what outlives an Engine, and the Engine.
type world struct {
	testing.TB
	clock       *clock.Manual
	store       commitlog.Store
	control     *controller.Controller
	streams     *streams.Streams
	server      *server
	checkpoints *readers.Checkpoints
	engine      *Engine
	crash       func() // ends the engine and the checkpoints, as kill -9 does
	session     uint64
	fs          vfs.FS
}

func setUp(t testing.TB) *world {
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{TB: t, clock: clock.NewManual(start), fs: vfs.NewMem()}
	w.server = &server{clock: w.clock, objects: map[string]*kept{}, parts: map[string]map[int][]byte{}}
	w.store = commitlog.NewMemory(w.clock, commitlog.Forever)
	for _, member := range []uint32{0, 4, 6} {
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
	must(w.TB, err)
	return log
}

// open starts delivery streams and checkpoints, the first time or after crash.
func (w *world) open() {
	w.Helper()
	w.session++
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	w.checkpoints, err = readers.OpenCheckpoints(ctx, readers.CheckpointOptions{Log: w.log(4), FS: w.fs, Dir: "checkpoints", Clock: w.clock, Session: w.session, TestClock: true})
	must(w.TB, err)
	w.engine, err = Open(ctx, Options{
		Store: w.store, Log: w.log(6), FS: w.fs, Dir: "delivery", Clock: w.clock, Session: w.session, TestClock: true, Checkpoints: w.checkpoints, Sources: kinesisSources{w},
		Objects: w.server, Random: rand.Reader, Logger: slog.New(slog.NewTextHandler(w.TB.Output(), nil)),
	})
	must(w.TB, err)
	var all sync.WaitGroup
	all.Go(func() { _ = w.checkpoints.Run(ctx) })
	all.Go(func() { _ = w.engine.Run(ctx) })
	w.crash = sync.OnceFunc(func() { cancel(); all.Wait() })
}

type kinesisSources struct{ w *world }

func (s kinesisSources) Source(text string) (readers.Source, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is no stream", text)
	}
	name, err := a.StreamName()
	return &readers.Kinesis{Streams: s.w.streams, Control: s.w.control, Account: a.Account, Region: a.Region, Name: name}, err
}

// deliver makes a delivery stream of a name, and waits until it is ACTIVE.
func (w *world) deliver(name string, source Source, change func(*S3)) *Stream {
	w.Helper()
	c := Create{Account: account, Region: region, Name: name, Source: source, S3: destination()}
	if change != nil {
		change(&c.S3)
	}
	var err error
	c.ID, err = w.engine.NewUUID()
	must(w.TB, err)
	must(w.TB, w.engine.Propose(w.Context(), c))
	w.eventually("delivery stream to be ACTIVE", func() bool { s := w.find(name); return s != nil && s.Status == Active })
	return w.find(name)
}

func (w *world) find(name string) *Stream { return w.engine.Catalog().Stream(account, region, name) }

// put puts records directly, in one request.
func (w *world) put(name string, texts ...string) {
	w.Helper()
	var records [][]byte
	for _, text := range texts {
		records = append(records, []byte(text))
	}
	_, err := w.engine.Put(w.Context(), w.find(name), records)
	must(w.TB, err)
}

// stream makes a data stream, and gives its ARN.
func (w *world) stream(name string, shards int) string {
	w.Helper()
	must(w.TB, w.control.Propose(w.Context(), catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: shards}))
	w.active(name)
	return arn.Stream(region, account, name).String()
}

func (w *world) active(name string) {
	w.Helper()
	w.eventually("stream "+name, func() bool {
		s := w.control.State().Stream(account, region, name)
		return s != nil && s.Status == catalog.Active
	})
}

// putTo puts records to a data stream, one by one, each with the key before its "=", or "k".
func (w *world) putTo(name string, records ...[]byte) {
	w.Helper()
	p, err := w.streams.Begin(w.Context(), w.control.State().Stream(account, region, name))
	must(w.TB, err)
	for _, data := range records {
		key, _, has := bytes.Cut(data, []byte("="))
		if !has {
			key = []byte("k")
		}
		copy(p.Add(key, nil, len(data)), data)
	}
	p.Commit(w.Context())
	for i := range records {
		must(w.TB, p.Result(i).Err)
	}
	p.Release()
}

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

// delivered is the bodies of all objects, in the order in which they were put first.
func (w *world) delivered() []string {
	w.Helper()
	w.settle()
	return w.bodies()
}

func (w *world) bodies() (bodies []string) {
	for _, key := range w.sorted() {
		w.server.mu.Lock()
		bodies = append(bodies, string(w.server.objects["/"+bucket+"/"+key].body))
		w.server.mu.Unlock()
	}
	return bodies
}

// keys are those of all objects, in the order in which they were put first, without the bucket.
func (w *world) keys() []string {
	w.Helper()
	w.settle()
	return w.sorted()
}

func (w *world) sorted() (keys []string) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	for key := range w.server.objects {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return w.server.objects[a].order - w.server.objects[b].order })
	for i, key := range keys {
		keys[i] = strings.TrimPrefix(key, "/"+bucket+"/")
	}
	return keys
}

func (w *world) want(bodies ...string) {
	w.Helper()
	if got := w.delivered(); !slices.Equal(got, bodies) {
		w.Errorf("delivered\n%.200q, want\n%.200q", got, bodies)
	}
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
