package delivery

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// A buffer closes at its interval after its first record, to the millisecond; what comes then is another's.
func TestInterval(t *testing.T) {
	w := setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 60 })
	w.pass(10 * time.Second)
	w.put("d", "a", "b")
	w.pass(30 * time.Second)
	w.put("d", "c")
	w.pass(30*time.Second - time.Millisecond)
	w.want()
	arrived := start.Add(10 * time.Second)
	if now := w.engine.Standing(w.find("d").Number); now != (Standing{Records: 3, Bytes: 3, Oldest: arrived, Due: arrived.Add(time.Minute)}) {
		t.Errorf("%+v", now)
	}
	w.pass(time.Millisecond)
	w.want("abc")
	w.put("d", "d")
	w.pass(59 * time.Second)
	w.want("abc")
	w.pass(time.Second)
	w.want("abc", "d")
	if now := w.engine.Standing(w.find("d").Number); now != (Standing{}) {
		t.Errorf("%+v", now)
	}
	w.pass(time.Hour)
	w.want("abc", "d")
	key := w.keys()[0]
	if !regexp.MustCompile(`^2026/11/18/13/d-1-2026-11-18-13-00-10-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(key) {
		t.Error(key)
	}
}

// A buffer closes with the record that fills it, whatever its interval; without an interval it is delivered within a second.
func TestSizeAndNoInterval(t *testing.T) {
	w := setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.SizeMiB, s.IntervalSeconds = 1, 900 })
	piece := strings.Repeat("x", 1<<18)
	w.put("d", piece, piece, piece)
	w.want()
	w.put("d", piece, "y")
	w.want(piece + piece + piece + piece)
	w.pass(900 * time.Second)
	w.want(piece+piece+piece+piece, "y")

	w = setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 0 })
	w.put("d", "a")
	w.pass(time.Second)
	w.want("a")
}

// Behind, spans are filled beyond their interval, and none holds what came after its time was noticed.
func TestGather(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	g := gather{size: 10, interval: 60 * time.Second}
	for i := range 8 { // read long after they had come
		g.add(int64(i), int64(i+1), at(100*i), 1, 4)
	}
	if len(g.closed) != 2 || g.closed[0] != (span{0, 3, 3, 12, at(0)}) || g.closed[1] != (span{3, 6, 3, 12, at(300)}) || g.open != (span{6, 8, 2, 8, at(600)}) {
		t.Fatalf("%+v", g)
	}
	g = gather{size: 10, interval: 60 * time.Second}
	g.add(1, 2, at(0), 1, 1)
	g.tick(at(59), false)
	if len(g.closed) != 0 || !g.due().Equal(at(60)) {
		t.Fatalf("%+v", g)
	}
	g.tick(at(60), true)
	g.add(2, 3, at(60), 1, 1)
	g.add(3, 9, at(61), 1, 1)
	if len(g.closed) != 1 || g.closed[0] != (span{1, 3, 2, 2, at(0)}) || g.open != (span{3, 9, 1, 1, at(61)}) {
		t.Fatalf("%+v", g)
	}
	g.tick(at(121), false)
	if len(g.closed) != 2 || !g.open.empty() || !g.due().IsZero() {
		t.Fatalf("%+v", g)
	}
}

// A destination that fails is tried again, with pauses that grow, until it takes the object: one object, in order, whatever comes meanwhile.
func TestRetries(t *testing.T) {
	w := setUp(t)
	s := w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 1 })
	tries := 0
	w.server.does(func(s *server) {
		s.fails = func(*http.Request) int { tries++; return http.StatusForbidden }
	})
	w.put("d", "a")
	w.pass(2 * time.Second)
	w.put("d", "b")
	w.pass(time.Hour)
	if now := w.engine.Standing(s.Number); now.Code != "S3.AccessDenied" || now.Reason == "" || now.Tries != tries || !now.Next.After(w.clock.Now()) || now.Records != 1 || now.Bytes != 1 || !now.Oldest.Equal(start) {
		t.Errorf("%+v", now)
	}
	if tries < 60 || tries > 90 {
		t.Errorf("%d tries in an hour", tries)
	}
	w.put("d", "c")
	w.server.does(func(s *server) { s.fails = nil })
	w.pass(time.Minute)
	w.pass(time.Second)
	w.want("a", "bc")
	if st := w.engine.Stats(s.Number); st.Failed.Load() != int64(tries) || st.Delivered.Load() != 2 || st.DeliveredRecords.Load() != 3 || st.DeliveredBytes.Load() != 3 || st.LostRecords.Load() != 0 {
		t.Errorf("%+v", st)
	}
}

// Direct puts are kept for 24 hours: a bucket that is away for 23 loses nothing, one that is away for 25 loses what is older, by count.
func TestBucketAway(t *testing.T) {
	for hours, want := range map[int]string{23: "abc", 25: "c"} {
		t.Run(fmt.Sprint(hours), func(t *testing.T) {
			t.Parallel()
			w := setUp(t)
			s := w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 900 })
			w.server.does(func(s *server) { s.fails = func(*http.Request) int { return http.StatusNotFound } })
			w.put("d", "a", "b")
			w.pass(10 * time.Minute)
			w.put("d", "c")
			w.pass(time.Duration(hours)*time.Hour - 10*time.Minute)
			w.server.does(func(s *server) { s.fails = nil })
			if hours == 25 {
				w.put("d", "d")
				want = "d"
			}
			w.pass(20 * time.Minute)
			w.want(want)
			lost := int64(0)
			if hours == 25 {
				lost = 3
			}
			if st := w.engine.Stats(s.Number); st.LostRecords.Load() != lost {
				t.Errorf("%d lost, want %d", st.LostRecords.Load(), lost)
			}
		})
	}
}

// Part of an object expires while its destination is away: the rest is delivered under a name of its own.
func TestPartExpires(t *testing.T) {
	t.Parallel()
	w := setUp(t)
	s := w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 900 })
	w.server.does(func(s *server) { s.fails = func(*http.Request) int { return http.StatusNotFound } })
	w.put("d", "a", "b")
	w.pass(10 * time.Minute)
	w.put("d", "c")
	w.pass(24*time.Hour - 5*time.Minute)
	w.server.does(func(s *server) { s.fails = nil })
	w.pass(2 * time.Minute)
	w.want("c")
	if !strings.Contains(w.keys()[0], "d-1-2026-11-18-13-10-00-") || w.engine.Stats(s.Number).LostRecords.Load() != 2 {
		t.Error(w.keys(), w.engine.Stats(s.Number).LostRecords.Load())
	}
}

// Killed while buffers are open, between an object and its checkpoint, and while an object is under way, a delivery stream goes on where it was: every record is delivered, and an
// object that was not noted takes its own place.
func TestKilled(t *testing.T) {
	w := setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 60 })
	w.put("d", "a")
	w.pass(30 * time.Second)
	w.crash()
	w.open()
	w.pass(30*time.Second - time.Millisecond)
	w.want()
	w.pass(time.Millisecond)
	w.want("a")

	w.put("d", "b")
	begun := make(chan bool, 10)
	w.server.does(func(s *server) {
		s.blocks = func(*http.Request) chan bool { begun <- true; return make(chan bool) }
	})
	w.clock.Advance(time.Minute)
	<-begun
	w.crash()
	w.server.does(func(s *server) { s.blocks = nil })
	w.open()
	w.want("a", "b")

	w.put("d", "c")
	w.server.does(func(s *server) {
		s.after = func(*http.Request) int { begun <- true; return http.StatusInternalServerError }
	})
	w.clock.Advance(time.Minute)
	<-begun // it is there, and nobody knows
	w.crash()
	w.server.does(func(s *server) { s.after = nil })
	w.open()
	w.want("a", "b", "c")
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	puts := 0
	for _, o := range w.server.objects {
		puts += o.puts
	}
	if puts < 4 {
		t.Errorf("%d puts: the last object was not put again", puts)
	}
}

// A server that stops waits for a delivery that is under way, and begins none.
func TestHalt(t *testing.T) {
	w := setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 60 })
	w.put("d", "a")
	begun, goOn := make(chan bool), make(chan bool)
	w.server.does(func(s *server) {
		s.blocks = func(*http.Request) chan bool { begun <- true; return goOn }
	})
	w.clock.Advance(time.Minute)
	<-begun
	halted := make(chan bool)
	go func() { w.engine.Halt(context.Background()); close(halted) }()
	w.eventually("halt to begin", func() bool {
		w.engine.mu.RLock()
		defer w.engine.mu.RUnlock()
		return w.engine.halted
	})
	select {
	case <-halted:
		t.Fatal("it did not wait")
	default:
	}
	close(goOn)
	<-halted
	w.put("d", "b")
	w.clock.Advance(time.Hour)
	w.want("a")
	w.server.does(func(s *server) { s.blocks = nil })
	w.crash()
	w.open()
	w.pass(0)
	w.want("a", "b")
	for _, o := range w.server.objects {
		if o.puts != 1 {
			t.Error("an object was delivered again")
		}
	}
}

// An update takes what is buffered along, and counts the version up in names.
func TestUpdate(t *testing.T) {
	w := setUp(t)
	s := w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 900 })
	w.put("d", "a")
	s3 := s.S3
	s3.IntervalSeconds = 60
	must(t, w.engine.Propose(t.Context(), Update{account, region, "d", 1, s3}))
	w.pass(60 * time.Second)
	w.want("a")
	if !strings.Contains(w.keys()[0], "/d-2-2026") || w.find("d").Updated.IsZero() {
		t.Error(w.keys(), w.find("d"))
	}
}

// A delivery stream that is deleted leaves nothing: what it had buffered is lost, and the next of its name has another log.
func TestDelete(t *testing.T) {
	w := setUp(t)
	s := w.deliver("d", Source{}, nil)
	w.put("d", "a")
	w.settle()
	must(t, w.engine.Propose(t.Context(), Delete{account, region, "d"}))
	w.eventually("it to be gone", func() bool { return w.find("d") == nil })
	if _, err := w.engine.Put(t.Context(), s, [][]byte{nil}); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	ids, err := w.store.Logs(t.Context())
	must(t, err)
	if slices.Contains(ids, LogID(s.Number)) || len(w.checkpoints.Shards(s.consumer())) != 0 {
		t.Error(ids, w.checkpoints.Shards(s.consumer()))
	}
	w.deliver("d", Source{}, nil)
	w.put("d", "b")
	w.pass(time.Hour)
	w.want("b")
}

// What was delivered is forgotten, and nothing else.
func TestTrim(t *testing.T) {
	w := setUp(t)
	s := w.deliver("d", Source{}, func(s *S3) { s.IntervalSeconds = 60 })
	w.put("d", "a", "b")
	w.pass(time.Minute)
	w.put("d", "c")
	w.settle()
	log, err := w.store.Open(t.Context(), LogID(s.Number))
	must(t, err)
	if bounds, err := log.Bounds(t.Context()); err != nil || bounds.First != 2 || bounds.Next != 3 {
		t.Error(bounds, err)
	}
}

// A data stream is read from when the delivery stream became ACTIVE; aggregates of the KPL are taken apart; a reshard loses nothing, and what its parents held comes at once.
func TestKinesisSource(t *testing.T) {
	w := setUp(t)
	stream := w.stream("s", 1)
	w.putTo("s", []byte("before"))
	s := w.deliver("d", Source{Kinesis: &KinesisSource{Stream: stream}}, func(s *S3) { s.IntervalSeconds = 60 })
	if s.Began.IsZero() {
		t.Error("nobody knows since when it delivers")
	}
	aggregate := record.Aggregate([]record.UserRecord{{PartitionKey: "p", Data: []byte("b")}, {PartitionKey: "p", Data: []byte("c")}, {PartitionKey: "q", Data: []byte("d")}})
	w.putTo("s", []byte("a"), aggregate, []byte("e"))
	w.pass(time.Minute)
	w.want("abcde")
	if st := w.engine.Stats(s.Number); st.DeliveredRecords.Load() != 5 || st.SourceRecords.Load() != 3 {
		t.Errorf("%d records of %d", st.DeliveredRecords.Load(), st.SourceRecords.Load())
	}
	w.putTo("s", []byte("f"))
	w.settle()
	must(t, w.control.Propose(t.Context(), catalog.UpdateShardCount{Address: catalog.Address{Account: account, Region: region, Name: "s"}, Target: 2}))
	w.active("s")
	w.want("abcde", "f")
	for i := range 20 {
		w.putTo("s", fmt.Appendf(nil, "%d=", i))
	}
	w.pass(time.Minute)
	if got := w.delivered(); len(got) != 4 || strings.Count(strings.Join(got, ""), "=") != 20 {
		t.Error(got)
	}
}

// An object that is larger than a part is put in parts, and one that fails half way leaves none.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	w := setUp(t)
	w.deliver("d", Source{}, func(s *S3) { s.SizeMiB, s.IntervalSeconds, s.Compression = 20, 900, Snappy })
	noise := make([]byte, 1_000_000)
	r := random(t)
	var all []byte
	failed := false
	w.server.does(func(s *server) {
		s.fails = func(r *http.Request) int {
			if r.URL.Query().Get("partNumber") == "2" && !failed {
				failed = true
				return http.StatusBadRequest
			}
			return 0
		}
	})
	for range 21 {
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		all = append(all, noise...)
		w.put("d", string(noise))
	}
	w.pass(time.Minute)
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	if len(w.server.objects) != 1 || w.server.uploads != 2 || len(w.server.parts) != 0 || !failed {
		t.Fatalf("%d objects in %d uploads, of which %d are left", len(w.server.objects), w.server.uploads, len(w.server.parts))
	}
	for _, o := range w.server.objects {
		if got := decompress(t, Snappy, o.body); string(got) != string(all) || o.header.Get("Content-Encoding") != "snappy-java" {
			t.Errorf("%d bytes, want %d; %v", len(got), len(all), o.header)
		}
	}
}

// idleBytesMax is what a delivery stream that waits may take of memory.
const idleBytesMax = 64 << 10

// Many delivery streams are cheap while they wait, and each delivers what is its own.
func TestMany(t *testing.T) {
	w := setUp(t)
	const many = 400
	memory := func() (total uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	for i := range many {
		c := Create{ID: fmt.Sprint(i), Account: account, Region: region, Name: fmt.Sprintf("d%d", i), S3: destination()}
		c.S3.Prefix = &c.Name
		must(t, w.engine.Propose(t.Context(), c))
	}
	w.eventually("all to be ACTIVE", func() bool {
		return !slices.ContainsFunc(w.engine.Catalog().All(), func(s *Stream) bool { return s.Status != Active })
	})
	w.settle()
	each := (int64(memory()) - int64(before)) / many
	t.Logf("%d bytes each", each)
	if each > idleBytesMax {
		t.Errorf("a delivery stream that waits takes %d bytes, more than %d", each, idleBytesMax)
	}
	for i := range many {
		w.put(fmt.Sprintf("d%d", i), fmt.Sprintf("d%d", i))
	}
	w.pass(IntervalSecondsDefault * time.Second)
	keys := w.keys()
	for _, key := range keys {
		w.server.mu.Lock()
		body := string(w.server.objects["/"+bucket+"/"+key].body)
		w.server.mu.Unlock()
		if !strings.HasPrefix(key, body+"2026/") {
			t.Errorf("%s has %s", key, body)
		}
	}
	if len(keys) != many {
		t.Errorf("%d objects", len(keys))
	}
}
