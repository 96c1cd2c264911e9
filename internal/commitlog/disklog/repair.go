package disklog

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A repair makes a directory that opens of one that does not, or that reads into damage. It never deletes: files that it takes out of use go, as they
// are, to a directory of their own. What can be read of them is written again; the rest is given up, position by position, in LOST.
//
// The order on disk, each step durable before the next: new segments; LOST; a second name in the quarantine for each file that goes; the
// manifest, which is the moment when the repair counts; the first names. A crash before the manifest leaves a directory that is as damaged as it
// was, and after it one that Open finishes.

// aheadPositions is how far a log's end is moved when it cannot be known how much of it is lost: more records than any journal holds, so that no sequence number
// is given out twice.
const aheadPositions = 1 << 32

// Claim is what somebody who owns a log knows of it.
type Claim struct {
	Retention time.Duration
	Sealed    bool               // it ended, at End
	End       commitlog.Position // with Sealed
	Optional  bool               // it may not have been made yet: kept where it is found, and not made where it is not
	// AtLeast is a position that the log is known to have reached; for the control log that of its newest snapshot. What is missing below it is covered: the
	// owner does not need it.
	AtLeast commitlog.Position
	Covered bool // AtLeast covers what is missing below it
}

// Step is one thing that a repair does.
type Step struct {
	Do   string // "quarantine", "write", "give up", "log", "manifest"
	File string // in the directory of logs
	Text string

	Log      commitlog.ID
	From, To commitlog.Position // of "give up"
}

// Plan is what Repair would do, in order.
type Plan struct {
	Steps []Step
	// Refused are why nothing is done: what a repair cannot bring back and must not pass over.
	Refused []string

	newJournal bool // the journals are laid out, and a new one begins
	salvage    []*segmentFile
	quarantine []string
	lost       lostRows
	claims     map[commitlog.ID]Claim
}

// proved is a piece of a lost segment that is known to be what its row says.
type proved struct {
	extent
	log commitlog.ID
}

// Plan says what a repair would do. Verify comes before it. claims are the logs that their owners know; nil when the owners could not be asked, and then
// every log is kept as it is found.
func (im *Image) Plan(now time.Time, claims map[commitlog.ID]Claim) (*Plan, error) {
	p := &Plan{claims: claims}
	p.newJournal = im.rebuilt || im.breaks > 0 || slices.ContainsFunc(im.journals, func(j salvaged) bool { return j.guessed || !j.readable })
	damaged := make(map[string]bool)
	cut := make(map[commitlog.ID][]interval) // positions inside damaged files
	for _, f := range im.findings {
		if f.File == "" || f.Note {
			continue
		}
		if f.Kind == BatchDamaged || f.Kind == MarksDamaged || f.Kind == SegmentLost {
			damaged[f.File] = true
		}
		if f.Kind == BatchDamaged && f.Positions {
			cut[f.Log] = append(cut[f.Log], interval{f.First, f.Next})
		}
	}
	for _, seg := range im.store.segments {
		if damaged[seg.name()] {
			p.salvage = append(p.salvage, seg)
			p.take(seg.name(), "what is whole in it is written to a new file")
		}
	}
	for _, ref := range im.lostFiles {
		if slices.Contains(im.names, segmentName(ref.number)) {
			p.take(segmentName(ref.number), "its index is damaged; the pieces in it whose log was proved are written to a new file")
		}
	}
	p.salvage = append(p.salvage, im.recovering...)
	if im.rebuilt {
		for _, f := range im.findings {
			if f.Kind == SegmentLost && !slices.Contains(p.quarantine, f.File) && slices.Contains(im.names, f.File) {
				p.take(f.File, "it cannot be read")
			}
		}
		for _, ref := range im.spare {
			p.take(segmentName(ref.number), "everything in it is in another file")
		}
		if slices.Contains(im.names, manifestName) {
			p.take(manifestName, "it is damaged; a new one is made from the files")
		}
		im.applyClaims(p)
	}
	if p.newJournal {
		for _, number := range sortedKeys(im.contents) {
			p.take(journalName(number), "what is whole in it is written to new segment files")
		}
		im.loseEnds(p, now)
	}
	for _, l := range im.store.sortedLogs() {
		gaps := im.gaps(l)
		for _, c := range cut[l.id] {
			gaps = append(gaps, l.givenUp.without(c)...)
		}
		for _, g := range gaps {
			p.giveUp(now, l.id, g, "")
		}
	}
	if f := slices.IndexFunc(im.findings, func(f Finding) bool { return f.File == lostName && f.Kind == FileDamaged }); f >= 0 {
		p.take(lostName, "it is damaged: what earlier repairs gave up is found again")
	}
	if (len(p.Steps) > 0 || im.rebuilt) && len(p.Refused) == 0 {
		p.Steps = append(p.Steps, Step{Do: "manifest", File: manifestName, Text: "a new manifest names what counts now"})
	}
	return p, nil
}

