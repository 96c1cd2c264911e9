package disklog

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// writer is what only the writer goroutine touches once the store is open. It is the one that writes journals.
//
// A block's way: taken from Store.filling → sequence, checksum → written → synced (or put into unsynced) → published → done.
//
// When a block fails, so does what is filling behind it, because its positions follow: both are rolled back, and the next append begins where the
// last good one ended. A failed write that was only out of space leaves the file usable, since what it left is no block; after any
// other error the file is broken: not written again, see disklog.go, 4.
type writer struct {
	file   vfs.File // of the youngest journal; nil when Open found no room for one, and then broken
	header journalHeader
	offset int64 // where the next block goes

	next     uint64   // sequence of the next block
	synced   uint64   // the highest sequence that is durable for certain
	unsynced []*block // visible but not known durable, from synced+1 to next−1; empty with Sync

	broken bool // the file must not be written any more: a new one is needed
	full   bool // the last block found no room; for the events
	failed bool // the last block failed otherwise; for the events
}

// journalFile is a journal file that replay would need: full and waiting for layout, or the youngest, which is being written.
type journalFile struct {
	number uint64
	first  uint64 // as in its header
	bytes  int64
}

// request asks the writer for something besides blocks.
type request struct {
	rotate bool       // begin a new file, if the present one holds anything
	done   chan error // capacity 1; receives the outcome of a sync of everything visible
}

// writeLoop is the writer goroutine. It ends when the store closes, after the last block.
func (s *Store) writeLoop() {
	defer s.running.Done()
	spare := []frame(nil)
	for {
		s.mu.Lock()
		for len(s.filling.frames) == 0 && len(s.requests) == 0 && !s.closed {
			s.wake.Wait()
		}
		b := s.filling
		if len(b.frames) > 0 {
			s.filling = newBlock(spare)
			s.taken = int64(b.bytes)
			s.signalChange()
		} else {
			b = nil
		}
		requests := s.requests
		s.requests = nil
		s.writerGone = b == nil && len(requests) == 0 // then it is closed
		gone := s.writerGone
		s.mu.Unlock()
		if gone {
			return
		}

		if b != nil {
			s.commit(b)
			clear(b.frames)
			if s.w.offset >= s.options.JournalBytes && !s.w.broken {
				_ = s.w.rotate(s) // or nothing would, once appends wait for its layout; after an error the next block tries again
			}
			spare, b.frames = b.frames, nil
		}
		for _, r := range requests {
			err := s.w.settle(s)
			if err == nil && r.rotate && s.w.offset > journalHeaderSize {
				err = s.w.rotate(s)
			}
			r.done <- err
		}
	}
}

// commit writes a block, makes it visible and wakes its appenders.
func (s *Store) commit(b *block) {
	began := s.options.DeviceClock.Now()
	if err := s.w.write(s, b); err != nil {
		s.fail(b, err)
		return
	}
	s.publish(b)
	if s.w.full || s.w.failed {
		s.w.full, s.w.failed = false, false
		s.options.OnEvent(Healed{})
	}
	s.options.OnEvent(Synced{Bytes: int64(b.bytes), Appends: len(b.frames), Duration: s.options.DeviceClock.Now().Sub(began)})
}

// write brings b to the file, and with Sync to the disk. Its error says what the appenders of b are told.
func (w *writer) write(s *Store, b *block) error {
	if w.broken || w.offset > journalHeaderSize && w.offset+int64(b.bytes) > s.options.JournalBytes {
		if err := w.rotate(s); err != nil {
			return fault.Wrap(definite(err), "new journal file")
		}
	}
	b.sequence = w.next
	if err := w.put(b, w.next); err != nil {
		return err
	}
	if s.options.Durability.mode != durabilitySync {
		w.unsynced = append(w.unsynced, b)
	} else if err := w.file.SyncData(); err != nil {
		w.broken = true
		return fault.Unknown(fault.Unavailable, err, "journal %d", w.header.number)
	} else {
		w.synced = w.next
	}
	w.next++
	w.offset += int64(b.bytes)
	return nil
}

