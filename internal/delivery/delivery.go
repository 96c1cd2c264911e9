// Package delivery is delivery streams (Firehose): records are buffered and delivered as objects.
//
// It owns which delivery streams exist (a machine of its own in fold), where direct puts wait (a hidden log each), when a buffer closes, what objects are called and hold, and what is
// tried again and for how long. How a stream is followed and where a delivery stream stands in it belongs to readers; objects belong to whatever S3 the node gives it.
//
// A buffer is a range of its source's log and not memory: what is in it is read once when it comes, to be counted, and once when it is delivered. Delivery is at least once: an object
// is durable before the checkpoint behind it is, and what was under way when the server died is delivered again, as a rule under the same name.
//
// Read stream.go and command.go for what a delivery stream is, config.go for its destination, span.go for when a buffer closes, runner.go and deliver.go for how a shard is driven,
// keeper.go for what brings a delivery stream to what it should be.
package delivery

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/vfs"
)

// Sources finds streams.
type Sources interface {
	// Source gives the data stream that an ARN names, whether it exists now or not. Invalid, in words for the customer, when the ARN names nothing that can be a source.
	Source(arn string) (readers.Source, error)
}

// Objects is where objects go.
type Objects interface {
	// Client speaks to the S3 that an account's delivery streams in a region deliver to. It is asked before each delivery.
	Client(account, region string) (*blob.Client, error)
}

// Options say what delivery streams are made of. What has no default must be set.
type Options struct {
	Store     commitlog.Store // for the logs of direct puts
	Log       commitlog.Log   // of commands, which nobody else appends to or trims
	FS        vfs.FS
	Dir       string // for snapshots, and nothing else
	Clock     clock.Clock
	Session   uint64 // see fold.Options
	TestClock bool   // Clock is moved by hand

	Checkpoints *readers.Checkpoints
	Sources     Sources
	Objects     Objects
	Random      io.Reader // UUIDs, and jitter

	// UploadsMax is how many objects are made at once, of all delivery streams; the others wait for their turn. Each takes some 12 MiB of memory at most: a part (partBytes), a chunk of the
	// source and the copy of its records, a compressor's windows. Default 8.
	UploadsMax int
	// Backoff is the clock for pauses after failures of our own, which go on when a test clock stands still. Default clock.Real.
	Backoff clock.Clock
	Logger  *slog.Logger // Default slog.Default
}

// uploadsMax is the default of UploadsMax: enough that some slow servers do not hold the others up, and some 100 MiB of memory.
const uploadsMax = 8

// Engine is the delivery streams of one node. It is safe for concurrent use.
type Engine struct {
	options  Options
	fold     *fold.Fold
	activity readers.Activity
	turn     *readers.Turn // of follow, from Open on: nothing is settled before it has looked

	random  sync.Mutex // guards options.Random
	uploads chan struct{}
	stats   sync.Map // number → *Stats
	logs    sync.Map // number → commitlog.Log, of direct puts

	catalog *fold.Published[*Catalog]

	mu      sync.RWMutex       // guards everything below
	runners map[uint64]*runner // by number: those at work; their keepers add and remove them
	halted  bool               // none is added any more
}

// retryPause is how long to wait after a failure of ours, such as a full disk, before trying again.
const retryPause = time.Second

// Open brings delivery streams to where their log ends, without starting anything. Errors are those of fold.Open.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Backoff == nil {
		o.Backoff = clock.Real
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.UploadsMax == 0 {
		o.UploadsMax = uploadsMax
	}
	e := &Engine{options: o, catalog: Machine(), runners: map[uint64]*runner{}, uploads: make(chan struct{}, o.UploadsMax)}
	e.turn = e.activity.Begin()
	var err error
	e.fold, err = fold.Open(ctx, fold.Options{
		Name: datadir.DeliveryName, Log: o.Log, FS: o.FS, Dir: o.Dir, Machine: e.catalog, Clock: o.Clock, Session: o.Session, TestClock: o.TestClock, Backoff: o.Backoff, Logger: o.Logger,
	})
	return e, err
}

// Run follows the log and does what the delivery streams say, until ctx ends (no error) or the log cannot be followed.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { e.follow(ctx) })
	err := e.fold.Run(ctx)
	cancel()
	all.Wait()
	return err
}

// follow has a keeper for every delivery stream.
func (e *Engine) follow(ctx context.Context) {
	turn := e.turn
	defer turn.End()
	var all sync.WaitGroup
	defer all.Wait()
	kept := map[uint64]bool{} // a number never comes back
	for ctx.Err() == nil {
		c, changed := e.catalog.Watch()
		there := map[uint64]bool{}
		for _, s := range c.streams {
			there[s.Number] = true
			if kept[s.Number] {
				continue
			}
			kept[s.Number] = true
			k := &keeper{engine: e, key: s.key(), number: s.Number, turn: e.activity.Begin()}
			all.Go(func() { k.run(ctx) })
		}
		for number := range kept {
			if !there[number] {
				delete(kept, number)
			}
		}
		turn.Await(ctx, changed)
	}
}

// Halt lets no delivery begin any more, and waits until those that are under way have ended and are remembered, or ctx ends. It comes before the end of Run's context: without it a
// server that stops is one that was killed, and delivers again what was under way.
func (e *Engine) Halt(ctx context.Context) {
	e.mu.Lock()
	e.halted = true
	var all sync.WaitGroup
	for _, r := range e.runners {
		all.Go(func() { r.halt(ctx) })
	}
	e.mu.Unlock()
	all.Wait()
}

// Settled says whether every delivery stream is as it should be and none has anything to deliver now: what a test clock waits for.
func (e *Engine) Settled() bool { return e.activity.Settled() }

// NewUUID is a random UUID for a delivery stream.
func (e *Engine) NewUUID() (string, error) {
	e.random.Lock()
	defer e.random.Unlock()
	var id [16]byte
	if _, err := io.ReadFull(e.options.Random, id[:]); err != nil {
		return "", fault.As(fault.Internal, err, "random UUID")
	}
	return uuidOf(id), nil
}

// Propose asks for what a command says and returns once Catalog has what came of it. An error is the refusal, worded for the customer: NotFound, Exists, Invalid, Unsupported,
// LimitExceeded, Conflict or WrongState; or a fault of the log as fold.Propose gives it.
func (e *Engine) Propose(ctx context.Context, c Command) error {
	switch c := c.(type) {
	case Create:
		if err := c.S3.Validate(); err != nil {
			return err
		}
	case Update:
		if err := c.S3.Validate(); err != nil {
			return err
		}
	}
	b, err := commands.Encode(c.kind(), c)
	if err != nil {
		return err
	}
	result, _, err := e.fold.Propose(ctx, b)
	if err != nil {
		return err
	}
	return commands.DecodeResult(result, nil)
}

// Catalog is every delivery stream as it is here now.
func (e *Engine) Catalog() *Catalog { return e.catalog.Now() }

// Check says whether an ARN names a data stream that is there. Invalid, worded for the customer, when it does not.
func (e *Engine) Check(ctx context.Context, source string) error {
	s, err := e.options.Sources.Source(source)
	if err != nil {
		return err
	}
	if _, _, err := s.Shards(ctx); fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, "The stream %s was not found.", source)
	} else if err != nil {
		return err
	}
	return nil
}
