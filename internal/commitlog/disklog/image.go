package disklog

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Image is a directory of logs as it lies on the disk, for looking at it: nothing of it runs, and until Repair nothing is written. Unlike Open
// it goes on behind whatever is damaged and says what is wrong in Findings.
//
// The logs of an Image are read like those of a Store. Appending to one is a mistake.
type Image struct {
	store *Store // never started: the logs, and the segments that they lie in
	lock  io.Closer

	manifest   *manifest
	rebuilt    bool // there is no manifest that can be read; this one was made from the files
	journals   []salvaged
	contents   map[uint64][]byte // of the journal files, which the tails point into
	names      []string          // in the directory
	lostFiles  []manifestSegmentRef
	spare      []manifestSegmentRef // files whose every position is elsewhere too; only when rebuilt
	unproved   map[commitlog.ID]bool
	recovering []*segmentFile // lost files of which something was proved
	breaks     int            // places in the journal where blocks are missing, or whole files
	after      map[commitlog.ID]bool

	findings []Finding
}

// FindingKind says what a Finding is about. The words are stable: scripts read them.
type FindingKind string

// The kinds of findings.
const (
	ManifestLost   FindingKind = "manifest"      // MANIFEST is missing or damaged
	ManifestNewer  FindingKind = "newer-version" // a newer Weir wrote this: nothing can be said
	SegmentLost    FindingKind = "segment-file"  // a segment file is missing, cut, or its index is damaged
	BatchDamaged   FindingKind = "segment-bytes" // records inside a segment file are damaged
	MarksDamaged   FindingKind = "segment-marks" // marks are damaged: reads take longer, nothing is lost
	JournalDamaged FindingKind = "journal"       // a journal file is damaged or missing
	PositionsLost  FindingKind = "positions"     // positions of a log that no file holds
	ControlDamaged FindingKind = "control"       // a snapshot, or the control log, or they do not fit
	EndUnknown     FindingKind = "end"           // records at the end of a log may be missing; nothing behind the damage says
	StreamNoLog    FindingKind = "stream-without-log"
	LogNoStream    FindingKind = "log-without-stream"
	FileDamaged    FindingKind = "file"     // another file of the data directory
	Torn           FindingKind = "torn-end" // note: what a crash left and nobody was promised
	Orphan         FindingKind = "orphan"   // note: a file that counts for nothing
	GivenUp        FindingKind = "given-up" // note: positions that an earlier repair gave up
)

// MasterKeyElsewhere is a note of those who know encryption: the key that records are sealed under is not in the directory.
const MasterKeyElsewhere FindingKind = "master-key"

// Finding is one thing that is wrong, or, as a note, worth knowing.
type Finding struct {
	Kind FindingKind
	Note bool // nothing is wrong
	Text string

	File string // the name in the directory of logs; empty when it is about none
	At   int64  // byte in File, where that says something
	To   int64  // behind the last byte; 0 when it is not known

	Log         commitlog.ID
	Positions   bool // Log, First and Next say something
	First, Next commitlog.Position
}

// LogInfo is a log as the directory has it.
type LogInfo struct {
	ID     commitlog.ID
	Bounds commitlog.Bounds
	Config commitlog.Config
}

// Examine looks at a directory of logs. With locked it takes the directory's lock, Conflict when a server runs there; without, the directory must be one that
// nobody writes to, such as a copy.
//
// Faults: NotFound when there is no directory; Unsupported when a newer Weir wrote it. Damage is no error.
func Examine(fs vfs.FS, dir string, locked bool) (_ *Image, err error) {
	im := &Image{
		store: &Store{
			options: Options{FS: fs, Dir: dir, Clock: clock.Real, OnEvent: func(Event) {}}.withDefaults(), fs: fs,
			closing: make(chan struct{}), logs: make(map[commitlog.ID]*log), filling: newBlock(nil),
		},
		contents: make(map[uint64][]byte), unproved: make(map[commitlog.ID]bool),
	}
	im.store.life, im.store.endLife = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			im.Close()
		}
	}()
	if im.names, err = fs.List(dir); err != nil {
		return nil, err
	}
	if locked {
		if im.lock, err = fs.Lock(im.store.path(lockName)); err != nil {
			return nil, fault.Wrap(err, "data directory %s", dir)
		}
	}
	return im, im.read()
}

// Close gives the directory back.
func (im *Image) Close() {
	im.store.stopped.Store(true)
	im.store.endLife()
	for _, seg := range slices.Concat(im.store.segments, im.recovering) {
		seg.release()
	}
	if im.lock != nil {
		_ = im.lock.Close()
		im.lock = nil
	}
}

