package disklog

import (
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
)

// Event is something that happened, for metrics, logs and tests. It is one of the types in this file.
type Event interface{ event() }

// Opened says what Open found.
type Opened struct {
	Incarnation uint64 // how often the directory was opened, this time included
	Logs        int
	Segments    int
	Journals    int   // journal files replayed
	Replayed    int64 // their bytes
	Torn        int64 // bytes after the last whole block: an append that was never acknowledged
	Duration    time.Duration
}

// Lost says that a segment that counts is missing or cannot be understood: reads of what it held say so. It is tried again at the next Open.
type Lost struct {
	File string
	Err  error
}

// Synced says that a block became visible.
type Synced struct {
	Bytes    int64
	Appends  int // batches and control frames that shared the write
	Duration time.Duration
}

// Rotated says that a new journal file is in use.
type Rotated struct{ Journal uint64 }

// LaidOut says that journal files became segments and were deleted.
type LaidOut struct {
	Journals int
	Segments int
	Bytes    int64 // of the segments
	Duration time.Duration
}

// Merged says that segments became one, without their dead bytes.
type Merged struct {
	From     int
	Bytes    int64 // of the result
	Duration time.Duration
}

// Dropped says that a segment was deleted because nothing in it is wanted any more.
type Dropped struct {
	Segment uint64
	Bytes   int64
}

// Full says that the device has no room: appends are refused until Healed.
type Full struct{ Err error }

// Broken says that the journal could not be written or synced: appends are refused until Healed.
type Broken struct{ Err error }

// Healed says that appends are taken again.
type Healed struct{}

// Behind says that the background work failed and will be tried again after Backoff. Reads go on; appends until the journal is full.
type Behind struct {
	Work    string // "layout", "retention", "merge"
	Err     error
	Backoff time.Duration
}

// PassedOver says that a read came to positions that a repair had given up, and went on behind them.
type PassedOver struct {
	Log      commitlog.ID
	From, To commitlog.Position // To is behind the last
}

// Damaged says that stored bytes are not what was written, or are missing.
type Damaged struct{ Damage Damage }

func (Opened) event()  {}
func (Lost) event()    {}
func (Synced) event()  {}
func (Rotated) event() {}
func (LaidOut) event() {}
func (Merged) event()  {}
func (Dropped) event() {}
func (Full) event()    {}
func (Broken) event()  {}
func (Healed) event()  {}
func (Behind) event()  {}
func (Damaged) event() {}

func (PassedOver) event() {}
