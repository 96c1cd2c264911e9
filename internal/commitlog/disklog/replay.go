package disklog

import (
	"fmt"
	"math"
	"strings"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// replayed is what a journal file holds.
type replayed struct {
	header journalHeader
	blocks int
	next   uint64 // sequence behind the last block that counts
	end    int    // where that block ends in the file
	torn   int    // bytes behind it that do not count

	// unsure is where the blocks begin that no later block says were durable: they may be in the kernel's memory only.
	unsure int
}

// unbounded is the bound of the youngest file.
const unbounded = math.MaxUint64

// replay reads a journal file from front to back and gives visit every block that counts. It touches no disk.
//
// want is the sequence that the file before it ended with, and bound the first sequence of the file behind it; unbounded if there is none.
//
// A place where no whole block of the next sequence stands is one of three things:
//   - The next file begins with that sequence. Then nothing is missing; what may stand here was given up (disklog.go, 4).
//   - The next file begins with a later one. That file was made after everything before it was durable: damage.
//   - There is no next file. If a whole block of a later sequence stands behind it, and says that the missing one was durable: damage. If not, the block
//     was still being written, or never synced, when the store stopped: it was not acknowledged (or, without Sync, not promised), and
//     neither was anything behind it. It does not count.
func replay(file []byte, number, want, bound uint64, visit func(journalFrame) error) (replayed, error) {
	h, err := decodeJournalHeader(file)
	if err != nil {
		return replayed{}, err
	}
	if h.number != number {
		return replayed{}, fault.New(fault.Corrupt, "the header is that of journal %d", h.number)
	}
	if h.first != want {
		return replayed{}, fault.New(fault.Corrupt, "it begins with block %d; block %d is missing", h.first, want)
	}
	r := replayed{header: h, next: h.first, end: journalHeaderSize, unsure: journalHeaderSize}
	starts := []int{} // of the blocks from synced+1 on
	synced := h.first - 1
	for r.next < bound && r.end < len(file) {
		block, ok := decodeBlock(file[r.end:], h.salt)
		if !ok || block.sequence != r.next {
			break
		}
		if block.synced > synced && block.synced < block.sequence {
			starts = starts[min(block.synced-synced, uint64(len(starts))):]
			synced = block.synced
		}
		for body := block.body; len(body) > 0; {
			var f journalFrame
			if f, body, err = decodeFrame(body); err == nil {
				err = visit(f)
			}
			if err != nil {
				return r, fault.Wrap(err, "block %d at byte %d", block.sequence, r.end)
			}
		}
		starts = append(starts, r.end)
		r.end += block.size
		r.next++
		r.blocks++
	}
	r.unsure = r.end
	if len(starts) > 0 {
		r.unsure = starts[0]
	}
	r.torn = len(file) - r.end
	switch {
	case r.next == bound:
		return r, nil
	case bound != unbounded:
		return r, fault.New(fault.Corrupt, "block %d at byte %d is damaged or missing: the next file says that all up to block %d were durable%s",
			r.next, r.end, bound-1, lost(file[r.end:], h.salt, r.next))
	}
	at, later := findBlock(file[r.end:], h.salt, func(b journalBlock) bool { return b.sequence > r.next && b.synced >= r.next })
	if at >= 0 {
		return r, fault.New(fault.Corrupt, "block %d at byte %d is damaged: block %d at byte %d says that it was durable%s",
			r.next, r.end, later.sequence, r.end+at, lost(file[r.end:], h.salt, r.next))
	}
	return r, nil
}

// lost says which logs the blocks that are still readable behind a damage belong to, and from where on: the operator's only clue to what the damaged
// block held.
func lost(file []byte, salt uint64, missing uint64) string {
	const most = 8
	first := make(map[commitlog.ID]int64)
	var order []commitlog.ID
	for len(order) < most {
		at, block := findBlock(file, salt, func(b journalBlock) bool { return b.sequence > missing })
		if at < 0 {
			break
		}
		for body := block.body; len(body) > 0; {
			f, rest, err := decodeFrame(body)
			if err != nil {
				break
			}
			body = rest
			info, err := batch.Peek(f.payload)
			if f.kind != frameAppend || err != nil {
				continue
			}
			if _, seen := first[f.log]; !seen {
				first[f.log] = info.Base
				order = append(order, f.log)
			}
		}
		file = file[at+block.size:]
	}
	if len(order) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("; intact behind it:")
	for _, id := range order {
		fmt.Fprintf(&b, " log %s from position %d;", id, first[id])
	}
	return strings.TrimSuffix(b.String(), ";")
}

// frame brings one frame of the journal into the logs, during Open. The manifest's logs may already contain what frames say, so everything here may
// come twice; but an append that neither is known nor follows is damage.
func (s *Store) replayFrame(f journalFrame, journal uint64) error {
	if s.dead.has(f.log) {
		return nil
	}
	l := s.logs[f.log]
	if f.kind == frameCreate && l == nil {
		l = &log{store: s, id: f.log}
		s.logs[f.log] = l
	}
	if l == nil {
		return fault.New(fault.Corrupt, "log %s was never created", f.log)
	}
	switch f.kind {
	case frameAppend:
		return l.replayAppend(f.payload, journal)
	case frameDelete:
		l.apply(frameDelete, 0)
		s.bury(l)
		return nil
	}
	value, err := f.value()
	if err != nil {
		return err
	}
	if f.kind == frameTrim && value > l.now.next || f.kind == frameSeal && value != l.now.next || value < 0 {
		return fault.New(fault.Corrupt, "log %s ends at %d, and is trimmed or sealed at %d", f.log, l.now.next, value)
	}
	l.apply(f.kind, value)
	return nil
}

func (l *log) replayAppend(raw []byte, journal uint64) error {
	info, err := batch.Peek(raw)
	if err != nil {
		return err
	}
	switch {
	case info.Size != len(raw):
		return fault.New(fault.Corrupt, "log %s: a batch of %d bytes in a frame of %d", l.id, info.Size, len(raw))
	case info.Next() <= l.now.next:
		return nil // in a segment already
	case info.Base != l.now.next:
		return fault.New(fault.Corrupt, "log %s ends at %d, and the next batch is at %d", l.id, l.now.next, info.Base)
	}
	l.now.next = info.Next()
	if l.now.next > l.now.first {
		l.tail = append(l.tail, tailEntry{base: info.Base, records: info.Records, maxTimestamp: info.MaxTimestamp, data: raw[:len(raw):len(raw)], journal: journal})
	}
	return nil
}
