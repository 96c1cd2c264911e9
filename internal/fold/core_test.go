package fold

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/fold -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, s))
}

// chain is a machine whose state is a hash over all it was given, so that order, count, times and positions all show.
type chain struct {
	mu    sync.Mutex // tests look while Run applies
	count uint64
	sum   [sha256.Size]byte
	plain [sha256.Size]byte // over the commands alone
}

func (c *chain) Apply(at time.Time, position commitlog.Position, command []byte) ([]byte, error) {
	if bytes.HasPrefix(command, []byte("unknown")) {
		return nil, fault.New(fault.Unsupported, "command %q is not known", command)
	}
	if bytes.HasPrefix(command, []byte("panic")) {
		panic("a bug")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.sum = sha256.Sum256(fmt.Appendf(nil, "%x %d %d %s", c.sum, at.UnixMilli(), position, command))
	c.plain = sha256.Sum256(fmt.Appendf(nil, "%x %s", c.plain, command))
	return fmt.Appendf(nil, "%d:%s", c.count, command), nil
}

func (c *chain) Snapshot() func() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := binary.BigEndian.AppendUint64(nil, c.count)
	b = append(append(b, c.sum[:]...), c.plain[:]...)
	return func() []byte { return b }
}

func (c *chain) Restore(b []byte) error {
	if len(b) != 8+2*sha256.Size {
		return fault.New(fault.Corrupt, "chain of %d bytes", len(b))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = binary.BigEndian.Uint64(b)
	copy(c.sum[:], b[8:])
	copy(c.plain[:], b[8+sha256.Size:])
	return nil
}

func (c *chain) counted() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func testCore(m Machine) *core { return newCore(Options{Name: "test", Machine: m}) }

// restart is a core made from another's snapshot.
func (c *core) restart(t *testing.T) *core {
	t.Helper()
	p, err := decodeSnapshot(c.name, c.freeze()())
	if err != nil {
		t.Fatal(err)
	}
	m := &chain{}
	if err := m.Restore(p.machine); err != nil {
		t.Fatal(err)
	}
	restarted := testCore(m)
	restarted.next, restarted.millis, restarted.sessions = p.next, p.millis, p.sessions
	return restarted
}

// The same records on two cores, one of which restarts from a snapshot at random points, give the same outcomes and the same hash at every
// position. The records hold sessions that come and go, duplicates, sequences that jump and are too old, times that jump, and gaps.
func TestReplayIsDeterministic(t *testing.T) {
	r := random(t)
	a, b := testCore(&chain{}), testCore(&chain{})
	position, now := commitlog.Position(0), int64(1_700_000_000_000)
	sequences := map[uint64]uint64{}
	var sent [][]byte
	for range 5_000 {
		position += 1 + r.Int64N(2)*r.Int64N(5)
		now += r.Int64N(2_000) - 500
		e := envelope{kind: kindCommand, ahead: r.IntN(20) == 0, millis: now}
		e.id.session = 1 + r.Uint64N(100)
		switch r.IntN(12) {
		case 0:
			e.kind, e.id.sequence = kindOpen, 0
		case 1:
			e.kind, e.id = kindBarrier, commandID{}
		case 2:
			e.millis += aheadMax.Milliseconds() * 2
			fallthrough
		default:
			step := uint64(1)
			if r.IntN(10) == 0 {
				step = r.Uint64N(3 * resultsKept)
			}
			sequences[e.id.session] += step + 1
			e.id.sequence = sequences[e.id.session] - r.Uint64N(2)
			e.command = fmt.Appendf(nil, "command %d", position)
		}
		record := e.encode()
		if len(sent) > 0 && r.IntN(5) == 0 {
			record = sent[r.IntN(len(sent))]
		}
		sent = append(sent, record)
		if r.IntN(50) == 0 {
			b = b.restart(t)
		}
		idA, outA, errA := a.apply(position, now, record)
		idB, outB, errB := b.apply(position, now, record)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if idA != idB || outA.verdict != outB.verdict || !bytes.Equal(outA.result, outB.result) {
			t.Fatalf("position %d: %v %v and %v %v", position, idA, outA, idB, outB)
		}
		if a.hash() != b.hash() {
			t.Fatalf("position %d: the cores differ", position)
		}
	}
	if a.machine.(*chain).count == 0 || len(a.sessions) != sessionsKept {
		t.Errorf("%d commands and %d sessions: the test tests little", a.machine.(*chain).count, len(a.sessions))
	}
}

// Each row sends envelopes one after the other; the columns are what becomes of the last one.
func TestWhatBecomesOfAnEnvelope(t *testing.T) {
	const now = int64(1_700_000_000_000)
	five := aheadMax.Milliseconds()
	open := envelope{kind: kindOpen, id: commandID{session: 7}, millis: now}
	command := func(sequence uint64, millis int64, ahead bool) envelope {
		return envelope{kind: kindCommand, ahead: ahead, id: commandID{7, sequence}, millis: millis, command: []byte("x")}
	}
	for _, row := range []struct {
		name    string
		sent    []envelope
		verdict verdict
		result  string
		count   uint64 // commands that the machine saw in all
		millis  int64  // the log's time afterwards
	}{
		{"a command", []envelope{open, command(1, now, false)}, done, "1:x", 1, now},
		{"twice", []envelope{open, command(1, now, false), command(1, now, false)}, done, "1:x", 1, now},
		{"twice, with another between", []envelope{open, command(1, now, false), command(2, now, false), command(1, now, false)}, done, "1:x", 2, now},
		{"out of order", []envelope{open, command(2, now, false), command(1, now, false)}, done, "2:x", 2, now},
		{"time goes back", []envelope{open, command(1, now, false), command(2, now-9_000, false)}, done, "2:x", 2, now},
		{"at the edge of the future", []envelope{open, command(1, now+five, false)}, done, "1:x", 1, now + five},
		{"too far in the future", []envelope{open, command(1, now+five+1, false)}, ahead, "", 0, 0},
		{"too far, twice, though time has come nearer", []envelope{open, command(1, now+five+1, false), command(2, now+10, false), command(1, now+five+1, false)}, ahead, "", 1, now + 10},
		{"far with a test clock", []envelope{open, command(1, now+100*five, true)}, done, "1:x", 1, now + 100*five},
		{"the log's time counts too", []envelope{open, command(1, now+100*five, true), command(2, now+101*five, false)}, done, "2:x", 2, now + 101*five},
		{"no session", []envelope{command(1, now, false)}, forgotten, "", 0, 0},
		{"opened afterwards", []envelope{command(1, now, false), open, command(1, now, false)}, done, "1:x", 1, now},
		{"the oldest that may be", []envelope{open, command(resultsKept+1, now, false), command(2, now, false)}, done, "2:x", 2, now},
		{"too old", []envelope{open, command(resultsKept+1, now, false), command(1, now, false)}, stale, "", 1, now},
		{"the oldest remembered", []envelope{open, command(2, now, false), command(resultsKept+1, now, false), command(2, now, false)}, done, "1:x", 2, now},
		{"just forgotten", []envelope{open, command(1, now, false), command(resultsKept+1, now, false), command(1, now, false)}, stale, "", 2, now},
		{"the last sequence there is", []envelope{open, command(1, now, false), command(1<<64-1, now, false), command(1<<64-1, now, false)}, done, "2:x", 2, now},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := &chain{}
			c := testCore(m)
			var o outcome
			for i, e := range row.sent {
				var err error
				if _, o, err = c.apply(int64(i), now, e.encode()); err != nil {
					t.Fatal(err)
				}
			}
			if o.verdict != row.verdict || string(o.result) != row.result {
				t.Errorf("verdict %d, result %q; want %d, %q", o.verdict, o.result, row.verdict, row.result)
			}
			if m.count != row.count || c.millis != row.millis {
				t.Errorf("%d commands, time %d; want %d, %d", m.count, c.millis, row.count, row.millis)
			}
		})
	}
}

