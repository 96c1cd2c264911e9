// Package functions is Lambda: functions, their versions and aliases, and what happens to an event.
//
// It owns which functions exist (a machine of its own in fold, over a log of its own), their code, who may run at once, and the queue of asynchronous events with its
// retries and destinations. How a function runs belongs to sandbox; what AWS calls things, and the form of requests, to api/lambda. Who turns records into events
// (event source mappings) comes through Invoker.
//
// Read Invoker below, then function.go and command.go for what exists, apply.go for how it changes, invoke.go for an event's way, queue.go for one that nobody waits for.
// docs/format/functions.md has the bytes.
package functions

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/sandbox"
	"github.com/weir-stream/weir/internal/vfs"
)

// Invoker is how engines invoke functions. Functions is one.
type Invoker interface {
	// Invoke runs a function on a payload and waits for what comes of it. A failure of the function is a Result, not an error: see Result.FunctionError.
	//
	// Faults: NotFound, there is no such function, version or alias; Throttled, it may not run more at once (nothing ran: try again later); Invalid, the payload is no
	// JSON; LimitExceeded, it is too large; WrongState, the function's code could not be made ready; Unsupported, it cannot run on this machine; Unavailable, the server
	// stops, or a part of it does not answer.
	Invoke(ctx context.Context, r Request) (Result, error)
}

// Request asks for one invocation.
type Request struct {
	// Function is the ARN of a function, with or without a version's number or an alias behind it.
	Function string
	Payload  []byte // JSON; empty is {}
	// Source is who asks, for the operator's log: the ARN of an event source mapping, or empty.
	Source        string
	ClientContext string // JSON, as the function gets it; or empty
	TraceID       string // or empty
	Tail          bool   // Result.Log is wanted
	// Leave lets the function go on when ctx ends, because its caller went away and not because the work is no longer wanted; what comes of it is then lost. It ends
	// with the server in any case.
	Leave bool
}

// Result is what came of an invocation that reached the function.
type Result struct {
	RequestID     string
	Version       string // that ran: Latest or a number
	Payload       []byte // the function's answer, or its error as JSON
	FunctionError string // "Unhandled" when the function failed, died or took too long; empty when it answered
	Log           []byte // the last 4 KiB that it wrote, if it was wanted
	Cold          bool   // a process was started for it
	Duration      time.Duration
}

// Credentials is what functions need to reach this server.
type Credentials interface {
	// Credentials gives environment variables, NAME=value, with which an AWS SDK inside a function of an account speaks to this server as that account: endpoint, keys,
	// and what else it takes to trust it. An error is what the invocation ends with.
	Credentials(account string) (env []string, err error)
}

// Options say what functions are made of. What has no default must be set.
type Options struct {
	Log     commitlog.Log // of commands, which nobody else appends to or trims
	Events  commitlog.Log // of asynchronous events, which nobody else appends to or trims
	FS      vfs.FS
	Dir     string // in FS: codes and snapshots
	Clock   clock.Clock
	Session uint64 // see fold.Options
	// TestClock says that Clock is moved by hand.
	TestClock bool

	Sandbox     sandbox.Invoker
	Forget      func(key string) // lets go of processes of a sandbox.Function.Key that no event will ask for. Nil does nothing
	Cache       string           // a directory of the machine, absolute, where codes are unpacked: it may be emptied between runs
	Runs        func(runtime string) error
	Credentials Credentials
	Objects     Objects   // nil: code comes in requests only
	Random      io.Reader // ids of invocations

	// Observe is told of every try to run a function, on the goroutine that tried. Nil is nobody.
	Observe func(Try)
	// ConcurrencyMax is how many invocations of an account in a region may run at once. Default 1000 (Lambda quotas, read 2026-11).
	ConcurrencyMax int
	// EventsMax is how many asynchronous events may wait; more are Throttled. Default 100,000: some 50 MB of memory. Their payloads are on disk.
	EventsMax int
	// Backoff is the clock for waiting between retries of our own work, which goes on when a test clock stands still. Default clock.Real.
	Backoff clock.Clock
	Logger  *slog.Logger // Default slog.Default
}

