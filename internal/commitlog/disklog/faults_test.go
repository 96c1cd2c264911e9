package disklog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A full device refuses appends for certain, reads go on, and appends work again, at the next position, as soon as there is room.
func TestDiskFullAndHeals(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 64 << 10})
	id := commitlog.ID{Group: 1}
	l := r.log(id, 0)
	mustAppend(t, l, batchAt(start, "before"))
	r.disk.Quota(r.disk.Used() - 60<<10) // the journal has room allocated, so this bites only in a while
	refused := 0
	written := int64(1)
	for refused < 20 {
		_, err := l.Append(ctx, batchAt(start, strings.Repeat("x", 3000)))
		if err == nil {
			written++
			continue
		}
		if !fault.Is(err, fault.Full) || fault.IsUnknown(err) {
			t.Fatalf("%v (%s)", err, fault.KindOf(err))
		}
		refused++
		if chunk, err := l.Read(ctx, 0, 1); err != nil || len(chunk.Batches) == 0 {
			t.Fatalf("read: %v", err)
		}
	}
	full := await(r, "say that the device is full", anyOf[disklog.Full])
	if !fault.Is(full.Err, fault.Full) {
		t.Error(full.Err)
	}
	r.disk.Quota(-1)
	if p := mustAppend(t, l, batchAt(start, "after")); p != written {
		t.Errorf("appended at %d, want %d", p, written)
	}
	await(r, "say that it healed", anyOf[disklog.Healed])

	s, err := reopen(r.crashed())
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s)[id]; int64(len(got)) != written+1 || got[written] != fmt.Sprintf("%d:after", written) {
		t.Errorf("%d records, last %.40s", len(got), got[len(got)-1])
	}
}

// crashed is the tree after a crash now.
func (r *rig) crashed() *vfs.Mem { return copyOf(r.mem) }

// A device without room for segments fills the journal up to its bound; then appends are throttled, reads go on, and with room the
// background writer catches up by itself.
func TestJournalFullThrottlesAndHeals(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 4 << 10, JournalFilesMax: 3, ThrottleWait: 5 * time.Second})
	l := r.log(commitlog.ID{Group: 1}, 0)
	r.disk.Add(vfs.Rule{Op: vfs.OpCreate, Path: "segment-*", Times: -1, Err: vfs.ErrNoSpace})
	n := 0
	for {
		done := make(chan error, 1)
		go func() {
			_, err := l.Append(ctx, batchAt(start, fmt.Sprint(n), strings.Repeat("x", 1000)))
			done <- err
		}()
		// The background writer's back-off moves with the clock too: an append that waits for room waits 5 s on it.
		var err error
		for waiting := true; waiting; {
			select {
			case err = <-done:
				waiting = false
			default:
				r.clock.Advance(100 * time.Millisecond)
			}
		}
		if err == nil {
			n++
			continue
		}
		if !fault.Is(err, fault.Throttled) || fault.IsUnknown(err) {
			t.Fatalf("%v (%s)", err, fault.KindOf(err))
		}
		break
	}
	if st := r.s.Stats(); st.JournalBytes < 12<<10 || st.JournalBytes > 16<<10 {
		t.Errorf("%d bytes of journal: the bound is 12 KiB and one block", st.JournalBytes)
	}
	await(r, "say that layout is behind", func(e disklog.Behind) bool { return e.Work == "layout" && fault.Is(e.Err, fault.Full) })
	if err := l.Trim(ctx, 1); err != nil {
		t.Errorf("trim, which makes room: %v", err)
	}
	if got := reading(t, r.s)[commitlog.ID{Group: 1}]; len(got) != 2*n-1 {
		t.Errorf("%d records, want %d", len(got), 2*n-1)
	}
	r.forget()
	r.disk.Heal()
	for r.s.Stats().Journals > 1 {
		r.clock.Advance(time.Second)
	}
	mustAppend(t, l, batchAt(start, "after"))
}

// One block may fill the whole journal. When no new file can be begun behind it, the next append tries again, and is not held back until layout makes room:
// layout has nothing to lay out as long as that block's file is the one being written.
func TestJournalOfOneBlockHeals(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 4 << 10, JournalFilesMax: 2})
	l := r.log(commitlog.ID{Group: 1}, 0)
	mustAppend(t, l, batchAt(start, "small"))
	r.disk.Add(vfs.Rule{Op: vfs.OpCreate, Path: "journal-*", Nth: 2})
	mustAppend(t, l, batchAt(start, strings.Repeat("x", 20<<10)))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := l.Append(ctx, batchAt(start, "after")); err != nil {
		t.Error(err)
	}
}