// The session that was silent longest makes room, and no other.
func TestSilentSessionIsForgotten(t *testing.T) {
	c := testCore(&chain{})
	var position commitlog.Position
	send := func(e envelope) outcome {
		t.Helper()
		_, o, err := c.apply(position, 0, e.encode())
		if err != nil {
			t.Fatal(err)
		}
		position++
		return o
	}
	for id := uint64(1); id <= sessionsKept; id++ {
		send(envelope{kind: kindOpen, id: commandID{session: id}})
	}
	send(envelope{kind: kindCommand, id: commandID{1, 1}}) // 2 is the silent one now
	send(envelope{kind: kindOpen, id: commandID{session: 1000}})
	if o := send(envelope{kind: kindCommand, id: commandID{2, 1}}); o.verdict != forgotten {
		t.Errorf("the silent session: verdict %d", o.verdict)
	}
	for _, id := range []uint64{1, 3, sessionsKept, 1000} {
		if o := send(envelope{kind: kindCommand, id: commandID{id, 2}}); o.verdict != done {
			t.Errorf("session %d: verdict %d", id, o.verdict)
		}
	}
}

// What cannot be understood stops a core at its position, for good, and leaves the state before it.
func TestCoreStopsAtWhatItDoesNotKnow(t *testing.T) {
	command := func(text string) []byte {
		return envelope{kind: kindCommand, id: commandID{7, 9}, command: []byte(text)}.encode()
	}
	for _, row := range []struct {
		name   string
		record []byte
		kind   fault.Kind
		says   string
	}{
		{"empty", nil, fault.Corrupt, "test log at 5: an empty envelope"},
		{"newer envelope", append([]byte{2}, command("x")[1:]...), fault.Unsupported, "test log at 5: envelope of version 2"},
		{"newer kind", append([]byte{1, 4}, command("x")[2:]...), fault.Unsupported, "test log at 5: envelope of kind 4"},
		{"newer flag", append([]byte{1, 2, 2}, command("x")[3:]...), fault.Unsupported, "test log at 5: envelope with flags 0x2"},
		{"cut", command("")[:envelopeSize-1], fault.Corrupt, "test log at 5: envelope of 26 bytes"},
		{"unknown command", command("unknown thing"), fault.Unsupported, `test log at 5: command "unknown thing" is not known`},
		{"panic", command("panic"), fault.Internal, "test log at 5: applying a command panicked: a bug"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := &chain{}
			c := testCore(m)
			c.apply(3, 0, envelope{kind: kindOpen, id: commandID{session: 7}}.encode())
			c.apply(4, 0, envelope{kind: kindCommand, id: commandID{7, 1}, command: []byte("x")}.encode())
			for range 2 {
				_, _, err := c.apply(5, 0, row.record)
				if !fault.Is(err, row.kind) || !strings.HasPrefix(err.Error(), row.says) {
					t.Fatalf("error %v, of kind %v; want kind %v and %q", err, fault.KindOf(err), row.kind, row.says)
				}
			}
			if _, _, err := c.apply(6, 0, command("x")); err == nil {
				t.Error("the core went on behind it")
			}
			if c.next != 5 || m.count != 1 {
				t.Errorf("next %d, %d commands; want 5, 1", c.next, m.count)
			}
		})
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(envelope{kind: kindOpen, id: commandID{session: 1}}.encode())
	f.Add(envelope{kind: kindBarrier, millis: 5}.encode())
	f.Add(envelope{kind: kindCommand, ahead: true, id: commandID{1, 2}, millis: millisMax, command: []byte("x")}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		if again := e.encode(); !bytes.Equal(again, b) {
			t.Errorf("%x was read as %+v and written as %x", b, e, again)
		}
	})
}

