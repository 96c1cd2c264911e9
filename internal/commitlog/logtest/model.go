package logtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

var modelPromises = []promise{
	{"random calls against a model", (*suite).randomCalls},
}

// modelLog is the contract in a few lines: what a log must hold after the calls so far.
type modelLog struct {
	id      commitlog.ID
	log     commitlog.Log
	entries []entry // all that were appended, trimmed ones included
	first   commitlog.Position
	end     commitlog.Position // of a sealed log
	sealed  bool
	config  commitlog.Config
	deleted bool
}

// from is the entries that a reader at position sees.
func (m *modelLog) from(position commitlog.Position) []entry {
	for i, e := range m.entries {
		if e.position >= position {
			return m.entries[i:]
		}
	}
	return nil
}

// randomCalls makes calls on a few logs, checks every answer against the model, and in between opens the store again.
func (s *suite) randomCalls(t *testing.T) {
	r := random(t)
	store := s.store(t)
	var logs []*modelLog
	for i := range 3 {
		m := &modelLog{id: commitlog.ID{Group: uint64(i / 2), Member: uint32(5 - i)}}
		m.log = create(t, store, m.id, m.config)
		logs = append(logs, m)
	}
	for step := range 600 {
		m := logs[r.IntN(len(logs))]
		if m.deleted {
			wantGone(t, m.log)
			m.id.Member += 10
			*m = modelLog{id: m.id, log: create(t, store, m.id, commitlog.Config{})}
		}
		switch dice := r.IntN(100); {
		case dice < 40:
			m.append(t, r, step)
		case dice < 60:
			m.read(t, r)
		case dice < 75:
			m.positionAt(t, r)
		case dice < 85:
			m.trim(t, r)
		case dice < 92:
			m.bounds(t)
		case dice < 95:
			m.config = commitlog.Config{Retention: time.Duration(r.IntN(3)) * 100_000 * time.Hour} // longer than epoch is ago
			if err := m.log.Configure(within(t), m.config); err != nil {
				t.Fatalf("step %d: configure: %v", step, err)
			}
		case dice < 96:
			end := mustSeal(t, m.log)
			if m.sealed && end != m.end {
				t.Fatalf("step %d: sealed at %d, then at %d", step, m.end, end)
			}
			m.sealed, m.end = true, end
		case dice < 97:
			if err := store.Delete(within(t), m.id); err != nil {
				t.Fatalf("step %d: delete: %v", step, err)
			}
			m.deleted = true
		case s.persistent:
			store = s.reopen(t, store)
			for _, m := range logs {
				if !m.deleted {
					m.log = open(t, store, m.id)
					continue
				}
				// A handle from before is as closed as its store; the log must be gone in the new one.
				_, err := store.Open(within(t), m.id)
				want(t, err, fault.NotFound, "open what was deleted")
				m.id.Member += 10
				*m = modelLog{id: m.id, log: create(t, store, m.id, commitlog.Config{})}
			}
		}
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
	for _, m := range logs {
		if !m.deleted {
			m.bounds(t)
			m.compare(t, m.first, 1<<12)
		}
	}
}

func (m *modelLog) append(t *testing.T, r *rand.Rand, step int) {
	b := new(batch.Batch)
	var added []entry
	for i := range 1 + r.IntN(5) {
		e := entry{timestamp: epoch + int64(step) + r.Int64N(100) - 50, value: fmt.Sprintf("%s %d-%d", m.id, step, i)}
		b.Append(e.timestamp, []byte(m.id.String()), []byte(e.value))
		added = append(added, e)
	}
	base, err := m.log.Append(within(t), b)
	if m.sealed {
		want(t, err, fault.Sealed, "append")
		return
	}
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	if n := len(m.entries); n > 0 && base <= m.entries[n-1].position {
		t.Fatalf("append at %d, the last record is at %d", base, m.entries[n-1].position)
	}
	for i := range added {
		added[i].position = base + commitlog.Position(i)
	}
	m.entries = append(m.entries, added...)
}

// position is one that means something to the log: around its bounds or among its records.
func (m *modelLog) position(t *testing.T, r *rand.Rand) commitlog.Position {
	bounds := mustBounds(t, m.log)
	switch r.IntN(6) {
	case 0:
		return bounds.Next
	case 1:
		return bounds.First
	case 2:
		return max(0, bounds.First-1)
	case 3:
		return bounds.Next + 1
	}
	return bounds.First + r.Int64N(bounds.Next-bounds.First+1)
}

func (m *modelLog) read(t *testing.T, r *rand.Rand) {
	from := m.position(t, r)
	bounds := mustBounds(t, m.log)
	switch {
	case from < bounds.First:
		_, err := m.log.Read(within(t), from, 100)
		want(t, err, fault.Trimmed, fmt.Sprintf("read from %d of %+v", from, bounds))
	case from > bounds.Next:
		_, err := m.log.Read(within(t), from, 100)
		want(t, err, fault.Invalid, fmt.Sprintf("read from %d of %+v", from, bounds))
	default:
		m.compare(t, from, []int{1, 200, 1 << 20}[r.IntN(3)])
	}
}

// compare reads from from to the end.
func (m *modelLog) compare(t *testing.T, from commitlog.Position, maxBytes int) {
	t.Helper()
	got, expected := readAll(t, m.log, max(from, mustBounds(t, m.log).First), maxBytes), m.from(max(from, m.first))
	for i := range max(len(got), len(expected)) {
		if i >= len(got) || i >= len(expected) || got[i] != expected[i] {
			t.Fatalf("log %s from %d: at record %d of %d, want %d", m.id, from, i, len(got), len(expected))
		}
	}
	if len(expected) > 0 {
		if err := m.log.Wait(within(t), expected[len(expected)-1].position); err != nil {
			t.Fatalf("wait for the last record: %v", err)
		}
	}
}

func (m *modelLog) positionAt(t *testing.T, r *rand.Rand) {
	millis := int64(r.IntN(800) - 100)
	expected := mustBounds(t, m.log).Next
	for _, e := range m.from(m.first) {
		if e.timestamp >= epoch+millis {
			expected = e.position
			break
		}
	}
	wantPositionAt(t, m.log, at(millis), expected)
}

func (m *modelLog) trim(t *testing.T, r *rand.Rand) {
	before, bounds := m.position(t, r), mustBounds(t, m.log)
	err := m.log.Trim(within(t), before)
	if before > bounds.Next {
		want(t, err, fault.Invalid, "trim")
		return
	}
	if err != nil {
		t.Fatalf("trim before %d of %+v: %v", before, bounds, err)
	}
	m.first = max(m.first, before)
	m.bounds(t)
}

func (m *modelLog) bounds(t *testing.T) {
	t.Helper()
	got := mustBounds(t, m.log)
	firstRecord := got.Next
	if readable := m.from(m.first); len(readable) > 0 {
		firstRecord = readable[0].position
	}
	if got.First < m.first || got.First > firstRecord {
		t.Fatalf("log %s: bounds %+v, trimmed before %d, first record at %d", m.id, got, m.first, firstRecord)
	}
	if n := len(m.entries); n > 0 && got.Next <= m.entries[n-1].position {
		t.Fatalf("log %s: bounds %+v, last record at %d", m.id, got, m.entries[n-1].position)
	}
	if got.Sealed != m.sealed || m.sealed && got.Next != m.end {
		t.Fatalf("log %s: bounds %+v, sealed %v at %d", m.id, got, m.sealed, m.end)
	}
	if config := m.log.Config(); config != m.config {
		t.Fatalf("log %s: config %+v, want %+v", m.id, config, m.config)
	}
}
