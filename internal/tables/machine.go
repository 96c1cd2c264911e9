package tables

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/kv"
	"github.com/weir-stream/weir/internal/vfs"
)

// machine is the tables of an account and region as fold drives them: what they are is a State in memory, what is in them is in the database.
//
// A command makes one batch: items, index entries, changes, expiries, and the command's position. What a crash leaves of the database is thrown away; it
// begins again from a checkpoint, whose position is checked, and the log behind it. So nothing is done twice, and a change is there exactly when its item is.
type machine struct {
	// Set once.
	fs     vfs.FS
	dir    string // of the live database
	cache  *kv.Cache
	logger *slog.Logger

	// Only whoever drives the machine.
	applied commitlog.Position // of the last batch; -1 before the first
	keys    keyBuffers

	use sync.RWMutex // held for reading while somebody reads the database, for writing to close it. Taken before mu.

	mu      sync.RWMutex // guards everything below
	db      *kv.DB       // nil when it is closed
	state   *State
	changed chan struct{} // closed and replaced when state is
}

var _ fold.Keeper = (*machine)(nil)

func newMachine(fs vfs.FS, dir string, cache *kv.Cache, logger *slog.Logger) *machine {
	return &machine{fs: fs, dir: dir, cache: cache, logger: logger, applied: -1, state: emptyState(), changed: make(chan struct{})}
}

// watch gives the state, and a channel that is closed when there is a newer one.
func (m *machine) watch() (*State, <-chan struct{}) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.state, m.changed
}

func (m *machine) publish(s *State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s == m.state {
		return
	}
	m.state = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// interrupt makes a checkpoint that waits for room give up: the machine is about to be closed.
func (m *machine) interrupt() {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db != nil {
		m.db.Interrupt()
	}
}

// reading is the open database, and what must be called when it has been read; Unavailable when it is closed.
func (m *machine) reading() (*kv.DB, func(), error) {
	m.use.RLock()
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		m.use.RUnlock()
		return nil, nil, fault.New(fault.Unavailable, "the tables are being closed")
	}
	return m.db, m.use.RUnlock, nil
}

func (m *machine) close() error {
	m.use.Lock()
	defer m.use.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.db == nil {
		return nil
	}
	err := m.db.Close()
	m.db = nil
	return err
}

// Apply does a command. Refusals are results.
func (m *machine) Apply(at time.Time, position commitlog.Position, command []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, fault.New(fault.Corrupt, "an empty command")
	}
	kind, body := command[0], command[1:]
	if kind == commandWrite {
		return m.applyWrites(at, position, string(body))
	}
	c := &change{m: m, at: at, position: position, state: m.state, batch: m.db.NewBatch()}
	err := c.admin(kind, body)
	if err == nil {
		err = c.commit()
	} else {
		c.batch.Discard()
	}
	var refusal *refusal
	switch {
	case asRefusal(err, &refusal):
		return refused(refusal.err), nil
	case err != nil:
		return nil, err
	}
	m.publish(c.state)
	return []byte{resultDone, 0}, nil
}

// change is one command on its way into the database and the state.
type change struct {
	m        *machine
	at       time.Time
	position commitlog.Position
	state    *State
	batch    *kv.Batch
	changes  int // change records written
	counts   []count
}

// count is what a batch adds to stats once it is in.
type count struct {
	stats        *Stats
	items, bytes int
}

func (c *change) add(stats *Stats, items, bytes int) {
	if items != 0 || bytes != 0 {
		c.counts = append(c.counts, count{stats, items, bytes})
	}
}

// commit puts the batch into the database, with the position at which it was made.
func (c *change) commit() error {
	if c.batch.Empty() {
		c.batch.Discard()
		return nil
	}
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(c.position))
	c.batch.Set(metaApplied, at[:])
	if err := c.m.db.Commit(c.batch); err != nil {
		return err
	}
	c.m.applied = c.position
	for _, n := range c.counts {
		n.stats.Items.Add(int64(n.items))
		n.stats.Bytes.Add(int64(n.bytes))
	}
	return nil
}

// refusal is an answer to the customer, not a failure of ours.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }

func refuse(kind fault.Kind, format string, args ...any) error {
	return &refusal{fault.New(kind, format, args...)}
}

