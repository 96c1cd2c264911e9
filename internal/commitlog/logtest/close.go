package logtest

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var closePromises = []promise{
	{"afterwards everything is Unavailable", (*suite).closedIsUnavailable},
	{"closing twice is no error", (*suite).closeTwice},
	{"closing under load", (*suite).closeUnderLoad},
}

func (s *suite) closedIsUnavailable(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	mustAppend(t, log, batchOf("a"))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	want(t, store.Create(ctx, commitlog.ID{Group: 1}, commitlog.Config{}), fault.Unavailable, "create")
	_, err := store.Open(ctx, theID)
	want(t, err, fault.Unavailable, "open")
	want(t, store.Delete(ctx, theID), fault.Unavailable, "delete")
	_, err = store.Logs(ctx)
	want(t, err, fault.Unavailable, "logs")
	_, err = log.Append(ctx, batchOf("x"))
	want(t, err, fault.Unavailable, "append")
	if fault.IsUnknown(err) {
		t.Errorf("an append that begins after Close has no unknown outcome: %v", err)
	}
	_, err = log.Read(ctx, 0, 100)
	want(t, err, fault.Unavailable, "read")
	want(t, log.Wait(ctx, 1), fault.Unavailable, "wait")
	_, err = log.Bounds(ctx)
	want(t, err, fault.Unavailable, "bounds")
	_, err = log.PositionAt(ctx, time.UnixMilli(epoch))
	want(t, err, fault.Unavailable, "position at")
	want(t, log.Trim(ctx, 0), fault.Unavailable, "trim")
	_, err = log.Seal(ctx)
	want(t, err, fault.Unavailable, "seal")
	want(t, log.Configure(ctx, commitlog.Config{}), fault.Unavailable, "configure")
}

func (s *suite) closeTwice(t *testing.T) {
	store := s.store(t)
	for range 2 {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *suite) closeUnderLoad(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	var once onceAt
	closed := make(chan error, 1)
	calls := appendConcurrently(t, log, 6, func(appended int, err error) bool {
		once.at(appended == 10, func() { go func() { closed <- store.Close() }() })
		return err != nil
	})
	if err := <-closed; err != nil {
		t.Fatalf("close: %v", err)
	}
	for _, c := range calls {
		if c.err != nil && !fault.Is(c.err, fault.Unavailable) {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if s.persistent {
		wantHistory(t, calls, readAll(t, open(t, s.reopen(t, store), theID), 0, 1<<20))
	}
}
