package fold

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

const (
	// sessionsKept is how many sessions are remembered. One that is opened beyond takes the place of the one that was silent longest.
	sessionsKept = 64
	// resultsKept is for how many sequences of a session results are remembered, counted back from its highest.
	resultsKept = 1024
)

// verdict says what became of a command.
type verdict byte

const (
	done      verdict = 0 // the machine answered
	ahead     verdict = 1 // refused: its time is too far ahead
	stale     verdict = 2 // refused: its sequence is too old to know whether it was done before. Never remembered.
	forgotten verdict = 3 // refused: its session is not known. Never remembered.
)

// outcome is what a proposer is told.
type outcome struct {
	verdict  verdict
	result   []byte             // of done
	position commitlog.Position // where it was applied; not remembered, so that a duplicate says its own
}

// sessions remember what was answered, so that a command that comes twice is done once.
type sessions map[uint64]*session

type session struct {
	touched commitlog.Position // of the last envelope
	highest uint64             // sequence
	results map[uint64]outcome // sequences above highest − resultsKept
}

// open begins a session, or notes that it is alive.
func (ss sessions) open(id uint64, position commitlog.Position) {
	if s := ss[id]; s != nil {
		s.touched = position
		return
	}
	if len(ss) >= sessionsKept {
		var silent uint64
		for id, s := range ss { // positions differ, so that the order of the map does not matter
			if silent == 0 || s.touched < ss[silent].touched {
				silent = id
			}
		}
		delete(ss, silent)
	}
	ss[id] = &session{touched: position, results: map[uint64]outcome{}}
}

// recall gives the outcome of a command that need not, or must not, be done.
func (ss sessions) recall(id commandID, position commitlog.Position) (o outcome, settled bool) {
	s := ss[id.session]
	if s == nil {
		return outcome{verdict: forgotten}, true
	}
	s.touched = position
	if o, settled = s.results[id.sequence]; settled {
		return o, true
	}
	if s.highest >= resultsKept && id.sequence <= s.highest-resultsKept {
		return outcome{verdict: stale}, true
	}
	return outcome{}, false
}

// remember keeps an outcome of a known session.
func (ss sessions) remember(id commandID, o outcome) {
	s := ss[id.session]
	if id.sequence > s.highest {
		if id.sequence-s.highest >= resultsKept {
			clear(s.results)
		} else {
			for sequence := s.highest; sequence < id.sequence; sequence++ {
				delete(s.results, sequence+1-min(resultsKept, sequence+1))
			}
		}
		s.highest = id.sequence
	}
	s.results[id.sequence] = o
}

// encode gives the canonical bytes: sessions by id, results by sequence.
func (ss sessions) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(ss)))
	for _, id := range slices.Sorted(maps.Keys(ss)) {
		s := ss[id]
		b = binary.BigEndian.AppendUint64(b, id)
		b = binary.BigEndian.AppendUint64(b, uint64(s.touched))
		b = binary.BigEndian.AppendUint64(b, s.highest)
		b = binary.BigEndian.AppendUint32(b, uint32(len(s.results)))
		for _, sequence := range slices.Sorted(maps.Keys(s.results)) {
			o := s.results[sequence]
			b = binary.BigEndian.AppendUint64(b, sequence)
			b = append(b, byte(o.verdict))
			b = binary.BigEndian.AppendUint32(b, uint32(len(o.result)))
			b = append(b, o.result...)
		}
	}
	return b
}

func decodeSessions(b []byte) (sessions, error) {
	r := reader{rest: b}
	ss := sessions{}
	var lastID uint64
	for n := r.uint32(); n > 0 && !r.failed; n-- {
		id := r.uint64()
		var last uint64
		s := &session{touched: int64(r.uint64()), highest: r.uint64(), results: map[uint64]outcome{}}
		for n := r.uint32(); n > 0 && !r.failed; n-- {
			sequence := r.uint64()
			v := verdict(r.byte())
			result := r.bytes(uint64(r.uint32()))
			if r.failed || sequence <= last || sequence > s.highest || v > ahead || v == ahead && len(result) > 0 {
				return nil, fault.New(fault.Corrupt, "sessions: a result that was never written")
			}
			o := outcome{verdict: v}
			if len(result) > 0 {
				o.result = slices.Clone(result)
			}
			s.results[sequence] = o
			last = sequence
		}
		if r.failed || id <= lastID {
			return nil, fault.New(fault.Corrupt, "sessions: session %d was never written", id)
		}
		ss[id] = s
		lastID = id
	}
	if r.failed || len(r.rest) > 0 {
		return nil, fault.New(fault.Corrupt, "sessions: %d bytes do not add up", len(b))
	}
	return ss, nil
}

// reader takes fields off bytes; once they run out, it has failed and gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