func asRefusal(err error, into **refusal) bool {
	return errors.As(err, into)
}

// imageVersion is that of a snapshot's JSON. History:
//
//	1  tables, streams, counts
const imageVersion = 1

// image is a State as snapshots hold it.
type image struct {
	Version int
	Applied commitlog.Position
	Tables  []tableImage
	Streams []*Stream
}

type tableImage struct {
	*Table
	Items, Bytes int64
	IndexCounts  [][2]int64
}

// Snapshot freezes the state. What is in the tables is in the checkpoint beside it.
func (m *machine) Snapshot() (encode func() []byte) {
	im := image{Version: imageVersion, Applied: m.applied, Streams: m.state.Streams}
	for _, name := range m.state.Names() {
		t := m.state.Tables[name]
		ti := tableImage{Table: t, Items: t.stats.Items.Load(), Bytes: t.stats.Bytes.Load()}
		for _, ix := range t.Indexes {
			ti.IndexCounts = append(ti.IndexCounts, [2]int64{ix.stats.Items.Load(), ix.stats.Bytes.Load()})
		}
		im.Tables = append(im.Tables, ti)
	}
	return func() []byte {
		b, err := json.Marshal(im)
		if err != nil {
			panic(err) // plain structs
		}
		return b
	}
}

// Restore takes a state back, and holds its position against that of the checkpoint.
func (m *machine) Restore(snapshot []byte) error {
	var im image
	if err := json.Unmarshal(snapshot, &im); err != nil {
		return fault.As(fault.Corrupt, err, "tables")
	}
	if im.Version != imageVersion {
		return fault.New(fault.Unsupported, "tables of version %d: this version of Weir reads %d", im.Version, imageVersion)
	}
	at, found, err := m.db.Get(nil, metaApplied)
	if err != nil {
		return err
	}
	applied := commitlog.Position(-1)
	if found && len(at) == 8 {
		applied = commitlog.Position(binary.BigEndian.Uint64(at))
	}
	if applied != im.Applied {
		return fault.New(fault.Corrupt, "the database was left at %d, the snapshot beside it at %d", applied, im.Applied)
	}
	s := emptyState()
	s.Streams = im.Streams
	for _, ti := range im.Tables {
		t := ti.Table
		t.stats = new(Stats)
		t.stats.Items.Store(ti.Items)
		t.stats.Bytes.Store(ti.Bytes)
		if len(ti.IndexCounts) != len(t.Indexes) {
			return fault.New(fault.Corrupt, "table %s has %d indexes and counts of %d", t.Name, len(t.Indexes), len(ti.IndexCounts))
		}
		for i, ix := range t.Indexes {
			ix.stats = new(Stats)
			ix.stats.Items.Store(ti.IndexCounts[i][0])
			ix.stats.Bytes.Store(ti.IndexCounts[i][1])
		}
		s.Tables[t.Name], s.byID[t.ID] = t, t
	}
	m.applied = applied
	m.publish(s)
	return nil
}

// Begin throws the live database away, and makes another of a checkpoint or an empty one.
func (m *machine) Begin(checkpoint string) error {
	if err := m.close(); err != nil {
		return err
	}
	err := vfs.RemoveAll(m.fs, m.dir)
	if err == nil && checkpoint != "" {
		err = kv.Clone(m.fs, checkpoint, m.dir)
	} else if err == nil {
		err = m.fs.MkdirAll(m.dir)
	}
	if fault.Is(err, fault.NotFound) {
		return fault.As(fault.Corrupt, err, "the checkpoint is not whole")
	}
	if err != nil {
		return err
	}
	db, err := kv.Open(kv.Options{FS: m.fs, Dir: m.dir, Cache: m.cache, Logger: m.logger})
	if err != nil {
		if checkpoint != "" && !fault.Is(err, fault.Full) {
			return fault.As(fault.Corrupt, err, "the checkpoint in %s does not open", checkpoint)
		}
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.db, m.applied, m.state = db, -1, emptyState()
	return nil
}

// Prepare writes out what is in memory.
func (m *machine) Prepare() error { return m.db.Flush() }

// Checkpoint makes the database durable as it is.
func (m *machine) Checkpoint(dir string) error { return m.db.Checkpoint(dir) }
