package disklog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

func segmentName(number uint64) string { return fmt.Sprintf("segment-%016d", number) }

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// segmentFile is an open segment. It lives as long as the store's list or a reader holds it: who is counted in refs may read, and the last
// one closes the file, and deletes it if it was dropped.
type segmentFile struct {
	store  *Store
	footer segment.Footer
	file   vfs.File // nil when lost

	refs    atomic.Int32
	dropped atomic.Bool
	// lost: the manifest names it but it is missing or damaged as a whole. It stays named, and what is left of the file stays, until no log misses
	// a position; so that an operator can put a good copy in its place.
	lost bool
	// unmergeable: merging met damage inside. Set by the tend loop only.
	unmergeable bool
}

func (seg *segmentFile) name() string { return segmentName(seg.footer.Number) }

// acquire is called while seg is held by somebody else: under the mu of a log that has an extent in it, or under structure.
func (seg *segmentFile) acquire() { seg.refs.Add(1) }

func (seg *segmentFile) release() {
	if seg.refs.Add(-1) > 0 {
		return
	}
	if seg.file != nil {
		_ = seg.file.Close()
	}
	if seg.dropped.Load() {
		// If this fails, the next Open removes it: no manifest names it.
		_ = seg.store.fs.Remove(seg.store.path(seg.name()))
	}
}

// drop gives up the store's own hold on a segment that no manifest names any more.
func (seg *segmentFile) drop() {
	seg.dropped.Store(true)
	seg.release()
}

// extent is segment.Extent as a log keeps it: 72 bytes for each log in each segment.
type extent struct {
	first        commitlog.Position
	next         commitlog.Position
	offset       int64
	length       int64
	maxTimestamp int64
	segment      *segmentFile
	marksOffset  int64
	marks        uint32
	marksCRC     uint32
}

func newExtent(seg *segmentFile, e segment.Extent) extent {
	return extent{
		first: e.First, next: e.Next, offset: e.Offset, length: e.Length, maxTimestamp: e.MaxTimestamp,
		segment: seg, marksOffset: e.MarksOffset, marks: e.Marks, marksCRC: e.MarksCRC,
	}
}

func (e extent) end() int64 { return e.offset + e.length }

// loadMarks reads the marks of e from its file.
func (e extent) loadMarks(id commitlog.ID) ([]segment.Mark, error) {
	row := segment.Extent{Log: id, First: e.first, Next: e.next, Offset: e.offset, Length: e.length, MarksOffset: e.marksOffset, Marks: e.marks, MarksCRC: e.marksCRC}
	b := make([]byte, row.MarksSize())
	if err := readFull(e.segment.file, b, e.marksOffset); err != nil {
		return nil, err
	}
	return segment.DecodeMarks(b, row)
}

// openSegment opens a segment that the manifest names and reads its index. Corrupt or NotFound: it is lost.
func (s *Store) openSegment(ref manifestSegmentRef) (*segmentFile, []segment.Extent, error) {
	f, err := s.fs.Open(s.path(segmentName(ref.number)))
	if err != nil {
		return nil, nil, err
	}
	footer, extents, err := readIndex(f, ref)
	if err != nil {
		_ = f.Close()
		return nil, nil, fault.Wrap(err, "%s", segmentName(ref.number))
	}
	seg := &segmentFile{store: s, footer: footer, file: f}
	seg.refs.Store(1)
	return seg, extents, nil
}

