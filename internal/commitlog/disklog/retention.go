package disklog

import (
	"slices"

	"github.com/weir-stream/weir/internal/commitlog"
)

// idleRotateBytes is how large the youngest journal file must be for an idle store to lay it out, so as to give its memory back.
const idleRotateBytes = 4 << 20

// tendDue tells the tend loop to look now, after a layout.
func (s *Store) tendDue() {
	select {
	case s.tendWanted <- struct{}{}:
	default:
	}
}

// tendLoop looks after the segments every TendEvery and after each layout. What fails is tried at the next turn.
func (s *Store) tendLoop() {
	defer s.running.Done()
	var quiet int64 // journalBytes at the last tick
	for {
		timer := s.options.Clock.NewTimer(s.options.TendEvery)
		ticked := false
		select {
		case <-timer.C():
			ticked = true
		case <-s.tendWanted:
		case <-s.closing:
			timer.Stop()
			return
		}
		timer.Stop()
		if err := s.dropDead(); err != nil && !s.stopped.Load() {
			s.options.OnEvent(Behind{Work: "retention", Err: err, Backoff: s.options.TendEvery})
		}
		if err := s.mergeDue(); err != nil && !s.stopped.Load() {
			s.options.OnEvent(Behind{Work: "merge", Err: err, Backoff: s.options.TendEvery})
		}
		if ticked {
			quiet = s.rotateIdle(quiet)
		}
	}
}

// rotateIdle lays out the youngest journal file when nothing was added to it since the last tick.
func (s *Store) rotateIdle(before int64) int64 {
	s.mu.Lock()
	now, youngest := s.journalBytes, s.journals[len(s.journals)-1].bytes
	s.mu.Unlock()
	if now == before && youngest >= idleRotateBytes {
		_ = s.ask(true) // if it fails, the next append meets the same error and says so
	}
	return now
}

// survey is which bytes of the segments are wanted.
type survey struct {
	live map[*segmentFile]int64 // bytes of the extents that somebody wants
	// aged are the extents at the beginning of each log that are past its retention. A log's extents die by age in order only: trim is one position.
	aged  map[*log][]extent
	holes bool // some log misses a position
}

// survey looks at every log.
func (s *Store) survey() survey {
	v := survey{live: make(map[*segmentFile]int64), aged: make(map[*log][]extent)}
	nowMillis := s.options.Clock.Now().UnixMilli()
	for _, l := range s.allLogs() {
		l.mu.RLock()
		now, extents := l.now, l.extents
		v.holes = v.holes || len(l.holes()) > 0
		l.mu.RUnlock()
		oldest := nowMillis - now.retention.Milliseconds()
		young := false // a younger extent came before: what is behind it stays, whatever its timestamps
		for _, e := range extents {
			switch {
			case e.next <= now.first: // trimmed
			case now.retention > 0 && !young && e.maxTimestamp < oldest:
				v.aged[l] = append(v.aged[l], e)
			default:
				young = true
				v.live[e.segment] += e.length
			}
		}
	}
	return v
}

// dropDead deletes the segments in which nothing is wanted: deleted logs, trimmed positions, and what is past its log's retention. The last kind
// moves the logs' beginnings, in the manifest that forgets the segments.
func (s *Store) dropDead() error {
	s.structure.Lock()
	defer s.structure.Unlock()
	v := s.survey()
	var kept, dropped []*segmentFile
	for _, seg := range s.segments {
		if v.live[seg] == 0 && !(seg.lost && v.holes) {
			dropped = append(dropped, seg)
		} else {
			kept = append(kept, seg)
		}
	}
	if len(dropped) == 0 {
		return nil
	}
	firsts := make(map[*log]commitlog.Position)
	for l, extents := range v.aged {
		for _, e := range extents {
			if slices.Contains(dropped, e.segment) {
				firsts[l] = e.next
			}
		}
	}
	if err := s.replaceSegments("retention", kept, firsts); err != nil {
		return err
	}
	for _, seg := range dropped {
		s.options.OnEvent(Dropped{Segment: seg.footer.Number, Bytes: seg.footer.Size()})
		seg.drop()
	}
	return nil
}

// replaceSegments makes another list of segments, and other beginnings of logs, durable and then visible. Called with structure held.
func (s *Store) replaceSegments(work string, segments []*segmentFile, firsts map[*log]commitlog.Position) error {
	if err := s.commitManifest(work, func() *manifest { return s.buildManifest(s.oldestJournal(), segments, firsts) }); err != nil {
		return err
	}
	s.setSegments(segments)
	for l, first := range firsts {
		s.mu.Lock()
		l.ahead.first = max(l.ahead.first, first)
		l.mu.Lock()
		l.trimTo(first)
		l.mu.Unlock()
		s.mu.Unlock()
	}
	return nil
}

// setSegments is called with structure held.
func (s *Store) setSegments(segments []*segmentFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = segments
}

func (s *Store) oldestJournal() journalFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journals[0]
}
