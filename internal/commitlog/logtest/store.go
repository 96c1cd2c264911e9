package logtest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var storePromises = []promise{
	{"a created log exists and is empty", (*suite).createdIsEmpty},
	{"creating again with the same config is no error", (*suite).createTwice},
	{"creating again with another config is Exists", (*suite).createDifferently},
	{"creating refuses a negative retention", (*suite).createNegative},
	{"opening what does not exist is NotFound", (*suite).openMissing},
	{"two handles are one log", (*suite).twoHandles},
	{"logs do not mix", (*suite).logsDoNotMix},
	{"logs are listed in order of ID", (*suite).listInOrder},
	{"a deleted log is gone", (*suite).deletedIsGone},
	{"deleting what does not exist is no error", (*suite).deleteMissing},
	{"an ID is never used again", (*suite).deletedStaysDeleted},
	{"Configure replaces the config", (*suite).configure},
	{"a thousand logs", (*suite).thousandLogs},
	{"a context that has ended ends calls", (*suite).endedContext},
}

func (s *suite) createdIsEmpty(t *testing.T) {
	log := s.log(t)
	if got := mustBounds(t, log); got != (commitlog.Bounds{}) {
		t.Errorf("bounds %+v", got)
	}
	entries, chunk := mustRead(t, log, 0, 1<<20)
	if len(entries) != 0 || len(chunk.Batches) != 0 || chunk.Next != 0 {
		t.Errorf("read %v, next %d", entries, chunk.Next)
	}
	if position := mustAppend(t, log, batchOf("a")); position != 0 {
		t.Errorf("the first position is %d", position)
	}
}

func (s *suite) createTwice(t *testing.T) {
	store := s.store(t)
	config := commitlog.Config{Retention: 48 * time.Hour}
	log := create(t, store, theID, config)
	position := mustAppend(t, log, stampedNow("a"))
	if err := store.Create(within(t), theID, config); err != nil {
		t.Fatal(err)
	}
	wantValues(t, readAll(t, log, position, 1<<20), "a")
	wantValues(t, readAll(t, open(t, store, theID), position, 1<<20), "a")
}

func (s *suite) createDifferently(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	want(t, store.Create(within(t), theID, commitlog.Config{Retention: time.Hour}), fault.Exists, "create with another config")
	if got := log.Config(); got != (commitlog.Config{}) {
		t.Errorf("config is now %+v", got)
	}
	if err := log.Configure(within(t), commitlog.Config{Retention: 2 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	want(t, store.Create(within(t), theID, commitlog.Config{}), fault.Exists, "create with the config it had before Configure")
	if err := store.Create(within(t), theID, commitlog.Config{Retention: 2 * time.Hour}); err != nil {
		t.Errorf("create with the config it has since Configure: %v", err)
	}
}

func (s *suite) createNegative(t *testing.T) {
	store := s.store(t)
	negative := commitlog.Config{Retention: -time.Second}
	want(t, store.Create(within(t), theID, negative), fault.Invalid, "create")
	log := create(t, store, theID, commitlog.Config{})
	want(t, log.Configure(within(t), negative), fault.Invalid, "configure")
}

func (s *suite) openMissing(t *testing.T) {
	store := s.store(t)
	create(t, store, theID, commitlog.Config{})
	for _, id := range []commitlog.ID{{Group: theID.Group}, {Group: theID.Group, Member: theID.Member + 1}, {Member: theID.Member}} {
		_, err := store.Open(within(t), id)
		want(t, err, fault.NotFound, "open "+id.String())
	}
}

func (s *suite) twoHandles(t *testing.T) {
	store := s.store(t)
	one := create(t, store, theID, commitlog.Config{})
	other := open(t, store, theID)
	mustAppend(t, one, batchOf("a"))
	mustAppend(t, other, batchOf("b"))
	wantValues(t, readAll(t, one, 0, 1<<20), "a", "b")
	wantValues(t, readAll(t, other, 0, 1<<20), "a", "b")
	end := mustSeal(t, one)
	if got := mustBounds(t, other); !got.Sealed || got.Next != end {
		t.Errorf("sealed at %d through one handle; the other says %+v", end, got)
	}
}

func (s *suite) logsDoNotMix(t *testing.T) {
	store := s.store(t)
	var logs []commitlog.Log
	// Members out of order, and the largest numbers there are.
	ids := []commitlog.ID{{Group: 1, Member: 5}, {Group: 1}, {Group: 2}, {}, {Group: 1<<64 - 1, Member: 1<<32 - 1}, {Group: 1, Member: 2}}
	for _, id := range ids {
		logs = append(logs, create(t, store, id, commitlog.Config{}))
	}
	for round := range 3 {
		for i, log := range logs {
			mustAppend(t, log, batchOf(ids[i].String()+" "+strconv.Itoa(round)))
		}
	}
	mustSeal(t, logs[0])
	mustTrim(t, logs[1], mustBounds(t, logs[1]).Next)
	for i, log := range logs {
		values := []string{ids[i].String() + " 0", ids[i].String() + " 1", ids[i].String() + " 2"}
		bounds := mustBounds(t, log)
		if i == 1 {
			values = nil
		}
		wantValues(t, readAll(t, log, bounds.First, 1<<20), values...)
		if bounds.Sealed != (i == 0) {
			t.Errorf("%s: sealed %v", ids[i], bounds.Sealed)
		}
	}
}

func (s *suite) listInOrder(t *testing.T) {
	store := s.store(t)
	if ids, err := store.Logs(within(t)); err != nil || len(ids) != 0 {
		t.Errorf("an empty store lists %v, %v", ids, err)
	}
	ids := []commitlog.ID{{Group: 10, Member: 1}, {Group: 9, Member: 7}, {Group: 10}, {Group: 1 << 40}, {}, {Group: 9, Member: 11}}
	for _, id := range ids {
		create(t, store, id, commitlog.Config{})
	}
	if err := store.Delete(within(t), ids[2]); err != nil {
		t.Fatal(err)
	}
	expected := slices.Delete(slices.Clone(ids), 2, 3)
	slices.SortFunc(expected, func(a, b commitlog.ID) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Member, b.Member))
	})
	if got, err := store.Logs(within(t)); err != nil || !slices.Equal(got, expected) {
		t.Errorf("%v, %v, want %v", got, err, expected)
	}
}

