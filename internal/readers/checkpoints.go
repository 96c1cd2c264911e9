package readers

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// CheckpointOptions say what checkpoints are made of. What has no default must be set.
type CheckpointOptions struct {
	Log       commitlog.Log // which nobody else appends to or trims
	FS        vfs.FS
	Dir       string // for snapshots, and nothing else
	Clock     clock.Clock
	Session   uint64 // see fold.Options
	TestClock bool   // Clock is moved by hand
	// SnapshotEvery, Backoff and Logger are those of fold.Options, with its defaults.
	SnapshotEvery int
	Backoff       clock.Clock
	Logger        *slog.Logger
}

// Checkpoints remembers, durably, how far each consumer has come in each shard. It is safe for concurrent use.
//
// All consumers share one log, so that those who commit at the same time share its syncs.
type Checkpoints struct {
	fold  *fold.Fold
	state *fold.Published[*checkpointState]
}

// Checkpoint is how far a consumer has come in a shard.
type Checkpoint struct {
	// Position is where it goes on: everything before it is done.
	Position int64
	// Done says that the shard has ended and everything in it is done.
	Done bool
	// State is the consumer's own, as of Position. Who reads it must not write to it.
	State []byte
}

// stateMax is how much state there may be beside a position: Lambda's windows have up to 1 MB each (Lambda developer guide, stateful stream processing), and what says
// whose it is.
const stateMax = 1<<20 + 64<<10

// OpenCheckpoints brings the checkpoints to where their log ends, without starting anything. Errors are those of fold.Open.
func OpenCheckpoints(ctx context.Context, o CheckpointOptions) (*Checkpoints, error) {
	c := &Checkpoints{state: checkpointMachine()}
	var err error
	c.fold, err = fold.Open(ctx, fold.Options{
		Name: "checkpoints", Log: o.Log, FS: o.FS, Dir: o.Dir, Machine: c.state, Clock: o.Clock, Session: o.Session, TestClock: o.TestClock,
		SnapshotEvery: o.SnapshotEvery, Backoff: o.Backoff, Logger: o.Logger,
	})
	return c, err
}

// Run follows the log until ctx ends (no error) or it cannot be followed.
func (c *Checkpoints) Run(ctx context.Context) error { return c.fold.Run(ctx) }

// Get is a consumer's checkpoint in a shard, and whether it has one.
func (c *Checkpoints) Get(consumer, shard string) (Checkpoint, bool) {
	found, has := c.now().consumers[consumer][shard]
	return found, has
}

// Shards are the keys of the shards in which a consumer has checkpoints, with them. The map is the caller's.
func (c *Checkpoints) Shards(consumer string) map[string]Checkpoint {
	return maps.Clone(c.now().consumers[consumer])
}

// Set makes a checkpoint durable. WrongState when the consumer is further already, which means that two act in its name; Invalid when the state is too large.
// Unavailable with the mark "unknown" when it may have been done.
func (c *Checkpoints) Set(ctx context.Context, consumer, shard string, to Checkpoint) error {
	if len(to.State) > stateMax {
		return fault.New(fault.Invalid, "checkpoint of %s in %s with %d bytes of state: at most %d", consumer, shard, len(to.State), stateMax)
	}
	return c.propose(ctx, setCheckpoint{consumer, shard, to}.encode())
}

// Drop forgets a consumer's checkpoints in some shards, or all of them when none is named. What is not there is no error.
func (c *Checkpoints) Drop(ctx context.Context, consumer string, shards ...string) error {
	return c.propose(ctx, dropCheckpoints{consumer, shards}.encode())
}

func (c *Checkpoints) propose(ctx context.Context, command []byte) error {
	result, _, err := c.fold.Propose(ctx, command)
	if err != nil {
		return err
	}
	if len(result) > 0 {
		return fault.New(fault.WrongState, "%s", result)
	}
	return nil
}

func (c *Checkpoints) now() *checkpointState { return c.state.Now() }

// checkpointMachine is the checkpoints as a fold drives them, none.
func checkpointMachine() *fold.Published[*checkpointState] {
	return fold.Publish(&checkpointState{}, fold.Rules[*checkpointState]{
		Apply: func(s *checkpointState, _ time.Time, _ commitlog.Position, command []byte) (*checkpointState, []byte, error) {
			return s.apply(command)
		},
		Encode: (*checkpointState).encode, Decode: decodeCheckpoints,
	})
}
