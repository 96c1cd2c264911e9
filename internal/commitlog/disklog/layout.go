package disklog

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/segment"
)

// Background work that fails is tried again after backoffFirst, then after twice as long each time up to backoffMost.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 10 * time.Second
)

// layoutDue tells the layout loop to look.
func (s *Store) layoutDue() {
	select {
	case s.layoutWanted <- struct{}{}:
	default: // it will look anyway
	}
}

// layoutLoop lays out journal files as they become full, and tries again for as long as it takes.
func (s *Store) layoutLoop() {
	defer s.running.Done()
	for {
		select {
		case <-s.layoutWanted:
		case <-s.closing:
			return
		}
		backoff := backoffFirst
		for !s.stopped.Load() {
			did, err := s.layout()
			if err == nil && !did {
				break
			}
			if err == nil {
				backoff = backoffFirst
				s.tendDue()
				continue
			}
			s.options.OnEvent(Behind{Work: "layout", Err: err, Backoff: backoff})
			if !s.sleep(backoff) {
				return
			}
			backoff = min(2*backoff, backoffMost)
		}
	}
}

// fullJournals are the oldest journal files that are not written any more, up to about JournalBytes together, and the one behind them.
func (s *Store) fullJournals() (full []journalFile, behind journalFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := int64(0)
	for _, j := range s.journals[:len(s.journals)-1] {
		if len(full) > 0 && bytes+j.bytes > s.options.JournalBytes {
			break
		}
		full = append(full, j)
		bytes += j.bytes
	}
	return full, s.journals[len(full)]
}

// piece is what layout takes from one log.
type piece struct {
	log       *log
	retention time.Duration
	entries   []tailEntry
}

// laidOut is a new segment with what it holds.
type laidOut struct {
	segment *segmentFile
	extents []segment.Extent
}

// layout turns the oldest full journal files into segments, one for each retention, and says whether there were any.
//
// A crash before the manifest leaves segments that nothing names; after it, journal files that nothing needs. Open removes both.
func (s *Store) layout() (did bool, err error) {
	began := s.options.DeviceClock.Now()
	full, behind := s.fullJournals()
	if len(full) == 0 {
		return false, nil
	}
	upTo := full[len(full)-1].number
	made, err := s.layOut(s.pieces(upTo))
	if err != nil {
		return true, err
	}

	s.structure.Lock()
	defer s.structure.Unlock()
	segments := slices.Clone(s.segments)
	for _, m := range made {
		segments = append(segments, m.segment)
	}
	if err := s.commitManifest("layout", func() *manifest { return s.buildManifest(behind, segments, nil) }); err != nil {
		for _, m := range made {
			m.segment.release() // the file stays: see commitManifest
		}
		return true, err
	}
	s.setSegments(segments)
	s.install(made, upTo)

	bytes := int64(0)
	for _, m := range made {
		bytes += m.segment.footer.Size()
	}
	s.mu.Lock()
	s.journals = slices.Clone(s.journals[len(full):])
	for _, j := range full {
		s.journalBytes -= j.bytes
	}
	s.signalChange()
	s.mu.Unlock()
	for _, j := range full {
		// If this fails, the next Open removes it: the manifest begins behind it.
		_ = s.fs.Remove(s.path(journalName(j.number)))
	}
	s.options.OnEvent(LaidOut{Journals: len(full), Segments: len(made), Bytes: bytes, Duration: s.options.DeviceClock.Now().Sub(began)})
	return true, nil
}

// pieces are the batches in journals up to a number that are still wanted, by class and then by log.
func (s *Store) pieces(upTo uint64) []piece {
	var pieces []piece
	for _, l := range s.allLogs() {
		l.mu.RLock()
		now, tail := l.now, l.tail
		l.mu.RUnlock()
		entries := tailFrom(tail[:len(tail)-len(tailBehind(tail, upTo))], now.first)
		if len(entries) > 0 && !now.deleted {
			pieces = append(pieces, piece{l, now.retention, entries})
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.retention, b.retention) })
	return pieces
}

// layOut writes the segments and makes their names durable. An error leaves nothing.
func (s *Store) layOut(pieces []piece) (made []laidOut, err error) {
	defer func() {
		if err != nil {
			for _, m := range made {
				m.segment.drop()
			}
		}
	}()
	for len(pieces) > 0 {
		class := pieces[0].retention
		n := 1
		for n < len(pieces) && pieces[n].retention == class {
			n++
		}
		seg, extents, err := s.writeSegment(int64(class), func(w *segment.Writer) error { return s.addPieces(w, pieces[:n]) })
		if err != nil {
			return made, err
		}
		made = append(made, laidOut{seg, extents})
		pieces = pieces[n:]
	}
	return made, s.fs.SyncDir(s.options.Dir)
}

func (s *Store) addPieces(w *segment.Writer, pieces []piece) error {
	for _, p := range pieces {
		w.Begin(p.log.id)
		if s.stopped.Load() {
			return errClosed() // the journal is still there
		}
		for _, e := range p.entries {
			info, err := e.info()
			if err != nil {
				return err
			}
			if err := w.Add(e.data, info); err != nil {
				return err
			}
		}
	}
	return nil
}

// commitManifest writes a manifest until it is durable or the store closes. There is no way back: after an error the new manifest may be the one that
// counts, so its files must stay, and the old one may, so its files must stay too. Called with structure held.
func (s *Store) commitManifest(work string, build func() *manifest) error {
	backoff := backoffFirst
	for {
		m := build()
		err := s.ask(false) // what the manifest says of the logs must be durable in the journal, so this comes after build: with Sync it is
		if err == nil {
			err = s.writeManifest(m)
		}
		if err == nil {
			return nil
		}
		if s.stopped.Load() {
			return err
		}
		s.options.OnEvent(Behind{Work: work, Err: err, Backoff: backoff})
		if !s.sleep(backoff) {
			return err
		}
		backoff = min(2*backoff, backoffMost)
	}
}

// install hands the extents to their logs, in place of the part of the tail that they were made from. Called with structure held.
func (s *Store) install(made []laidOut, upTo uint64) {
	extents := make(map[commitlog.ID][]extent)
	for _, m := range made {
		for _, e := range m.extents {
			extents[e.Log] = append(extents[e.Log], newExtent(m.segment, e))
		}
	}
	for _, l := range s.allLogs() {
		l.mu.Lock()
		if behind := tailBehind(l.tail, upTo); len(behind) < len(l.tail) {
			l.tail = slices.Clone(behind)
			if len(behind) == 0 {
				l.tail = nil
			}
		}
		if added := extents[l.id]; len(added) > 0 && !l.now.deleted {
			kept := slices.Clone(l.extents)
			for _, e := range added {
				if e.next > l.now.first {
					kept = append(kept, e)
				}
			}
			l.extents = kept
		}
		l.mu.Unlock()
	}
}
