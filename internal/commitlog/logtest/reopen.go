package logtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var reopenPromises = []promise{
	{"records keep their positions and order", (*suite).reopenRecords},
	{"a large record", (*suite).reopenLarge},
	{"bounds, trim and seal", (*suite).reopenBounds},
	{"config", (*suite).reopenConfig},
	{"existence and deletion", (*suite).reopenExistence},
	{"again and again", (*suite).reopenOften},
}

func (s *suite) reopenRecords(t *testing.T) {
	store := s.store(t)
	a := create(t, store, theID, commitlog.Config{})
	b := create(t, store, commitlog.ID{Group: 8}, commitlog.Config{})
	for i := range 30 {
		mustAppend(t, a, batchOf(fmt.Sprint("a", i), fmt.Sprint("a", i, "+")))
		if i%3 == 0 {
			mustAppend(t, b, stamped(int64(i)))
		}
	}
	beforeA, beforeB := readAll(t, a, 0, 1<<20), readAll(t, b, 0, 1<<20)
	boundsA, boundsB := mustBounds(t, a), mustBounds(t, b)

	store = s.reopen(t, store)
	a, b = open(t, store, theID), open(t, store, commitlog.ID{Group: 8})
	if got := readAll(t, a, 0, 1<<12); !slices.Equal(got, beforeA) {
		t.Errorf("%v, were %v", got, beforeA)
	}
	if got := readAll(t, b, 0, 1<<12); !slices.Equal(got, beforeB) {
		t.Errorf("%v, were %v", got, beforeB)
	}
	if gotA, gotB := mustBounds(t, a), mustBounds(t, b); gotA.Next < boundsA.Next || gotB.Next < boundsB.Next || gotA.First != 0 || gotB.First != 0 {
		t.Errorf("bounds %+v and %+v, were %+v and %+v", gotA, gotB, boundsA, boundsB)
	}
	wantPositionAt(t, b, at(4), beforeB[2].position)
	if position := mustAppend(t, a, batchOf("new")); position < boundsA.Next {
		t.Errorf("appended at %d, the end was %d", position, boundsA.Next)
	}
	if got := readAll(t, a, 0, 1<<20); len(got) != len(beforeA)+1 || got[len(beforeA)].value != "new" {
		t.Errorf("after one more append: %v", got)
	}
}

func (s *suite) reopenLarge(t *testing.T) {
	store := s.store(t)
	mustAppend(t, create(t, store, theID, commitlog.Config{}), batchOf(strings.Repeat("x", 10<<20), "small"))
	store = s.reopen(t, store)
	got := readAll(t, open(t, store, theID), 0, 1)
	if len(got) != 2 || len(got[0].value) != 10<<20 || got[1].value != "small" {
		t.Errorf("%v", got)
	}
}

func (s *suite) reopenBounds(t *testing.T) {
	store := s.store(t)
	sealed := create(t, store, commitlog.ID{Group: 1}, commitlog.Config{})
	base := mustAppend(t, sealed, batchOf("a", "b", "c"))
	mustTrim(t, sealed, base+1)
	end := mustSeal(t, sealed)
	trimmed := create(t, store, commitlog.ID{Group: 2}, commitlog.Config{})
	mustAppend(t, trimmed, batchOf("a", "b"))
	trimmedEnd := mustBounds(t, trimmed).Next
	mustTrim(t, trimmed, trimmedEnd)
	emptySealed := create(t, store, commitlog.ID{Group: 3}, commitlog.Config{})
	mustSeal(t, emptySealed)

	store = s.reopen(t, store)
	sealed, trimmed, emptySealed = open(t, store, commitlog.ID{Group: 1}), open(t, store, commitlog.ID{Group: 2}), open(t, store, commitlog.ID{Group: 3})
	if got := mustBounds(t, sealed); got != (commitlog.Bounds{First: base + 1, Next: end, Sealed: true}) {
		t.Errorf("sealed log: %+v", got)
	}
	wantValues(t, readAll(t, sealed, base+1, 1<<20), "b", "c")
	_, err := sealed.Read(within(t), base, 100)
	want(t, err, fault.Trimmed, "read of what was trimmed")
	_, err = sealed.Append(within(t), batchOf("d"))
	want(t, err, fault.Sealed, "append")
	if again := mustSeal(t, sealed); again != end {
		t.Errorf("sealed at %d, then at %d", end, again)
	}
	if got := mustBounds(t, trimmed); got.First < trimmedEnd || got.First != got.Next || got.Sealed {
		t.Errorf("trimmed log: %+v, ended at %d", got, trimmedEnd)
	}
	if position := mustAppend(t, trimmed, batchOf("c")); position < trimmedEnd {
		t.Errorf("appended at %d, the end was %d", position, trimmedEnd)
	}
	if got := mustBounds(t, emptySealed); got != (commitlog.Bounds{Sealed: true}) {
		t.Errorf("empty sealed log: %+v", got)
	}
}

func (s *suite) reopenConfig(t *testing.T) {
	store := s.store(t)
	create(t, store, commitlog.ID{Group: 1}, commitlog.Config{Retention: 36 * time.Hour})
	changed := create(t, store, commitlog.ID{Group: 2}, commitlog.Config{})
	if err := changed.Configure(within(t), commitlog.Config{Retention: 90 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	store = s.reopen(t, store)
	if got := open(t, store, commitlog.ID{Group: 1}).Config(); got.Retention != 36*time.Hour {
		t.Errorf("%+v", got)
	}
	if got := open(t, store, commitlog.ID{Group: 2}).Config(); got.Retention != 90*time.Minute {
		t.Errorf("%+v", got)
	}
}

func (s *suite) reopenExistence(t *testing.T) {
	store := s.store(t)
	for g := range uint64(4) {
		log := create(t, store, commitlog.ID{Group: g}, commitlog.Config{})
		mustAppend(t, log, batchOf(fmt.Sprint(g)))
	}
	if err := store.Delete(within(t), commitlog.ID{Group: 2}); err != nil {
		t.Fatal(err)
	}
	store = s.reopen(t, store)
	ids, err := store.Logs(within(t))
	if err != nil || !slices.Equal(ids, []commitlog.ID{{Group: 0}, {Group: 1}, {Group: 3}}) {
		t.Errorf("%v, %v", ids, err)
	}
	_, err = store.Open(within(t), commitlog.ID{Group: 2})
	want(t, err, fault.NotFound, "open")
	want(t, store.Create(within(t), commitlog.ID{Group: 2}, commitlog.Config{}), fault.Exists, "create what was deleted")
	for _, g := range []uint64{0, 1, 3} {
		wantValues(t, readAll(t, open(t, store, commitlog.ID{Group: g}), 0, 1<<20), fmt.Sprint(g))
	}
}

func (s *suite) reopenOften(t *testing.T) {
	store := s.store(t)
	create(t, store, theID, commitlog.Config{})
	var expected []string
	for i := range 5 {
		log := open(t, store, theID)
		wantValues(t, readAll(t, log, 0, 1<<20), expected...)
		for j := range i + 1 {
			value := fmt.Sprintf("%d-%d", i, j)
			mustAppend(t, log, batchOf(value))
			expected = append(expected, value)
		}
		store = s.reopen(t, store)
	}
	wantValues(t, readAll(t, open(t, store, theID), 0, 1<<20), expected...)
}