// Findings are what is wrong so far: after Examine of the files and their order, after Verify of every byte.
func (im *Image) Findings() []Finding { return im.findings }

func (im *Image) found(f Finding) { im.findings = append(im.findings, f) }

// Logs are the logs that exist, in order of ID.
func (im *Image) Logs() []LogInfo {
	var infos []LogInfo
	for _, l := range im.store.sortedLogs() {
		infos = append(infos, LogInfo{l.id, l.now.bounds(), commitlog.Config{Retention: l.now.retention}})
	}
	return infos
}

// Log finds a log. NotFound when it does not exist.
func (im *Image) Log(id commitlog.ID) (commitlog.Log, error) {
	l := im.store.logs[id]
	if l == nil {
		return nil, fault.New(fault.NotFound, "log %s does not exist", id)
	}
	return l, nil
}

// Bytes is how much Verify reads.
func (im *Image) Bytes() (bytes int64) {
	for _, seg := range im.store.segments {
		bytes += seg.footer.Size()
	}
	for _, j := range im.journals {
		bytes += int64(j.size)
	}
	return bytes
}

// read is recover without changing anything, and without stopping at damage.
func (im *Image) read() error {
	s := im.store
	names, err := s.listFiles()
	if err != nil {
		return err
	}
	slices.Sort(names.segments)
	lost, err := s.readLost()
	if err != nil {
		im.found(Finding{Kind: FileDamaged, File: lostName, Text: fmt.Sprintf("%s: %v", lostName, err)})
	}
	m, err := s.readManifest()
	switch {
	case fault.Is(err, fault.Unsupported):
		return fault.Wrap(err, manifestName)
	case fault.Is(err, fault.Corrupt):
		im.found(Finding{Kind: ManifestLost, File: manifestName, Text: fmt.Sprintf("%s: %v", manifestName, err)})
	case fault.Is(err, fault.NotFound) && len(names.segments) == 0 && im.emptyJournals(names.journals):
		m = &manifest{journalFrom: 1, firstSequence: 1} // a directory that nobody has used yet
		names.journals = nil
	case fault.Is(err, fault.NotFound):
		im.found(Finding{Kind: ManifestLost, File: manifestName, Text: manifestName + " is missing, but there are files that it named"})
	case err != nil:
		return err
	}
	if m == nil {
		im.rebuilt = true
		if m, err = im.rebuild(names); err != nil {
			return err
		}
	}
	im.manifest = m
	s.incarnation, s.dead = m.incarnation, m.dead
	s.segmentNumber.Store(m.segmentNumber)
	for _, row := range m.logs {
		s.logs[row.id] = &log{store: s, id: row.id, now: state{first: row.first, next: row.next, retention: row.retention, sealed: row.sealed, exists: true}}
	}
	if err := im.openSegments(); err != nil {
		return err
	}
	if err := im.readJournals(names.journals); err != nil {
		return err
	}
	if err := im.recoverLost(); err != nil {
		return err
	}
	for _, l := range s.logs {
		l.givenUp = lost.of(l.id)
	}
	im.orphans(names)
	for _, l := range s.sortedLogs() {
		for _, p := range im.gaps(l) {
			im.found(Finding{Kind: PositionsLost, Log: l.id, Positions: true, First: p.from, Next: p.to, Text: fmt.Sprintf("log %s: positions %d to %d: no file holds them", l.id, p.from, p.to-1)})
		}
		if im.breaks > 0 && !im.after[l.id] && !l.now.sealed {
			im.found(Finding{Kind: EndUnknown, Log: l.id, Positions: true, First: l.now.next, Next: l.now.next + aheadPositions, Text: fmt.Sprintf(
				"log %s: records from position %d on may be missing: nothing of it stands behind the damage in the journal", l.id, l.now.next)})
		}
		for _, g := range l.givenUp {
			im.found(Finding{Kind: GivenUp, Note: true, File: lostName, Log: l.id, Positions: true, First: g.from, Next: g.to,
				Text: fmt.Sprintf("log %s: positions %d to %d were given up by a repair: %s", l.id, g.from, g.to-1, g.why)})
		}
	}
	return nil
}

// emptyJournals says whether journals are what an interrupted first Open leaves.
func (im *Image) emptyJournals(numbers []uint64) bool {
	for _, number := range numbers {
		file, err := readFile(im.store.fs, im.store.path(journalName(number)))
		if err != nil || len(file) > journalHeaderSize {
			return false
		}
		if h, err := decodeJournalHeader(file); err == nil && h.first > 1 {
			return false
		}
	}
	return true
}

