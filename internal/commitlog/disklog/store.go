package disklog

import (
	"context"
	"encoding/binary"
	"io"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Store is a directory of logs. It is a commitlog.Store.
type Store struct {
	// Set once by Open.
	options         Options
	fs              vfs.FS
	lock            io.Closer
	incarnation     uint64
	journalBytesMax int64
	closing         chan struct{} // closed by Close
	life            context.Context
	endLife         context.CancelFunc
	running         sync.WaitGroup // writer, layout, tend, sync
	buffers         sync.Pool      // of *[]byte, what extents are read into; see Chunk.Release

	// Only the writer, once it runs.
	w writer

	mu           sync.Mutex // guards down to the next blank line; taken after structure, never held across a read, write or sync
	wake         sync.Cond  // the writer waits here; L is mu
	logs         map[commitlog.ID]*log
	dead         tombstones
	filling      *block
	chunk        []byte // what blocks are filled into; its length is what is used
	taken        int64  // bytes of the block that the writer has
	requests     []request
	journals     []journalFile // oldest first; the last is being written
	journalBytes int64         // of all journals
	changed      chan struct{} // closed and dropped when admit may look again; nil while nobody waits
	closed       bool
	writerGone   bool

	structure     sync.Mutex     // held from looking at segments until the manifest that changes them is durable, so that one follows from the other
	segments      []*segmentFile // in order of age, which merging keeps; replaced under structure and mu, read under either
	segmentNumber atomic.Uint64  // the last number given

	layoutWanted chan struct{} // capacity 1: a journal file is full
	tendWanted   chan struct{} // capacity 1: the segments changed
	stopped      atomic.Bool   // closed, for those who hold no lock
}

// Stats is how large a store is.
type Stats struct {
	Logs         int
	Journals     int   // files
	JournalBytes int64 // of them; all that is in memory is part of it
	JournalMost  int64 // what JournalBytes may come to: then appends wait, and are throttled
	Segments     int
	SegmentBytes int64
}

// Open opens the store in a directory, or makes one. It returns when appends may begin; journals that are left over are laid out later.
//
// Faults: Conflict when another process has it open; Corrupt, naming file and place, when acknowledged bytes are damaged or missing in a way
// that would otherwise pass unseen; Unsupported when a newer Weir wrote it.
func Open(options Options) (*Store, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	s := &Store{
		options:      options.withDefaults(),
		fs:           options.FS,
		closing:      make(chan struct{}),
		logs:         make(map[commitlog.ID]*log),
		filling:      newBlock(nil),
		layoutWanted: make(chan struct{}, 1),
		tendWanted:   make(chan struct{}, 1),
	}
	s.wake.L = &s.mu
	s.journalBytesMax = s.options.JournalBytes * int64(s.options.JournalFilesMax)
	s.life, s.endLife = context.WithCancel(context.Background())

	if err := s.fs.MkdirAll(s.options.Dir); err != nil {
		return nil, err
	}
	lock, err := s.fs.Lock(s.path(lockName))
	if err != nil {
		return nil, fault.Wrap(err, "data directory %s", s.options.Dir)
	}
	s.lock = lock
	if err := s.recover(); err != nil {
		s.release()
		return nil, fault.Wrap(err, "data directory %s", s.options.Dir)
	}

	s.start(s.writeLoop)
	s.start(s.layoutLoop)
	s.start(s.tendLoop)
	if d := s.options.Durability; d.mode == durabilityInterval {
		s.start(func() { s.syncLoop(d.interval) })
	}
	s.layoutDue()
	return s, nil
}

// start runs one of the store's loops, which calls running.Done.
func (s *Store) start(loop func()) {
	s.running.Add(1)
	go loop()
}

func (s *Store) path(name string) string { return path.Join(s.options.Dir, name) }

func errClosed() error { return fault.New(fault.Unavailable, "the log store is closed") }

// usable says why nothing can be asked of the store.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.stopped.Load() {
		return errClosed()
	}
	return nil
}

// sleep waits for d on the device clock and says whether the store is still open.
func (s *Store) sleep(d time.Duration) bool {
	return clock.Sleep(s.life, s.options.DeviceClock, d) == nil
}

// Create makes a log exist.
func (s *Store) Create(ctx context.Context, id commitlog.ID, config commitlog.Config) error {
	return s.CreateAll(ctx, []commitlog.ID{id}, config)
}

// CreateAll is Create for many logs at once, in one write. On an error some may exist; asking again is safe.
func (s *Store) CreateAll(ctx context.Context, ids []commitlog.ID, config commitlog.Config) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if config.Retention < 0 {
		return fault.New(fault.Invalid, "retention %v: must not be negative", config.Retention)
	}
	var blocks []*block // that must become durable, each once
	var refused error
	for _, id := range ids {
		block, err := s.create(ctx, id, config)
		if err != nil {
			refused = err
			break
		}
		if block != nil && (len(blocks) == 0 || blocks[len(blocks)-1] != block) {
			blocks = append(blocks, block)
		}
	}
	for _, b := range blocks {
		if err := b.wait(ctx); err != nil {
			return fault.Wrap(err, "create log")
		}
	}
	return refused
}

