package disklog

import (
	"cmp"
	"slices"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/segment"
)

// Merging keeps the number of files small when little is written, and gives back the room of what is dead inside files that live.
//
// Small is less than an eighth of SegmentBytes: mergeCount neighbours of that size fill one file, and a file is rewritten only while it is small, so a byte
// is copied a handful of times in its life. Neighbours are those of one class with none of that class between them: merging keeps the order of age, on
// which retention lives.
const mergeCount = 8

// mergeDue merges as often as there is something to merge, one file at a time. Appends, reads and layout go on meanwhile.
func (s *Store) mergeDue() error {
	for !s.stopped.Load() {
		s.structure.Lock()
		v := s.survey()
		inputs := s.pickMerge(v)
		for _, seg := range inputs {
			seg.acquire()
		}
		s.structure.Unlock()
		if len(inputs) == 0 {
			return nil
		}
		err := s.merge(inputs, v)
		for _, seg := range inputs {
			seg.release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pickMerge chooses neighbours that make one file of at most about SegmentBytes; nil when nothing is due. Called with structure held.
func (s *Store) pickMerge(v survey) []*segmentFile {
	classes := make(map[int64][]*segmentFile)
	var order []int64
	for _, seg := range s.segments {
		c := seg.footer.Class
		if classes[c] == nil {
			order = append(order, c)
		}
		classes[c] = append(classes[c], seg)
	}
	for _, c := range order {
		var run []*segmentFile
		bytes := int64(0)
		for _, seg := range classes[c] {
			live := v.live[seg]
			fits := !seg.lost && !seg.unmergeable && live < s.options.SegmentBytes/mergeCount && bytes+live <= s.options.SegmentBytes
			if !fits {
				if len(run) >= mergeCount {
					return run
				}
				run, bytes = nil, 0
			}
			if !seg.lost && !seg.unmergeable && live < seg.footer.IndexOffset/2 {
				return []*segmentFile{seg} // more than half is dead
			}
			if fits {
				run, bytes = append(run, seg), bytes+live
			}
		}
		if len(run) >= mergeCount {
			return run
		}
	}
	return nil
}

// mergePiece is what merging takes from one log.
type mergePiece struct {
	log     *log
	extents []extent
}

// merge writes the living extents of inputs to a new segment and puts it in their place. The caller holds the inputs.
func (s *Store) merge(inputs []*segmentFile, v survey) error {
	began := s.options.DeviceClock.Now()
	var pieces []mergePiece
	firsts := make(map[*log]commitlog.Position)
	for _, l := range s.allLogs() {
		l.mu.RLock()
		now, extents := l.now, l.extents
		l.mu.RUnlock()
		for _, e := range v.aged[l] {
			if slices.Contains(inputs, e.segment) {
				firsts[l] = e.next
			}
		}
		p := mergePiece{log: l}
		for _, e := range extents {
			if slices.Contains(inputs, e.segment) && e.next > max(now.first, firsts[l]) {
				p.extents = append(p.extents, e)
			}
		}
		if len(p.extents) > 0 {
			pieces = append(pieces, p)
		}
	}

	merged, extents, err := s.writeSegment(inputs[0].footer.Class, func(w *segment.Writer) error { return s.copyPieces(w, pieces) })
	if _, damaged := DamageOf(err); damaged {
		return nil // copyPieces has marked the file: it stays as it is
	}
	if err != nil {
		return err
	}
	var made []laidOut
	bytes := int64(0)
	if merged != nil {
		if err := s.fs.SyncDir(s.options.Dir); err != nil {
			merged.drop()
			return err
		}
		made = []laidOut{{merged, extents}}
		bytes = merged.footer.Size()
	}

	s.structure.Lock()
	defer s.structure.Unlock()
	var segments []*segmentFile
	for _, seg := range s.segments {
		if seg == inputs[0] && merged != nil {
			segments = append(segments, merged)
		}
		if !slices.Contains(inputs, seg) {
			segments = append(segments, seg)
		}
	}
	if err := s.replaceSegments("merge", segments, firsts); err != nil {
		if merged != nil {
			merged.release() // the file stays: see commitManifest
		}
		return err
	}
	s.exchange(inputs, made)
	for _, seg := range inputs {
		seg.drop()
	}
	s.options.OnEvent(Merged{From: len(inputs), Bytes: bytes, Duration: s.options.DeviceClock.Now().Sub(began)})
	return nil
}

// copyPieces reads and checks every batch on its way: merging must not give damaged bytes a new checksum.
func (s *Store) copyPieces(w *segment.Writer, pieces []mergePiece) error {
	for _, p := range pieces {
		w.Begin(p.log.id)
		for _, e := range p.extents {
			for scan := p.log.scan(e, 1<<20); scan.position < e.next; {
				if s.stopped.Load() {
					return errClosed()
				}
				raw, info, err := scan.next()
				if _, damaged := DamageOf(err); damaged {
					e.segment.unmergeable = true
				}
				if err != nil {
					return err
				}
				if err := w.Add(raw, info); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// exchange gives the logs the merged extents in place of those in inputs. Called with structure held.
func (s *Store) exchange(inputs []*segmentFile, made []laidOut) {
	added := make(map[commitlog.ID][]extent)
	for _, m := range made {
		for _, e := range m.extents {
			added[e.Log] = append(added[e.Log], newExtent(m.segment, e))
		}
	}
	for _, l := range s.allLogs() {
		l.mu.Lock()
		if slices.ContainsFunc(l.extents, func(e extent) bool { return slices.Contains(inputs, e.segment) }) {
			var kept []extent
			for _, e := range l.extents {
				if !slices.Contains(inputs, e.segment) {
					kept = append(kept, e)
				}
			}
			for _, e := range added[l.id] {
				if e.next > l.now.first {
					kept = append(kept, e)
				}
			}
			slices.SortFunc(kept, func(a, b extent) int { return cmp.Compare(a.first, b.first) })
			l.extents = kept
		}
		l.mu.Unlock()
	}
}