func sortedKeys[V any](m map[uint64]V) (keys []uint64) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (p *Plan) take(file, why string) {
	p.quarantine = append(p.quarantine, file)
	p.Steps = append(p.Steps, Step{Do: "quarantine", File: file, Text: file + " goes to the quarantine: " + why})
}

func (p *Plan) giveUp(now time.Time, id commitlog.ID, g interval, why string) {
	if c := p.claims[id]; c.Covered && g.to > c.AtLeast {
		p.Refused = append(p.Refused, fmt.Sprintf("log %s: positions %d to %d are gone, and nothing else has what they said: restore a backup", id, max(g.from, c.AtLeast), g.to-1))
		return
	}
	why = cmp.Or(why, "damaged or missing")
	p.lost = append(p.lost, lostRow{id.Group, id.Member, g.from, g.to, now.UTC().Truncate(time.Second), why})
	p.Steps = append(p.Steps, Step{Do: "give up", Log: id, From: g.from, To: g.to, Text: fmt.Sprintf("log %s: positions %d to %d are given up: readers pass over them, and the server says so", id, g.from, g.to-1)})
}

// applyClaims corrects a manifest that was made from files by what the owners of the logs know. Without claims everything is kept.
func (im *Image) applyClaims(p *Plan) {
	s := im.store
	if p.claims == nil {
		return
	}
	for _, l := range s.sortedLogs() {
		claim, owned := p.claims[l.id]
		if !owned {
			s.bury(l)
			p.Steps = append(p.Steps, Step{Do: "log", Log: l.id, Text: fmt.Sprintf("log %s belongs to nothing that exists: it was deleted, and stays so", l.id)})
			continue
		}
		l.now.retention = claim.Retention
		if claim.Sealed {
			l.now.sealed, l.now.next = true, max(l.now.next, claim.End)
		}
	}
	for id, claim := range p.claims {
		if s.logs[id] != nil || s.dead.has(id) || claim.Optional {
			continue
		}
		l := &log{store: s, id: id, now: state{exists: true, retention: claim.Retention, first: aheadPositions, next: aheadPositions}}
		if claim.Sealed {
			l.now.first, l.now.next, l.now.sealed = claim.End, claim.End, true
		}
		s.logs[id] = l
		p.Steps = append(p.Steps, Step{Do: "log", Log: id, Text: fmt.Sprintf("log %s has no records in any file: it goes on at position %d, so that no sequence number is given out twice", id, l.now.next)})
	}
}

// loseEnds moves the end of every log that may have lost records behind the last one that is left.
func (im *Image) loseEnds(p *Plan, now time.Time) {
	if im.breaks == 0 {
		return
	}
	for _, l := range im.store.sortedLogs() {
		claim := p.claims[l.id]
		if im.unproved[l.id] && !im.rebuilt {
			l.now.retention = claim.Retention
		}
		switch {
		case l.now.sealed || l.now.next == aheadPositions && l.now.first == aheadPositions:
		case claim.Sealed:
			l.now.sealed, l.now.next = true, max(l.now.next, claim.End)
		case claim.Covered:
			l.now.next = max(l.now.next, claim.AtLeast)
			if !im.after[l.id] {
				p.Steps = append(p.Steps, Step{Do: "log", Log: l.id, Text: fmt.Sprintf("log %s goes on at %d: whether it had more in the damaged journal cannot be known", l.id, l.now.next)})
			}
		case im.after[l.id]:
		default:
			end := l.now.next
			l.now.next += aheadPositions
			l.givenUp = append(l.givenUp, lostInterval{interval{end, l.now.next}, ""})
			p.giveUp(now, l.id, interval{end, l.now.next}, "the journal is damaged: records may have stood here, at most up to this position")
		}
	}
}

