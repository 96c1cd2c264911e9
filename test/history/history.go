// Package history asks whether a stream that is split and merged under load, and killed while it is, loses, doubles or reorders anything.
//
// It owns the record of what everyone was told (History), the judgement of it (Check, which is a function and runs nothing), and a simulation
// that makes such histories: writers, readers that follow the stream as the Kinesis Client Library does, an operator who never stops
// resharding, full and failing disks, power loss and kill -9, in one process on a file system in memory. What happens to real processes on a
// real disk is asked in test/crash.
//
// A seed chooses what everyone does. It does not choose how goroutines are scheduled: the same seed makes a similar history, not the same one, and a
// failure may take several runs to come back.
//
// Read History, then check.go, then world_test.go.
package history

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/record"
)

// History is all that was said of one stream in one run, through every crash. What a dying incarnation said after the moment of its death is
// not in it: nobody is bound by that.
type History struct {
	// Attempts are the records that somebody tried to put, those of one key in the order in which they were put.
	Attempts []Attempt
	// Readers followed the stream while it was written, through its closed shards to their children, until nothing was left.
	Readers []Reader
	// Views are what the catalog said, oldest first.
	Views []View
	// Final is what is in each shard in the end, read from the beginning in one go after the last restart.
	Final map[uint32][]Sighting
	// Spread says that the stream gives records to shards as it likes (AUTO): a record may be in any, and no order is promised.
	Spread bool
	// Horizon is the arrival second up to which records may have expired by the end; nobody is blamed for their absence.
	Horizon int64
}

// Attempt is a record as it was put. Putting it again after an answer that did not come is another attempt.
type Attempt struct {
	ID      string // its data; every attempt has its own
	Key     string // of the records of one key the order counts
	Hash    record.HashKey
	Outcome Outcome
	// Shard and Sequence are what was said of an Acknowledged one.
	Shard    uint32
	Sequence record.SequenceNumber
}

// Outcome is what the writer knows of an attempt.
type Outcome uint8

// The outcomes.
const (
	Unknown      Outcome = iota // it may be there, once, or not
	Acknowledged                // it is there
	Refused                     // it is not there, and never will be
)

// Sighting is a record as it was read.
type Sighting struct {
	ID       string
	Key      string
	Sequence record.SequenceNumber
}

// Reader is what one reader saw, in order.
type Reader struct {
	Name  string
	Steps []Step
}

// Step is a thing that a reader saw of a shard.
type Step struct {
	Kind     StepKind
	Shard    uint32
	Sighting Sighting // of Saw
	Children []uint32 // of Ended: the shards that go on, as the last answer named them; nil when the shard had expired and there was none
}

// StepKind is what a step is.
type StepKind uint8

// The kinds of steps.
const (
	Began StepKind = iota // reads the shard from its beginning
	Saw                   // a record
	Ended                 // there will be no more of the shard
)

// View is the shards of the stream at one moment, open and closed, as the catalog had them.
type View []catalog.Shard
