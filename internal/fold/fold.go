// Package fold drives a deterministic machine from one log.
//
// It owns the way of a command: propose it, append it, apply it in the log's order, answer the proposer; and what makes that safe to
// repeat and quick to restart: command ids, the log's time, snapshots, trimming. What a command means belongs to the Machine (catalog is
// the first); how bytes become durable belongs to commitlog.
//
// Read Machine and Fold, then core.go for what every node must do alike, then propose.go and run.go for what each does for itself.
// docs/format/control-log.md draws the bytes.
package fold

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Machine is a state and the commands that change it. It is called by one goroutine at a time, first by Open, then by Run.
//
// It must be deterministic: what Apply does and answers hangs on nothing but the machine's state and Apply's arguments: no clock, no
// randomness, no order of a map, no goroutine, no configuration.
type Machine interface {
	// Apply does a command. at is the log's time, in UTC and whole milliseconds, never less than in the call before; position grows
	// from call to call. A refusal is a result like any other. An error means that the command cannot be understood: the fold stops
	// there, because a node that skips what others did has another state than they. The fold keeps result.
	Apply(at time.Time, position commitlog.Position, command []byte) (result []byte, err error)

	// Snapshot freezes the state as it is now and gives what encodes it: canonical bytes, equal for equal states. The encoding runs
	// on another goroutine while Apply goes on.
	Snapshot() (encode func() []byte)

	// Restore replaces the state by one that Snapshot's function encoded, or leaves it alone and says why: Corrupt leads to an older
	// snapshot, every other fault ends Open.
	Restore(snapshot []byte) error
}

// Keeper is a Machine whose state is too large for memory and for one file: it keeps the most of it on disk itself, and what Snapshot encodes is the rest. The
// fold says when that state is made durable, remembers at which position that was, and trims the log behind it alone.
type Keeper interface {
	Machine

	// Begin replaces the state on disk by what Checkpoint made in dir, which it leaves as it is, or by an empty one when dir is "". It is called by Open before anything
	// else, and again when Restore finds damage. Corrupt leads to an older snapshot, every other fault ends Open.
	Begin(dir string) error

	// Prepare writes out what it can, so that the Checkpoint after it is short. It runs on another goroutine while Apply goes on.
	Prepare() error

	// Checkpoint makes the state on disk as it is now durable in dir, which does not exist. No Apply runs meanwhile.
	Checkpoint(dir string) error
}

// Options say what a fold is made of. All that has no default must be set.
type Options struct {
	Name    string        // what the log is about, such as "control": in messages, and in snapshots so that they cannot be mixed up
	Log     commitlog.Log // only this fold's envelopes are in it
	FS      vfs.FS
	Dir     string // for snapshots, and nothing else
	Machine Machine
	Clock   clock.Clock // gives proposals their time

	// Session is the id of this run, not 0, and never used by another: a random number will do.
	Session uint64
	// TestClock says that Clock is moved by hand, so that time may jump further than aheadMax.
	TestClock bool
	// SnapshotEvery is how many records are applied between snapshots. Default 4096: a restart replays twice as many at most, which
	// takes milliseconds.
	SnapshotEvery int
	// SnapshotBytes begins a snapshot earlier, once this many bytes of records were applied. Default 0: only their number counts.
	SnapshotBytes int64
	// ResultBytes is how large a result may be to be remembered whole. Of a larger one it is remembered that the command was done; who asks again, which only somebody
	// does whose first answer was lost on the way to him in this process, gets an empty result. Default 0: all are remembered.
	ResultBytes int
	// Backoff is the clock for waiting between retries; it is not Clock because a test clock stands still. Default clock.Real.
	Backoff clock.Clock
	// Logger receives what an operator should know. Default slog.Default.
	Logger *slog.Logger
}

const (
	defaultSnapshotEvery = 4096

	// inFlightMax is how many proposals may wait for their application at once; the others wait to begin. It is far below
	// resultsKept, so that the result of none can be forgotten while its proposer still asks.
	inFlightMax = 256
)

func (o Options) validate() error {
	var wrong []error
	missing := func(is bool, what string) {
		if is {
			wrong = append(wrong, fault.New(fault.Invalid, "%s is missing", what))
		}
	}
	missing(o.Name == "", "Name")
	missing(o.Log == nil, "Log")
	missing(o.FS == nil, "FS")
	missing(o.Dir == "", "Dir")
	missing(o.Machine == nil, "Machine")
	missing(o.Clock == nil, "Clock")
	missing(o.Session == 0, "Session")
	if len(wrong) > 0 {
		return fault.As(fault.Invalid, errors.Join(wrong...), "fold options")
	}
	return nil
}

