package disklog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var edgeStart = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// edgeStore opens a store and closes it with the test.
func edgeStore(t *testing.T, fs vfs.FS, o Options) *Store {
	t.Helper()
	o.FS, o.Dir = fs, "log"
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// edgeLog makes and opens a log.
func edgeLog(t *testing.T, s *Store, id commitlog.ID, retention time.Duration) commitlog.Log {
	t.Helper()
	if err := s.Create(context.Background(), id, commitlog.Config{Retention: retention}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// edgeAppend appends one record per value.
func edgeAppend(t *testing.T, l commitlog.Log, at time.Time, values ...string) commitlog.Position {
	t.Helper()
	var b batch.Batch
	for _, v := range values {
		b.Append(at.UnixMilli(), []byte("key"), []byte(v))
	}
	p, err := l.Append(context.Background(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// edgeValues is what l holds from its beginning; damage is passed over and counted.
func edgeValues(t *testing.T, l commitlog.Log, maxBytes int) (values []string, damaged int64) {
	t.Helper()
	bounds, err := l.Bounds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for from := bounds.First; from < bounds.Next; {
		chunk, err := l.Read(context.Background(), from, maxBytes)
		if d, ok := DamageOf(err); ok {
			damaged += d.To - from
			from = d.To
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			if r.Position >= from {
				values = append(values, string(r.Value))
			}
		}
		from = chunk.Next
		if chunk.Release != nil {
			chunk.Release()
		}
	}
	return values, damaged
}

// edgeLaidOut lays out everything in the journal now.
func edgeLaidOut(t *testing.T, s *Store) {
	t.Helper()
	if err := s.ask(true); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); s.Stats().Journals > 1; {
		if time.Now().After(deadline) {
			t.Fatal("not laid out")
		}
	}
}

// What a manifest says of a log is durable in the journal before it is durable in the manifest, also when appends and trims that are not synced
// come just before the manifest is put together: otherwise a power failure leaves a log that begins behind its end, which does not open.
func TestManifestIsNotAheadOfTheJournal(t *testing.T) {
	mem := vfs.NewMem()
	s := edgeStore(t, mem, Options{Durability: OS})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	s.structure.Lock()
	err := s.commitManifest("test", func() *manifest {
		edgeAppend(t, l, edgeStart, "a", "b", "c")
		if err := l.Trim(context.Background(), 2); err != nil { // inside the batch
			t.Error(err)
		}
		return s.buildManifest(s.oldestJournal(), s.segments, nil)
	})
	s.structure.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(30) {
		again, err := Open(Options{FS: mem.CrashClone(rand.New(rand.NewPCG(seed, 0))), Dir: "log"})
		if err != nil {
			t.Fatalf("power failure %d: %v", seed, err)
		}
		_ = again.Close()
	}
}

// Two readers far apart in one extent do not make each other read what lies between them.
func TestReadersFarApartInOneExtent(t *testing.T) {
	disk := vfs.NewFaulty(vfs.NewMem())
	s := edgeStore(t, disk, Options{})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	for i := range 1000 {
		edgeAppend(t, l, edgeStart, fmt.Sprint(i, strings.Repeat("x", 4000)))
	}
	edgeLaidOut(t, s)
	var reads atomic.Int64
	disk.Hook(func(op vfs.Op, _ string) {
		if op == vfs.OpRead {
			reads.Add(1)
		}
	})
	defer disk.Hook(nil)
	for i := range int64(5) {
		for _, from := range []commitlog.Position{i, 990 + i} {
			before := reads.Load()
			if _, err := l.Read(context.Background(), from, 8<<10); err != nil {
				t.Fatal(err)
			}
			if n := reads.Load() - before; n > 4 {
				t.Errorf("reading from %d took %d reads of the file", from, n)
			}
		}
	}
}

// With an interval, the death of the process loses nothing, even while a failed sync is being healed: the new file counts only once it holds what
// it takes from the old one.
func TestKillWhileHealing(t *testing.T) {
	mem := vfs.NewMem()
	disk := vfs.NewFaulty(mem)
	c := clock.NewManual(edgeStart)
	s := edgeStore(t, disk, Options{Durability: Interval(time.Second), Clock: c})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	want := []string{"one", "two", "three"}
	for _, v := range want {
		edgeAppend(t, l, edgeStart, v)
	}
	var mu sync.Mutex
	var kills []*vfs.Mem // the tree before every call that changes it
	disk.Add(vfs.Rule{Op: vfs.OpSync, Path: "journal-*"})
	disk.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation != 0 {
			mu.Lock()
			defer mu.Unlock()
			kills = append(kills, mem.KillClone())
		}
	})
	if err := s.ask(false); err != nil {
		t.Fatal(err)
	}
	disk.Hook(nil)
	mu.Lock()
	defer mu.Unlock()
	for i, tree := range kills {
		again := edgeStore(t, tree, Options{})
		l, err := again.Open(context.Background(), commitlog.ID{Group: 1})
		if err != nil {
			t.Errorf("killed before call %d of %d: %v", i+1, len(kills), err)
			continue
		}
		if got, _ := edgeValues(t, l, 1000); !slices.Equal(got, want) {
			t.Errorf("killed before call %d of %d: %v, want %v", i+1, len(kills), got, want)
		}
	}
}

// A batch that fills the journal to its bound at once does not stop it: the file it stands in is full and gets laid out.
func TestBatchAsLargeAsTheJournalMayBe(t *testing.T) {
	s := edgeStore(t, vfs.NewMem(), Options{JournalBytes: 4 << 10, JournalFilesMax: 2})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	edgeAppend(t, l, edgeStart, strings.Repeat("x", 10<<10))
	var b batch.Batch
	b.Append(edgeStart.UnixMilli(), nil, []byte("behind"))
	if _, err := l.Append(context.Background(), &b); err != nil {
		t.Errorf("after a large batch, on an idle device: %v", err)
	}
}

// A lost segment does not keep what is behind it for ever: when that is past its retention, so is what is missing before it.
func TestRetentionPassesAHole(t *testing.T) {
	mem := vfs.NewMem()
	s := edgeStore(t, mem, Options{Clock: clock.NewManual(edgeStart), DeviceClock: clock.Real})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, time.Hour)
	for _, v := range []string{"a", "b", "c"} {
		edgeAppend(t, l, edgeStart, v)
		edgeLaidOut(t, s)
	}
	lost := s.segments[1].name()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mem.Remove("log/" + lost); err != nil {
		t.Fatal(err)
	}
	s = edgeStore(t, mem, Options{Clock: clock.NewManual(edgeStart.Add(3 * time.Hour)), DeviceClock: clock.Real})
	edgeLaidOut(t, s)
	for range 2 { // what was missed is forgotten with what is behind it
		if err := s.dropDead(); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Stats().Segments; n != 0 {
		t.Errorf("%d segments are left, all hours past their retention", n)
	}
}

// greedy is a file system that keeps what an allocation got before it ran out of room, as ext4 and XFS do.
type greedy struct {
	vfs.FS
	room *atomic.Int64
}

type greedyFile struct {
	vfs.File
	room  *atomic.Int64
	taken *int64
}

func (g greedy) Create(name string) (vfs.File, error) {
	f, err := g.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return &greedyFile{f, g.room, new(int64)}, nil
}

func (f *greedyFile) Allocate(size int64) error {
	got := min(size, f.room.Load())
	f.room.Add(-got)
	*f.taken += got
	if got < size {
		return vfs.ErrNoSpace
	}
	return nil
}

func (f *greedyFile) Truncate(size int64) error {
	if *f.taken > size {
		f.room.Add(*f.taken - size)
		*f.taken = size
	}
	return f.File.Truncate(size)
}

// A journal file that finds no room gives back what it got of it: the segments need it.
func TestRefusedJournalTakesNoRoom(t *testing.T) {
	var room atomic.Int64
	room.Store(1 << 30)
	s := edgeStore(t, greedy{vfs.NewMem(), &room}, Options{JournalBytes: 1 << 20})
	room.Store(1<<20 - 1)
	if _, err := s.createJournal(2, 1, nil); !fault.Is(err, fault.Full) {
		t.Fatal(err)
	}
	if left := room.Load(); left != 1<<20-1 {
		t.Errorf("%d bytes are left of %d", left, 1<<20-1)
	}
}

// A value that holds a batch is not taken for one, also when the header of the batch around it is damaged.
func TestBatchInsideADamagedBatch(t *testing.T) {
	var inner batch.Batch
	inner.Append(edgeStart.UnixMilli(), []byte("key"), []byte("forged"))
	forged := bytes.Clone(inner.Bytes())
	batch.SetBase(forged, 2)

	mem := vfs.NewMem()
	s := edgeStore(t, mem, Options{})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	edgeAppend(t, l, edgeStart, "a")
	edgeAppend(t, l, edgeStart, string(forged), "c")
	edgeAppend(t, l, edgeStart, "d")
	edgeLaidOut(t, s)
	e := l.(*log).extents[0]
	one := make([]byte, e.length)
	if err := readFull(e.segment.file, one, e.offset); err != nil {
		t.Fatal(err)
	}
	info, err := batch.Peek(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.segment.file.WriteAt([]byte{0}, e.offset+int64(info.Size)+16); err != nil { // the magic of the second
		t.Fatal(err)
	}
	got, damaged := edgeValues(t, l, 1)
	if slices.Contains(got, "forged") || got[0] != "a" || int64(len(got))+damaged != 4 {
		t.Errorf("%q, %d positions damaged", got, damaged)
	}
}

// badSector is a file system of which some bytes cannot be read.
type badSector struct {
	vfs.FS
	at *atomic.Int64 // in segments; negative: none
}

type badSectorFile struct {
	vfs.File
	at *atomic.Int64
}

func (b badSector) Create(name string) (vfs.File, error) {
	f, err := b.FS.Create(name)
	if err != nil || !strings.Contains(name, "segment-") {
		return f, err
	}
	return &badSectorFile{f, b.at}, nil
}

func (f *badSectorFile) ReadAt(p []byte, off int64) (int, error) {
	if at := f.at.Load(); at >= off && at < off+int64(len(p)) {
		n, _ := f.File.ReadAt(p[:at-off], off)
		return n, vfs.ErrIO
	}
	return f.File.ReadAt(p, off)
}

// What lies before a sector that cannot be read is served.
func TestBadSector(t *testing.T) {
	at := new(atomic.Int64)
	at.Store(-1)
	s := edgeStore(t, badSector{vfs.NewMem(), at}, Options{})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	for range 10 {
		edgeAppend(t, l, edgeStart, strings.Repeat("x", 1000))
	}
	edgeLaidOut(t, s)
	at.Store(l.(*log).extents[0].offset + 5500) // in the sixth batch
	for from := commitlog.Position(0); from < 5; {
		chunk, err := l.Read(context.Background(), from, 1<<20)
		if err != nil {
			t.Fatalf("position %d is good and not served: %v", from, err)
		}
		from = chunk.Next
	}
	if _, err := l.Read(context.Background(), 5, 1<<20); err == nil {
		t.Error("the sixth is served")
	}
}

// Memory that a reader gave back is nowhere else: one goroutine overwrites whatever comes back, while others read, search, merge and lay out.
func TestReleasedMemoryIsNobodys(t *testing.T) {
	s := edgeStore(t, vfs.NewMem(), Options{JournalBytes: 3 << 20, SegmentBytes: 64 << 20, TendEvery: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const logs, rounds = 2, 12
	value := func(id uint32, p commitlog.Position) []byte {
		v := bytes.Repeat([]byte{byte(id)*64 + byte(p%61)}, 20_000)
		binary.LittleEndian.PutUint64(v, uint64(p))
		return v
	}
	var work, readers sync.WaitGroup
	for id := range uint32(logs) {
		l := edgeLog(t, s, commitlog.ID{Group: 1, Member: id}, 0)
		work.Go(func() {
			var b batch.Batch
			for i := range commitlog.Position(rounds) {
				b.Reset()
				for k := range commitlog.Position(5) {
					b.Append(edgeStart.UnixMilli()+i, nil, value(id, i*5+k))
				}
				for {
					_, err := l.Append(ctx, &b)
					if fault.Is(err, fault.Throttled) {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
		for seed := range uint64(2) {
			readers.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(id)))
				for ctx.Err() == nil {
					bounds, err := l.Bounds(ctx)
					if err != nil || bounds.Next == 0 {
						continue
					}
					from := r.Int64N(bounds.Next)
					chunk, err := l.Read(ctx, from, 1+r.IntN(2<<20))
					if err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}
						continue
					}
					if _, err := l.PositionAt(ctx, edgeStart.Add(time.Duration(r.IntN(rounds))*time.Millisecond)); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					var rec batch.Record
					it := batch.Iterate(chunk.Batches)
					for it.Next(&rec) {
						if !bytes.Equal(rec.Value, value(id, rec.Position)) {
							t.Errorf("log %d position %d: other bytes", id, rec.Position)
						}
					}
					if it.Err() != nil {
						t.Error(it.Err())
					}
					if chunk.Release != nil {
						chunk.Release()
					}
				}
			})
		}
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			if b, _ := s.buffers.Get().(*[]byte); b != nil {
				for i := 0; i < len(*b); i += 512 {
					(*b)[i] = 0xee
				}
				s.buffers.Put(b)
			}
			runtime.Gosched()
		}
	})
	work.Wait()
	edgeLaidOut(t, s)
	cancel()
	readers.Wait()
}

// The largest batches go through journal, segment and recovery whole, alone and among small ones.
func TestLargeBatches(t *testing.T) {
	for _, size := range []int{11 << 20, BatchBytesMax - batch.HeaderSize - 64} {
		fs, err := vfs.NewOS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := edgeStore(t, fs, Options{})
		l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
		big := strings.Repeat("0123456789abcdef", size/16)
		edgeAppend(t, l, edgeStart, "before")
		edgeAppend(t, l, edgeStart, big)
		edgeAppend(t, l, edgeStart, "after")
		want := []string{"before", big, "after"}
		check := func(when string, l commitlog.Log) {
			if got, _ := edgeValues(t, l, 1<<20); !slices.Equal(got, want) {
				t.Errorf("%d bytes, %s: %d values", size, when, len(got))
			}
		}
		check("in the journal", l)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := edgeStore(t, fs, Options{})
		l, err = again.Open(context.Background(), commitlog.ID{Group: 1})
		if err != nil {
			t.Fatal(err)
		}
		check("recovered", l)
		edgeLaidOut(t, again)
		check("laid out", l)
		_ = again.Close()
	}
	s := edgeStore(t, vfs.NewMem(), Options{})
	l := edgeLog(t, s, commitlog.ID{Group: 1}, 0)
	var b batch.Batch
	b.Append(0, nil, make([]byte, BatchBytesMax))
	if _, err := l.Append(context.Background(), &b); !fault.Is(err, fault.Invalid) {
		t.Errorf("more than BatchBytesMax: %v", err)
	}
}
