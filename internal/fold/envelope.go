package fold

import (
	"encoding/binary"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// envelopeVersion is the first byte of every record. History:
//
//	1  kinds open, command, barrier
const envelopeVersion = 1

// The kinds of envelope.
const (
	kindOpen    = 1 // a session begins
	kindCommand = 2 // something for the machine
	kindBarrier = 3 // nothing: a place in the log to wait for
)

// flagAhead allows the time to be any distance ahead: it is that of a test clock.
const flagAhead = 1

// envelopeSize is the length of an envelope without its command.
const envelopeSize = 1 + 1 + 1 + 8 + 8 + 8

// millisMax is the last millisecond of the year 9999, behind which RFC 3339, and so JSON, has no words.
const millisMax = 253402300799999

// commandID is what makes asking twice safe. Sequences begin at 1 and count the proposals of a session.
type commandID struct{ session, sequence uint64 }

// envelope is a record of the log: see docs/format/control-log.md.
type envelope struct {
	kind    byte
	ahead   bool
	id      commandID // a barrier has none; opening a session has sequence 0
	millis  int64     // since 1970, by the proposer's clock
	command []byte    // of kindCommand
}

func (e envelope) encode() []byte {
	b := make([]byte, 0, envelopeSize+len(e.command))
	flags := byte(0)
	if e.ahead {
		flags = flagAhead
	}
	b = append(b, envelopeVersion, e.kind, flags)
	b = binary.BigEndian.AppendUint64(b, e.id.session)
	b = binary.BigEndian.AppendUint64(b, e.id.sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(e.millis))
	return append(b, e.command...)
}

// decodeEnvelope reads a record. Unsupported when a newer version wrote it, Corrupt when none can have. e.command is part of b.
func decodeEnvelope(b []byte) (e envelope, err error) {
	if len(b) == 0 {
		return e, fault.New(fault.Corrupt, "an empty envelope")
	}
	if b[0] != envelopeVersion {
		return e, fault.New(fault.Unsupported, "envelope of version %d: this version of Weir reads %d", b[0], envelopeVersion)
	}
	if len(b) < envelopeSize {
		return e, fault.New(fault.Corrupt, "envelope of %d bytes: the least is %d", len(b), envelopeSize)
	}
	if b[2]&^flagAhead != 0 {
		return e, fault.New(fault.Unsupported, "envelope with flags %#x: this version of Weir knows %#x", b[2], flagAhead)
	}
	e = envelope{
		kind:    b[1],
		ahead:   b[2]&flagAhead != 0,
		id:      commandID{binary.BigEndian.Uint64(b[3:]), binary.BigEndian.Uint64(b[11:])},
		millis:  int64(binary.BigEndian.Uint64(b[19:])),
		command: b[envelopeSize:],
	}
	if e.millis < 0 || e.millis > millisMax {
		return e, fault.New(fault.Corrupt, "envelope of the time %d ms", e.millis)
	}
	switch e.kind {
	case kindOpen:
		if e.id.session == 0 || e.id.sequence != 0 || len(e.command) != 0 {
			return e, fault.New(fault.Corrupt, "envelope opens session %d with sequence %d and %d bytes", e.id.session, e.id.sequence, len(e.command))
		}
	case kindCommand:
		if e.id.session == 0 || e.id.sequence == 0 {
			return e, fault.New(fault.Corrupt, "command without an id: session %d, sequence %d", e.id.session, e.id.sequence)
		}
	case kindBarrier:
		if e.id != (commandID{}) || len(e.command) != 0 {
			return e, fault.New(fault.Corrupt, "barrier of session %d with sequence %d and %d bytes", e.id.session, e.id.sequence, len(e.command))
		}
	default:
		return e, fault.New(fault.Unsupported, "envelope of kind %d: this version of Weir knows 1 to 3", e.kind)
	}
	return e, nil
}

// millis is t in whole milliseconds, held within what an envelope may say.
func millis(t time.Time) int64 { return min(max(t.UnixMilli(), 0), millisMax) }
