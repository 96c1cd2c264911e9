package audit_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var start = time.Date(2026, 11, 18, 23, 59, 0, 0, time.UTC)

func open(t *testing.T, fs vfs.FS, failed func(error)) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Options{FS: fs, Dir: "audit", Clock: clock.NewManual(start), Failed: failed})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(after time.Duration, operation string) audit.Entry {
	return audit.Entry{Time: start.Add(after), Operation: operation, Parameters: json.RawMessage(`{"StreamName":"tolls"}`)}
}

// read is the operations of the log from a time on.
func read(t *testing.T, fs vfs.FS, since time.Time) (operations []string, spoiled int) {
	t.Helper()
	spoiled, err := audit.Read(fs, "audit", since, func(e audit.Entry, line []byte) bool {
		if string(e.Parameters) != `{"StreamName":"tolls"}` || !json.Valid(line) {
			t.Errorf("%s", line)
		}
		operations = append(operations, e.Operation)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return operations, spoiled
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A day has a file of its own, a log that is opened again goes on at its end, and reading begins at a time.
func TestDays(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, nil)
	l.Record(entry(0, "CreateStream"))
	l.Record(entry(2*time.Minute, "DeleteStream"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, fs, nil).Record(entry(3*time.Minute, "ListStreams"))
	if names, err := fs.List("audit"); err != nil || len(names) != 2 || names[0] != "2026-11-18.jsonl" {
		t.Errorf("%v, %v", names, err)
	}
	all, _ := read(t, fs, time.Time{})
	same(t, all, "CreateStream", "DeleteStream", "ListStreams")
	late, _ := read(t, fs, start.Add(2*time.Minute))
	same(t, late, "DeleteStream", "ListStreams")
	if _, err := audit.Read(vfs.NewMem(), "audit", time.Time{}, nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("no log: %v", err)
	}
}

// What was closed survives a crash, and a line that a crash tore spoils no other.
func TestTornLine(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, nil)
	l.Record(entry(0, "CreateStream"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after := fs.CrashClone(rand.New(rand.NewPCG(1, 1)))
	f, err := after.Open("audit/2026-11-18.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(`{"time":"2026-11-18T23:5`), size); err != nil {
		t.Fatal(err)
	}
	open(t, after, nil).Record(entry(time.Second, "DeleteStream"))
	all, spoiled := read(t, after, time.Time{})
	same(t, all, "CreateStream", "DeleteStream")
	if spoiled != 1 {
		t.Errorf("%d lines are spoiled", spoiled)
	}
}

// A full disk loses entries, which are counted, and nothing else; when there is room again the log goes on, and says so once.
func TestFullDisk(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	lost, recovered := 0, 0
	l := open(t, fs, func(err error) {
		if err == nil {
			recovered++
		} else {
			lost++
		}
	})
	l.Record(entry(0, "CreateStream"))
	fs.Add(vfs.Rule{Op: vfs.OpWrite, Times: 2, Err: vfs.ErrNoSpace, Part: 0.5})
	l.Record(entry(1, "lost"))
	l.Record(entry(2, "lost"))
	l.Record(entry(3, "DeleteStream"))
	l.Record(entry(4, "ListStreams"))
	if lost != 2 || recovered != 1 {
		t.Errorf("lost %d, recovered %d times", lost, recovered)
	}
	all, _ := read(t, fs, time.Time{})
	same(t, all, "CreateStream", "DeleteStream", "ListStreams")
}