// A Fold keeps a machine at the end of its log.
//
// The way of a proposal: Propose gives the command an id, (session, sequence), and appends it in an envelope. The goroutine in Run reads
// it from the log like everyone else's, applies it, and hands the result to the waiting Propose. When the append's outcome is unknown,
// Propose appends the same envelope again; the core answers the second of two equal ids with the result of the first. So a
// command is done once or, if Propose says so without the mark "unknown", not at all.
//
// What holds:
//   - The machine's state is a function of the log up to a position: Open and Run are the only callers of Machine, one after the other.
//   - A Propose that returned is in the state of this fold, and a Barrier that returned has everything that was acknowledged to
//     anyone before it began.
//   - Below the oldest snapshot that this fold has read or written itself the log may be trimmed; never above it.
//
// When Apply panics, the fold stops, and Run says where. Rolling back and going on was dropped: whether a panic happens hangs on
// the release, the memory and the depth of a stack as well as on the command, so a node that records "failed" and one that does not
// panic would part for good and unnoticed; a stopped node has lost nothing and is noticed. What a customer sends never gets that far:
// proposers check it, and Apply refuses.
type Fold struct {
	// Set once.
	options Options
	log     commitlog.Log
	done    chan struct{} // closed when Run has returned; Run is its closer
	slots   chan struct{} // capacity inFlightMax: a full one makes proposers wait, so that memory and the log's queue are bounded

	// Only the goroutine in Open, then the one in Run.
	core          *core
	snapshots     *snapshots
	sinceSnapshot int           // records applied since the last snapshot was begun
	bytesSince    int64         // and their bytes
	prepared      bool          // of a Keeper: Prepare has been called for the snapshot that is due
	snapshotting  chan struct{} // closed when the snapshot under way, or its preparation, is over; nil when there is none

	opening chan struct{} // capacity 1: held while the session is being opened
	flight  chan struct{} // capacity 1: held while a barrier is in the log

	mu       sync.Mutex // guards everything below; never held across a call of Log or Machine
	applied  commitlog.Position
	moved    chan struct{} // closed and replaced when applied grows
	at       time.Time     // the log's time
	session  uint64
	opened   bool   // session is known to the log
	sequence uint64 // the last one given out in session
	waiters  map[commandID]chan outcome
	barrier  *barrierRound // who joins now shares the next barrier; nil when there is none
	stopped  error         // why Run has returned; nil while it has not
}

// Open restores the newest snapshot that is whole, and applies what the log holds behind it. It returns once the state has everything
// that was acknowledged before Open began.
//
// Corrupt when no snapshot reaches the log's beginning, or the log ends before the snapshot; otherwise as Run.
func Open(ctx context.Context, options Options) (*Fold, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if options.SnapshotEvery <= 0 {
		options.SnapshotEvery = defaultSnapshotEvery
	}
	if options.Backoff == nil {
		options.Backoff = clock.Real
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	f := &Fold{
		options: options,
		log:     options.Log,
		done:    make(chan struct{}),
		slots:   make(chan struct{}, inFlightMax),
		opening: make(chan struct{}, 1),
		flight:  make(chan struct{}, 1),
		moved:   make(chan struct{}),
		session: options.Session,
		waiters: map[commandID]chan outcome{},
	}
	snapshots, restored, err := openSnapshots(options)
	if err != nil {
		return nil, err
	}
	f.core, f.snapshots = restored, snapshots
	f.applied, f.at = f.core.next, f.core.time()

	bounds, err := f.log.Bounds(ctx)
	if err != nil {
		return nil, fault.Wrap(err, "%s log", options.Name)
	}
	if f.core.next < bounds.First {
		return nil, fault.New(fault.Corrupt, "%s log begins at %d, and no whole snapshot in %q reaches it: the best ends at %d",
			options.Name, bounds.First, options.Dir, f.core.next)
	}
	if f.core.next > bounds.Next {
		return nil, fault.New(fault.Corrupt, "%s log ends at %d, before the snapshot in %q that was made at %d: log and snapshots do not belong together",
			options.Name, bounds.Next, options.Dir, f.core.next)
	}
	for f.core.next < bounds.Next {
		if err := f.applyChunk(ctx); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Applied is the position behind the last record that was applied.
func (f *Fold) Applied() commitlog.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}

// Time is the log's time: that of the latest proposal applied. It never goes back.
func (f *Fold) Time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}
