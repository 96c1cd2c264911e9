package disklog_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var smallJournal = disklog.Options{JournalBytes: 2 << 10, JournalFilesMax: 100}

// sample is a directory with two segments of each of two classes, and a journal with something in it; closed.
func sample(t *testing.T) (*vfs.Mem, map[commitlog.ID][]string) {
	t.Helper()
	r := newRig(t, smallJournal)
	a, b := r.log(commitlog.ID{Group: 1}, 0), r.log(commitlog.ID{Group: 1, Member: 1}, time.Hour)
	for range 2 {
		for i := range 8 {
			mustAppend(t, a, batchAt(start, fmt.Sprintf("a%d", i), strings.Repeat("y", 60)))
			mustAppend(t, b, batchAt(start, fmt.Sprintf("b%d", i)))
		}
		r.laidOut()
	}
	mustAppend(t, a, batchAt(start, "in the journal"))
	mustAppend(t, b, batchAt(start, "in the journal too"))
	all := reading(t, r.s)
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := r.s.Stats(); st.Segments < 3 || st.Journals != 1 {
		t.Fatalf("%+v", st)
	}
	return copyOf(r.mem), all
}

func reopen(fs vfs.FS) (*disklog.Store, error) {
	o := smallJournal
	o.FS, o.Dir, o.Clock = fs, "log", clock.NewManual(start)
	return disklog.Open(o)
}

// Any flipped bit in any file is refused at Open by the file's name, or reported by Read with positions and file, or changes nothing at all. Around damage
// that Read reports, everything else is there.
func TestEveryFlippedBit(t *testing.T) {
	mem, want := sample(t)
	names, err := mem.List("log")
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	outcomes := make(map[string]int)
	for _, name := range names {
		info, err := mem.Stat("log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(name, "-")
		for at := range info.Size() {
			bit := byte(1) << r.IntN(8)
			fs := copyOf(mem)
			edit(t, fs, "log/"+name, func(b []byte) []byte { b[at] ^= bit; return b })
			outcomes[kind+" "+flipped(t, fs, name, want)]++
			if t.Failed() {
				t.Fatalf("%s byte %d bit %#x", name, at, bit)
			}
		}
	}
	t.Log(outcomes)
	for _, expected := range []string{"MANIFEST refused", "journal refused", "journal harmless", "segment reported"} {
		if outcomes[expected] == 0 {
			t.Errorf("no flipped bit was %s", expected)
		}
	}
	if outcomes["MANIFEST harmless"]+outcomes["MANIFEST reported"] > 0 {
		t.Error("a flipped bit in the manifest was accepted")
	}
}

func flipped(t *testing.T, fs vfs.FS, name string, want map[commitlog.ID][]string) string {
	s, err := reopen(fs)
	if err != nil {
		if !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("open: %v (%s)", err, fault.KindOf(err))
		}
		return "refused"
	}
	defer closeStore(t, s)
	got := reading(t, s)
	outcome := "harmless"
	for id, records := range want {
		if len(got[id]) != len(records) {
			t.Errorf("log %s: %d records, want %d:\n%v", id, len(got[id]), len(records), got[id])
			continue
		}
		for i, r := range got[id] {
			if strings.HasSuffix(r, ":damaged") {
				outcome = "reported"
			} else if r != records[i] {
				t.Errorf("log %s: %q, want %q", id, r, records[i])
			}
		}
	}
	return outcome
}

