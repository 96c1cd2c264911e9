package disklog

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// log is one log: what is visible of it and what it will be once everything on its way is durable. It is a commitlog.Log.
//
// There may be many thousands, most of them idle: a log costs about 200 bytes, and nothing runs for it.
//
// Invariants, with mu held:
//   - now.first ≤ now.next.
//   - extents and tail are in order of position, do not overlap, and hold [now.first, now.next) but for damage.
//   - tail holds exactly what is in the journal and not in extents; its last entry ends at now.next.
type log struct {
	store   *Store
	id      commitlog.ID
	givenUp givenUp // set by Open; see givenup.go

	// Guarded by store.mu.
	ahead state  // what now will be when every frame on its way is durable; appends are placed at ahead.next
	block *block // the last block with a frame of this log, until it is done

	mu      sync.RWMutex // guards everything below; taken after store.mu
	now     state
	tail    []tailEntry   // what the journal holds; the slice is only ever appended to or replaced, so a reader may keep what it saw
	extents []extent      // what segments hold; replaced, never changed in place
	waiting chan struct{} // closed and dropped when something happens that Wait waits for; nil while nobody does
	hint    *readHint     // where the last read of an extent ended; may be nil
}

// state is what can be said of a log in a few words.
type state struct {
	first     commitlog.Position
	next      commitlog.Position
	retention time.Duration
	exists    bool // false before Create is done
	sealed    bool
	deleted   bool
}

func (s state) bounds() commitlog.Bounds {
	return commitlog.Bounds{First: s.first, Next: s.next, Sealed: s.sealed}
}

func (l *log) notFound() error {
	return fault.New(fault.NotFound, "log %s does not exist", l.id)
}

// wake is called with mu held for writing.
func (l *log) wake() {
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

// visible is the state now, or why there is none.
func (l *log) visible(ctx context.Context) (state, error) {
	if err := l.store.usable(ctx); err != nil {
		return state{}, err
	}
	l.mu.RLock()
	now := l.now
	l.mu.RUnlock()
	if now.deleted || !now.exists {
		return state{}, l.notFound()
	}
	return now, nil
}

// Bounds are the bounds of what is durable.
func (l *log) Bounds(ctx context.Context) (commitlog.Bounds, error) {
	now, err := l.visible(ctx)
	return now.bounds(), err
}

// Config is what Create or the last Configure said.
func (l *log) Config() commitlog.Config {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return commitlog.Config{Retention: l.now.retention}
}

// Wait waits without holding anything: it hangs itself into waiting and looks again.
func (l *log) Wait(ctx context.Context, from commitlog.Position) error {
	for {
		if err := l.store.usable(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		now := l.now
		if now.deleted || !now.exists {
			l.mu.Unlock()
			return l.notFound()
		}
		if from < now.next || now.sealed {
			l.mu.Unlock()
			return nil
		}
		if l.waiting == nil {
			l.waiting = make(chan struct{})
		}
		waiting := l.waiting
		l.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.store.closing:
			return errClosed()
		}
	}
}

// Trim goes through the journal like an append. It never waits for room: it is what makes room.
func (l *log) Trim(ctx context.Context, before commitlog.Position) error {
	now, err := l.visible(ctx)
	if err != nil {
		return err
	}
	if before > now.next {
		return fault.New(fault.Invalid, "trim log %s before %d: it ends at %d", l.id, before, now.next)
	}
	return l.control(ctx, frameTrim, func() (int64, bool, error) {
		if before <= l.ahead.first {
			return 0, false, nil
		}
		l.ahead.first = before
		return before, true, nil
	})
}

// Seal goes through the journal behind every append that was placed before it.
func (l *log) Seal(ctx context.Context) (commitlog.Position, error) {
	if _, err := l.visible(ctx); err != nil {
		return 0, err
	}
	var end commitlog.Position
	err := l.control(ctx, frameSeal, func() (int64, bool, error) {
		end = l.ahead.next
		if l.ahead.sealed {
			return 0, false, nil
		}
		l.ahead.sealed = true
		return end, true, nil
	})
	if err != nil {
		return 0, err
	}
	return end, nil
}

// Configure goes through the journal.
func (l *log) Configure(ctx context.Context, config commitlog.Config) error {
	if config.Retention < 0 {
		return fault.New(fault.Invalid, "retention %v: must not be negative", config.Retention)
	}
	if _, err := l.visible(ctx); err != nil {
		return err
	}
	return l.control(ctx, frameConfigure, func() (int64, bool, error) {
		if l.ahead.retention == config.Retention {
			return 0, false, nil
		}
		l.ahead.retention = config.Retention
		return int64(config.Retention), true, nil
	})
}

// tombstones are the IDs of deleted logs, as ranges: deleting a stream of 10,000 shards leaves one. Sorted; no two touch.
type tombstones []tombstoneRange

type tombstoneRange struct {
	group uint64
	from  uint32
	to    uint32 // the last, included
}

// find is the first range that ends at or behind id.
func (t tombstones) find(id commitlog.ID) (int, bool) {
	i, _ := slices.BinarySearchFunc(t, id, func(r tombstoneRange, id commitlog.ID) int {
		return cmp.Or(cmp.Compare(r.group, id.Group), cmp.Compare(r.to, id.Member))
	})
	return i, i < len(t) && t[i].group == id.Group && t[i].from <= id.Member
}

func (t tombstones) has(id commitlog.ID) bool {
	_, found := t.find(id)
	return found
}

func (t *tombstones) add(id commitlog.ID) {
	i, found := t.find(id)
	if found {
		return
	}
	r := *t
	touchesLeft := i > 0 && r[i-1].group == id.Group && r[i-1].to+1 == id.Member
	touchesRight := i < len(r) && r[i].group == id.Group && id.Member+1 == r[i].from
	switch {
	case touchesLeft && touchesRight:
		r[i-1].to = r[i].to
		r = slices.Delete(r, i, i+1)
	case touchesLeft:
		r[i-1].to = id.Member
	case touchesRight:
		r[i].from = id.Member
	default:
		r = slices.Insert(r, i, tombstoneRange{group: id.Group, from: id.Member, to: id.Member})
	}
	*t = r
}