// openSegments is Store.openSegments, which refuses what contradicts the manifest; here it is a finding.
func (im *Image) openSegments() error {
	s := im.store
	for _, ref := range im.manifest.segments {
		seg, extents, err := s.openSegment(ref)
		switch {
		case fault.Is(err, fault.NotFound):
			im.found(Finding{Kind: SegmentLost, File: segmentName(ref.number), Text: segmentName(ref.number) + " is missing"})
		case fault.Is(err, fault.Corrupt):
			im.found(Finding{Kind: SegmentLost, File: segmentName(ref.number), Text: err.Error()})
		case err != nil:
			return err
		}
		if err != nil {
			im.lostFiles = append(im.lostFiles, ref)
			continue
		}
		s.segments = append(s.segments, seg)
		for _, e := range extents {
			if l := s.logs[e.Log]; l != nil && e.Next > l.now.first {
				l.extents = append(l.extents, newExtent(seg, e))
			}
		}
	}
	for _, l := range s.sortedLogs() {
		slices.SortFunc(l.extents, func(a, b extent) int { return cmp.Compare(a.first, b.first) })
		kept := l.extents[:0]
		for _, e := range l.extents {
			if e.next > l.now.next || len(kept) > 0 && kept[len(kept)-1].next > e.first {
				im.found(Finding{Kind: SegmentLost, File: e.segment.name(), Log: l.id, Positions: true, First: e.first, Next: e.next, Text: fmt.Sprintf(
					"%s: log %s: positions %d to %d are elsewhere too, or behind the end at %d: the file does not belong here", e.segment.name(), l.id, e.first, e.next-1, l.now.next)})
				continue
			}
			kept = append(kept, e)
		}
		l.extents = kept
	}
	return nil
}

// readJournals salvages the files from journalFrom on and brings their frames into the logs.
func (im *Image) readJournals(numbers []uint64) error {
	s, m := im.store, im.manifest
	for len(numbers) > 0 && numbers[0] < m.journalFrom {
		numbers = numbers[1:]
	}
	headers := make(map[uint64]journalHeader)
	for i, number := range numbers {
		file, err := readFile(s.fs, s.path(journalName(number)))
		if err != nil {
			return fault.Wrap(err, "%s", journalName(number))
		}
		h, err := decodeJournalHeader(file)
		if fault.Is(err, fault.Unsupported) {
			return fault.Wrap(err, "%s", journalName(number))
		}
		if err != nil && i == len(numbers)-1 && number > m.journalNewest && len(file) <= journalHeaderSize {
			im.found(Finding{Kind: Torn, Note: true, File: journalName(number), Text: journalName(number) + ": its making was interrupted; it was never used"})
			break
		}
		if err != nil || h.number != number {
			h, _ = headerOfFirstBlock(file, number)
		}
		headers[number], im.contents[number] = h, file
	}
	if im.rebuilt && len(im.contents) == 0 { // a store has a journal from its first moment on
		im.breaks++
		im.forgetAfter()
		im.found(Finding{Kind: JournalDamaged, Text: "there is no journal file: what was appended last, by any log, is gone"})
	}
	newest := max(m.journalNewest, m.journalFrom-1)
	for number := range im.contents {
		newest = max(newest, number)
	}
	next := m.firstSequence
	for number := m.journalFrom; number <= newest; number++ {
		file, there := im.contents[number]
		if !there {
			im.breaks++
			im.forgetAfter()
			im.found(Finding{Kind: JournalDamaged, File: journalName(number), Text: journalName(number) + " is missing: what was appended to it, by any log, is gone"})
			continue
		}
		bound := uint64(unbounded)
		for later := number + 1; later <= newest; later++ {
			if first := headers[later].first; first > 0 {
				bound = first
				break
			}
		}
		if bound == unbounded && number < newest {
			bound = math.MaxUint64 - 1 // there was a younger file: all of this one counted
		}
		r := salvage(file, number, bound)
		if bound == math.MaxUint64-1 && len(r.breaks) > 0 { // how far it went is not known: the end of the file may be its end
			last := &r.breaks[len(r.breaks)-1]
			if last.last == bound-1 {
				r.next = last.first
				r.breaks = r.breaks[:len(r.breaks)-1]
			}
		}
		im.journals = append(im.journals, r)
		if r.readable && r.header.first > next {
			im.breaks++
			im.forgetAfter()
			im.found(Finding{Kind: JournalDamaged, File: journalName(number), Text: fmt.Sprintf("%s begins with block %d; blocks %d to %d are gone", journalName(number), r.header.first, next, r.header.first-1)})
		}
		if r.readable {
			next = r.next
		}
		im.tellJournal(r)
		err := r.frames(func(journalBreak) { im.breaks++; im.forgetAfter() }, func(f journalFrame) error { return im.frame(f, number) })
		if err != nil {
			return err
		}
	}
	return nil
}

