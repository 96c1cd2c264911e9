package commitlog

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// String is Group/Member, as logs are named in errors.
func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Group, id.Member) }

// Compare orders IDs by Group, then Member.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Group, other.Group), cmp.Compare(id.Member, other.Member))
}

// Memory is a Store that keeps everything in memory: the contract made precise, and what tests above the log stand on.
// Nothing of it survives the process. One mutex guards all of it, and nothing in it is clever.
type Memory struct {
	clock clock.Clock
	lease Lease

	mu      sync.Mutex // guards everything below, and every memoryLog
	logs    map[ID]*memoryLog
	deleted map[ID]bool
	closed  bool
}

var _ Store = (*Memory)(nil)

// NewMemory is an empty store. The clock says what is past its retention, the lease which appends may be acknowledged.
func NewMemory(c clock.Clock, lease Lease) *Memory {
	return &Memory{clock: c, lease: lease, logs: map[ID]*memoryLog{}, deleted: map[ID]bool{}}
}

// Create makes a log exist.
func (m *Memory) Create(ctx context.Context, id ID, config Config) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return fault.Wrap(err, "create log %s", id)
	}
	if err := config.check(); err != nil {
		return fault.Wrap(err, "create log %s", id)
	}
	if m.deleted[id] {
		return fault.New(fault.Exists, "create log %s: it was deleted, and an id is never used again", id)
	}
	if l := m.logs[id]; l != nil {
		if l.config != config {
			return fault.New(fault.Exists, "create log %s: it exists with another configuration", id)
		}
		return nil
	}
	m.logs[id] = &memoryLog{store: m, id: id, config: config, changed: make(chan struct{})}
	return nil
}

// Open finds a log.
func (m *Memory) Open(ctx context.Context, id ID) (Log, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return nil, fault.Wrap(err, "open log %s", id)
	}
	l := m.logs[id]
	if l == nil {
		return nil, fault.New(fault.NotFound, "log %s does not exist", id)
	}
	return l, nil
}

// Delete removes a log.
func (m *Memory) Delete(ctx context.Context, id ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return fault.Wrap(err, "delete log %s", id)
	}
	if l := m.logs[id]; l != nil {
		delete(m.logs, id)
		m.deleted[id] = true
		l.deleted, l.batches = true, nil
		l.wake()
	}
	return nil
}

// Logs lists the logs that exist.
func (m *Memory) Logs(ctx context.Context) ([]ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return nil, fault.Wrap(err, "list logs")
	}
	ids := make([]ID, 0, len(m.logs))
	for id := range m.logs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, ID.Compare)
	return ids, nil
}

// Close ends every wait. Closing twice is no error.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, l := range m.logs {
		l.wake()
	}
	return nil
}

// usable says why a call cannot go on. The caller holds mu.
func (m *Memory) usable(ctx context.Context) error {
	if m.closed {
		return fault.New(fault.Unavailable, "the store is closed")
	}
	return ctx.Err()
}

// check refuses what no log can keep.
func (c Config) check() error {
	if c.Retention < 0 {
		return fault.New(fault.Invalid, "a retention of %v is negative", c.Retention)
	}
	return nil
}

// memoryLog is a log of Memory. Everything that may change is guarded by store.mu.
type memoryLog struct {
	store *Memory
	id    ID

	config  Config
	batches [][]byte      // each is whole and has its base; those that hold nothing at or above first are gone
	first   Position      // oldest readable position
	next    Position      // behind the last record
	sealed  bool          // next is the end
	deleted bool          // nothing works any more
	changed chan struct{} // closed and replaced whenever a wait might end
}

func (l *memoryLog) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// usable says why a call on the log cannot go on. The caller holds store.mu.
func (l *memoryLog) usable(ctx context.Context) error {
	if l.deleted {
		return fault.New(fault.NotFound, "log %s was deleted", l.id)
	}
	return fault.Wrap(l.store.usable(ctx), "log %s", l.id)
}

func (l *memoryLog) bounds() Bounds { return Bounds{First: l.first, Next: l.next, Sealed: l.sealed} }

func (l *memoryLog) Append(ctx context.Context, b *batch.Batch) (Position, error) {
	incarnation, err := BeginUnder(l.store.lease)
	if err != nil {
		return 0, fault.Wrap(err, "log %s", l.id)
	}
	base, err := l.add(ctx, b)
	if err != nil {
		return 0, err
	}
	if err := AckUnder(l.store.lease, incarnation); err != nil {
		return 0, fault.Wrap(err, "log %s", l.id)
	}
	return base, nil
}

