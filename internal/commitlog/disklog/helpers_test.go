package disklog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/vfs"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// rig is a store whose events can be waited for.
type rig struct {
	t     *testing.T
	s     *disklog.Store
	clock *clock.Manual
	mem   *vfs.Mem
	disk  *vfs.Faulty

	mu      sync.Mutex
	changed *sync.Cond
	events  []disklog.Event
}

// newRig opens a store on an empty disk in memory, on a clock that stands still.
func newRig(t *testing.T, o disklog.Options) *rig {
	mem := vfs.NewMem()
	return newRigOn(t, mem, clock.NewManual(start), o)
}

func newRigOn(t *testing.T, mem *vfs.Mem, c *clock.Manual, o disklog.Options) *rig {
	t.Helper()
	r := &rig{t: t, clock: c, mem: mem, disk: vfs.NewFaulty(mem)}
	r.changed = sync.NewCond(&r.mu)
	o.FS, o.Dir, o.Clock, o.OnEvent = r.disk, "log", c, r.event
	var err error
	if r.s, err = disklog.Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.disk.Heal()
		r.disk.Quota(-1)
		_ = r.s.Close()
	})
	return r
}

func (r *rig) event(e disklog.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.changed.Broadcast()
}

// await waits until an event of the type of want satisfies ok, counting those that came before.
func await[E disklog.Event](r *rig, doing string, ok func(E) bool) E {
	r.t.Helper()
	deadline := time.AfterFunc(30*time.Second, func() { r.event(nil) })
	defer deadline.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for at := 0; ; {
		for ; at < len(r.events); at++ {
			if r.events[at] == nil {
				r.t.Fatalf("%s: nothing for 30 s; events %v", doing, r.events)
			}
			if e, is := r.events[at].(E); is && ok(e) {
				return e
			}
		}
		r.changed.Wait()
	}
}

func anyOf[E disklog.Event](E) bool { return true }

// forget drops the events so far.
func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

// laidOut waits until every full journal file is laid out. Layout tells every file it finishes.
func (r *rig) laidOut() {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for r.s.Stats().Journals > 1 {
		if time.Now().After(deadline) {
			r.t.Fatalf("%d journal files are left", r.s.Stats().Journals)
		}
		r.mu.Lock()
		seen := len(r.events)
		r.mu.Unlock()
		if r.s.Stats().Journals == 1 {
			return
		}
		r.mu.Lock()
		for len(r.events) == seen {
			r.changed.Wait()
		}
		r.mu.Unlock()
	}
}

func (r *rig) log(id commitlog.ID, retention time.Duration) commitlog.Log {
	r.t.Helper()
	if err := r.s.Create(ctx, id, commitlog.Config{Retention: retention}); err != nil {
		r.t.Fatal(err)
	}
	l, err := r.s.Open(ctx, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

// batchAt is a batch of one record per value.
func batchAt(at time.Time, values ...string) *batch.Batch {
	var b batch.Batch
	for _, v := range values {
		b.Append(at.UnixMilli(), []byte("key"), []byte(v))
	}
	return &b
}

func mustAppend(t *testing.T, l commitlog.Log, b *batch.Batch) commitlog.Position {
	t.Helper()
	p, err := l.Append(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fill appends count records of about size bytes.
func fill(t *testing.T, l commitlog.Log, at time.Time, count, size int) {
	t.Helper()
	for i := range count {
		mustAppend(t, l, batchAt(at, fmt.Sprintf("%d-%s", i, strings.Repeat("x", size))))
	}
}

// copyOf is the tree as it stands; the content of the files must be synced.
func copyOf(m *vfs.Mem) *vfs.Mem {
	if err := m.SyncDir("log"); err != nil {
		panic(err)
	}
	return m.CrashClone(rand.New(rand.NewPCG(0, 0)))
}

// edit changes a file in place and makes that durable.
func edit(t *testing.T, fs vfs.FS, name string, change func(b []byte) []byte) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && size > 0 {
		t.Fatal(err)
	}
	b = change(b)
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(b))); err != nil {
		t.Fatal(err)
	}
	if err := f.SyncData(); err != nil {
		t.Fatal(err)
	}
}

// reading is what all logs hold, with damage marked: "1/0" → "0:value 1:value 2-5:damaged …".
func reading(t *testing.T, s *disklog.Store) map[commitlog.ID][]string {
	t.Helper()
	ids, err := s.Logs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[commitlog.ID][]string)
	for _, id := range ids {
		l, err := s.Open(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		bounds, err := l.Bounds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		out[id] = []string{}
		for from := bounds.First; from < bounds.Next; {
			chunk, err := l.Read(ctx, from, 700)
			if d, ok := disklog.DamageOf(err); ok {
				if d.From > from || d.To <= from || d.Log != id {
					t.Fatalf("log %s: damage %+v while reading from %d", id, d, from)
				}
				for p := d.From; p < d.To; p++ {
					out[id] = append(out[id], fmt.Sprintf("%d:damaged", p))
				}
				from = d.To
				continue
			}
			if err != nil {
				t.Fatalf("log %s from %d: %v", id, from, err)
			}
			var r batch.Record
			for it := batch.Iterate(chunk.Batches); it.Next(&r); {
				if r.Position >= from {
					out[id] = append(out[id], fmt.Sprintf("%d:%s", r.Position, r.Value))
				}
			}
			from = chunk.Next
		}
	}
	return out
}