func (o *Options) withDefaults() {
	if o.ConcurrencyMax == 0 {
		o.ConcurrencyMax = 1000
	}
	if o.EventsMax == 0 {
		o.EventsMax = 100_000
	}
	if o.Backoff == nil {
		o.Backoff = clock.Real
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Observe == nil {
		o.Observe = func(Try) {}
	}
	if o.Forget == nil {
		o.Forget = func(string) {}
	}
	if o.Runs == nil {
		o.Runs = sandbox.Supported
	}
}

// Outcome is what came of a try to run a function.
type Outcome string

// The outcomes.
const (
	Answered       Outcome = "answered"
	FunctionFailed Outcome = "failed"
	Throttled      Outcome = "throttled"
	NotRun         Outcome = "not_run" // for reasons of the server, or because there is no such function
)

// Try is one try to run a function, for metrics. Payloads and names stay out.
type Try struct {
	Outcome  Outcome
	Cold     bool
	Init     time.Duration // of a cold one
	Duration time.Duration // from handing over the event to the answer
}

// Functions runs functions in one node. It is safe for concurrent use.
type Functions struct {
	options Options
	codes   *codes
	fold    *fold.Fold
	queue   *queue
	limits  limits
	ids     ids
	unpacks unpacks
	left    left

	catalog *fold.Published[*Catalog]

	mu      sync.RWMutex       // guards everything below
	keys    map[string]*keyUse // sandbox keys that have been used, see ready.go
	settled int64              // the version of the catalog up to which everything is prepared
}

// Open brings functions to where their logs end, without starting anything. Errors are those of fold.Open.
func Open(ctx context.Context, o Options) (*Functions, error) {
	o.withDefaults()
	f := &Functions{options: o, catalog: fold.Publish(&Catalog{}, fold.Rules[*Catalog]{Apply: Apply, Encode: (*Catalog).Encode, Decode: DecodeCatalog}), keys: map[string]*keyUse{}, settled: -1}
	f.ids.random = o.Random
	f.left.ctx, f.left.stop = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if f.codes, err = openCodes(o.FS, path.Join(o.Dir, path.Base(datadir.FunctionsCode))); err != nil {
		return nil, err
	}
	f.fold, err = fold.Open(ctx, fold.Options{
		Name: datadir.FunctionsName, Log: o.Log, FS: o.FS, Dir: path.Join(o.Dir, path.Base(datadir.FunctionsCatalog)), Machine: f.catalog, Clock: o.Clock, Session: o.Session, TestClock: o.TestClock,
		Backoff: o.Backoff, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err := f.codes.sweep(f.Catalog().uses); err != nil {
		return nil, fault.Wrap(err, "codes of functions")
	}
	if f.queue, err = openQueue(ctx, f); err != nil {
		return nil, fault.Wrap(err, "events of functions")
	}
	return f, nil
}

// Run follows the log of functions, makes codes ready and runs asynchronous events, until ctx ends (no error) or the log cannot be followed.
func (f *Functions) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer f.left.end()
	var all sync.WaitGroup
	all.Go(func() { f.prepare(ctx) })
	queueErr := make(chan error, 1)
	all.Go(func() {
		err := f.queue.run(ctx)
		queueErr <- err
		if err != nil {
			cancel()
		}
	})
	err := f.fold.Run(ctx)
	cancel()
	all.Wait()
	return errors.Join(err, <-queueErr)
}

// Propose asks for what a command says and returns once Catalog has what came of it; the command's value goes to into, unless that is nil. An error is the refusal,
// worded for the customer, or a fault of the log as fold.Propose gives it.
func (f *Functions) Propose(ctx context.Context, c Command, into any) error {
	b, err := commands.Encode(c.kind(), c)
	if err != nil {
		return err
	}
	result, _, err := f.fold.Propose(ctx, b)
	if err != nil {
		return err
	}
	return commands.DecodeResult(result, into)
}

// ConcurrencyMax is how many invocations of an account in a region may run at once.
func (f *Functions) ConcurrencyMax() int { return f.options.ConcurrencyMax }

// Catalog is every function as it is here now.
func (f *Functions) Catalog() *Catalog { return f.catalog.Now() }
