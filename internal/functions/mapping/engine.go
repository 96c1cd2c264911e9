package mapping

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say what mappings are made of. What has no default must be set.
type Options struct {
	Log       commitlog.Log // of commands, which nobody else appends to or trims
	FS        vfs.FS
	Dir       string // for snapshots, and nothing else
	Clock     clock.Clock
	Session   uint64 // see fold.Options
	TestClock bool   // Clock is moved by hand

	Checkpoints *readers.Checkpoints
	Sources     Sources
	Functions   Functions
	Objects     Objects   // nil: there are no buckets, and a mapping that names one is refused
	Random      io.Reader // UUIDs

	// Backoff is the clock for pauses after failures of our own, which go on when a test clock stands still. Default clock.Real.
	Backoff clock.Clock
	Logger  *slog.Logger // Default slog.Default
}

// Engine is the mappings of one node. It is safe for concurrent use.
type Engine struct {
	options  Options
	fold     *fold.Fold
	activity readers.Activity
	turn     *readers.Turn // of follow, from Open on: nothing is settled before it has looked

	random sync.Mutex // guards options.Random

	catalog *fold.Published[*Catalog]

	mu      sync.RWMutex       // guards everything below
	runners map[string]*runner // by UUID: those at work; their keepers add and remove them
	halted  bool               // none is added any more
}

// retryPause is how long to wait after a failure of ours, such as a full disk, before trying again.
const retryPause = time.Second

// Open brings mappings to where their log ends, without starting anything. Errors are those of fold.Open.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Backoff == nil {
		o.Backoff = clock.Real
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e := &Engine{options: o, catalog: fold.Publish(&Catalog{}, fold.Rules[*Catalog]{Apply: Apply, Encode: (*Catalog).Encode, Decode: DecodeCatalog}), runners: map[string]*runner{}}
	e.turn = e.activity.Begin()
	var err error
	e.fold, err = fold.Open(ctx, fold.Options{
		Name: "mappings", Log: o.Log, FS: o.FS, Dir: o.Dir, Machine: e.catalog, Clock: o.Clock, Session: o.Session, TestClock: o.TestClock, Backoff: o.Backoff, Logger: o.Logger,
	})
	return e, err
}

// Run follows the log and does what the mappings say, until ctx ends (no error) or the log cannot be followed.
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

// follow has a keeper for every mapping.
func (e *Engine) follow(ctx context.Context) {
	turn := e.turn
	defer turn.End()
	var all sync.WaitGroup
	defer all.Wait()
	kept := map[string]bool{} // a UUID never comes back
	for ctx.Err() == nil {
		c, changed := e.catalog.Watch()
		for _, m := range c.All() {
			if kept[m.UUID] {
				continue
			}
			kept[m.UUID] = true
			k := &keeper{engine: e, uuid: m.UUID, turn: e.activity.Begin(), rests: map[string]*leftover{}}
			all.Go(func() { k.run(ctx) })
		}
		for uuid := range kept {
			if c.mappings[uuid] == nil {
				delete(kept, uuid)
			}
		}
		turn.Await(ctx, changed)
	}
}

// Halt lets no invocation begin any more, and waits until those that are under way have ended and what they did is remembered, or ctx ends. It comes before the end of Run's context:
// without it a server that stops is one that was killed, and gives again what was under way.
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

// Settled says whether every mapping is as it should be and none has anything to do: what a test clock waits for.
func (e *Engine) Settled() bool { return e.activity.Settled() }

// Lag is how old the oldest record is that a mapping has not done; 0 when there is none, or it is not at work.
func (e *Engine) Lag(uuid string) time.Duration {
	e.mu.RLock()
	r := e.runners[uuid]
	e.mu.RUnlock()
	if r == nil {
		return 0
	}
	lag := r.reader.Lag()
	now := e.options.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.shards {
		if oldest := s.oldest.Load(); oldest > 0 {
			lag = max(lag, now.Sub(time.UnixMilli(oldest)))
		}
	}
	return lag
}

// NewUUID is a random UUID for a mapping.
func (e *Engine) NewUUID() (string, error) { return e.uuid() }

func (e *Engine) uuid() (string, error) {
	e.random.Lock()
	defer e.random.Unlock()
	var id [16]byte
	if _, err := io.ReadFull(e.options.Random, id[:]); err != nil {
		return "", fault.As(fault.Internal, err, "random UUID")
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562: version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]), nil
}

// Propose asks for what a command says and returns once Catalog has what came of it. An error is the refusal, worded for the customer: NotFound, Exists, Invalid or WrongState; or a
// fault of the log as fold.Propose gives it.
func (e *Engine) Propose(ctx context.Context, c Command) error {
	switch c := c.(type) {
	case Create:
		if err := c.Config.Validate(e.options.Objects != nil); err != nil {
			return err
		}
	case Update:
		if err := c.Config.Validate(e.options.Objects != nil); err != nil {
			return err
		}
	}
	return e.propose(ctx, c)
}

func (e *Engine) propose(ctx context.Context, c Command) error {
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

// Catalog is every mapping as it is here now.
func (e *Engine) Catalog() *Catalog { return e.catalog.Now() }

// Check says whether an ARN names a stream, or a consumer of one, that is there, and of which kind. Invalid, worded for the customer, when it does not.
func (e *Engine) Check(ctx context.Context, source string) (Kind, error) {
	s, err := e.options.Sources.Source(source)
	if err != nil {
		return 0, err
	}
	if _, _, err := s.Shards(ctx); fault.Is(err, fault.NotFound) {
		return 0, fault.New(fault.Invalid, "Stream not found: %s", source)
	} else if err != nil {
		return 0, err
	}
	return s.Kind, nil
}