// create places the frame that makes a log, and gives the block to wait for, if any.
func (s *Store) create(ctx context.Context, id commitlog.ID, config commitlog.Config) (*block, error) {
	// What exists takes no room: a node finds its control log also while the journal is full.
	s.mu.Lock()
	block, exists, err := s.existing(id, config)
	s.mu.Unlock()
	if exists {
		return block, err
	}
	if err := s.admit(ctx, frameHeaderSize+8, false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if block, exists, err := s.existing(id, config); exists {
		return block, err
	}
	l := &log{store: s, id: id, ahead: state{exists: true, retention: config.Retention}}
	s.logs[id] = l
	value := int64(config.Retention)
	binary.LittleEndian.PutUint64(s.place(l, frame{kind: frameCreate, value: value}, 8), uint64(value))
	return s.filling, nil
}

// existing says whether an ID is taken, and if so what Create says of it: the block that makes the log durable, if that is still to come, or why it cannot
// be made. Called with mu held.
func (s *Store) existing(id commitlog.ID, config commitlog.Config) (b *block, exists bool, err error) {
	if s.dead.has(id) {
		return nil, true, fault.New(fault.Exists, "log %s was deleted", id)
	}
	l := s.logs[id]
	switch {
	case l == nil:
		return nil, false, nil
	case l.ahead.deleted || l.ahead.retention != config.Retention:
		return nil, true, fault.New(fault.Exists, "log %s exists with retention %v", id, l.ahead.retention)
	default:
		return l.block, true, nil
	}
}

// Open finds a log.
func (s *Store) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	l := s.logs[id]
	s.mu.Unlock()
	if l == nil {
		return nil, fault.New(fault.NotFound, "log %s does not exist", id)
	}
	if _, err := l.visible(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Delete removes a log. Its segments go when nothing else is in them.
func (s *Store) Delete(ctx context.Context, id commitlog.ID) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := s.admit(ctx, frameHeaderSize, true); err != nil {
		return err
	}
	l := s.logs[id]
	if l == nil {
		s.mu.Unlock()
		return nil
	}
	if !l.ahead.deleted {
		l.ahead.deleted = true
		s.place(l, frame{kind: frameDelete}, 0)
	}
	block := l.block
	s.mu.Unlock()
	if block == nil {
		return nil
	}
	return fault.Wrap(block.wait(ctx), "delete log %s", id)
}

// bury forgets a deleted log, but for its ID. Called with mu held.
func (s *Store) bury(l *log) {
	delete(s.logs, l.id)
	s.dead.add(l.id)
}

// Logs lists the logs that exist.
func (s *Store) Logs(ctx context.Context) ([]commitlog.ID, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	var ids []commitlog.ID
	for _, l := range s.allLogs() {
		l.mu.RLock()
		visible := l.now.exists && !l.now.deleted
		l.mu.RUnlock()
		if visible {
			ids = append(ids, l.id)
		}
	}
	return ids, nil
}

// allLogs are the logs of the map, in order of ID. Some may not be visible yet, or just be deleted.
func (s *Store) allLogs() []*log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sortedLogs()
}

// sortedLogs is called with mu held. Ten thousand take a millisecond.
func (s *Store) sortedLogs() []*log {
	logs := make([]*log, 0, len(s.logs))
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b *log) int { return a.id.Compare(b.id) })
	return logs
}

// Stats says how large the store is now.
func (s *Store) Stats() Stats {
	var st Stats
	s.mu.Lock()
	st.Logs, st.Journals, st.JournalBytes, st.JournalMost = len(s.logs), len(s.journals), s.journalBytes, s.journalBytesMax
	segments := s.segments
	s.mu.Unlock()
	st.Segments = len(segments)
	for _, seg := range segments {
		st.SegmentBytes += seg.footer.Size()
	}
	return st
}

// Close finishes what was placed, ends the loops and gives the directory back.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.running.Wait()
		return nil
	}
	s.closed = true
	s.stopped.Store(true)
	close(s.closing)
	s.signalChange()
	s.wake.Broadcast()
	s.mu.Unlock()
	s.endLife()
	s.running.Wait()

	err := s.w.finish(s)
	s.release()
	return err
}

// finish makes everything durable and marks the end. The mark is an empty block: it says that the block before it was durable, so that damage to
// that one is told from a torn end.
func (w *writer) finish(s *Store) error {
	if err := w.settle(s); err != nil {
		return fault.Wrap(err, "close")
	}
	if w.broken || w.offset == journalHeaderSize {
		return nil
	}
	mark := make([]byte, blockHeaderSize)
	finishBlock([][]byte{mark}, w.header.salt, w.next, w.synced)
	if _, err := w.file.WriteAt(mark, w.offset); err == nil {
		_ = w.file.SyncData() // everything acknowledged is durable without it
	}
	return nil
}

// release closes every file. Nothing of the store's runs any more.
func (s *Store) release() {
	s.endLife()
	if s.w.file != nil {
		_ = s.w.file.Close()
	}
	for _, seg := range s.segments {
		seg.release()
	}
	_ = s.lock.Close()
}
