package disklog_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
)

// Logs of one retention share segments; a segment goes when everything in it is past its log's retention, and the logs begin behind it.
func TestRetention(t *testing.T) {
	r := newRig(t, smallJournal)
	hour, day, ever := r.log(commitlog.ID{Group: 1}, time.Hour), r.log(commitlog.ID{Group: 2}, 24*time.Hour), r.log(commitlog.ID{Group: 3}, 0)
	for _, l := range []commitlog.Log{hour, day, ever} {
		fill(t, l, start, 20, 100)
	}
	r.laidOut()
	if st := r.s.Stats(); st.Segments < 3 {
		t.Fatalf("%+v", st)
	}
	first := func(l commitlog.Log) commitlog.Position {
		b, err := l.Bounds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return b.First
	}
	tick := func(d time.Duration) {
		r.clock.BlockUntil(1)
		r.forget()
		r.clock.Advance(d)
	}
	tick(2 * time.Hour)
	await(r, "drop the hour", anyOf[disklog.Dropped])
	if first(hour) == 0 || first(day) != 0 || first(ever) != 0 {
		t.Errorf("after two hours: %d %d %d", first(hour), first(day), first(ever))
	}
	if _, err := hour.Read(ctx, 0, 100); !fault.Is(err, fault.Trimmed) {
		t.Error(err)
	}

	// Raised before it is due: what is left stays. Lowered: what is too old goes.
	if err := day.Configure(ctx, commitlog.Config{Retention: 48 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := ever.Configure(ctx, commitlog.Config{Retention: 10 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	tick(23 * time.Hour)
	await(r, "drop what became too old", anyOf[disklog.Dropped])
	if first(day) != 0 || first(ever) == 0 {
		t.Errorf("after 25 hours: %d %d", first(day), first(ever))
	}
	tick(24 * time.Hour)
	await(r, "drop the rest", anyOf[disklog.Dropped])
	for first(day) == 0 {
		runtime.Gosched()
	}

	before := reading(t, r.s)
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := reopen(r.crashed())
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if after := reading(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%v, were %v", after, before)
	}
}

// Records age in order of position only: an old record behind a young one stays.
func TestRetentionKeepsOrder(t *testing.T) {
	r := newRig(t, smallJournal)
	l := r.log(commitlog.ID{Group: 1}, time.Hour)
	fill(t, l, start.Add(5*time.Hour), 12, 200) // clocks of producers differ
	r.laidOut()
	fill(t, l, start, 30, 200)
	r.laidOut()
	r.clock.BlockUntil(1)
	r.clock.Advance(2 * time.Hour)
	r.clock.BlockUntil(1) // the loop has come round
	if got := reading(t, r.s)[commitlog.ID{Group: 1}]; len(got) != 42 {
		t.Errorf("%d records", len(got))
	}
}

// Deleting or trimming everything in a segment drops it.
func TestDeadSegmentsAreDropped(t *testing.T) {
	r := newRig(t, smallJournal)
	a, b := r.log(commitlog.ID{Group: 1}, 0), r.log(commitlog.ID{Group: 2}, 0)
	for range 20 {
		mustAppend(t, a, batchAt(start, strings.Repeat("a", 100)))
		mustAppend(t, b, batchAt(start, strings.Repeat("b", 100)))
	}
	r.laidOut()
	if err := r.s.Delete(ctx, commitlog.ID{Group: 1}); err != nil {
		t.Fatal(err)
	}
	if err := b.Trim(ctx, 20); err != nil {
		t.Fatal(err)
	}
	r.clock.BlockUntil(1)
	r.clock.Advance(time.Minute)
	for r.s.Stats().Segments > 0 {
		runtime.Gosched()
	}
	for {
		names, err := r.mem.List("log")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "segment") }) {
			break
		}
		runtime.Gosched()
	}
	if p := mustAppend(t, b, batchAt(start, "more")); p != 20 {
		t.Errorf("appended at %d", p)
	}
}

// Eight small neighbours become one file, readers who are at it go on, and everything is still there. Half-dead files shrink.
func TestMerge(t *testing.T) {
	o := smallJournal
	o.SegmentBytes = 1 << 20
	r := newRig(t, o)
	ids := []commitlog.ID{{Group: 1}, {Group: 1, Member: 1}, {Group: 2}}
	var logs []commitlog.Log
	for _, id := range ids {
		logs = append(logs, r.log(id, 0))
	}
	for i := range 60 {
		for j, l := range logs {
			mustAppend(t, l, batchAt(start.Add(time.Duration(i)*time.Second), fmt.Sprintf("%d-%d-%s", i, j, strings.Repeat("x", 100))))
		}
	}
	want := reading(t, r.s)
	await(r, "merge", func(e disklog.Merged) bool { return e.From >= 8 })
	r.laidOut()
	if got := reading(t, r.s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	r.forget()
	if err := r.s.Delete(ctx, ids[0]); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Delete(ctx, ids[2]); err != nil {
		t.Fatal(err)
	}
	r.clock.BlockUntil(1)
	r.clock.Advance(time.Minute)
	await(r, "shrink", func(e disklog.Merged) bool { return e.From == 1 })
	delete(want, ids[0])
	delete(want, ids[2])
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := reopen(r.crashed())
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
}

// Readers, appenders and the background work at once: every reader sees every record once and in order, whatever is merged and dropped under it.
func TestReadersDuringMerge(t *testing.T) {
	o := smallJournal
	o.SegmentBytes = 64 << 10
	r := newRig(t, o)
	l := r.log(commitlog.ID{Group: 1}, 0)
	const records = 600
	done := make(chan error, 3)
	for range 3 {
		go func() {
			next := commitlog.Position(0)
			for next < records {
				if err := l.Wait(ctx, next); err != nil {
					done <- err
					return
				}
				chunk, err := l.Read(ctx, next, 5000)
				if err != nil {
					done <- err
					return
				}
				var rec batch.Record
				for it := batch.Iterate(chunk.Batches); it.Next(&rec); {
					if rec.Position < next {
						continue
					}
					if rec.Position != next || !strings.HasPrefix(string(rec.Value), fmt.Sprintf("%d-", next)) {
						done <- fmt.Errorf("at %d: %d %.20s", next, rec.Position, rec.Value)
						return
					}
					next++
				}
				if next == records/2 {
					if _, err := l.Read(ctx, 0, 1); err != nil { // from the beginning, while it is merged
						done <- err
						return
					}
				}
			}
			done <- nil
		}()
	}
	fill(t, l, start, records, 120)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// PositionAt agrees with a plain search, for timestamps that go up and down, over segments and tail, with and without trimming.
func TestPositionAtAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, disklog.Options{JournalBytes: 400 << 10, JournalFilesMax: 100})
	l := r.log(commitlog.ID{Group: 1}, 0)
	var times []int64
	for range 300 {
		var b batch.Batch
		for range 1 + rnd.IntN(5) {
			ms := start.UnixMilli() + int64(len(times)) + rnd.Int64N(200)
			times = append(times, ms)
			b.Append(ms, nil, make([]byte, rnd.IntN(6000)))
		}
		mustAppend(t, l, &b)
	}
	check := func(first commitlog.Position) {
		for range 300 {
			at := start.Add(time.Duration(rnd.IntN(len(times)+300)-20) * time.Millisecond)
			if rnd.IntN(3) == 0 {
				at = at.Add(-time.Microsecond)
			}
			want := int64(len(times))
			for p := first; p < int64(len(times)); p++ {
				if !time.UnixMilli(times[p]).Before(at) {
					want = p
					break
				}
			}
			got, err := l.PositionAt(ctx, at)
			if err != nil || got != want {
				t.Fatalf("at +%v: %d, %v; want %d", at.Sub(start), got, err, want)
			}
		}
	}
	check(0)
	r.laidOut()
	if r.s.Stats().Segments == 0 {
		t.Fatal("everything is in the journal")
	}
	check(0)
	for _, first := range []int64{17, int64(len(times)) / 2, int64(len(times)) - 3} {
		if err := l.Trim(ctx, first); err != nil {
			t.Fatal(err)
		}
		check(first)
	}
}

// Reads from any position in any size give the records from there, from segments of several marks and from the tail.
func TestReadFromAnywhere(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 500 << 10, JournalFilesMax: 100})
	l := r.log(commitlog.ID{Group: 1}, 0)
	const records = 400
	for i := range records / 4 {
		var b batch.Batch
		for j := range 4 {
			b.Append(start.UnixMilli(), nil, fmt.Appendf(nil, "%d-%s", 4*i+j, strings.Repeat("z", (i*j)%4000)))
		}
		mustAppend(t, l, &b)
	}
	for range 2 { // the second time mostly from segments
		for from := commitlog.Position(0); from < records; from++ {
			for _, maxBytes := range []int{0, 1, 5000, 1 << 20} {
				chunk, err := l.Read(ctx, from, maxBytes)
				if err != nil {
					t.Fatal(err)
				}
				next := from
				var rec batch.Record
				for it := batch.Iterate(chunk.Batches); it.Next(&rec); {
					if rec.Position >= from {
						if rec.Position != next || !strings.HasPrefix(string(rec.Value), fmt.Sprintf("%d-", next)) {
							t.Fatalf("from %d: %d %.10s", from, rec.Position, rec.Value)
						}
						next++
					}
				}
				if next == from || chunk.Next != next {
					t.Fatalf("from %d: up to %d, next %d", from, next, chunk.Next)
				}
				if info, _ := batch.Peek(chunk.Batches); len(chunk.Batches) > max(maxBytes, info.Size) {
					t.Fatalf("from %d: %d bytes, at most %d", from, len(chunk.Batches), maxBytes)
				}
			}
		}
		r.laidOut()
	}
}

