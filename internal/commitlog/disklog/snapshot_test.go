package disklog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A pin that is taken while two logs are written, laid out, merged and trimmed opens from a copy, has everything that was acknowledged before, and of each log a beginning
// without a gap; of two records where one was put after the other was acknowledged, it never has the later one alone. It stays as it is when the store goes on.
func TestPin(t *testing.T) {
	r := newRig(t, smallJournal)
	a, b := r.log(commitlog.ID{Group: 1}, 0), r.log(commitlog.ID{Group: 2}, time.Hour)
	var mu sync.Mutex // guards acknowledged
	var acknowledged [2]int
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			for n, l := range []commitlog.Log{a, b} {
				if _, err := l.Append(ctx, batchAt(start, fmt.Sprint(i), strings.Repeat("x", 60))); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[n] = i + 1
				mu.Unlock()
			}
		}
	})
	var pins []string
	var before [][2]int
	for i := range 12 {
		for {
			mu.Lock()
			enough := acknowledged[1] > 30*i
			mu.Unlock()
			if enough {
				break
			}
		}
		mu.Lock()
		before = append(before, acknowledged)
		mu.Unlock()
		dir := fmt.Sprint("pin", i)
		if err := r.mem.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := r.s.Pin(dir); err != nil {
			t.Fatal(err)
		}
		pins = append(pins, dir)
	}
	close(stop)
	writing.Wait()
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Pin(pins[0]); !fault.Is(err, fault.Unavailable) {
		t.Errorf("pin of a closed store: %v", err)
	}

	for i, dir := range pins {
		im, err := disklog.Examine(r.mem, dir, false)
		if err != nil {
			t.Fatal(err)
		}
		if found := wrong(im); len(found) > 0 {
			t.Errorf("%s: %+v", dir, found)
		}
		im.Close()
		names, err := disklog.Files(r.mem, dir)
		if err != nil {
			t.Fatal(err)
		}
		copied := vfs.NewMem()
		if err := copied.MkdirAll("log"); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			copyFile(t, r.mem, dir+"/"+name, copied, "log/"+name)
		}
		s, err := disklog.Open(disklog.Options{FS: copied, Dir: "log", Clock: clock.NewManual(start), JournalBytes: 2 << 10, JournalFilesMax: 100})
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		got := reading(t, s)
		closeStore(t, s)
		counts := [2]int{len(got[commitlog.ID{Group: 1}]) / 2, len(got[commitlog.ID{Group: 2}]) / 2}
		if counts[0] < before[i][0] || counts[1] < before[i][1] || counts[1] > counts[0] {
			t.Errorf("%s: %v records, acknowledged before: %v", dir, counts, before[i])
		}
		for _, records := range got {
			for p, record := range records {
				if want := fmt.Sprintf("%d:%d", p, p/2); p%2 == 0 && record != want {
					t.Fatalf("%s: %q, want %q", dir, record, want)
				}
			}
		}
	}
}

func copyFile(t *testing.T, from vfs.FS, name string, to vfs.FS, as string) {
	t.Helper()
	f, err := from.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		t.Fatal(err)
	}
	out, err := to.Create(as)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

// Reads go on behind what was given up, say so each time, and look for times there too; what merely is missing stays an error.
func TestGivenUpIsPassedOver(t *testing.T) {
	mem, want := sample(t)
	id := commitlog.ID{Group: 1}
	edit(t, mem, "log/segment-0000000000000001", func(b []byte) []byte {
		b[strings.Index(string(b), "a1")] ^= 1
		return b
	})
	repair(t, mem, claimsOfSample)
	var passed []disklog.PassedOver
	o := smallJournal
	o.FS, o.Dir, o.Clock = mem, "log", clock.NewManual(start)
	o.OnEvent = func(e disklog.Event) {
		switch e := e.(type) {
		case disklog.PassedOver:
			passed = append(passed, e)
		case disklog.Damaged, disklog.Lost:
			t.Errorf("%+v", e)
		}
	}
	s, err := disklog.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if got := readingLog(t, l, 0); len(got) != len(want[id])-2 || len(passed) != 1 || passed[0] != (disklog.PassedOver{Log: id, From: 2, To: 4}) {
		t.Errorf("%d records of %d, passed %+v", len(got), len(want[id]), passed)
	}
	if got := readingLog(t, l, 3); got[0] != want[id][4] {
		t.Errorf("from inside: %q", got[0])
	}
	if p, err := l.PositionAt(ctx, start.Add(time.Second)); err != nil || int(p) != len(want[id]) {
		t.Errorf("a time behind all: %d %v", p, err)
	}
	closeStore(t, s)

	// Without the list the hole is one again.
	if err := mem.Remove("log/LOST"); err != nil {
		t.Fatal(err)
	}
	s, err = reopen(mem)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if l, err = s.Open(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(ctx, 2, 100); !fault.Is(err, fault.Corrupt) {
		t.Errorf("without the list: %v", err)
	}
}
