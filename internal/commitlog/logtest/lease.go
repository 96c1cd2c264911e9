package logtest

import (
	"sync"

	"github.com/weir-stream/weir/internal/commitlog"
)

// ManualLease is a lease that a test loses and regains, also in the middle of an append: stores ask their lease when an append begins and again
// before they acknowledge it, so LoseAfter(1) and ChangeAfter(1) strike in between.
type ManualLease struct {
	mu          sync.Mutex // guards everything below
	incarnation uint64
	held        bool
	calls       int    // how often Current was asked
	due         int    // the number of calls after which then runs; it has run when then is nil
	then        func() // called with mu held
}

var _ commitlog.Lease = (*ManualLease)(nil)

// NewManualLease is a lease held by incarnation 1.
func NewManualLease() *ManualLease { return &ManualLease{incarnation: 1, held: true} }

// Current is the incarnation, and whether the lease is held.
func (l *ManualLease) Current() (incarnation uint64, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.then != nil && l.calls >= l.due {
		l.then()
		l.then = nil
	}
	l.calls++
	return l.incarnation, l.held
}

// Lose ends the lease now.
func (l *ManualLease) Lose() { l.after(0, func() { l.held = false }) }

// Regain gives the lease back, to a higher incarnation. What LoseAfter and ChangeAfter planned is forgotten.
func (l *ManualLease) Regain() {
	l.after(0, func() { l.held, l.incarnation = true, l.incarnation+1 })
}

// LoseAfter ends the lease when it has been asked about n more times.
func (l *ManualLease) LoseAfter(n int) { l.after(n, func() { l.held = false }) }

// ChangeAfter lets the lease be lost and regained by a higher incarnation when it has been asked about n more times.
func (l *ManualLease) ChangeAfter(n int) { l.after(n, func() { l.incarnation++ }) }

// Calls is how often the lease was asked about.
func (l *ManualLease) Calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

func (l *ManualLease) after(n int, then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n == 0 {
		l.then = nil
		then()
		return
	}
	l.due, l.then = l.calls+n, then
}
