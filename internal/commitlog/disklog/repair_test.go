package disklog_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// examine looks at a directory and reads all of it.
func examine(t *testing.T, fs vfs.FS) *disklog.Image {
	t.Helper()
	im, err := disklog.Examine(fs, "log", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.Verify(ctx, nil); err != nil {
		t.Fatal(err)
	}
	return im
}

// wrong are the findings that are no notes.
func wrong(im *disklog.Image) (found []disklog.Finding) {
	for _, f := range im.Findings() {
		if !f.Note {
			found = append(found, f)
		}
	}
	return found
}

// repair does what a plan says and gives it.
func repair(t *testing.T, fs vfs.FS, claims map[commitlog.ID]disklog.Claim) *disklog.Plan {
	t.Helper()
	im := examine(t, fs)
	defer im.Close()
	plan, err := im.Plan(start, claims)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.MkdirAll("quarantine"); err != nil {
		t.Fatal(err)
	}
	if err := im.Repair(ctx, plan, "quarantine"); err != nil {
		t.Fatal(err)
	}
	return plan
}

// claimsOfSample is what the owners of the sample's logs know.
var claimsOfSample = map[commitlog.ID]disklog.Claim{{Group: 1}: {}, {Group: 1, Member: 1}: {Retention: time.Hour}}

// A sound directory has no findings, and looking at it changes nothing.
func TestExamineSound(t *testing.T) {
	mem, want := sample(t)
	before := contentsOf(t, mem)
	im := examine(t, mem)
	if found := im.Findings(); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if _, err := disklog.Examine(mem, "log", true); err == nil {
		t.Error("two hold the lock")
	}
	im.Close()
	if after := contentsOf(t, mem); !slices.Equal(after, before) {
		t.Errorf("%v, before %v", after, before)
	}
	s, err := reopen(mem)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got := reading(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
}

func contentsOf(t *testing.T, fs vfs.FS) (files []string) {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := fs.Open("log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		b := make([]byte, size)
		_, _ = f.ReadAt(b, 0)
		_ = f.Close()
		files = append(files, fmt.Sprintf("%s %x", name, b))
	}
	return files
}

// Any flipped bit that changes what the store does or is, is found and named by its file. After the repair the directory is sound, the store opens,
// and everything is there but positions that the repair has named; a reader comes past those. What was taken out of use is in the quarantine.
func TestRepairOfEveryFlippedBit(t *testing.T) {
	mem, want := sample(t)
	names, err := mem.List("log")
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	kinds := make(map[disklog.FindingKind]int)
	lostRecords := make(map[string]int)
	harmless := 0
	for _, name := range names {
		info, err := mem.Stat("log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(0); at < info.Size(); at += 1 + int64(r.IntN(3)) {
			bit := byte(1) << r.IntN(8)
			fs := copyOf(mem)
			edit(t, fs, "log/"+name, func(b []byte) []byte { b[at] ^= bit; return b })
			if name == "MANIFEST" && at >= 8 && at < 12 {
				// The version stands before the checksum, so that one can be told that is newer: this is not damage for sure, and nothing is done.
				if _, err := disklog.Examine(fs, "log", true); !fault.Is(err, fault.Unsupported) && !fault.Is(err, fault.Corrupt) {
					t.Errorf("version of another Weir: %v", err)
				}
				continue
			}
			im := examine(t, fs)
			found, all := wrong(im), im.Findings()
			im.Close()
			if len(found) == 0 && len(all) == 1 && all[0].Kind == disklog.Torn && all[0].File == name {
				harmless++ // the empty block that marks an orderly end: without it nothing is missing
				continue
			}
			if len(found) == 0 {
				t.Fatalf("%s byte %d bit %#x: not found", name, at, bit)
			}
			if !slices.ContainsFunc(found, func(f disklog.Finding) bool { return f.File == name }) {
				t.Fatalf("%s byte %d bit %#x: found in another file: %+v", name, at, bit, found)
			}
			for _, f := range found {
				kinds[f.Kind]++
			}
			plan := repair(t, fs, claimsOfSample)
			lost := checkRepaired(t, fs, want, plan)
			kind, _, _ := strings.Cut(name, "-")
			lostRecords[kind] = max(lostRecords[kind], lost)
			if t.Failed() {
				t.Fatalf("%s byte %d bit %#x, plan %+v", name, at, bit, plan.Steps)
			}
		}
	}
	t.Log(kinds, lostRecords)
	if harmless == 0 || harmless > 32 {
		t.Errorf("%d bits changed nothing; the last block has 32 bytes", harmless)
	}
	// A batch of the sample has up to two records. A row of an index that names another log costs the piece that it stood for.
	if lostRecords["MANIFEST"] != 0 || lostRecords["segment"] > 16 || lostRecords["journal"] > 2 {
		t.Errorf("records that one bit cost: %v", lostRecords)
	}
}

// checkRepaired opens a repaired directory and counts the records that it does not have any more.
func checkRepaired(t *testing.T, fs vfs.FS, want map[commitlog.ID][]string, plan *disklog.Plan) (lost int) {
	t.Helper()
	im := examine(t, fs)
	if found := wrong(im); len(found) != 0 {
		t.Errorf("after the repair: %+v", found)
	}
	im.Close()
	for _, step := range plan.Steps {
		if step.Do == "quarantine" {
			if _, err := fs.Stat("quarantine/" + step.File); err != nil {
				t.Error(err)
			}
		}
	}
	for round := range 2 {
		s, err := reopen(fs)
		if err != nil {
			t.Error(err)
			return 0
		}
		for id, records := range want {
			l, err := s.Open(ctx, id)
			if err != nil {
				t.Error(err)
				continue
			}
			bounds, err := l.Bounds(ctx)
			if err != nil {
				t.Error(err)
			}
			if round == 0 {
				if next := mustAppend(t, l, batchAt(start, "after the repair")); next < commitlog.Position(len(records)) {
					t.Errorf("log %s goes on at %d", id, next)
				}
			}
			got := readingLog(t, l, bounds.First)
			for _, r := range records {
				if !slices.Contains(got, r) {
					lost++
					var p int64
					if _, err := fmt.Sscanf(r, "%d:", &p); err != nil {
						t.Fatal(err)
					}
					if !slices.ContainsFunc(plan.Steps, func(s disklog.Step) bool { return s.Do == "give up" && s.Log == id && s.From <= p && p < s.To }) {
						t.Errorf("log %s: %q is gone, and nobody said so", id, r)
					}
				}
			}
			for _, r := range got {
				if strings.HasSuffix(r, ":damaged") || !slices.Contains(records, r) && !strings.HasSuffix(r, "after the repair") {
					t.Errorf("log %s: %q", id, r)
				}
			}
		}
		closeStore(t, s)
	}
	return lost / 2
}

// readingLog is the records of a log as "position:value".
func readingLog(t *testing.T, l commitlog.Log, from commitlog.Position) (records []string) {
	t.Helper()
	for {
		chunk, err := l.Read(ctx, from, 700)
		if err != nil {
			t.Errorf("read from %d: %v", from, err)
			return records
		}
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			if r.Position >= from {
				records = append(records, fmt.Sprintf("%d:%s", r.Position, r.Value))
			}
		}
		if chunk.Next == from {
			return records
		}
		from = chunk.Next
	}
}

// Files that are missing, cut or broken as a whole.
func TestRepairOfFiles(t *testing.T) {
	const first = "log/segment-0000000000000001"
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, fs *vfs.Mem, journal string)
		lost  int // records at most; -1 for any number
	}{
		{"no manifest", func(t *testing.T, fs *vfs.Mem, _ string) { remove(t, fs, "log/MANIFEST") }, 0},
		{"a cut manifest", func(t *testing.T, fs *vfs.Mem, _ string) {
			edit(t, fs, "log/MANIFEST", func(b []byte) []byte { return b[:len(b)-1] })
		}, 0},
		{"no journal", func(t *testing.T, fs *vfs.Mem, journal string) { remove(t, fs, journal) }, -1},
		{"an empty journal", func(t *testing.T, fs *vfs.Mem, journal string) {
			edit(t, fs, journal, func([]byte) []byte { return nil })
		}, -1},
		{"a journal without its header", func(t *testing.T, fs *vfs.Mem, journal string) {
			edit(t, fs, journal, func(b []byte) []byte { clear(b[:512]); return b })
		}, 0},
		{"a journal without header and first block", func(t *testing.T, fs *vfs.Mem, journal string) {
			edit(t, fs, journal, func(b []byte) []byte { clear(b[:550]); return b })
		}, -1},
		{"no segment", func(t *testing.T, fs *vfs.Mem, _ string) { remove(t, fs, first) }, -1},
		{"a cut segment", func(t *testing.T, fs *vfs.Mem, _ string) {
			edit(t, fs, first, func(b []byte) []byte { return b[:len(b)/2] })
		}, -1},
		{"a longer segment", func(t *testing.T, fs *vfs.Mem, _ string) {
			edit(t, fs, first, func(b []byte) []byte { return append(b, "more"...) })
		}, 0},
		{"neither manifest nor journal", func(t *testing.T, fs *vfs.Mem, journal string) {
			remove(t, fs, "log/MANIFEST")
			remove(t, fs, journal)
		}, -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			mem, want := sample(t)
			names, err := mem.List("log")
			if err != nil {
				t.Fatal(err)
			}
			journal := "log/" + names[slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "journal") })]
			row.spoil(t, mem, journal)
			im := examine(t, mem)
			if len(wrong(im)) == 0 {
				t.Error("nothing is found")
			}
			im.Close()
			plan := repair(t, mem, claimsOfSample)
			lost := checkRepaired(t, mem, want, plan)
			if row.lost >= 0 && lost > row.lost {
				t.Errorf("%d records are gone, want at most %d; %+v", lost, row.lost, plan.Steps)
			}
			if row.lost < 0 && lost == 0 {
				t.Error("nothing is gone")
			}
		})
	}
}