func readIndex(f vfs.File, ref manifestSegmentRef) (segment.Footer, []segment.Extent, error) {
	size, err := f.Size()
	if err != nil {
		return segment.Footer{}, nil, err
	}
	if size != ref.size {
		return segment.Footer{}, nil, fault.New(fault.Corrupt, "%d bytes long, written with %d", size, ref.size)
	}
	tail := make([]byte, segment.FooterSize)
	if err := readFull(f, tail, size-segment.FooterSize); err != nil {
		return segment.Footer{}, nil, err
	}
	footer, err := segment.DecodeFooter(tail, size)
	if err != nil {
		return segment.Footer{}, nil, err
	}
	if footer.Number != ref.number || footer.IndexCRC != ref.indexCRC || footer.Class != ref.class {
		return segment.Footer{}, nil, fault.New(fault.Corrupt, "it is another segment (number %d)", footer.Number)
	}
	index := make([]byte, footer.IndexLength)
	if err := readFull(f, index, footer.IndexOffset); err != nil {
		return segment.Footer{}, nil, err
	}
	extents, err := segment.DecodeIndex(index, footer)
	return footer, extents, err
}

// writeSegment makes a segment durable, all but its name: fill adds the batches. An error leaves no file. Nothing to write gives nil.
func (s *Store) writeSegment(class int64, fill func(*segment.Writer) error) (*segmentFile, []segment.Extent, error) {
	number := s.segmentNumber.Add(1)
	name := s.path(segmentName(number))
	f, err := s.fs.Create(name)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewWriterSize(&syncingWriter{file: f}, 256<<10)
	w := segment.NewWriter(buffered)
	err = fill(w)
	empty := err == nil && w.Size() == 0
	var footer segment.Footer
	var extents []segment.Extent
	if err == nil && !empty {
		footer, extents, err = w.Finish(number, class)
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil && !empty {
		err = f.SyncData()
	}
	if err != nil || empty {
		_ = f.Close()
		_ = s.fs.Remove(name) // if not now, then at the next Open: no manifest names it
		return nil, nil, fault.Wrap(err, "write %s", segmentName(number))
	}
	seg := &segmentFile{store: s, footer: footer, file: f}
	seg.refs.Store(1)
	return seg, extents, nil
}

// syncEvery is how much of a segment is handed to the disk at a time: a sync of the whole file at its end would hold up the journal's syncs for as
// long as the disk needs for it.
const syncEvery = 8 << 20

// syncingWriter writes a file front to back and syncs it on the way. The last sync is the caller's.
type syncingWriter struct {
	file     vfs.File
	at       int64
	unsynced int
}

func (w *syncingWriter) Write(p []byte) (int, error) {
	n, err := w.file.WriteAt(p, w.at)
	w.at += int64(n)
	w.unsynced += n
	if err == nil && w.unsynced >= syncEvery {
		w.unsynced = 0
		err = w.file.SyncData()
	}
	return n, err
}

// buildManifest says what counts now, with segments in place of the present list and the journal from a given file on. firsts overrides where logs
// begin. Called with structure held.
func (s *Store) buildManifest(from journalFile, segments []*segmentFile, firsts map[*log]commitlog.Position) *manifest {
	m := &manifest{
		incarnation: s.incarnation, journalFrom: from.number, firstSequence: from.first,
		segmentNumber: s.segmentNumber.Load(),
	}
	for _, seg := range segments {
		m.segments = append(m.segments, manifestSegmentRef{seg.footer.Number, seg.footer.Size(), seg.footer.Class, seg.footer.IndexCRC})
	}
	// Logs and tombstones are taken at one moment, so that a log that is just deleted is among one of them. A log that is made or deleted after it is so by a
	// frame in the youngest journal, which is replayed.
	s.mu.Lock()
	m.journalNewest = s.journals[len(s.journals)-1].number
	m.dead = slices.Clone(s.dead)
	logs := s.sortedLogs()
	s.mu.Unlock()
	for _, l := range logs {
		l.mu.RLock()
		now, behind := l.now, tailBehind(l.tail, from.number-1)
		next := now.next
		if len(behind) > 0 {
			next = behind[0].base
		}
		l.mu.RUnlock()
		switch {
		case !now.exists:
		case now.deleted:
			m.dead.add(l.id)
		default:
			m.logs = append(m.logs, manifestLogState{
				id: l.id, retention: now.retention, first: max(now.first, firsts[l]), next: next, sealed: now.sealed,
			})
		}
	}
	return m
}
