package disklog

import (
	"context"
	"slices"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
)

// CutLog says how a log was at the moment that a directory is cut to.
type CutLog struct {
	Claim
	// At is where it ended, when that is known otherwise than by the records' times; -1 when it is not.
	At commitlog.Position
}

// Cut brings a sound directory back to an earlier moment: of each log in logs what stands before the first batch that has a record of a later millisecond, and no
// other log. buried says of each ID whether it had been deleted by then; an ID that was given out later is free again.
//
// It is for a copy: what is cut is deleted. The order on disk is that of Repair, so that a crash leaves the directory as it was or as it will be. Files that a
// later moment alone needs are left for the next Open to remove.
func (im *Image) Cut(ctx context.Context, millis int64, logs map[commitlog.ID]CutLog, buried func(commitlog.ID) bool) error {
	if im.lock == nil {
		return fault.New(fault.Conflict, "a directory that is not locked is not cut")
	}
	s := im.store
	ends := make(map[commitlog.ID]commitlog.Position)
	for id, claim := range logs {
		l := s.logs[id]
		if l == nil {
			if claim.Optional {
				continue
			}
			return fault.New(fault.NotFound, "log %s has been deleted since", id)
		}
		end := claim.At
		if end < 0 {
			var err error
			if end, err = im.firstAfter(ctx, l, millis); err != nil {
				return err
			}
		}
		ends[id] = max(end, l.now.first)
		if ends[id] > l.now.next {
			return fault.New(fault.Corrupt, "log %s ends at %d, and ended at %d before", id, l.now.next, ends[id])
		}
	}

	m := *im.manifest
	m.segments, m.logs, m.dead = nil, nil, nil
	s.segmentNumber.Store(im.highestSegment())
	for _, seg := range s.segments {
		rows, err := im.rows(seg)
		if err != nil {
			return err
		}
		stays := !slices.ContainsFunc(rows, func(row segment.Extent) bool {
			end, there := ends[row.Log]
			return !(there && row.Next <= end) && !(!there && s.dead.has(row.Log) && buried(row.Log))
		})
		if stays {
			m.segments = append(m.segments, manifestSegmentRef{seg.footer.Number, seg.footer.Size(), seg.footer.Class, seg.footer.IndexCRC})
			continue
		}
		fresh, _, err := s.writeSegment(seg.footer.Class, func(w *segment.Writer) error {
			for _, l := range s.sortedLogs() {
				for _, e := range l.extents {
					if end, there := ends[l.id]; there && e.segment == seg {
						if err := im.copyUpTo(ctx, w, l, e, end); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if fresh != nil {
			m.segments = append(m.segments, manifestSegmentRef{fresh.footer.Number, fresh.footer.Size(), fresh.footer.Class, fresh.footer.IndexCRC})
		}
	}
	for _, l := range s.sortedLogs() {
		end, there := ends[l.id]
		if !there {
			l.tail = nil // its extents are not copied, its journal goes
			continue
		}
		l.tail = slices.DeleteFunc(slices.Clone(l.tail), func(e tailEntry) bool { return e.base >= end })
		if n := len(l.tail); n > 0 && l.tail[n-1].next() > end {
			if end > l.now.first {
				return fault.New(fault.Internal, "log %s: a batch stands across %d", l.id, end)
			}
			l.tail = l.tail[:n-1] // all of it that stood before end was trimmed
		}
		if claim := logs[l.id]; claim.Retention > 0 {
			l.now.retention = claim.Retention
		}
		m.logs = append(m.logs, manifestLogState{id: l.id, retention: l.now.retention, first: min(l.now.first, end), next: end, sealed: logs[l.id].Sealed})
	}
	laid, err := s.layOut(s.pieces(maxJournal))
	if err != nil {
		return err
	}
	for _, made := range laid {
		f := made.segment.footer
		m.segments = append(m.segments, manifestSegmentRef{f.Number, f.Size(), f.Class, f.IndexCRC})
	}
	for _, r := range s.dead {
		for member := uint64(r.from); member <= uint64(r.to); member++ {
			if id := (commitlog.ID{Group: r.group, Member: uint32(member)}); buried(id) {
				m.dead.add(id)
			}
		}
	}
	newest, next := max(m.journalNewest, m.journalFrom), m.firstSequence
	for _, j := range im.journals {
		newest, next = max(newest, j.number), max(next, j.next)
	}
	m.journalFrom, m.journalNewest, m.firstSequence = newest+1, newest, next+1
	m.segmentNumber = s.segmentNumber.Load()
	if err := s.fs.SyncDir(s.options.Dir); err != nil {
		return err
	}
	if err := s.writeManifest(&m); err != nil {
		return err
	}
	return im.removeUnnamed(&m)
}

// removeUnnamed removes the files that m does not name.
func (im *Image) removeUnnamed(m *manifest) error {
	s := im.store
	names, err := s.listFiles()
	if err != nil {
		return err
	}
	for _, number := range names.journals {
		if err := s.fs.Remove(s.path(journalName(number))); err != nil {
			return err
		}
	}
	for _, number := range names.segments {
		if !slices.ContainsFunc(m.segments, func(ref manifestSegmentRef) bool { return ref.number == number }) {
			if err := s.fs.Remove(s.path(segmentName(number))); err != nil {
				return err
			}
		}
	}
	return s.fs.SyncDir(s.options.Dir)
}

// rows are the extents in a segment file, also of logs that are gone.
func (im *Image) rows(seg *segmentFile) ([]segment.Extent, error) {
	_, rows, err := readIndex(seg.file, manifestSegmentRef{seg.footer.Number, seg.footer.Size(), seg.footer.Class, seg.footer.IndexCRC})
	return rows, err
}

// firstAfter is the position of the first batch with a record later than millis; the end when there is none.
func (im *Image) firstAfter(ctx context.Context, l *log, millis int64) (commitlog.Position, error) {
	for _, e := range l.extents {
		if e.maxTimestamp <= millis {
			continue
		}
		for scan := l.scan(e, verifyWindow); scan.position < e.next; {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			at := scan.position
			_, info, err := scan.next()
			if err != nil {
				return 0, err
			}
			if info.MaxTimestamp > millis {
				return at, nil
			}
		}
	}
	for _, e := range l.tail {
		if e.maxTimestamp > millis {
			return e.base, nil
		}
	}
	return l.now.next, nil
}

// copyUpTo writes the batches of e that stand before end.
func (im *Image) copyUpTo(ctx context.Context, w *segment.Writer, l *log, e extent, end commitlog.Position) error {
	w.Begin(l.id)
	for scan := l.scan(e, verifyWindow); scan.position < e.next; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var raw []byte
		var info batch.Info
		var err error
		if raw, info, err = scan.next(); err != nil {
			return err
		}
		if info.Next() > end {
			if info.Base < end && end > l.now.first {
				return fault.New(fault.Internal, "log %s: a batch stands across %d", l.id, end)
			}
			return nil
		}
		if err := w.Add(raw, info); err != nil {
			return err
		}
	}
	return nil
}