// A store that opens with a full journal finds the logs that exist at once: a node that was killed while layout was behind comes up again.
func TestCreateOfExistingNeedsNoRoom(t *testing.T) {
	o := disklog.Options{JournalBytes: 4 << 10, JournalFilesMax: 3}
	r := newRig(t, o)
	id := commitlog.ID{Group: 1}
	l := r.log(id, 0)
	r.disk.Add(vfs.Rule{Op: vfs.OpCreate, Path: "segment-*", Times: -1, Err: vfs.ErrNoSpace})
	for r.s.Stats().JournalBytes < 12<<10 {
		mustAppend(t, l, batchAt(start, strings.Repeat("x", 1000)))
	}
	o.FS, o.Dir, o.Clock = vfs.NewFaulty(r.crashed(), vfs.Rule{Op: vfs.OpCreate, Path: "segment-*", Times: -1, Err: vfs.ErrNoSpace}), "log", r.clock
	s, err := disklog.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.Create(ctx, id, commitlog.Config{}); err != nil {
		t.Errorf("a log that exists: %v", err)
	}
}

// While a segment cannot be written for want of room, old segments can still be dropped: the room of the next manifest is held back.
func TestFullDeviceStillForgets(t *testing.T) {
	r := newRig(t, disklog.Options{JournalBytes: 4 << 10, JournalFilesMax: 50})
	l := r.log(commitlog.ID{Group: 1}, time.Hour)
	fill(t, l, start, 40, 500)
	r.laidOut()
	r.disk.Quota(0)
	if _, err := l.Append(ctx, batchAt(start, strings.Repeat("x", 6000))); !fault.Is(err, fault.Full) {
		t.Fatalf("%v", err)
	}
	used := r.disk.Used()
	r.clock.BlockUntil(1)
	r.clock.Advance(3 * time.Hour)
	await(r, "drop a segment", anyOf[disklog.Dropped])
	for r.disk.Used() >= used {
		r.clock.Advance(time.Minute)
	}
}

// A store opens on a full device and reads; appends work when there is room.
func TestOpenOnFullDevice(t *testing.T) {
	mem, want := sample(t)
	disk := vfs.NewFaulty(mem)
	names, err := mem.List("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names { // the quota counts what it has seen
		f, err := disk.Open("log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "MANIFEST.next" {
			err = f.Allocate(64 << 10) // the clone has lost what was reserved
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	disk.Quota(0)
	s, err := reopen(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	l, err := s.Open(ctx, commitlog.ID{Group: 1})
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := l.Bounds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, batchAt(start, "x")); !fault.Is(err, fault.Full) {
		t.Errorf("%v", err)
	}
	disk.Quota(-1)
	if p := mustAppend(t, l, batchAt(start, "y")); p != bounds.Next {
		t.Errorf("appended at %d, want %d", p, bounds.Next)
	}
}

// A failed sync leaves its appends unknown, and appends are refused while no new journal file can be made; then everything goes on by itself.
func TestSyncFailsAndHeals(t *testing.T) {
	r := newRig(t, disklog.Options{})
	id := commitlog.ID{Group: 1}
	l := r.log(id, 0)
	mustAppend(t, l, batchAt(start, "good"))
	r.disk.Add(vfs.Rule{Op: vfs.OpSync, Lose: true})
	r.disk.Add(vfs.Rule{Op: vfs.OpCreate, Times: 3})
	if _, err := l.Append(ctx, batchAt(start, "unknown")); !fault.Is(err, fault.Unavailable) || !fault.IsUnknown(err) {
		t.Fatalf("%v", err)
	}
	for range 3 {
		if _, err := l.Append(ctx, batchAt(start, "refused")); !fault.Is(err, fault.Unavailable) || fault.IsUnknown(err) {
			t.Fatalf("%v", err)
		}
		if chunk, err := l.Read(ctx, 0, 1000); err != nil || chunk.Next != 1 {
			t.Fatalf("read: %v", err)
		}
	}
	if p := mustAppend(t, l, batchAt(start, "healed")); p != 1 {
		t.Errorf("appended at %d", p)
	}
	await(r, "say that it broke", anyOf[disklog.Broken])
	await(r, "say that it healed", anyOf[disklog.Healed])
	s, err := reopen(r.crashed())
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s)[id]; !slices.Equal(got, []string{"0:good", "1:healed"}) {
		t.Errorf("%v", got)
	}
}

// A manifest says what logs are now, so what it says must be durable in the journal first: without that, a crash would leave a trim or an end behind
// records that are gone.
func TestManifestWaitsForTheJournal(t *testing.T) {
	r := newRig(t, disklog.Options{Durability: disklog.OS, JournalBytes: 4 << 10, JournalFilesMax: 100})
	l := r.log(commitlog.ID{Group: 1}, 0)
	r.disk.Add(vfs.Rule{Op: vfs.OpCreate, Path: "segment-*", Times: -1})
	fill(t, l, start, 5, 1000)
	await(r, "fail to lay out", func(e disklog.Behind) bool { return e.Work == "layout" })
	mustAppend(t, l, batchAt(start, "not synced", "nor this"))
	if err := l.Trim(ctx, 6); err != nil { // inside the batch
		t.Fatal(err)
	}
	if _, err := l.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	r.disk.Heal()
	for r.s.Stats().Journals > 1 {
		r.clock.Advance(time.Second)
	}
	for seed := range uint64(30) {
		s, err := reopen(r.mem.CrashClone(rand.New(rand.NewPCG(seed, 0))))
		if err != nil {
			t.Fatalf("crash %d: %v", seed, err)
		}
		closeStore(t, s)
	}
}

// With an interval, what is visible when a sync fails is written again to a new file: healing loses nothing.
func TestIntervalSyncFailsAndHeals(t *testing.T) {
	r := newRig(t, disklog.Options{Durability: disklog.Interval(time.Second)})
	id := commitlog.ID{Group: 1}
	l := r.log(id, 0)
	mustAppend(t, l, batchAt(start, "one"))
	mustAppend(t, l, batchAt(start, "two"))
	r.disk.Add(vfs.Rule{Op: vfs.OpSync, Lose: true})
	r.clock.BlockUntil(2) // tend and sync
	r.clock.Advance(time.Second)
	await(r, "say that it broke", anyOf[disklog.Broken])
	await(r, "begin a new file", func(e disklog.Rotated) bool { return e.Journal == 2 })
	s, err := reopen(r.crashed())
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s)[id]; !slices.Equal(got, []string{"0:one", "1:two"}) {
		t.Errorf("%v", got)
	}
}