func remove(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	if err := fs.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// What its owner cannot do without is not given up: the plan says so and does nothing.
func TestRepairRefuses(t *testing.T) {
	mem, _ := sample(t)
	edit(t, mem, "log/segment-0000000000000001", func(b []byte) []byte { b[70] ^= 1; return b })
	im := examine(t, mem)
	defer im.Close()
	plan, err := im.Plan(start, map[commitlog.ID]disklog.Claim{{Group: 1}: {Covered: true, AtLeast: 1}})
	if err != nil {
		t.Fatal(err)
	}
	before := contentsOf(t, mem)
	if len(plan.Refused) == 0 || !strings.Contains(plan.Refused[0], "log 1/0") {
		t.Errorf("%+v", plan)
	}
	if err := im.Repair(ctx, plan, "."); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
	if after := contentsOf(t, mem); !slices.Equal(after, before) {
		t.Error("something was written")
	}
}

// A repair that is killed at any call that changes the disk leaves a directory that another repair brings to the same end.
func TestRepairIsKilled(t *testing.T) {
	for nth := 1; ; nth++ {
		mem, want := sample(t)
		names, err := mem.List("log")
		if err != nil {
			t.Fatal(err)
		}
		journal := "log/" + names[slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "journal") })]
		edit(t, mem, "log/segment-0000000000000002", func(b []byte) []byte { b[70] ^= 1; return b })
		edit(t, mem, journal, func(b []byte) []byte { b[560] ^= 1; return b })
		if err := mem.MkdirAll("quarantine"); err != nil {
			t.Fatal(err)
		}
		disk := vfs.NewFaulty(mem, vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpRename | vfs.OpRemove | vfs.OpSync | vfs.OpSyncDir | vfs.OpTruncate, Nth: nth, Times: -1})
		im := examine(t, disk)
		plan, err := im.Plan(start, claimsOfSample)
		if err != nil {
			t.Fatal(err)
		}
		err = im.Repair(ctx, plan, "quarantine")
		im.Close()
		after := mem.CrashClone(rand.New(rand.NewPCG(uint64(nth), 1)))
		if err := after.MkdirAll("quarantine"); err != nil {
			t.Fatal(err)
		}
		again := examine(t, after)
		second, planErr := again.Plan(start, claimsOfSample)
		if planErr != nil {
			t.Fatal(planErr)
		}
		if len(wrong(again)) > 0 {
			if err := again.Repair(ctx, second, "quarantine"); err != nil {
				t.Fatal(err)
			}
		}
		again.Close()
		second.Steps = append(second.Steps, plan.Steps...)
		second.Steps = slices.DeleteFunc(second.Steps, func(s disklog.Step) bool { return s.Do == "quarantine" })
		checkRepaired(t, after, want, second)
		if t.Failed() {
			t.Fatalf("killed at call %d", nth)
		}
		if err == nil {
			if nth < 10 {
				t.Errorf("only %d calls", nth)
			}
			return
		}
	}
}

