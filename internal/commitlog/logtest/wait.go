package logtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var waitPromises = []promise{
	{"returns at once when a record is there", (*suite).waitReady},
	{"returns at once when from is trimmed", (*suite).waitTrimmed},
	{"wakes on append", (*suite).waitAppend},
	{"wakes on seal", (*suite).waitSeal},
	{"wakes on delete with NotFound", (*suite).waitDelete},
	{"wakes on close with Unavailable", (*suite).waitClose},
	{"ends with its context", (*suite).waitContext},
	{"many wait for one append", (*suite).waitMany},
	{"an append to another log wakes nobody", (*suite).waitOther},
}

func (s *suite) waitReady(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, batchOf("a", "b", "c"))
	for i := range commitlog.Position(3) {
		if err := log.Wait(within(t), base+i); err != nil {
			t.Errorf("wait for %d: %v", base+i, err)
		}
	}
}

func (s *suite) waitTrimmed(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a", "b"))
	end := mustBounds(t, log).Next
	mustTrim(t, log, end)
	if err := log.Wait(within(t), 0); err != nil {
		t.Errorf("wait for a trimmed position: %v", err)
	}
	// At the end there is nothing, trimmed log or not.
	ctx, cancel := context.WithTimeout(context.Background(), shortly)
	defer cancel()
	if err := log.Wait(ctx, end); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait at the end of a trimmed log: %v", err)
	}
}

// shortly is how long a wait is watched that must not end by itself.
const shortly = 60 * time.Millisecond

// waiting starts a Wait. It may not have gone to sleep yet when waiting returns: what follows must wake it either way.
func waiting(t *testing.T, log commitlog.Log, from commitlog.Position) <-chan error {
	done := make(chan error, 1)
	begun := make(chan struct{})
	ctx := within(t)
	go func() {
		close(begun)
		done <- log.Wait(ctx, from)
	}()
	<-begun
	return done
}

func (s *suite) waitAppend(t *testing.T) {
	log := s.log(t)
	for i := range 20 {
		from := mustBounds(t, log).Next
		done := waiting(t, log, from)
		mustAppend(t, log, batchOf(fmt.Sprint(i)))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		entries, _ := mustRead(t, log, from, 1<<20)
		wantValues(t, entries, fmt.Sprint(i))
	}
}

func (s *suite) waitSeal(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a"))
	end := mustBounds(t, log).Next
	done := waiting(t, log, end)
	mustSeal(t, log)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := log.Wait(within(t), mustBounds(t, log).Next); err != nil {
		t.Errorf("wait at the end of a sealed log: %v", err)
	}
}

func (s *suite) waitDelete(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	done := waiting(t, log, 0)
	if err := store.Delete(within(t), theID); err != nil {
		t.Fatal(err)
	}
	want(t, <-done, fault.NotFound, "wait")
}

func (s *suite) waitClose(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	done := waiting(t, log, 0)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, <-done, fault.Unavailable, "wait")
}

func (s *suite) waitContext(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a"))
	from := mustBounds(t, log).Next
	ctx, cancel := context.WithTimeout(context.Background(), shortly)
	defer cancel()
	if err := log.Wait(ctx, from); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Wait(ctx, from) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func (s *suite) waitMany(t *testing.T) {
	log := s.log(t)
	var all []<-chan error
	for range 20 {
		all = append(all, waiting(t, log, 0))
	}
	mustAppend(t, log, batchOf("a"))
	for _, done := range all {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func (s *suite) waitOther(t *testing.T) {
	store := s.store(t)
	log := create(t, store, theID, commitlog.Config{})
	other := create(t, store, commitlog.ID{Group: theID.Group, Member: theID.Member + 1}, commitlog.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), shortly)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- log.Wait(ctx, 0) }()
	mustAppend(t, other, batchOf("a"))
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
