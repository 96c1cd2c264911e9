package fold

import (
	"runtime/debug"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// aheadMax is how far a proposal's time may be ahead of both the log's time and the time at which its record was appended (which the log
// says, so that everyone reads the same). It keeps one node with a wrong clock from making everything expire at once. Where the log takes the
// record's time from the proposer there is nobody to compare it with, and the rule holds against nothing.
const aheadMax = 5 * time.Minute

// core is what every node does alike: the state that is made of nothing but the log, and the one function that changes it.
// It has no goroutine, clock or disk. Equal logs give equal cores, which encode and hash (snapshot.go) make visible.
type core struct {
	name     string
	machine  Machine
	keep     int                // Options.ResultBytes
	next     commitlog.Position // behind the last record applied
	millis   int64              // the log's time, since 1970; 0 before the first
	sessions sessions
	broken   error // why it must not be used any more; nil while it may
}

func newCore(options Options) *core {
	return &core{name: options.Name, machine: options.Machine, keep: options.ResultBytes, sessions: sessions{}}
}

// time is the log's time, in UTC.
func (c *core) time() time.Time { return time.UnixMilli(c.millis).UTC() }

// apply does the record at position, whose timestamp is recordMillis. It tells what became of whose command; a barrier has no id.
// After an error the core is broken, and says the same again.
func (c *core) apply(position commitlog.Position, recordMillis int64, record []byte) (id commandID, o outcome, err error) {
	if c.broken == nil {
		id, o, err = c.step(position, recordMillis, record)
		c.broken = fault.Wrap(err, "%s log at %d", c.name, position)
	}
	return id, o, c.broken
}

func (c *core) step(position commitlog.Position, recordMillis int64, record []byte) (id commandID, o outcome, err error) {
	e, err := decodeEnvelope(record)
	if err != nil {
		return id, o, err
	}
	switch e.kind {
	case kindOpen:
		c.sessions.open(e.id.session, position)
	case kindCommand:
		var settled bool
		if o, settled = c.sessions.recall(e.id, position); settled {
			break
		}
		if o, err = c.do(e, position, recordMillis); err != nil {
			return id, o, err
		}
		kept := o
		if c.keep > 0 && len(kept.result) > c.keep {
			kept.result = nil
		}
		c.sessions.remember(e.id, kept)
	}
	c.next = position + 1
	o.position = position
	return e.id, o, nil
}

// do gives a command that is seen for the first time to the machine.
func (c *core) do(e envelope, position commitlog.Position, recordMillis int64) (outcome, error) {
	if !e.ahead && e.millis > max(c.millis, recordMillis)+aheadMax.Milliseconds() {
		return outcome{verdict: ahead}, nil
	}
	c.millis = max(c.millis, e.millis)
	result, err := c.guarded(position, e.command)
	return outcome{result: result}, err
}

// guarded turns a panic of the machine into an error that says where.
func (c *core) guarded(position commitlog.Position, command []byte) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "applying a command panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return c.machine.Apply(c.time(), position, command)
}