// tellJournal turns what is wrong with a journal file into findings.
func (im *Image) tellJournal(r salvaged) {
	name := journalName(r.number)
	switch {
	case !r.readable:
		im.found(Finding{Kind: JournalDamaged, File: name, At: 0, To: int64(r.size), Text: name + ": the header at byte 0 is damaged, and no block behind it says its salt: what was appended to the file, by any log, is gone"})
		return
	case r.guessed:
		im.found(Finding{Kind: JournalDamaged, File: name, At: 0, To: journalHeaderSize, Text: name + ": the header at byte 0 is damaged; the blocks behind it can be read"})
	}
	for _, b := range r.breaks {
		im.found(Finding{Kind: JournalDamaged, File: name, At: int64(b.from), To: int64(b.to), Text: fmt.Sprintf(
			"%s: blocks %d to %d, bytes %d to %d, are damaged; they had been acknowledged", name, b.first, b.last, b.from, b.to-1)})
	}
	if r.torn > 0 {
		im.found(Finding{Kind: Torn, Note: true, File: name, At: int64(r.size - r.torn), To: int64(r.size), Text: fmt.Sprintf(
			"%s: the last %d bytes are an append that was never acknowledged", name, r.torn)})
	}
}

// forgetAfter begins anew to note which logs are heard of behind a break of the journal: the others may have lost their end there, too.
func (im *Image) forgetAfter() { im.after = make(map[commitlog.ID]bool) }

// frame is Store.replayFrame that goes on where something is missing.
func (im *Image) frame(f journalFrame, journal uint64) error {
	s := im.store
	if s.dead.has(f.log) {
		return nil
	}
	l := s.logs[f.log]
	if l == nil {
		l = &log{store: s, id: f.log}
		l.now.exists = true
		s.logs[f.log] = l
		if f.kind != frameCreate {
			im.unproved[f.log] = true // its creation is lost; who owns it knows its retention
		}
	}
	proves := im.after != nil && f.kind != frameCreate && f.kind != frameConfigure && f.kind != frameDelete
	switch f.kind {
	case frameAppend:
		info, err := batch.Peek(f.payload)
		if err != nil || info.Size != len(f.payload) {
			return fault.New(fault.Corrupt, "log %s: a frame that holds no batch", f.log)
		}
		if info.Next() > l.now.next {
			l.tail = append(l.tail, tailEntry{base: info.Base, records: info.Records, maxTimestamp: info.MaxTimestamp, data: f.payload[:len(f.payload):len(f.payload)], journal: journal})
			l.now.next = info.Next()
		}
	case frameDelete:
		s.bury(l)
	default:
		value, err := f.value()
		if err != nil {
			return err
		}
		if f.kind == frameTrim || f.kind == frameSeal {
			l.now.next = max(l.now.next, value)
		}
		l.apply(f.kind, value)
	}
	if proves {
		im.after[f.log] = true
	}
	return nil
}

// interval is positions from ≤ p < to.
type interval struct{ from, to commitlog.Position }

// gaps are the positions of l that are nowhere, and were not given up.
func (im *Image) gaps(l *log) []interval {
	var gaps []interval
	reached := l.now.first
	look := func(first, next commitlog.Position) {
		gaps = append(gaps, l.givenUp.without(interval{reached, first})...)
		reached = max(reached, next)
	}
	for _, e := range l.extents {
		look(e.first, e.next)
	}
	for _, e := range l.tail {
		look(e.base, e.next())
	}
	look(l.now.next, l.now.next)
	return gaps
}

// orphans notes the files that count for nothing, and those that are none of the store's.
func (im *Image) orphans(names files) {
	named := make(map[string]bool)
	for _, name := range []string{manifestName, manifestNextName, lockName, lostName} {
		named[name] = true
	}
	for _, ref := range im.manifest.segments {
		named[segmentName(ref.number)] = true
	}
	for _, number := range names.journals {
		if number >= im.manifest.journalFrom {
			named[journalName(number)] = true
		}
	}
	for _, ref := range im.spare {
		named[segmentName(ref.number)] = true
		im.found(Finding{Kind: Orphan, Note: true, File: segmentName(ref.number), Text: segmentName(ref.number) + ": every position in it is in another file, too"})
	}
	for _, name := range im.names {
		ours := strings.HasPrefix(name, "segment-") || strings.HasPrefix(name, "journal-") || name == journalNextName
		switch {
		case named[name]:
		case ours:
			im.found(Finding{Kind: Orphan, Note: true, File: name, Text: name + " counts for nothing: a crash left it, and the next start removes it"})
		default:
			im.found(Finding{Kind: Orphan, Note: true, File: name, Text: name + " is none of the files of logs; it is left alone"})
		}
	}
}