// One damaged batch costs that batch alone, and PositionAt does not look past it.
func TestOneDamagedBatch(t *testing.T) {
	mem, want := sample(t)
	id := commitlog.ID{Group: 1}
	edit(t, mem, "log/segment-0000000000000001", func(b []byte) []byte {
		at := strings.Index(string(b), "a3")
		b[at] = 'X'
		return b
	})
	s, err := reopen(mem)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	records := slices.Clone(want[id])
	records[6], records[7] = "6:damaged", "7:damaged"
	if got := reading(t, s)[id]; !slices.Equal(got, records) {
		t.Errorf("%v", got)
	}
	l, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for from, part := range map[commitlog.Position]string{5: "", 6: "6 to 7", 7: "6 to 7", 8: ""} {
		_, err := l.Read(ctx, from, 1)
		if part == "" && err != nil || part != "" && (!fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "log 1/0") ||
			!strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "segment-0000000000000001")) {
			t.Errorf("read from %d: %v", from, err)
		}
	}
	if p, err := l.PositionAt(ctx, start); p != 0 || err != nil {
		t.Errorf("before the damage: %d, %v", p, err)
	}
	if err := l.Trim(ctx, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := l.PositionAt(ctx, start); !fault.Is(err, fault.Corrupt) {
		t.Errorf("at the damage: %v", err)
	}
	if err := l.Trim(ctx, 8); err != nil {
		t.Fatal(err)
	}
	if p, err := l.PositionAt(ctx, start); p != 8 || err != nil {
		t.Errorf("behind the damage: %d, %v", p, err)
	}
}

// A missing or cut segment leaves the store open; reads say which positions are lost. The manifest keeps naming it, so that putting a copy back heals.
func TestLostSegment(t *testing.T) {
	for _, cut := range []bool{false, true} {
		mem, want := sample(t)
		name := "log/segment-0000000000000001"
		good := copyOf(mem)
		if cut {
			edit(t, mem, name, func(b []byte) []byte { return b[:len(b)-100] })
		} else if err := mem.Remove(name); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second Open still knows
			s, err := reopen(mem)
			if err != nil {
				t.Fatal(err)
			}
			got := reading(t, s)
			lost := 0
			for id, records := range want {
				for i, r := range got[id] {
					if strings.HasSuffix(r, ":damaged") {
						lost++
					} else if r != records[i] {
						t.Errorf("log %s: %q, want %q", id, r, records[i])
					}
				}
				if len(got[id]) != len(records) {
					t.Errorf("log %s: %d records, want %d", id, len(got[id]), len(records))
				}
			}
			if lost == 0 {
				t.Error("nothing was reported")
			}
			closeStore(t, s)
		}
		var copied []byte
		edit(t, good, name, func(b []byte) []byte { copied = b; return b })
		f, err := mem.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(copied, 0); err != nil {
			t.Fatal(err)
		}
		s, err := reopen(mem)
		if err != nil {
			t.Fatal(err)
		}
		for id, records := range reading(t, s) {
			if !slices.Equal(records, want[id]) {
				t.Errorf("healed: log %s: %v", id, records)
			}
		}
		closeStore(t, s)
	}
}

// A lost segment is forgotten when nobody misses it any more.
func TestLostSegmentIsForgotten(t *testing.T) {
	mem, _ := sample(t)
	if err := mem.Remove("log/segment-0000000000000001"); err != nil {
		t.Fatal(err)
	}
	r := newRigOn(t, mem, clock.NewManual(start), smallJournal)
	ids, err := r.s.Logs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		l, err := r.s.Open(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		bounds, err := l.Bounds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Trim(ctx, bounds.Next-1); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.BlockUntil(1)
	r.clock.Advance(time.Minute)
	await(r, "drop the lost segment", func(e disklog.Dropped) bool { return e.Segment == 1 })
}

// Missing files that would take acknowledged records with them are refused, by name.
func TestMissingFiles(t *testing.T) {
	mem, _ := sample(t)
	journals := 0
	names, err := mem.List("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name != "MANIFEST" && !strings.HasPrefix(name, "journal") {
			continue
		}
		fs := copyOf(mem)
		if err := fs.Remove("log/" + name); err != nil {
			t.Fatal(err)
		}
		s, err := reopen(fs)
		if err == nil {
			closeStore(t, s)
		}
		if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		journals++
	}
	if journals < 2 {
		t.Errorf("only %d files were tried", journals)
	}
}

