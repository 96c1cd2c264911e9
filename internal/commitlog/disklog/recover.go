package disklog

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
)

// recover brings the directory into memory and makes it ready for appends, in an order in which a crash at any point can be followed by
// another Open:
//
//  1. read the manifest, the indexes of its segments, the journal files from journalFrom on; nothing is changed yet, and damage refuses here;
//  2. make durable what may be in the kernel's memory only: the end of the youngest file;
//  3. begin a new journal file, so that what follows a torn end is never mistaken for it;
//  4. write a manifest with the next incarnation;
//  5. remove what it does not name.
func (s *Store) recover() error {
	began := s.options.DeviceClock.Now()
	names, err := s.listFiles()
	if err != nil {
		return err
	}
	m, err := s.readManifest()
	if fault.Is(err, fault.NotFound) {
		m, err = s.found(&names)
	}
	if err != nil {
		return fault.Wrap(err, manifestName)
	}
	s.incarnation = m.incarnation + 1
	s.segmentNumber.Store(m.segmentNumber)
	s.dead = m.dead
	for _, row := range m.logs {
		l := &log{store: s, id: row.id, now: state{first: row.first, next: row.next, retention: row.retention, sealed: row.sealed, exists: true}}
		s.logs[row.id] = l
	}
	if err := s.openSegments(m); err != nil {
		return err
	}
	event := Opened{Incarnation: s.incarnation}
	last, err := s.replayJournals(m, names, &event)
	if err != nil {
		return err
	}
	for _, l := range s.logs {
		if l.now.first > l.now.next {
			return fault.New(fault.Corrupt, "log %s is trimmed to %d and ends at %d: a journal file is missing", l.id, l.now.first, l.now.next)
		}
		l.ahead = l.now
	}
	if err := s.loadLost(); err != nil {
		return err
	}
	s.reportHoles()

	w, err := s.createJournal(last.header.number+1, last.next, nil)
	switch {
	case err == nil:
		s.w = *w
		s.journals = append(s.journals, journalFile{number: w.header.number, first: w.header.first, bytes: w.offset})
	case fault.Is(err, fault.Full) && len(s.journals) > 0:
		// A full device is no reason not to read. The first append tries again.
		s.w = writer{header: last.header, next: last.next, synced: last.next - 1, broken: true, full: true}
		s.options.OnEvent(Full{err})
	default:
		return fault.Wrap(err, "new journal file")
	}
	for _, j := range s.journals {
		s.journalBytes += j.bytes
	}
	if err := s.writeManifest(s.buildManifest(s.journals[0], s.segments, nil)); err != nil {
		return err
	}
	s.removeOrphans(names)

	event.Logs, event.Segments, event.Duration = len(s.logs), len(s.segments), s.options.DeviceClock.Now().Sub(began)
	s.options.OnEvent(event)
	return nil
}

// files are the names in the directory that have a number.
type files struct {
	journals []uint64 // in order
	segments []uint64
}

func (s *Store) listFiles() (files, error) {
	names, err := s.fs.List(s.options.Dir)
	if err != nil {
		return files{}, err
	}
	var f files
	for _, name := range names {
		kind, digits, _ := strings.Cut(name, "-")
		number, err := strconv.ParseUint(digits, 10, 64)
		switch {
		case err != nil: // not ours
		case kind == "journal" && name == journalName(number):
			f.journals = append(f.journals, number)
		case kind == "segment" && name == segmentName(number):
			f.segments = append(f.segments, number)
		}
	}
	slices.Sort(f.journals)
	return f, nil
}

func (s *Store) readManifest() (*manifest, error) {
	b, err := readFile(s.fs, s.path(manifestName))
	if err != nil {
		return nil, err
	}
	return decodeManifest(b)
}

// found is what a directory without a manifest begins with. Nothing is written to a journal before there is a manifest, so all that a first Open that
// was interrupted leaves is journal files without blocks: they are removed. Whatever is more says that a manifest is lost.
func (s *Store) found(names *files) (*manifest, error) {
	for _, number := range names.journals {
		file, err := readFile(s.fs, s.path(journalName(number)))
		if err != nil {
			return nil, err
		}
		if h, err := decodeJournalHeader(file); len(file) > journalHeaderSize || err == nil && h.first > 1 {
			return nil, fault.New(fault.Corrupt, "it is missing, but there is %s: restore it", journalName(number))
		}
	}
	if len(names.segments) > 0 {
		return nil, fault.New(fault.Corrupt, "it is missing, but there are %d segments: restore it", len(names.segments))
	}
	for _, number := range names.journals {
		if err := s.fs.Remove(s.path(journalName(number))); err != nil {
			return nil, err
		}
	}
	names.journals = nil
	for dir := s.options.Dir; dir != "."; {
		dir = path.Dir(dir)
		if err := s.fs.SyncDir(dir); err != nil {
			return nil, err
		}
	}
	return &manifest{journalFrom: 1, firstSequence: 1}, nil
}

// openSegments opens what m names and gives the logs their extents. A segment that is lost is reported and leaves a hole: reads there say so.
func (s *Store) openSegments(m *manifest) error {
	for _, ref := range m.segments {
		seg, extents, err := s.openSegment(ref)
		if fault.Is(err, fault.Corrupt) || fault.Is(err, fault.NotFound) {
			s.options.OnEvent(Lost{File: segmentName(ref.number), Err: err})
			seg = &segmentFile{store: s, lost: true, footer: lostFooter(ref)}
			seg.refs.Store(1)
		} else if err != nil {
			return err
		}
		s.segments = append(s.segments, seg)
		for _, e := range extents {
			if l := s.logs[e.Log]; l != nil && e.Next > l.now.first {
				l.extents = append(l.extents, newExtent(seg, e))
			}
		}
	}
	for _, l := range s.logs {
		slices.SortFunc(l.extents, func(a, b extent) int { return cmp.Compare(a.first, b.first) })
		l.extents = slices.Clip(l.extents)
		for i, e := range l.extents {
			if e.next > l.now.next || i > 0 && l.extents[i-1].next > e.first {
				return fault.New(fault.Corrupt, "%s: log %s: positions %d to %d are elsewhere too, or behind the end at %d",
					e.segment.name(), l.id, e.first, e.next-1, l.now.next)
			}
		}
	}
	return nil
}