func FuzzSessions(f *testing.F) {
	c := testCore(&chain{})
	f.Add(c.sessions.encode())
	for i, e := range []envelope{
		{kind: kindOpen, id: commandID{session: 1}}, {kind: kindOpen, id: commandID{session: 9}},
		{kind: kindCommand, id: commandID{9, 1}, command: []byte("x")}, {kind: kindCommand, id: commandID{9, 2}, millis: millisMax},
	} {
		c.apply(int64(i), 0, e.encode())
	}
	f.Add(c.sessions.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		ss, err := decodeSessions(b)
		if err != nil {
			return
		}
		if again := ss.encode(); !bytes.Equal(again, b) {
			t.Errorf("%x was written again as %x", b, again)
		}
	})
}

// The fuzzer writes everything but the checksum, which it would not find.
func FuzzSnapshot(f *testing.F) {
	c := testCore(&chain{})
	b := c.freeze()()
	f.Add(b[:len(b)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		p, err := decodeSnapshot("test", append(bytes.Clone(body), sum[:]...))
		if err != nil {
			return
		}
		m := &chain{}
		if m.Restore(p.machine) != nil {
			return
		}
		c := testCore(m)
		c.next, c.millis, c.sessions = p.next, p.millis, p.sessions
		if again := c.freeze()(); !bytes.Equal(again[:len(again)-sha256.Size], body) {
			t.Errorf("%x was written again as %x", body, again)
		}
	})
}
