package history

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/vfs"
)

// moment is a kind of moment at which a life may end, or a disk begin to fail.
type moment int

const (
	mutation   moment = iota // before something on the disk changes, or is made durable
	sealing                  // before a parent's log is sealed
	sealed                   // after that, and before anyone is told
	childMade                // a log was made
	logDeleted               // a log was deleted
)

var momentNames = [...]string{"before a mutation", "before a seal", "after a seal", "after a log was made", "after a log was deleted"}

// events counts moments, and ends the life or breaks the disk at those that were chosen.
type events struct {
	faults bool // the disk fails now and then

	mu    sync.Mutex // guards everything below; not held while the life dies
	life  *life
	rand  *rand.Rand
	end   moment // the life ends at one of these…
	after int    // …after so many of them; −1: it does not end
	next  int    // mutations until the disk fails
	broke bool   // it has failed in this life
	how   string // how the life ended
}

// failed says whether the disk has failed in this life.
func (e *events) failed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broke
}

// String is how the last life ended.
func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.how
}

// of begins a life, whose end r chooses; see dies.
func (e *events) of(l *life, r *rand.Rand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.life, e.rand = l, rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
	e.next, e.broke, e.how = 100+e.rand.IntN(400), false, "killed when enough was written"
	if e.after < 0 {
		e.how = "stopped"
	}
}

// dies chooses at which moment the coming life ends.
func (e *events) dies(r *rand.Rand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.IntN(8) {
	case 0: // while it opens, or soon after
		e.end, e.after = mutation, r.IntN(30)
	case 1, 2, 3:
		e.end, e.after = mutation, r.IntN(1200)
	case 4:
		e.end, e.after = sealing, r.IntN(6)
	case 5:
		e.end, e.after = sealed, r.IntN(6)
	case 6:
		e.end, e.after = childMade, r.IntN(12)
	case 7:
		e.end, e.after = logDeleted, r.IntN(3)
	}
}

// lives says that the coming life ends by itself, on a disk that does not fail.
func (e *events) lives() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.after, e.faults = -1, false
}

// happened counts a moment.
func (e *events) happened(m moment) {
	e.mu.Lock()
	var end func(*vfs.Mem) *vfs.Mem
	if m == e.end && e.after >= 0 {
		if e.after--; e.after < 0 {
			end, e.how = kill, "killed "+momentNames[m]
			if e.rand.IntN(3) > 0 {
				end, e.how = powerLoss(e.rand), "power lost "+momentNames[m]
			}
		}
	}
	if m == mutation && e.faults {
		if e.next--; e.next == 0 {
			e.next = 100 + e.rand.IntN(400)
			e.life.faulty.Add(failure(e.rand))
			e.broke = true
		}
	}
	l := e.life
	e.mu.Unlock()
	if end != nil {
		l.die(end)
	}
}

// failure is a disk that is full, or broken, for a while. What a full disk wrote it did not write whole: a block that is there whole was written.
func failure(r *rand.Rand) vfs.Rule {
	switch r.IntN(4) {
	case 0:
		return vfs.Rule{Op: vfs.OpSync, Path: "journal-*", Times: 1 + r.IntN(3), Lose: r.IntN(2) == 0}
	case 1:
		return vfs.Rule{Op: vfs.OpSync | vfs.OpSyncDir, Times: 1 + r.IntN(2), Lose: r.IntN(2) == 0}
	case 2:
		return vfs.Rule{Op: vfs.OpWrite, Times: 1 + r.IntN(3), Part: r.Float64()}
	default:
		return vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpAllocate, Times: 1 + r.IntN(30), Err: vfs.ErrNoSpace, Part: 0.9 * r.Float64()}
	}
}

// watched is a store that says when logs of streams are made, sealed and deleted.
type watched struct {
	commitlog.Store
	events *events
}

func (w watched) Create(ctx context.Context, id commitlog.ID, config commitlog.Config) error {
	err := w.Store.Create(ctx, id, config)
	w.events.happened(childMade)
	return err
}

func (w watched) Delete(ctx context.Context, id commitlog.ID) error {
	err := w.Store.Delete(ctx, id)
	w.events.happened(logDeleted)
	return err
}

func (w watched) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	log, err := w.Store.Open(ctx, id)
	return watchedLog{log, w.events}, err
}

type watchedLog struct {
	commitlog.Log
	events *events
}

func (w watchedLog) Seal(ctx context.Context) (commitlog.Position, error) {
	w.events.happened(sealing)
	end, err := w.Log.Seal(ctx)
	w.events.happened(sealed)
	return end, err
}