// lostFooter keeps of a lost segment what the manifest says, so that the next one says the same.
func lostFooter(ref manifestSegmentRef) segment.Footer {
	return segment.Footer{Number: ref.number, Class: ref.class, IndexCRC: ref.indexCRC, IndexOffset: ref.size - segment.FooterSize}
}

// replayJournals replays the files from journalFrom on and makes the end of the youngest durable. It gives that one.
func (s *Store) replayJournals(m *manifest, names files, event *Opened) (replayed, error) {
	numbers := names.journals
	for len(numbers) > 0 && numbers[0] < m.journalFrom {
		numbers = numbers[1:] // an orphan
	}
	for i, number := range numbers {
		if number != m.journalFrom+uint64(i) {
			return replayed{}, fault.New(fault.Corrupt, "%s is missing", journalName(m.journalFrom+uint64(i)))
		}
	}
	last := replayed{header: journalHeader{number: m.journalFrom - 1}, next: m.firstSequence}
	contents, err := s.readJournals(m, numbers)
	if err != nil {
		return last, err
	}
	if newest := m.journalFrom + uint64(len(contents)); newest <= m.journalNewest {
		return last, fault.New(fault.Corrupt, "%s is missing", journalName(newest))
	}
	for i, file := range contents {
		number, bound := m.journalFrom+uint64(i), uint64(unbounded)
		if i+1 < len(contents) {
			next, err := decodeJournalHeader(contents[i+1])
			if err != nil {
				return last, fault.Wrap(err, "%s", journalName(number+1))
			}
			bound = next.first
		}
		last, err = replay(file, number, last.next, bound, func(f journalFrame) error { return s.replayFrame(f, number) })
		if err != nil {
			return last, fault.Wrap(err, "%s", journalName(number))
		}
		if i == len(contents)-1 {
			if err := s.makeDurable(file, last); err != nil {
				return last, fault.Wrap(err, "%s", journalName(number))
			}
		}
		s.journals = append(s.journals, journalFile{number: number, first: last.header.first, bytes: int64(last.end)})
		event.Journals++
		event.Replayed += int64(last.end)
		event.Torn += int64(last.torn)
	}
	return last, nil
}

// readJournals reads the files whole: what counts in them is the tail until it is laid out. The youngest may be one whose making was interrupted: a header
// that is not whole, and nothing behind it; it was never used.
func (s *Store) readJournals(m *manifest, numbers []uint64) ([][]byte, error) {
	var contents [][]byte
	for i, number := range numbers {
		file, err := readFile(s.fs, s.path(journalName(number)))
		if err != nil {
			return nil, fault.Wrap(err, "%s", journalName(number))
		}
		_, err = decodeJournalHeader(file)
		if fault.Is(err, fault.Corrupt) && i == len(numbers)-1 && number > m.journalNewest && len(file) <= journalHeaderSize {
			break
		}
		if err != nil {
			return nil, fault.Wrap(err, "%s", journalName(number))
		}
		contents = append(contents, file)
	}
	return contents, nil
}

// makeDurable writes the unsure end of the youngest journal again, its header too if no block vouches for it, and syncs file and directory. Writing
// again matters: after a failed sync Linux takes the pages for clean, and a sync alone would say yes to bytes that never reached the disk.
func (s *Store) makeDurable(file []byte, r replayed) error {
	f, err := s.fs.Open(s.path(journalName(r.header.number)))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if r.blocks == 0 {
		if _, err := f.WriteAt(file[:journalHeaderSize], 0); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(file[r.unsure:r.end], int64(r.unsure)); err != nil {
		return err
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	return s.fs.SyncDir(s.options.Dir)
}

// reportHoles tells of every position that should be there and is not.
func (s *Store) reportHoles() {
	for _, l := range s.allLogs() {
		for _, d := range l.holes() {
			s.options.OnEvent(Damaged{d})
		}
	}
}

// holes are the positions from first on that no extent and no tail holds. Called with mu held, or before anyone else can.
func (l *log) holes() []Damage {
	var holes []Damage
	reached := l.now.first
	look := func(first, next commitlog.Position) {
		for _, p := range l.givenUp.without(interval{reached, first}) {
			holes = append(holes, Damage{Log: l.id, From: p.from, To: p.to})
		}
		reached = max(reached, next)
	}
	for _, e := range l.extents {
		look(e.first, e.next)
	}
	if len(l.tail) > 0 {
		look(l.tail[0].base, l.now.next)
	}
	look(l.now.next, l.now.next)
	return holes
}

// removeOrphans removes what a crash left and the manifest does not name. What cannot be removed is tried at the next Open.
func (s *Store) removeOrphans(names files) {
	_ = s.fs.Remove(s.path(journalNextName))
	for _, number := range names.journals {
		if number < s.journals[0].number {
			_ = s.fs.Remove(s.path(journalName(number)))
		}
	}
	for _, number := range names.segments {
		named := slices.ContainsFunc(s.segments, func(seg *segmentFile) bool { return seg.footer.Number == number })
		if !named {
			_ = s.fs.Remove(s.path(segmentName(number)))
		}
	}
}
