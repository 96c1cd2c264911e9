package crash

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
)

const (
	childEnv = "WEIR_CRASH_CHILD" // the directory: this process is the child
	seedEnv  = "WEIR_CRASH_SEED"
	killsEnv = "WEIR_CRASH_KILLS" // how often to kill; 10 when not set, 200 in `make long`
)

var seedFlag = flag.Uint64("crash.seed", 0, "repeat with this seed; the moments of the kills are the machine's own")

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		fmt.Fprintln(os.Stderr, "server:", serve(dir))
		os.Exit(1)
	}
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	seed, err := strconv.ParseUint(os.Getenv(seedEnv), 10, 64)
	if err == nil {
		err = child(dir, seed)
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

// TestKill shows that nothing acknowledged is lost by kill -9: not a record, a trim, a seal, a creation or a deletion; whatever the store was doing. One directory lives
// through all the kills, so that recovery stands on what recovery left.
func TestKill(t *testing.T) {
	kills, seed := killsAndSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	acked := newLedger()
	for kill := range kills {
		after := time.Duration(20+r.IntN(480)) * time.Millisecond
		lines := killAfter(t, dir, r.Uint64(), after)
		if err := acked.add(lines); err != nil {
			t.Fatalf("kill %d: %v", kill, err)
		}
		acked.compare(t, dir)
		if t.Failed() {
			t.Fatalf("after kill %d, %v after the start", kill, after)
		}
	}
	t.Logf("%d kills, %d batches acknowledged, %d still wanted", kills, acked.batches, acked.wanted())
}

// killsAndSeed says how often to kill, and with which seed, which it prints.
func killsAndSeed(t *testing.T) (kills int, seed uint64) {
	t.Helper()
	kills = 10
	if v := os.Getenv(killsEnv); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	seed = *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with: go test ./test/crash -crash.seed %d", seed)
	return kills, seed
}

// killAfter runs a child, kills it d after its first acknowledgement, and gives what it said.
func killAfter(t *testing.T, dir string, seed uint64, d time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, seedEnv+"="+strconv.FormatUint(seed, 10))
	said := &firstWrite{first: make(chan struct{})}
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = said, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // returns when everything the child wrote has been read
	select {
	case <-said.first:
	case <-exited:
		t.Fatalf("the child ended by itself: %s", complaints.String())
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatal("the child acknowledges nothing")
	}
	select {
	case <-time.After(d):
	case <-exited:
		t.Fatalf("the child ended by itself: %s", complaints.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-exited
	return said.b.String()
}

// firstWrite keeps what is written and says when it begins. One goroutine writes.
type firstWrite struct {
	b     bytes.Buffer
	first chan struct{}
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.b.Len() == 0 {
		close(w.first)
	}
	return w.b.Write(p)
}

// ledger is what all children so far said.
type ledger struct {
	logs    map[string]*account
	batches int
}

type account struct {
	appends  map[commitlog.Position]entry
	trimmed  commitlog.Position
	sealed   commitlog.Position // −1: not
	deleting bool
	deleted  bool
}

type entry struct {
	records int
	sum     uint64
}

func newLedger() *ledger { return &ledger{logs: make(map[string]*account)} }

func (l *ledger) of(id string) *account {
	if l.logs[id] == nil {
		l.logs[id] = &account{appends: make(map[commitlog.Position]entry), sealed: -1}
	}
	return l.logs[id]
}

// add reads the lines of one child. The last may be cut.
func (l *ledger) add(lines string) error {
	for line := range strings.Lines(lines) {
		if !strings.HasSuffix(line, "\n") {
			return nil
		}
		words := strings.Fields(line)
		var n [3]uint64
		for i, w := range words[2:] {
			var err error
			if n[i], err = strconv.ParseUint(w, 10, 64); err != nil {
				return fmt.Errorf("the child said %q", line)
			}
		}
		a := l.of(words[1])
		switch words[0] {
		case "append":
			at := commitlog.Position(n[0])
			if _, twice := a.appends[at]; twice {
				return fmt.Errorf("log %s: two appends were acknowledged at %d", words[1], at)
			}
			a.appends[at] = entry{int(n[1]), n[2]}
			l.batches++
		case "trim":
			a.trimmed = max(a.trimmed, commitlog.Position(n[0]))
		case "seal":
			a.sealed = commitlog.Position(n[0])
		case "deleting":
			a.deleting = true
		case "delete":
			a.deleted = true
		}
	}
	return nil
}

// wanted is how many batches must still be there.
func (l *ledger) wanted() int {
	n := 0
	for _, a := range l.logs {
		if !a.deleted {
			n += len(a.appends)
		}
	}
	return n
}

// compare opens the directory and looks for everything. What was trimmed is forgotten.
func (l *ledger) compare(t *testing.T, dir string) {
	t.Helper()
	o, err := options(dir)
	if err != nil {
		t.Fatal(err)
	}
	o.OnEvent = func(e disklog.Event) {
		if d, ok := e.(disklog.Damaged); ok {
			t.Error(d.Damage.Error())
		}
	}
	s, err := disklog.Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, a := range l.logs {
		var id commitlog.ID
		if _, err := fmt.Sscanf(name, "%d/%d", &id.Group, &id.Member); err != nil {
			t.Fatal(err)
		}
		if a.deleted {
			if _, err := s.Open(context.Background(), id); !fault.Is(err, fault.NotFound) {
				t.Errorf("log %s was deleted: %v", name, err)
			}
			if err := s.Create(context.Background(), id, commitlog.Config{}); !fault.Is(err, fault.Exists) {
				t.Errorf("log %s was deleted, and made again: %v", name, err)
			}
			delete(l.logs, name)
			continue
		}
		log, err := s.Open(context.Background(), id)
		if fault.Is(err, fault.NotFound) && a.deleting {
			delete(l.logs, name)
			continue
		}
		if err != nil {
			t.Errorf("log %s: %v", name, err)
			continue
		}
		a.compare(t, name, log)
	}
}

func (a *account) compare(t *testing.T, name string, log commitlog.Log) {
	t.Helper()
	bounds, err := log.Bounds(context.Background())
	if err != nil {
		t.Error(err)
		return
	}
	if bounds.First < a.trimmed || a.sealed >= 0 && (!bounds.Sealed || bounds.Next != a.sealed) {
		t.Errorf("log %s: %+v; was trimmed to %d and sealed at %d", name, bounds, a.trimmed, a.sealed)
	}
	values := make(map[commitlog.Position]entry) // one record each
	for from := bounds.First; from < bounds.Next; {
		chunk, err := log.Read(context.Background(), from, 1<<20)
		if err != nil {
			t.Errorf("log %s from %d: %v", name, from, err)
			return
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		for next := from; it.Next(&r); {
			if r.Position < from {
				continue
			}
			if r.Position != next {
				t.Errorf("log %s: position %d, expected %d", name, r.Position, next)
				return
			}
			next++
			// A record's own checksum lets the batch be compared wherever its records were read.
			values[r.Position] = entry{sum: checksum(values[r.Position-1].sumIn(a, r.Position), r.Value)}
		}
		if it.Err() != nil || chunk.Next <= from {
			t.Errorf("log %s from %d to %d: %v", name, from, chunk.Next, it.Err())
			return
		}
		from = chunk.Next
	}
	for at, e := range a.appends {
		if at < bounds.First {
			delete(a.appends, at) // trimmed, at least in part
			continue
		}
		if got := values[at+int64(e.records)-1]; got.sum != e.sum {
			t.Errorf("log %s: the batch acknowledged at %d (%d records) is not there: bounds %+v", name, at, e.records, bounds)
		}
	}
}

// sumIn is the checksum that continues at position: that of the record before, unless a batch begins here.
func (e entry) sumIn(a *account, position commitlog.Position) uint64 {
	if _, begins := a.appends[position]; begins {
		return 0
	}
	return e.sum
}