// An idle store gives back the memory of its journal.
func TestIdleJournalIsLaidOut(t *testing.T) {
	r := newRig(t, disklog.Options{})
	l := r.log(commitlog.ID{Group: 1}, 0)
	fill(t, l, start, 5, 1<<20)
	for range 3 {
		r.clock.BlockUntil(1)
		r.clock.Advance(time.Minute)
	}
	await(r, "lay out", anyOf[disklog.LaidOut])
	if got := reading(t, r.s)[commitlog.ID{Group: 1}]; len(got) != 5 {
		t.Errorf("%d records", len(got))
	}
}

// Ten thousand idle logs: made in a few writes, a few hundred bytes each, and back after a restart.
func TestManyLogs(t *testing.T) {
	r := newRig(t, disklog.Options{})
	const logs = 10_000
	ids := make([]commitlog.ID, logs)
	for i := range ids {
		ids[i] = commitlog.ID{Group: 9, Member: uint32(i)}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := r.s.CreateAll(ctx, ids, commitlog.Config{Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	r.forget()
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / logs
	t.Logf("%d bytes a log", each)
	if each > 1000 {
		t.Errorf("%d bytes a log", each)
	}
	if err := r.s.CreateAll(ctx, ids[:5], commitlog.Config{Retention: time.Hour}); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := r.s.CreateAll(ctx, ids[:5], commitlog.Config{}); !fault.Is(err, fault.Exists) {
		t.Errorf("with another retention: %v", err)
	}
	for _, id := range ids[:100] {
		if err := r.s.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the journal, then from the manifest
		s, err := reopen(r.mem)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Logs(ctx)
		if err != nil || !slices.Equal(got, ids[100:]) {
			t.Errorf("%d logs, %v", len(got), err)
		}
		if err := s.Create(ctx, ids[0], commitlog.Config{Retention: time.Hour}); !fault.Is(err, fault.Exists) {
			t.Errorf("a deleted log came back: %v", err)
		}
		closeStore(t, s)
	}
}

// Chunks that are given back are used again, never before: readers at different places who release what they have checked always see their own records.
func TestReleasedChunksAreReused(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 2 << 20, JournalFilesMax: 100})
	var logs []commitlog.Log
	for member := range uint32(3) {
		l := r.log(commitlog.ID{Group: 1, Member: member}, 0)
		for i := range 60 {
			mustAppend(t, l, batchAt(start, fmt.Sprintf("%d/%d-%s", member, i, strings.Repeat(fmt.Sprint(member), 50_000))))
		}
		logs = append(logs, l)
	}
	r.laidOut()
	done := make(chan error, len(logs))
	for member, l := range logs {
		go func() {
			released := 0
			for range 20 {
				for next := commitlog.Position(0); next < 50; {
					chunk, err := l.Read(ctx, next, 700<<10)
					if err != nil {
						done <- err
						return
					}
					var rec batch.Record
					for it := batch.Iterate(chunk.Batches); it.Next(&rec); next++ {
						want := fmt.Sprintf("%d/%d-", member, next)
						if rec.Position != next || !strings.HasPrefix(string(rec.Value), want) || strings.Trim(string(rec.Value[len(want):]), fmt.Sprint(member)) != "" {
							done <- fmt.Errorf("%s: %d %.20s", want, rec.Position, rec.Value)
							return
						}
					}
					if chunk.Release != nil {
						chunk.Release()
						released++
					}
				}
			}
			if released == 0 {
				done <- fmt.Errorf("log %d: no chunk could be released", member)
				return
			}
			done <- nil
		}()
	}
	for range logs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