// put writes b's bytes at the end of the file as the block of that sequence.
func (w *writer) put(b *block, sequence uint64) error {
	finishBlock(b.regions, w.header.salt, sequence, w.synced)
	at := w.offset
	for _, region := range b.regions {
		n, err := w.file.WriteAt(region, at)
		if err == nil && n < len(region) {
			err = fault.New(fault.Full, "short write: %d of %d bytes", n, len(region))
		}
		if fault.Is(err, fault.Full) {
			// What is there is no block, cut off or not; without it the file is a little tidier.
			_ = w.file.Truncate(w.offset)
			return fault.Wrap(err, "journal %d", w.header.number)
		}
		if err != nil {
			w.broken = true
			return fault.Unknown(fault.Unavailable, err, "journal %d", w.header.number)
		}
		at += int64(n)
	}
	return nil
}

// settle makes durable everything that is visible. With Sync it always is.
func (w *writer) settle(s *Store) error {
	if len(w.unsynced) == 0 {
		return nil
	}
	if !w.broken {
		err := w.file.SyncData()
		if err == nil {
			w.synced = w.next - 1
			w.unsynced = nil
			return nil
		}
		w.broken = true
		w.failed = true
		s.options.OnEvent(Broken{err})
	}
	return w.rotate(s)
}

// rotate begins a new journal file. What is visible but perhaps not durable is synced where it is or, when that file is broken, written again to the new
// one: it is still in memory. After an error the present file is not written any more, and the next block tries again.
func (w *writer) rotate(s *Store) error {
	if !w.broken && len(w.unsynced) > 0 {
		if err := w.file.SyncData(); err != nil {
			w.broken = true
		} else {
			w.synced = w.next - 1
			w.unsynced = nil
		}
	}
	// From here on the present file is bounded: even if what follows fails, a crash may find the new header, and then blocks of the old file
	// from that sequence on do not count.
	w.broken = true
	fresh, err := s.createJournal(w.header.number+1, w.synced+1, w.unsynced)
	if err != nil {
		return err
	}
	if len(w.unsynced) > 0 {
		w.synced = w.next - 1
		w.unsynced = nil
	}
	old := w.file
	w.file, w.header, w.offset, w.broken = fresh.file, fresh.header, fresh.offset, false
	if old != nil {
		_ = old.Close() // what counts in it is durable
	}
	s.mu.Lock()
	s.journals = append(s.journals, journalFile{number: fresh.header.number, first: fresh.header.first, bytes: fresh.offset})
	s.journalBytes += fresh.offset
	s.mu.Unlock()
	s.layoutDue()
	s.options.OnEvent(Rotated{fresh.header.number})
	return nil
}

// journalNextName is the name of a journal file that takes over blocks, until they are in it.
const journalNextName = "journal.next"

