package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Every file system keeps what FS and File promise.
func TestConformance(t *testing.T) {
	for _, row := range []struct {
		name string
		fs   func(t *testing.T) vfs.FS
	}{
		{"os", func(t *testing.T) vfs.FS { return newOS(t) }},
		{"mem", func(*testing.T) vfs.FS { return vfs.NewMem() }},
		{"faulty without rules", func(*testing.T) vfs.FS { return vfs.NewFaulty(vfs.NewMem()) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Run("files", func(t *testing.T) { files(t, row.fs(t)) })
			t.Run("directories", func(t *testing.T) { directories(t, row.fs(t)) })
			t.Run("names", func(t *testing.T) { names(t, row.fs(t)) })
			t.Run("handles", func(t *testing.T) { handles(t, row.fs(t)) })
			t.Run("lock", func(t *testing.T) { lock(t, row.fs(t)) })
			t.Run("at the same time", func(t *testing.T) { concurrent(t, row.fs(t)) })
		})
	}
}

func newOS(t *testing.T) vfs.FS {
	t.Helper()
	f, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%v (%s), want %s", err, fault.KindOf(err), kind)
	}
}

func write(t *testing.T, f vfs.File, at int64, text string) {
	t.Helper()
	n, err := f.WriteAt([]byte(text), at)
	if n != len(text) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func read(t *testing.T, f vfs.File) string {
	t.Helper()
	size, err := f.Size()
	no(t, err)
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n != len(b) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("read: %d of %d, %v", n, len(b), err)
	}
	return string(b)
}

func files(t *testing.T, f vfs.FS) {
	_, err := f.Open("a")
	want(t, err, fault.NotFound)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	a := must(f.Create("a"))(t)
	write(t, a, 3, "def")
	write(t, a, 0, "abc")
	write(t, a, 8, "ij")
	if got := read(t, a); got != "abcdef\x00\x00ij" {
		t.Errorf("%q", got)
	}
	b := make([]byte, 5)
	if n, err := a.ReadAt(b, 8); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("read across the end: %d, %v", n, err)
	}
	if n, err := a.ReadAt(b, 20); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read behind the end: %d, %v", n, err)
	}
	no(t, a.Truncate(4))
	no(t, a.Truncate(6))
	if got := read(t, a); got != "abcd\x00\x00" {
		t.Errorf("cut and grown: %q", got)
	}
	no(t, a.Allocate(1<<16))
	if size, err := a.Size(); size != 6 || err != nil {
		t.Errorf("after Allocate: %d, %v", size, err)
	}
	no(t, a.SyncData())
	no(t, a.Close())

	a = must(f.Open("a"))(t)
	if got := read(t, a); got != "abcd\x00\x00" {
		t.Errorf("opened again: %q", got)
	}
	no(t, a.Close())
	a = must(f.Create("a"))(t)
	if got := read(t, a); got != "" {
		t.Errorf("created again: %q", got)
	}
	no(t, a.Close())
	no(t, f.Remove("a"))
	want(t, f.Remove("a"), fault.NotFound)
}

func directories(t *testing.T, f vfs.FS) {
	no(t, f.MkdirAll("x/y"))
	no(t, f.MkdirAll("x/y"))
	for _, name := range []string{"x/y/2", "x/y/1", "x/0"} {
		no(t, must(f.Create(name))(t).Close())
	}
	if got := must(f.List("x/y"))(t); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("%v", got)
	}
	if got := must(f.List("."))(t); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%v", got)
	}
	if info := must(f.Stat("x"))(t); !info.IsDir() || info.Name() != "x" {
		t.Errorf("%v", info)
	}
	_, err := f.List("z")
	want(t, err, fault.NotFound)
	_, err = f.Stat("z")
	want(t, err, fault.NotFound)
	_, err = f.Create("z/1")
	want(t, err, fault.NotFound)
	if f.Remove("x/y") == nil {
		t.Error("a directory that is not empty was removed")
	}

	one := must(f.Open("x/y/1"))(t)
	write(t, one, 0, "one")
	no(t, one.Close())
	no(t, f.Rename("x/y/1", "x/y/2"))
	two := must(f.Open("x/y/2"))(t)
	if got := read(t, two); got != "one" {
		t.Errorf("renamed: %q", got)
	}
	no(t, two.Close())
	want(t, f.Rename("x/y/1", "x/y/3"), fault.NotFound)
	no(t, f.SyncDir("x/y"))
	no(t, f.Remove("x/y/2"))
	no(t, f.Remove("x/y"))
}