// Any bytes as a list of lost positions: no panic, and what is accepted is written the same.
func FuzzLost(f *testing.F) {
	f.Add([]byte("WEIRLOST 1 00000000\n{}\n"))
	f.Add(disklog.EncodeLost(1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := disklog.DecodeLost(b); err != nil && !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
			t.Error(err)
		}
	})
}

// Any bytes as the files of a directory: looking, planning and repairing do not panic, and what was repaired is found sound or refused.
func FuzzExamine(f *testing.F) {
	mem := vfs.NewMem()
	store, err := disklog.Open(disklog.Options{FS: mem, Dir: "log", Clock: clock.NewManual(start), JournalBytes: 1 << 10, JournalFilesMax: 100})
	if err != nil {
		f.Fatal(err)
	}
	id := commitlog.ID{Group: 1}
	if err := store.Create(ctx, id, commitlog.Config{}); err != nil {
		f.Fatal(err)
	}
	l, err := store.Open(ctx, id)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 8 {
		if _, err := l.Append(ctx, batchAt(start, fmt.Sprint(i), strings.Repeat("x", 100))); err != nil {
			f.Fatal(err)
		}
	}
	for store.Stats().Journals > 1 {
		runtime.Gosched()
	}
	if err := store.Close(); err != nil {
		f.Fatal(err)
	}
	names, err := mem.List("log")
	if err != nil {
		f.Fatal(err)
	}
	content := func(prefix string) []byte {
		for _, name := range names {
			if strings.HasPrefix(name, prefix) && name != "MANIFEST.next" {
				file, err := mem.Open("log/" + name)
				if err != nil {
					f.Fatal(err)
				}
				size, _ := file.Size()
				b := make([]byte, size)
				_, _ = file.ReadAt(b, 0)
				return b
			}
		}
		f.Fatalf("no %s in %v", prefix, names)
		return nil
	}
	journal := names[slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "journal-") })]
	manifest, blocks, segment := content("MANIFEST"), content("journal-"), content("segment-")
	f.Add(manifest, blocks, segment)
	f.Add([]byte(nil), blocks, segment)
	f.Add(manifest, blocks[:len(blocks)/2], segment[:len(segment)-1])
	f.Fuzz(func(t *testing.T, manifest, blocks, segment []byte) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("log"); err != nil {
			t.Fatal(err)
		}
		if err := fs.MkdirAll("quarantine"); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"MANIFEST": manifest, journal: blocks, "segment-0000000000000001": segment} {
			file, err := fs.Create("log/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt(b, 0); err != nil {
				t.Fatal(err)
			}
		}
		im, err := disklog.Examine(fs, "log", true)
		if err != nil {
			return
		}
		defer im.Close()
		if _, err := im.Verify(ctx, nil); err != nil {
			return
		}
		plan, err := im.Plan(start, nil)
		if err != nil || len(plan.Refused) > 0 {
			return
		}
		if err := im.Repair(ctx, plan, "quarantine"); err != nil {
			return
		}
		im.Close()
		again, err := disklog.Examine(fs, "log", true)
		if err != nil {
			t.Fatalf("after a repair: %v", err)
		}
		defer again.Close()
		if found := wrong(again); len(found) > 0 {
			t.Errorf("after a repair: %+v, plan %+v", found, plan.Steps)
		}
	})
}