// createJournal makes a journal file durable, header and name, before anything else is written to it. A file of that number that an earlier try left
// is replaced. Blocks that the file before it may have lost are adopted: they are durable in the new file before it has its name, because from that
// moment on they do not count in the old one.
func (s *Store) createJournal(number, first uint64, adopted []*block) (*writer, error) {
	var salt [8]byte
	if _, err := io.ReadFull(s.options.Entropy, salt[:]); err != nil {
		return nil, fault.As(fault.Unavailable, err, "salt for journal %d", number)
	}
	h := journalHeader{number: number, salt: binary.LittleEndian.Uint64(salt[:]), first: first, incarnation: s.incarnation}
	name, final := s.path(journalName(number)), s.path(journalName(number))
	if len(adopted) > 0 {
		name = s.path(journalNextName)
	}
	f, err := s.fs.Create(name)
	if err != nil {
		return nil, err
	}
	w := &writer{file: f, header: h, offset: journalHeaderSize, next: first, synced: first - 1}
	if err := w.begin(s.options.JournalBytes, adopted); err != nil {
		_ = f.Truncate(0) // a refused allocation may have taken the device's last room
		_ = f.Close()
		return nil, err
	}
	if name != final {
		err = s.fs.Rename(name, final)
	}
	if err == nil {
		err = s.fs.SyncDir(s.options.Dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// begin writes the header and the blocks to adopt, and syncs.
func (w *writer) begin(size int64, adopted []*block) error {
	if err := w.file.Allocate(size); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(w.header.encode(), 0); err != nil {
		return err
	}
	for i, b := range adopted {
		if err := w.put(b, w.header.first+uint64(i)); err != nil {
			return err
		}
		w.offset += int64(b.bytes)
	}
	return w.file.SyncData()
}

// publish makes b visible: first in each log, then as a whole for those who wait.
func (s *Store) publish(b *block) {
	journal := s.w.header.number
	var deleted []*log
	for i := range b.frames {
		f := &b.frames[i]
		l := f.log
		l.mu.Lock()
		switch f.kind {
		case frameAppend:
			l.now.next = f.value + int64(f.records)
			l.tail = append(l.tail, tailEntry{base: f.value, records: f.records, maxTimestamp: f.maxTimestamp, data: f.data, journal: journal})
			l.wake()
		default:
			if l.apply(f.kind, f.value); f.kind == frameDelete {
				deleted = append(deleted, l)
			}
		}
		l.mu.Unlock()
	}

	s.mu.Lock()
	for _, l := range deleted {
		s.bury(l)
	}
	for i := range b.frames {
		if l := b.frames[i].log; l.block == b {
			l.block = nil
		}
	}
	s.journals[len(s.journals)-1].bytes += int64(b.bytes)
	s.journalBytes += int64(b.bytes)
	s.taken = 0
	s.mu.Unlock()
	close(b.done)
}

// apply makes a control frame visible. It is called with mu held, or by recovery, and then perhaps twice with the same frame.
func (l *log) apply(kind frameKind, value int64) {
	switch kind {
	case frameCreate:
		l.now.exists = true
		l.now.retention = retentionOf(value)
	case frameConfigure:
		l.now.retention = retentionOf(value)
	case frameTrim:
		l.trimTo(value)
	case frameSeal:
		l.now.sealed = true
		l.wake()
	case frameDelete:
		l.now.deleted = true
		l.tail, l.extents, l.hint = nil, nil, nil
		l.wake()
	}
}

// trimTo moves first and lets go of what lies wholly before it. Called with mu held.
func (l *log) trimTo(first commitlog.Position) {
	if first <= l.now.first {
		return
	}
	l.now.first = first
	if kept := tailFrom(l.tail, first); len(kept) < len(l.tail) {
		l.tail = append([]tailEntry(nil), kept...)
	}
	for len(l.extents) > 0 && l.extents[0].next <= first {
		l.extents = l.extents[1:]
	}
}

// fail tells b's appenders err, and those of the block behind it that nothing was tried; then everyone begins again from what is visible.
func (s *Store) fail(b *block, err error) {
	s.mu.Lock()
	behind := s.filling
	s.filling = newBlock(nil)
	for _, failed := range []*block{b, behind} {
		for i := range failed.frames {
			l := failed.frames[i].log
			l.mu.RLock()
			l.ahead = l.now
			l.mu.RUnlock()
			l.block = nil
			if !l.ahead.exists {
				delete(s.logs, l.id)
			}
		}
	}
	s.taken = 0
	s.signalChange()
	s.mu.Unlock()

	full := fault.Is(err, fault.Full)
	if full && !s.w.full {
		s.w.full = true
		s.options.OnEvent(Full{err})
	}
	if !full && !s.w.failed {
		s.w.failed = true
		s.options.OnEvent(Broken{err})
	}
	b.err = err
	close(b.done)
	if len(behind.frames) == 0 {
		return // nobody waits for an empty block
	}
	behind.err = fault.Wrap(definite(err), "the block before it")
	close(behind.done)
}

// definite is err without the mark that it may have happened: for those whose bytes were never written.
func definite(err error) error {
	if !fault.IsUnknown(err) {
		return err
	}
	return fault.New(fault.KindOf(err), "%v", err)
}

// ask hands a request to the writer and waits for it.
func (s *Store) ask(rotate bool) error {
	r := request{rotate: rotate, done: make(chan error, 1)}
	s.mu.Lock()
	if s.writerGone {
		s.mu.Unlock()
		return errClosed()
	}
	s.requests = append(s.requests, r)
	s.wake.Signal()
	s.mu.Unlock()
	return <-r.done
}

// syncLoop asks for a sync at every interval, with Durability Interval only.
func (s *Store) syncLoop(every time.Duration) {
	defer s.running.Done()
	for s.sleep(every) {
		if err := s.ask(false); err != nil {
			s.options.OnEvent(Behind{Work: "sync", Err: err, Backoff: every})
		}
	}
}