func names(t *testing.T, f vfs.FS) {
	for _, name := range []string{"..", "../a", "a/../../b", "/a", "", "a//b", "./a"} {
		_, err := f.Create(name)
		want(t, err, fault.Invalid)
		_, err = f.Stat(name)
		want(t, err, fault.Invalid)
	}
}

// A file that was renamed stays what its handles point to.
func handles(t *testing.T, f vfs.FS) {
	a := must(f.Create("a"))(t)
	write(t, a, 0, "before")
	no(t, f.Rename("a", "b"))
	write(t, a, 6, " and after")
	b := must(f.Open("b"))(t)
	if got := read(t, b); got != "before and after" {
		t.Errorf("%q", got)
	}
	no(t, a.Close())
	no(t, b.Close())
}

func lock(t *testing.T, f vfs.FS) {
	first := must(f.Lock("LOCK"))(t)
	_, err := f.Lock("LOCK")
	want(t, err, fault.Conflict)
	no(t, first.Close())
	no(t, must(f.Lock("LOCK"))(t).Close())
}

// Writers at disjoint places of one file do not disturb one another.
func concurrent(t *testing.T, f vfs.FS) {
	const writers, each = 8, 100
	a := must(f.Create("a"))(t)
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := range each {
				if _, err := a.WriteAt([]byte{byte('a' + w)}, int64(i*writers+w)); err != nil {
					done <- err
					return
				}
			}
			done <- a.SyncData()
		}()
	}
	for range writers {
		no(t, <-done)
	}
	if got := read(t, a); got != string(bytes.Repeat([]byte("abcdefgh"), each)) {
		t.Errorf("%q", got)
	}
	no(t, a.Close())
}

// After a crash: what was synced is there, what was not is there in every combination, given enough crashes.
func TestCrashClone(t *testing.T) {
	m := vfs.NewMem()
	no(t, m.MkdirAll("d"))
	no(t, m.SyncDir("."))
	a := must(m.Create("d/a"))(t)
	write(t, a, 0, string(bytes.Repeat([]byte("1"), 1024)))
	no(t, a.SyncData())
	no(t, m.SyncDir("d"))
	write(t, a, 0, string(bytes.Repeat([]byte("2"), 1024)))
	_ = must(m.Create("d/b"))(t)
	no(t, m.Rename("d/a", "d/c"))

	seen := make(map[string]bool)
	for seed := range uint64(400) {
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		names := must(c.List("d"))(t)
		for _, name := range names {
			seen[name] = true
		}
		at := "d/a"
		if slices.Contains(names, "c") {
			at = "d/c"
		}
		if slices.Contains(names, "a") == slices.Contains(names, "c") {
			t.Fatalf("a renaming is one change, and here is %v", names)
		}
		content := read(t, must(c.Open(at))(t))
		if len(content) != 1024 {
			t.Fatalf("%d bytes", len(content))
		}
		for sector := 0; sector < 1024; sector += 512 {
			if part := content[sector : sector+512]; part != string(bytes.Repeat([]byte{part[0]}, 512)) {
				t.Fatal("a sector is torn")
			}
		}
		seen[content[:1]+content[512:513]] = true
	}
	for _, one := range []string{"a", "b", "c", "11", "12", "21", "22"} {
		if !seen[one] {
			t.Errorf("no crash left %s", one)
		}
	}
}

// The death of a process loses nothing by itself, and makes nothing durable either.
func TestKillClone(t *testing.T) {
	m := vfs.NewMem()
	a := must(m.Create("a"))(t)
	write(t, a, 0, "synced")
	no(t, a.SyncData())
	no(t, m.SyncDir("."))
	write(t, a, 0, "SYNCED")
	_ = must(m.Create("b"))(t)
	no(t, m.Rename("a", "c"))
	k := m.KillClone()
	write(t, a, 0, "later!")
	if got := must(k.List("."))(t); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("%v", got)
	}
	if got := read(t, must(k.Open("c"))(t)); got != "SYNCED" {
		t.Errorf("%q", got)
	}
	seen := make(map[string]bool)
	for seed := range uint64(100) {
		for _, name := range must(k.CrashClone(rand.New(rand.NewPCG(seed, 0))).List("."))(t) {
			seen[name] = true
		}
	}
	if !seen["a"] || !seen["b"] || !seen["c"] {
		t.Errorf("power loss after it left only %v", seen)
	}
}