// recoverLost gives the logs what can be proved of segment files whose index or footer is damaged. The manifest has the checksum of the index, which proves all
// of it wherever it stands; a row of a damaged index is believed when whole batches fill exactly what it says, and the log that it names misses exactly that.
func (im *Image) recoverLost() error {
	for _, ref := range im.lostFiles {
		if !slices.Contains(im.names, segmentName(ref.number)) {
			continue
		}
		f, err := im.store.fs.Open(im.store.path(segmentName(ref.number)))
		if err != nil {
			return err
		}
		seg := &segmentFile{store: im.store, file: f, footer: segment.Footer{Number: ref.number, Class: ref.class}}
		seg.refs.Store(1)
		im.recovering = append(im.recovering, seg)
		size, err := f.Size()
		if err != nil {
			return err
		}
		end := im.batchesEnd(seg, min(size, ref.size))
		index := make([]byte, max(0, min(size, ref.size-segment.FooterSize)-end))
		if err := readFull(f, index, end); err != nil {
			return err
		}
		rows, err := segment.DecodeIndex(index, segment.Footer{IndexOffset: end, IndexLength: int64(len(index)), IndexCRC: ref.indexCRC})
		if err != nil {
			rows = segment.SalvageIndex(index, end)
		}
		var pieces []proved
		for _, row := range rows {
			if l := im.store.logs[row.Log]; l != nil && im.proves(l, seg, row) {
				pieces = append(pieces, proved{newExtent(seg, row), row.Log})
			}
		}
		for _, p := range append(pieces, im.recoverNameless(seg, end, pieces)...) {
			p.marks, p.marksOffset, p.marksCRC = 1, 0, 0 // reading starts at the beginning
			l := im.store.logs[p.log]
			l.extents = append(l.extents, p.extent)
			slices.SortFunc(l.extents, func(a, b extent) int { return cmp.Compare(a.first, b.first) })
		}
	}
	return nil
}

// recoverNameless finds the log of batches that no row of the index names any more: they are the piece of the one log that misses exactly these positions.
func (im *Image) recoverNameless(seg *segmentFile, end int64, named []proved) (found []proved) {
	slices.SortFunc(named, func(a, b proved) int { return cmp.Compare(a.offset, b.offset) })
	at := int64(0)
	for i := 0; i <= len(named); i++ {
		until := end
		if i < len(named) {
			until = named[i].offset
		}
		if e, ok := im.runOfBatches(seg, at, until); ok {
			var owners []commitlog.ID
			for _, l := range im.store.sortedLogs() {
				missing := slices.Contains(im.gaps(l), interval{max(e.first, l.now.first), e.next})
				elsewhere := slices.ContainsFunc(named, func(p proved) bool { return p.log == l.id && p.next > e.first && p.first < e.next })
				if missing && !elsewhere {
					owners = append(owners, l.id)
				}
			}
			if len(owners) == 1 {
				found = append(found, proved{e, owners[0]})
			}
		}
		if i < len(named) {
			at = named[i].end()
		}
	}
	return found
}