func (s *suite) deletedIsGone(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	neighbour := create(t, store, commitlog.ID{Group: theID.Group, Member: theID.Member + 1}, commitlog.Config{})
	mustAppend(t, log, batchOf("a"))
	mustAppend(t, neighbour, batchOf("b"))
	if err := store.Delete(within(t), theID); err != nil {
		t.Fatal(err)
	}
	wantGone(t, log)
	_, err := store.Open(within(t), theID)
	want(t, err, fault.NotFound, "open")
	mustAppend(t, neighbour, batchOf("c"))
	wantValues(t, readAll(t, neighbour, 0, 1<<20), "b", "c")
}

// wantGone calls every method of a log that was deleted.
func wantGone(t *testing.T, log commitlog.Log) {
	t.Helper()
	ctx := within(t)
	_, err := log.Append(ctx, batchOf("x"))
	want(t, err, fault.NotFound, "append")
	_, err = log.Read(ctx, 0, 100)
	want(t, err, fault.NotFound, "read")
	want(t, log.Wait(ctx, 0), fault.NotFound, "wait")
	_, err = log.Bounds(ctx)
	want(t, err, fault.NotFound, "bounds")
	_, err = log.PositionAt(ctx, time.UnixMilli(epoch))
	want(t, err, fault.NotFound, "position at")
	want(t, log.Trim(ctx, 0), fault.NotFound, "trim")
	_, err = log.Seal(ctx)
	want(t, err, fault.NotFound, "seal")
	want(t, log.Configure(ctx, commitlog.Config{}), fault.NotFound, "configure")
}

func (s *suite) deleteMissing(t *testing.T) {
	store := s.store(t)
	if err := store.Delete(within(t), theID); err != nil {
		t.Fatal(err)
	}
	create(t, store, theID, commitlog.Config{})
	for range 2 {
		if err := store.Delete(within(t), theID); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *suite) deletedStaysDeleted(t *testing.T) {
	store := s.store(t)
	create(t, store, theID, commitlog.Config{})
	if err := store.Delete(within(t), theID); err != nil {
		t.Fatal(err)
	}
	want(t, store.Create(within(t), theID, commitlog.Config{}), fault.Exists, "create after delete")
	sibling := create(t, store, commitlog.ID{Group: theID.Group, Member: theID.Member + 1}, commitlog.Config{})
	mustAppend(t, sibling, batchOf("a"))
	wantValues(t, readAll(t, sibling, 0, 1<<20), "a")
}

func (s *suite) configure(t *testing.T) {
	log := s.log(t)
	for _, config := range []commitlog.Config{{Retention: 24 * time.Hour}, {Retention: 365 * 24 * time.Hour}, {}, {Retention: time.Hour}} {
		if err := log.Configure(within(t), config); err != nil {
			t.Fatal(err)
		}
		if got := log.Config(); got != config {
			t.Errorf("config %+v, want %+v", got, config)
		}
	}
	mustAppend(t, log, stampedNow("a")) // well inside the retention
	wantValues(t, readAll(t, log, 0, 1<<20), "a")
	mustSeal(t, log)
	if err := log.Configure(within(t), commitlog.Config{Retention: 2 * time.Hour}); err != nil {
		t.Errorf("configure a sealed log: %v", err)
	}
}

func (s *suite) thousandLogs(t *testing.T) {
	store := s.store(t)
	const groups, members = 50, 20
	logs := make([]commitlog.Log, groups*members)
	for i := range logs {
		logs[i] = create(t, store, commitlog.ID{Group: uint64(i % groups), Member: uint32(i / groups)}, commitlog.Config{})
	}
	if ids, err := store.Logs(within(t)); err != nil || len(ids) != len(logs) {
		t.Fatalf("%d logs, %v", len(ids), err)
	}
	const writers = 8
	errs := make([]error, writers)
	var running sync.WaitGroup
	ctx := within(t)
	for w := range writers {
		running.Go(func() {
			for i := w; i < len(logs) && errs[w] == nil; i += writers {
				_, errs[w] = logs[i].Append(ctx, batchOf(strconv.Itoa(i), "end"))
			}
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, log := range logs {
		entries, _ := mustRead(t, log, 0, 1<<20)
		wantValues(t, entries, strconv.Itoa(i), "end")
	}
}

func (s *suite) endedContext(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	mustAppend(t, log, batchOf("a"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for doing, err := range map[string]error{
		"create":    store.Create(ctx, commitlog.ID{Group: 99}, commitlog.Config{}),
		"delete":    store.Delete(ctx, commitlog.ID{Group: 98}),
		"wait":      log.Wait(ctx, 1),
		"trim":      log.Trim(ctx, 0),
		"configure": log.Configure(ctx, commitlog.Config{}),
	} {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", doing, err)
		}
	}
	// The store goes on as if nothing had been.
	mustAppend(t, log, batchOf("b"))
	wantValues(t, readAll(t, log, 0, 1<<20), "a", "b")
}