// A synced file without a synced name is gone; a synced name without synced bytes is there, whatever its content.
func TestCrashCloneWithoutSyncDir(t *testing.T) {
	m := vfs.NewMem()
	a := must(m.Create("a"))(t)
	write(t, a, 0, "content")
	no(t, a.SyncData())
	lost := 0
	for seed := range uint64(100) {
		if _, err := m.CrashClone(rand.New(rand.NewPCG(seed, 0))).Stat("a"); err != nil {
			lost++
		}
	}
	if lost == 0 || lost == 100 {
		t.Errorf("the name was lost in %d of 100 crashes", lost)
	}
	no(t, m.SyncDir("."))
	for seed := range uint64(20) {
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		if got := read(t, must(c.Open("a"))(t)); got != "content" {
			t.Errorf("%q", got)
		}
	}
}

// Rules break the calls that they name, and only those.
func TestRules(t *testing.T) {
	for _, row := range []struct {
		name   string
		rule   vfs.Rule
		broken string // of six writes to a and one to b, x where one broke
	}{
		{"the first", vfs.Rule{Op: vfs.OpWrite}, "x.....|."},
		{"the third", vfs.Rule{Op: vfs.OpWrite, Nth: 3}, "..x...|."},
		{"two from the second", vfs.Rule{Op: vfs.OpWrite, Nth: 2, Times: 2}, ".xx...|."},
		{"all from the fourth", vfs.Rule{Op: vfs.OpWrite, Nth: 4, Times: -1}, "...xxx|x"},
		{"by name", vfs.Rule{Op: vfs.OpWrite, Path: "b*", Times: -1}, "......|x"},
		{"another call", vfs.Rule{Op: vfs.OpSync, Times: -1}, "......|."},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := vfs.NewFaulty(vfs.NewMem(), row.rule)
			a, b := must(f.Create("a"))(t), must(f.Create("b"))(t)
			got := ""
			try := func(file vfs.File) {
				_, err := file.WriteAt([]byte("x"), 0)
				if err != nil {
					want(t, err, fault.Unavailable)
					got += "x"
				} else {
					got += "."
				}
			}
			for range 6 {
				try(a)
			}
			got += "|"
			try(b)
			if got != row.broken {
				t.Errorf("%s, want %s", got, row.broken)
			}
		})
	}
}

// A broken write may happen in part, a read come short, and a broken sync lose what it should have kept.
func TestPartsAndLostSyncs(t *testing.T) {
	m := vfs.NewMem()
	f := vfs.NewFaulty(m, vfs.Rule{Op: vfs.OpWrite, Nth: 2, Part: 0.5, Err: vfs.ErrNoSpace}, vfs.Rule{Op: vfs.OpRead, Part: 0.25})
	a := must(f.Create("a"))(t)
	no(t, m.SyncDir("."))
	write(t, a, 0, "abcd")
	n, err := a.WriteAt([]byte("efgh"), 4)
	if want(t, err, fault.Full); n != 2 {
		t.Errorf("%d bytes written", n)
	}
	b := make([]byte, 8)
	n, err = a.ReadAt(b, 0)
	if want(t, err, fault.Unavailable); n != 2 {
		t.Errorf("%d bytes read", n)
	}
	f.Add(vfs.Rule{Op: vfs.OpSync, Lose: true})
	want(t, a.SyncData(), fault.Unavailable)
	no(t, a.SyncData())
	if got := read(t, a); got != "abcdef" {
		t.Errorf("before the crash %q", got)
	}
	c := m.CrashClone(rand.New(rand.NewPCG(1, 1)))
	if got := read(t, must(c.Open("a"))(t)); got != "" {
		t.Errorf("a lost write is back: %q", got)
	}
	f.Heal()
	write(t, a, 6, "gh")
}

// A quota cuts writes short, counts allocated room, and is given back by truncating and removing.
func TestQuota(t *testing.T) {
	f := vfs.NewFaulty(vfs.NewMem())
	f.Quota(10)
	a := must(f.Create("a"))(t)
	write(t, a, 0, "12345678")
	n, err := a.WriteAt([]byte("abcd"), 8)
	if want(t, err, fault.Full); n != 2 || f.Used() != 10 {
		t.Errorf("%d written, %d used", n, f.Used())
	}
	write(t, a, 0, "rewritten")
	b := must(f.Create("b"))(t)
	want(t, b.Allocate(1), fault.Full)
	no(t, a.Truncate(4))
	no(t, b.Allocate(6))
	want(t, a.Allocate(5), fault.Full)
	write(t, b, 0, "123456")
	no(t, f.Rename("a", "c"))
	no(t, f.Remove("c"))
	if f.Used() != 6 {
		t.Errorf("%d used", f.Used())
	}
	f.Quota(100)
	write(t, b, 6, "more")
}