// With an interval, an append is acknowledged at once and durable after it; with OS only a new file or Close syncs.
func TestDurability(t *testing.T) {
	for _, row := range []struct {
		d    disklog.Durability
		kept bool // after an interval
	}{{disklog.Interval(time.Second), true}, {disklog.OS, false}} {
		r := newRig(t, disklog.Options{Durability: row.d})
		id := commitlog.ID{Group: 1}
		l := r.log(id, 0)
		if err := r.s.Create(ctx, commitlog.ID{}, commitlog.Config{}); err != nil {
			t.Fatal(err)
		}
		syncs := make(chan struct{}, 100)
		r.disk.Hook(func(op vfs.Op, name string) {
			if op == vfs.OpSync && strings.HasPrefix(name, "log/journal") {
				syncs <- struct{}{}
			}
		})
		mustAppend(t, l, batchAt(start, "one"))
		if len(syncs) > 0 {
			t.Error("an append was synced")
		}
		if row.kept {
			r.clock.BlockUntil(2)
			r.clock.Advance(time.Second)
			<-syncs
			mustAppend(t, l, batchAt(start, "two")) // behind the sync
		}
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(syncs) == 0 {
			t.Error("Close did not sync")
		}
	}
}

// An append that begins without the lease is fenced for certain, one that ends without it unknown.
func TestLeaseIsAskedTwice(t *testing.T) {
	lease := &countedLease{}
	r := newRig(t, disklog.Options{Lease: lease})
	l := r.log(commitlog.ID{Group: 1}, 0)
	lease.holdFor = 1 // at the beginning, and not at the end
	if _, err := l.Append(ctx, batchAt(start, "x")); !fault.Is(err, fault.Fenced) || !fault.IsUnknown(err) {
		t.Error(err)
	}
	if _, err := l.Append(ctx, batchAt(start, "y")); !fault.Is(err, fault.Fenced) || fault.IsUnknown(err) {
		t.Error(err)
	}
	if chunk, err := l.Read(ctx, 0, 100); err != nil || chunk.Next != 1 {
		t.Errorf("%+v, %v", chunk, err)
	}
}

type countedLease struct{ holdFor int }

func (c *countedLease) Current() (uint64, bool) {
	c.holdFor--
	return 7, c.holdFor >= 0
}