// runOfBatches is the piece that whole batches make up which fill a stretch of a file and follow on each other.
func (im *Image) runOfBatches(seg *segmentFile, from, to int64) (extent, bool) {
	e := extent{segment: seg, offset: from, length: to - from, next: maxPosition}
	x := (&log{store: im.store}).scan(e, verifyWindow)
	for x.offset < to {
		head, err := x.bytes(peekBytes)
		if err != nil || len(head) < peekBytes {
			return e, false
		}
		info, err := batch.Peek(head)
		if err != nil || x.offset > from && info.Base != x.position || int64(info.Size) > to-x.offset {
			return e, false
		}
		raw, err := x.bytes(info.Size)
		if err != nil || batch.Check(raw) != nil {
			return e, false
		}
		if x.offset == from {
			e.first = info.Base
		}
		x.position, x.offset = info.Next(), x.offset+int64(info.Size)
		e.maxTimestamp = max(e.maxTimestamp, info.MaxTimestamp)
	}
	e.next = x.position
	return e, to > from
}

// batchesEnd is where the batches at the beginning of a file end, back to back. size bounds the file.
func (im *Image) batchesEnd(seg *segmentFile, size int64) int64 {
	x := (&log{store: im.store}).scan(extent{segment: seg, length: size, next: maxPosition}, verifyWindow)
	for x.offset < size {
		head, err := x.bytes(peekBytes)
		if err != nil || len(head) < peekBytes {
			break
		}
		info, err := batch.Peek(head)
		if err != nil || int64(info.Size) > size-x.offset {
			break
		}
		raw, err := x.bytes(info.Size)
		if err != nil || batch.Check(raw) != nil {
			break
		}
		x.offset += int64(info.Size)
	}
	return x.offset
}

// proves says whether whole batches fill the row exactly, and l misses what they are.
func (im *Image) proves(l *log, seg *segmentFile, row segment.Extent) bool {
	missing := slices.ContainsFunc(im.gaps(l), func(g interval) bool { return g.from <= max(row.First, l.now.first) && row.Next <= g.to })
	if !missing {
		return false
	}
	e := newExtent(seg, row)
	x := l.scan(e, verifyWindow)
	for x.position < e.next {
		raw, info, err := x.at(x.position)
		if err != nil {
			return false
		}
		x.position = info.Next()
		x.offset += int64(len(raw))
	}
	return x.offset == e.end()
}

const maxPosition = commitlog.Position(1<<63 - 1)

// Repair does what plan says. quarantine is the directory, in the FS, that files go to; it exists. When it returns the directory is as the
// plan describes; the Image is of no more use, and a new one shows the outcome.
func (im *Image) Repair(ctx context.Context, plan *Plan, quarantine string) error {
	if len(plan.Refused) > 0 {
		return fault.New(fault.Unsupported, "this cannot be repaired: %s", plan.Refused[0])
	}
	if im.lock == nil {
		return fault.New(fault.Conflict, "a directory that is not locked is not repaired")
	}
	s := im.store
	s.segmentNumber.Store(im.highestSegment())
	made, err := im.writeSalvage(ctx, plan)
	if err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.options.Dir); err != nil {
		return err
	}
	rows, err := s.readLost()
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return err
	}
	takeLost := slices.Contains(plan.quarantine, lostName)
	if takeLost {
		if err := setAside(s.fs, s.path(lostName), path.Join(quarantine, lostName)); err != nil {
			return err
		}
	}
	if len(plan.lost) > 0 || takeLost {
		if err := replaceFile(s.fs, s.options.Dir, s.path(lostName), s.path(lostNext), encodeLost(append(rows, plan.lost...))); err != nil {
			return fault.Wrap(err, lostName)
		}
	}
	for _, file := range plan.quarantine {
		if file == lostName {
			continue
		}
		if err := setAside(s.fs, s.path(file), path.Join(quarantine, file)); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(quarantine); err != nil {
		return err
	}
	if err := s.writeManifest(im.mended(plan, made)); err != nil {
		return err
	}
	for _, file := range plan.quarantine {
		if file == lostName || file == manifestName {
			continue
		}
		if err := s.fs.Remove(s.path(file)); err != nil {
			return err
		}
	}
	return s.fs.SyncDir(s.options.Dir)
}

func (im *Image) highestSegment() uint64 {
	highest := im.manifest.segmentNumber
	if names, err := im.store.listFiles(); err == nil {
		for _, number := range names.segments {
			highest = max(highest, number)
		}
	}
	return highest
}

