package logtest

import (
	"sync"
	"testing"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var leasePromises = []promise{
	{"without it nothing is appended", (*suite).leaseLost},
	{"lost in the middle of an append", (*suite).leaseLostMeanwhile},
	{"changed hands in the middle of an append", (*suite).leaseChangedMeanwhile},
	{"reading needs none", (*suite).leaseForReading},
	{"lost under load", (*suite).leaseLostUnderLoad},
}

func (s *suite) leaseLost(t *testing.T) {
	lease := NewManualLease()
	log := create(t, s.storeUnder(t, lease), theID, commitlog.Config{})
	mustAppend(t, log, batchOf("a"))
	lease.Lose()
	_, err := log.Append(within(t), batchOf("b"))
	want(t, err, fault.Fenced, "append without the lease")
	if fault.IsUnknown(err) {
		t.Errorf("nothing was begun, so nothing is unknown: %v", err)
	}
	wantValues(t, readAll(t, log, 0, 1<<20), "a")
	lease.Regain()
	mustAppend(t, log, batchOf("c"))
	wantValues(t, readAll(t, log, 0, 1<<20), "a", "c")
}

func (s *suite) leaseLostMeanwhile(t *testing.T) {
	s.leaseMeanwhile(t, func(l *ManualLease) { l.LoseAfter(1) })
}

func (s *suite) leaseChangedMeanwhile(t *testing.T) {
	s.leaseMeanwhile(t, func(l *ManualLease) { l.ChangeAfter(1) })
}

// leaseMeanwhile lets the lease end between the beginning of an append and its acknowledgement: it is never acknowledged, its outcome is
// unknown unless the store knows better, and what follows is in order.
func (s *suite) leaseMeanwhile(t *testing.T, plan func(*ManualLease)) {
	lease := NewManualLease()
	log := create(t, s.storeUnder(t, lease), theID, commitlog.Config{})
	mustAppend(t, log, batchOf("a"))
	plan(lease)
	asked := lease.Calls()
	_, err := log.Append(within(t), batchOf("b0", "b1"))
	want(t, err, fault.Fenced, "append whose lease ends meanwhile")
	if lease.Calls() < asked+2 {
		t.Fatalf("the lease was asked %d times: once when an append begins, and once before it is acknowledged", lease.Calls()-asked)
	}
	lease.Regain()
	mustAppend(t, log, batchOf("c"))
	entries := readAll(t, log, 0, 1<<20)
	if fault.IsUnknown(err) && len(entries) == 4 {
		wantValues(t, entries, "a", "b0", "b1", "c")
	} else {
		wantValues(t, entries, "a", "c")
	}
}

func (s *suite) leaseForReading(t *testing.T) {
	lease := NewManualLease()
	store := s.storeUnder(t, lease)
	log := create(t, store, theID, commitlog.Config{})
	base := mustAppend(t, log, stamped(0, 10))
	lease.Lose()
	if entries := readAll(t, log, 0, 1<<20); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	if err := log.Wait(within(t), base); err != nil {
		t.Error(err)
	}
	wantPositionAt(t, log, at(5), base+1)
	if _, err := store.Logs(within(t)); err != nil {
		t.Error(err)
	}
}

func (s *suite) leaseLostUnderLoad(t *testing.T) {
	lease := NewManualLease()
	log := create(t, s.storeUnder(t, lease), theID, commitlog.Config{})
	var once onceAt
	calls := appendConcurrently(t, log, 6, func(appended int, err error) bool {
		once.at(appended == 10, lease.Lose)
		return err != nil
	})
	for _, c := range calls {
		if c.err != nil && !fault.Is(c.err, fault.Fenced) {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	wantHistory(t, calls, readAll(t, log, 0, 1<<20))
}

// onceAt does something the first time a condition holds, whoever sees it.
type onceAt struct{ once sync.Once }

func (o *onceAt) at(condition bool, do func()) {
	if condition {
		o.once.Do(do)
	}
}
