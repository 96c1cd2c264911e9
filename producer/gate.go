package producer

import (
	"context"
	"sync"
	"sync/atomic"
)

// gate bounds what is outstanding. Both counts are in one word, so that one atomic addition lets a record in or out and a refusal leaves no trace:
//
//	records << 40 | bytes
type gate struct {
	recordsMax, bytesMax uint64

	state   atomic.Uint64
	waiting atomic.Int64 // how many are in enter

	mu    sync.Mutex
	freed chan struct{} // closed and replaced when something was let out and somebody waits
}

const gateBytesBits = 40

func newGate(recordsMax, bytesMax int64) *gate {
	return &gate{recordsMax: uint64(recordsMax), bytesMax: uint64(bytesMax), freed: make(chan struct{})}
}

// try lets a record in if there is room. One that is alone is let in however large it is.
func (g *gate) try(bytes int) bool {
	for {
		old := g.state.Load()
		records, held := old>>gateBytesBits+1, old&(1<<gateBytesBits-1)+uint64(bytes)
		if records > 1 && (records > g.recordsMax || held > g.bytesMax) {
			return false
		}
		if g.state.CompareAndSwap(old, records<<gateBytesBits|held) {
			return true
		}
	}
}

// enter waits until there is room, or closed closes, or ctx ends.
func (g *gate) enter(ctx context.Context, bytes int, closed <-chan struct{}) error {
	if g.try(bytes) {
		return nil
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	for {
		g.mu.Lock()
		freed := g.freed // before the try: what is let out after it closes this one
		g.mu.Unlock()
		if g.try(bytes) {
			return nil
		}
		select {
		case <-freed:
		case <-closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave lets records out.
func (g *gate) leave(records, bytes int) {
	g.state.Add(-(uint64(records)<<gateBytesBits | uint64(bytes)))
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		close(g.freed)
		g.freed = make(chan struct{})
		g.mu.Unlock()
	}
}

// outstanding is what is inside.
func (g *gate) outstanding() (records, bytes int64) {
	state := g.state.Load()
	return int64(state >> gateBytesBits), int64(state & (1<<gateBytesBits - 1))
}

// epoch counts the records that were put between two Flushes and are not done. Put counts itself in and looks whether the epoch is still the current one; if
// not, a Flush has come in between, and it counts itself out and into the next. So a record that Put has returned is in an epoch that a later Flush waits for.
type epoch struct {
	count   atomic.Int64
	retired atomic.Bool
	once    sync.Once
	drained chan struct{} // closed when it is retired and nothing of it is outstanding
}

func newEpoch() *epoch { return &epoch{drained: make(chan struct{})} }

func (e *epoch) leave(n int) {
	if e.count.Add(-int64(n)) == 0 && e.retired.Load() {
		e.once.Do(func() { close(e.drained) })
	}
}

// retire is called once, after another epoch took its place.
func (e *epoch) retire() {
	e.retired.Store(true)
	if e.count.Load() == 0 {
		e.once.Do(func() { close(e.drained) })
	}
}