// setAside gives a file a second name in the quarantine, or copies it where there are no links.
func setAside(fs vfs.FS, from, to string) error {
	err := fs.Link(from, to)
	if fault.Is(err, fault.Exists) {
		return nil // an earlier try
	}
	if !fault.Is(err, fault.Unsupported) {
		return fault.Wrap(err, "quarantine")
	}
	b, err := readFile(fs, from)
	if err == nil {
		err = replaceFile(fs, path.Dir(to), to, to+".new", b)
	}
	return fault.Wrap(err, "quarantine")
}

// writeSalvage writes what is whole in files that go: of damaged segments, of lost ones, and of the journal, one file for each retention of those.
func (im *Image) writeSalvage(ctx context.Context, plan *Plan) (map[uint64]*segmentFile, error) {
	s := im.store
	made := make(map[uint64]*segmentFile) // by the number of the file that it replaces; the journal's from journalsFrom on
	for _, seg := range plan.salvage {
		fresh, _, err := s.writeSegment(seg.footer.Class, func(w *segment.Writer) error {
			for _, l := range s.sortedLogs() {
				for _, e := range l.extents {
					if e.segment == seg {
						if err := im.copyExtent(ctx, w, l, e); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		made[seg.footer.Number] = fresh
	}
	if !plan.newJournal {
		return made, nil
	}
	laid, err := s.layOut(s.pieces(maxJournal))
	if err != nil {
		return nil, err
	}
	for i, m := range laid {
		made[maxJournal-uint64(i)] = m.segment
	}
	return made, nil
}

const maxJournal = uint64(1<<63 - 1)

// copyExtent writes the batches of e that are whole.
func (im *Image) copyExtent(ctx context.Context, w *segment.Writer, l *log, e extent) error {
	w.Begin(l.id)
	for scan := l.scan(e, verifyWindow); scan.position < e.next; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, info, err := scan.next()
		if d, damaged := DamageOf(err); damaged {
			scan.skip(d)
			continue
		}
		if err != nil {
			return err
		}
		clear(raw[12:16]) // always zero; see Verify
		if err := w.Add(raw, info); err != nil {
			return err
		}
	}
	return nil
}

// mended is the manifest after the repair.
func (im *Image) mended(plan *Plan, made map[uint64]*segmentFile) *manifest {
	s, m := im.store, *im.manifest
	refOf := func(seg *segmentFile) manifestSegmentRef {
		return manifestSegmentRef{seg.footer.Number, seg.footer.Size(), seg.footer.Class, seg.footer.IndexCRC}
	}
	m.segments = nil
	for _, ref := range im.manifest.segments {
		fresh, replaced := made[ref.number]
		switch {
		case replaced && fresh != nil:
			m.segments = append(m.segments, refOf(fresh))
		case replaced || slices.ContainsFunc(im.lostFiles, func(lost manifestSegmentRef) bool { return lost.number == ref.number }):
		default:
			m.segments = append(m.segments, ref)
		}
	}
	m.segmentNumber = s.segmentNumber.Load()
	if !plan.newJournal {
		return &m
	}
	for i := uint64(0); made[maxJournal-i] != nil; i++ {
		m.segments = append(m.segments, refOf(made[maxJournal-i]))
	}
	newest, next := max(m.journalNewest, m.journalFrom), m.firstSequence
	for _, j := range im.journals {
		newest, next = max(newest, j.number), max(next, j.next)
	}
	if names, err := s.listFiles(); err == nil {
		for _, number := range names.journals {
			newest = max(newest, number)
		}
	}
	m.journalFrom, m.journalNewest, m.firstSequence = newest+1, newest, next+1
	m.logs = nil
	for _, l := range s.sortedLogs() {
		m.logs = append(m.logs, manifestLogState{id: l.id, retention: l.now.retention, first: l.now.first, next: l.now.next, sealed: l.now.sealed})
	}
	m.dead = s.dead
	return &m
}
