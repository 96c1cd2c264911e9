// Package logtest asks a store whether it keeps the contract of package commitlog: every sentence there is a subtest here.
//
// It owns Test, which every store runs, and ManualLease. What a store promises beyond the contract (what survives a crash at which write,
// what a broker may answer) is tested beside the store.
//
// The suite takes positions as they come: dense inside a batch, and between batches only growing. It never sleeps; what must come is
// waited for, with a deadline at which the test fails.
//
// Read Test, then the file of the promise in question.
package logtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// Options is what the suite asks of a new store.
type Options struct {
	Lease commitlog.Lease
	Clock clock.Clock
	// Reopen is a store made before, and closed: the new one stands on the same data. Nil for an empty store. A store that
	// keeps nothing past Close answers nil, and is not asked about durability.
	Reopen commitlog.Store
}

// patience is how long anything may take before the test calls it hanging.
const patience = 60 * time.Second

var seedFlag = flag.Uint64("logtest.seed", 0, "repeat the random tests of the log suite with this seed")

// Test runs the whole suite. newStore gives a store, which the suite closes; it is called often.
func Test(t *testing.T, newStore func(t *testing.T, o Options) commitlog.Store) {
	s := &suite{newStore: newStore}
	s.persistent = s.probe(t)
	for _, group := range []struct {
		name  string
		tests []promise
	}{
		{"Store", storePromises},
		{"Append", appendPromises},
		{"Read", readPromises},
		{"Wait", waitPromises},
		{"PositionAt", positionAtPromises},
		{"Trim", trimPromises},
		{"Seal", sealPromises},
		{"Lease", leasePromises},
		{"Close", closePromises},
		{"Model", modelPromises},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, p := range group.tests {
				t.Run(p.name, func(t *testing.T) { p.test(s, t) })
			}
		})
	}
	if s.persistent {
		t.Run("Reopen", func(t *testing.T) {
			for _, p := range reopenPromises {
				t.Run(p.name, func(t *testing.T) { p.test(s, t) })
			}
		})
	}
}

// promise is one sentence of the contract and the test that asks for it.
type promise struct {
	name string
	test func(s *suite, t *testing.T)
}

type suite struct {
	newStore   func(t *testing.T, o Options) commitlog.Store
	persistent bool
}

// probe says whether the store keeps its data past Close.
func (s *suite) probe(t *testing.T) bool {
	first := s.newStore(t, Options{Lease: commitlog.Forever, Clock: clock.Real})
	if err := first.Close(); err != nil {
		t.Fatalf("close an empty store: %v", err)
	}
	again := s.newStore(t, Options{Lease: commitlog.Forever, Clock: clock.Real, Reopen: first})
	if again == nil {
		return false
	}
	if err := again.Close(); err != nil {
		t.Fatalf("close an empty store after opening it again: %v", err)
	}
	return true
}

// store is an empty store under a lease that never ends.
func (s *suite) store(t *testing.T) commitlog.Store { return s.storeUnder(t, commitlog.Forever) }

func (s *suite) storeUnder(t *testing.T, lease commitlog.Lease) commitlog.Store {
	t.Helper()
	store := s.newStore(t, Options{Lease: lease, Clock: clock.Real})
	if store == nil {
		t.Fatal("no store")
	}
	closeAtEnd(t, store)
	return store
}

// reopen closes the store and opens its data again.
func (s *suite) reopen(t *testing.T, store commitlog.Store) commitlog.Store {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	again := s.newStore(t, Options{Lease: commitlog.Forever, Clock: clock.Real, Reopen: store})
	if again == nil {
		t.Fatal("the store opened again before, and does not now")
	}
	closeAtEnd(t, again)
	return again
}

func closeAtEnd(t *testing.T, store commitlog.Store) {
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// theID is the log of tests that need only one.
var theID = commitlog.ID{Group: 7, Member: 3}

// log is a new log in a new store.
func (s *suite) log(t *testing.T) commitlog.Log {
	t.Helper()
	return create(t, s.store(t), theID, commitlog.Config{})
}

// create makes a log and opens it.
func create(t *testing.T, store commitlog.Store, id commitlog.ID, config commitlog.Config) commitlog.Log {
	t.Helper()
	if err := store.Create(within(t), id, config); err != nil {
		t.Fatalf("create %s: %v", id, err)
	}
	return open(t, store, id)
}

func open(t *testing.T, store commitlog.Store, id commitlog.ID) commitlog.Log {
	t.Helper()
	log, err := store.Open(within(t), id)
	if err != nil {
		t.Fatalf("open %s: %v", id, err)
	}
	return log
}

// within is a context for one call that must not hang.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// want fails the test unless err is of kind.
func want(t *testing.T, err error, kind fault.Kind, doing string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: %v (%s), want %s", doing, err, fault.KindOf(err), kind)
	}
}

// random is the generator of one test, and the line in its log that repeats it.
func random(t *testing.T) *mathrand.Rand {
	t.Helper()
	seed := *seedFlag
	for seed == 0 {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		seed = binary.LittleEndian.Uint64(b[:])
	}
	t.Logf("repeat with: go test -run '^%s$' -logtest.seed %d", t.Name(), seed)
	return mathrand.New(mathrand.NewPCG(seed, 1))
}

