package clock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

// Timers fire by due time, each seeing its own; a stopped one never fires.
func TestManualFiresInOrder(t *testing.T) {
	m := clock.NewManual(start)
	late, early, stopped := m.NewTimer(3*time.Second), m.NewTimer(time.Second), m.NewTimer(2*time.Second)
	if !stopped.Stop() || stopped.Stop() {
		t.Fatal("the first Stop cancels, the second finds nothing")
	}
	m.Advance(2500 * time.Millisecond)
	if got := <-early.C(); !got.Equal(start.Add(time.Second)) {
		t.Errorf("early saw %v", got)
	}
	select {
	case <-late.C():
		t.Error("late fired early")
	case <-stopped.C():
		t.Error("a stopped timer fired")
	default:
	}
	m.Advance(time.Second)
	if got := <-late.C(); !got.Equal(start.Add(3 * time.Second)) {
		t.Errorf("late saw %v", got)
	}
	if got := m.Now(); !got.Equal(start.Add(3500 * time.Millisecond)) {
		t.Errorf("now %v", got)
	}
	if late.Stop() {
		t.Error("Stop after firing claims to have cancelled")
	}
}

func TestSleepEndsWithClockOrContext(t *testing.T) {
	m := clock.NewManual(start)
	done := make(chan error, 1)
	go func() { done <- clock.Sleep(context.Background(), m, time.Hour) }()
	m.BlockUntil(1)
	m.Advance(time.Hour)
	if err := <-done; err != nil {
		t.Errorf("slept: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- clock.Sleep(ctx, m, time.Hour) }()
	m.BlockUntil(1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if m.Waiting() != 0 {
		t.Error("a cancelled sleep left its timer behind")
	}
}