func (l *memoryLog) add(ctx context.Context, b *batch.Batch) (Position, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	if b.Len() == 0 {
		return 0, fault.New(fault.Invalid, "append to log %s: the batch is empty", l.id)
	}
	if l.sealed {
		return 0, fault.New(fault.Sealed, "log %s is sealed at %d", l.id, l.next)
	}
	l.expire()
	base, raw := l.next, bytes.Clone(b.Bytes())
	batch.SetBase(raw, base)
	l.batches = append(l.batches, raw)
	l.next += Position(b.Len())
	l.wake()
	return base, nil
}

// expire drops the oldest batches as long as their youngest record is past its retention.
func (l *memoryLog) expire() {
	if l.config.Retention == 0 {
		return
	}
	wanted := l.store.clock.Now().Add(-l.config.Retention).UnixMilli()
	for len(l.batches) > 0 {
		info := mustPeek(l.batches[0])
		if info.MaxTimestamp >= wanted {
			return
		}
		l.first = max(l.first, info.Next())
		l.batches = l.batches[1:]
	}
}

func (l *memoryLog) Read(ctx context.Context, from Position, maxBytes int) (Chunk, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Chunk{}, err
	}
	switch {
	case from < l.first:
		return Chunk{}, fault.New(fault.Trimmed, "log %s begins at %d: %d is trimmed", l.id, l.first, from)
	case from > l.next:
		return Chunk{}, fault.New(fault.Invalid, "log %s ends at %d: no reading from %d", l.id, l.next, from)
	}
	chunk := Chunk{Next: from, Bounds: l.bounds()}
	for _, raw := range l.batches {
		info := mustPeek(raw)
		if info.Next() <= from {
			continue
		}
		if len(chunk.Batches) > 0 && len(chunk.Batches)+len(raw) > maxBytes {
			break
		}
		chunk.Batches = append(chunk.Batches, raw...)
		chunk.Next = info.Next()
	}
	return chunk, nil
}

func (l *memoryLog) Wait(ctx context.Context, from Position) error {
	for {
		l.store.mu.Lock()
		err, ready, changed := l.usable(ctx), from < l.next || l.sealed, l.changed
		l.store.mu.Unlock()
		if err != nil || ready {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *memoryLog) Bounds(ctx context.Context) (Bounds, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Bounds{}, err
	}
	return l.bounds(), nil
}

func (l *memoryLog) PositionAt(ctx context.Context, t time.Time) (Position, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	wanted := CeilMillis(t)
	for _, raw := range l.batches {
		var r batch.Record
		for it := batch.Iterate(raw); it.Next(&r); {
			if r.Position >= l.first && r.Timestamp >= wanted {
				return r.Position, nil
			}
		}
	}
	return l.next, nil
}

// CeilMillis is the first whole millisecond since 1970 that is not before t: the lowest timestamp that a record at or after t can have.
func CeilMillis(t time.Time) int64 {
	millis := t.UnixMilli()
	if t.After(time.UnixMilli(millis)) {
		millis++
	}
	return millis
}

func (l *memoryLog) Trim(ctx context.Context, before Position) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if before > l.next {
		return fault.New(fault.Invalid, "log %s ends at %d: no trimming before %d", l.id, l.next, before)
	}
	l.first = max(l.first, before)
	for len(l.batches) > 0 && mustPeek(l.batches[0]).Next() <= l.first {
		l.batches = l.batches[1:]
	}
	return nil
}

func (l *memoryLog) Seal(ctx context.Context) (Position, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	if !l.sealed {
		l.sealed = true
		l.wake()
	}
	return l.next, nil
}

func (l *memoryLog) Configure(ctx context.Context, config Config) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if err := config.check(); err != nil {
		return fault.Wrap(err, "configure log %s", l.id)
	}
	l.config = config
	return nil
}

func (l *memoryLog) Config() Config {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.config
}

// mustPeek reads the header of a batch that Append took in. That it cannot be read is our own promise broken.
func mustPeek(raw []byte) batch.Info {
	info, err := batch.Peek(raw)
	if err != nil {
		panic("a batch in memory changed: " + err.Error())
	}
	return info
}