// A journal cut anywhere in its last block, or with garbage behind it, opens with everything before that block: the cut block was never acknowledged.
// Damage to an earlier block is refused, naming file, byte and what lies behind.
func TestTornTailAndDamageAreTold(t *testing.T) {
	r := newRig(t, disklog.Options{})
	l := r.log(commitlog.ID{Group: 3}, 0)
	mustAppend(t, l, batchAt(start, "one"))
	mustAppend(t, l, batchAt(start, "two"))
	name := "log/journal-0000000000000001"
	info, err := r.mem.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	beforeLast := info.Size()
	mustAppend(t, l, batchAt(start, "three"))
	if info, err = r.mem.Stat(name); err != nil {
		t.Fatal(err)
	}
	whole := copyOf(r.mem) // as after kill -9: nobody closed it

	id := commitlog.ID{Group: 3}
	for cut := beforeLast; cut < info.Size(); cut++ {
		fs := copyOf(whole)
		edit(t, fs, name, func(b []byte) []byte { return b[:cut] })
		wantRecords(t, fs, id, "0:one", "1:two")
	}
	garbage := copyOf(whole)
	edit(t, garbage, name, func(b []byte) []byte { return append(b, make([]byte, 3000)...) })
	wantRecords(t, garbage, id, "0:one", "1:two", "2:three")
	flippedLast := copyOf(whole)
	edit(t, flippedLast, name, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	wantRecords(t, flippedLast, id, "0:one", "1:two")

	for at := int64(0); at < beforeLast; at++ {
		fs := copyOf(whole)
		edit(t, fs, name, func(b []byte) []byte { b[at] ^= 4; return b })
		s, err := reopen(fs)
		if err == nil {
			closeStore(t, s)
		}
		if !(fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Unsupported)) || !strings.Contains(err.Error(), "journal-0000000000000001") {
			t.Fatalf("byte %d: %v", at, err)
		}
		if at > 600 && (!strings.Contains(err.Error(), "at byte") || !strings.Contains(err.Error(), "log 3/0 from position")) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}

	// What the format document tells an operator who accepts the loss.
	fs := copyOf(whole)
	edit(t, fs, name, func(b []byte) []byte { b[beforeLast-1] ^= 4; return b })
	_, err = reopen(fs)
	var block, at int64
	if _, scanErr := fmt.Sscanf(err.Error()[strings.Index(err.Error(), "block "):], "block %d at byte %d", &block, &at); scanErr != nil {
		t.Fatalf("%v: %v", err, scanErr)
	}
	edit(t, fs, name, func(b []byte) []byte { return b[:at] })
	wantRecords(t, fs, id, "0:one")
}

func wantRecords(t *testing.T, fs vfs.FS, id commitlog.ID, want ...string) {
	t.Helper()
	s, err := reopen(fs)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s)[id]; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	l, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if p := mustAppend(t, l, batchAt(start, "next")); int(p) != len(want) {
		t.Fatalf("appended at %d", p)
	}
}

// A closed store protects its last block too.
func TestClosedStoreKnowsItsEnd(t *testing.T) {
	mem, _ := sample(t)
	names, err := mem.List("log")
	if err != nil {
		t.Fatal(err)
	}
	name := names[slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "journal") })]
	edit(t, mem, "log/"+name, func(b []byte) []byte {
		b[strings.Index(string(b), "in the journal too")] ^= 1
		return b
	})
	if _, err := reopen(mem); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), name) {
		t.Error(err)
	}
}

// A short read or a failing one is an error, never an end: nothing is cut off for it.
func TestShortReads(t *testing.T) {
	mem, want := sample(t)
	for nth := 1; ; nth++ {
		fs := vfs.NewFaulty(copyOf(mem), vfs.Rule{Op: vfs.OpRead, Nth: nth, Part: 0.7})
		s, err := reopen(fs)
		if err != nil {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("read %d: %v", nth, err)
			}
			fs.Heal()
			if s, err = reopen(fs); err != nil {
				t.Fatalf("read %d, healed: %v", nth, err)
			}
		} else if nth > 3 {
			closeStore(t, s)
			return
		}
		fs.Heal()
		if got := reading(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("read %d: %v", nth, got)
		}
		closeStore(t, s)
	}
}

// A directory of a newer version is refused by name, and so is one that another process has open.
func TestRefusals(t *testing.T) {
	mem, _ := sample(t)
	newer := copyOf(mem)
	edit(t, newer, "log/MANIFEST", func(b []byte) []byte { b[8] = 2; return b })
	if _, err := reopen(newer); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
	s, err := reopen(mem)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reopen(mem); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "data directory log") {
		t.Error(err)
	}
	closeStore(t, s)
	if s, err = reopen(mem); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