// epoch is the timestamp, in milliseconds, that tests count from: November 2023, safely in the past of every store's clock.
const epoch = 1_700_000_000_000

// entry is a record as read.
type entry struct {
	position  commitlog.Position
	timestamp int64
	value     string
}

func (e entry) String() string {
	return fmt.Sprintf("%d:%.40q@%d", e.position, e.value, e.timestamp-epoch)
}

// batchOf is a batch of one record per value, all stamped epoch.
func batchOf(values ...string) *batch.Batch {
	b := new(batch.Batch)
	for _, v := range values {
		b.Append(epoch, nil, []byte(v))
	}
	return b
}

// stamped is a batch of one record per timestamp, counted from epoch in milliseconds, whose value names it.
func stamped(millis ...int64) *batch.Batch {
	b := new(batch.Batch)
	for _, m := range millis {
		b.Append(epoch+m, nil, fmt.Appendf(nil, "at %d", m))
	}
	return b
}

func mustAppend(t *testing.T, log commitlog.Log, b *batch.Batch) commitlog.Position {
	t.Helper()
	position, err := log.Append(within(t), b)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return position
}

func mustBounds(t *testing.T, log commitlog.Log) commitlog.Bounds {
	t.Helper()
	bounds, err := log.Bounds(within(t))
	if err != nil {
		t.Fatalf("bounds: %v", err)
	}
	return bounds
}

func mustTrim(t *testing.T, log commitlog.Log, before commitlog.Position) {
	t.Helper()
	if err := log.Trim(within(t), before); err != nil {
		t.Fatalf("trim before %d: %v", before, err)
	}
}

func mustSeal(t *testing.T, log commitlog.Log) commitlog.Position {
	t.Helper()
	end, err := log.Seal(within(t))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return end
}

// mustRead reads one chunk, checks what holds of every chunk, and gives its records from from on.
func mustRead(t *testing.T, log commitlog.Log, from commitlog.Position, maxBytes int) ([]entry, commitlog.Chunk) {
	t.Helper()
	chunk, err := log.Read(within(t), from, maxBytes)
	if err != nil {
		t.Fatalf("read from %d: %v", from, err)
	}
	return entriesOf(t, chunk, from), chunk
}

// entriesOf is the records of chunk from from on. It checks that batches are whole, undamaged and in order, and that the chunk's positions agree.
func entriesOf(t *testing.T, chunk commitlog.Chunk, from commitlog.Position) []entry {
	t.Helper()
	last := commitlog.Position(-1)
	for rest := chunk.Batches; len(rest) > 0; {
		info, err := batch.Peek(rest)
		if err != nil || info.Size > len(rest) {
			t.Fatalf("read from %d: not whole batches: %v", from, err)
		}
		if err := batch.Check(rest[:info.Size]); err != nil {
			t.Fatalf("read from %d: %v", from, err)
		}
		if info.Base <= last {
			t.Fatalf("read from %d: batch at %d after position %d", from, info.Base, last)
		}
		if info.Next() <= from {
			t.Fatalf("read from %d: batch at %d of %d records ends before it", from, info.Base, info.Records)
		}
		last = info.Next() - 1
		rest = rest[info.Size:]
	}

	var entries []entry
	var r batch.Record
	it := batch.Iterate(chunk.Batches)
	for it.Next(&r) {
		if r.Position >= from {
			entries = append(entries, entry{r.Position, r.Timestamp, string(r.Value)})
		}
	}
	if err := it.Err(); err != nil {
		t.Fatalf("read from %d: %v", from, err)
	}
	switch {
	case len(chunk.Batches) > 0 && chunk.Next <= last:
		t.Fatalf("read from %d: continues at %d, behind its last record at %d", from, chunk.Next, last)
	case len(chunk.Batches) > 0 && len(entries) == 0:
		t.Fatalf("read from %d: batches without a record from there on", from)
	case chunk.Next < from:
		t.Fatalf("read from %d: continues at %d", from, chunk.Next)
	case chunk.Bounds.Next < chunk.Next:
		t.Fatalf("read from %d: continues at %d, beyond the log's end %d", from, chunk.Next, chunk.Bounds.Next)
	}
	return entries
}

// readAll reads from from to the end, maxBytes at a time.
func readAll(t *testing.T, log commitlog.Log, from commitlog.Position, maxBytes int) []entry {
	t.Helper()
	var all []entry
	for {
		entries, chunk := mustRead(t, log, from, maxBytes)
		all = append(all, entries...)
		if chunk.Next == from {
			return all
		}
		from = chunk.Next
	}
}

// wantValues compares values in order, whatever their positions.
func wantValues(t *testing.T, got []entry, values ...string) {
	t.Helper()
	if len(got) != len(values) {
		t.Fatalf("%d records %v, want %d %.40q", len(got), got, len(values), values)
	}
	for i, v := range values {
		if got[i].value != v {
			t.Fatalf("record %d is %s, want %.40q", i, got[i], v)
		}
	}
}
