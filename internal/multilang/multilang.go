// Package multilang runs record processors that are written in other languages, as the MultiLangDaemon of the Kinesis Client Library for Java does, and in its place.
//
// It owns what the daemon's properties file says, and the protocol: one child process for each shard, one JSON message a line, requests on its standard input and
// answers on its standard output. Leases, checkpoints and reading belong to the package consumer, whose Processor is implemented here.
//
// When a child fails, its shard must go on with another child from the checkpoint, and only a worker that takes the lease anew reads from there. So a failure ends a
// round: the other children may finish and checkpoint, all leases are given up, and the daemon ends, as the original does at once, or begins another round.
//
// Read settings.go, then Daemon, then processor.go, then child.go.
package multilang

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/weir-stream/weir/consumer"
	"github.com/weir-stream/weir/internal/clock"
)

// Options are what a daemon needs beside its settings. Settings, Kinesis and DynamoDB are needed.
type Options struct {
	Settings *Settings
	Kinesis  consumer.KinesisAPI
	DynamoDB consumer.DynamoDBAPI
	// Metrics takes the worker's metrics. Default: none.
	Metrics consumer.Metrics
	// Say is told what children print, line by line, and what happens, with the shard's id if it is about one. It must be safe for several goroutines. Default: nobody is told.
	Say func(shard, text string)
	// Restart goes on after a child has failed, with a new round: after one second, and twice as long each time up to one minute. Default: Run ends, as the original does.
	Restart bool
	// Environment is the children's. Default this process's.
	Environment []string
	// Clock measures patience. Default the system's.
	Clock clock.Clock
}

// ErrProcessor is what Run ends with when a record processor has failed. It has been said.
var ErrProcessor = errors.New("a record processor failed")

// Waits between rounds. A round that went well for restartForgets is forgotten.
const (
	restartFirst   = time.Second
	restartMost    = time.Minute
	restartForgets = 5 * time.Minute
)

// releaseGrace is how long giving leases up may take once all children have ended.
const releaseGrace = 5 * time.Second

// Daemon runs one application's processors.
type Daemon struct{ options Options }

// New makes a daemon. Nothing is started before Run.
func New(options Options) (*Daemon, error) {
	if options.Settings == nil || options.Kinesis == nil || options.DynamoDB == nil {
		return nil, errors.New("multilang: Settings, Kinesis and DynamoDB are needed")
	}
	if options.Clock == nil {
		options.Clock = clock.Real
	}
	if options.Say == nil {
		options.Say = func(string, string) {}
	}
	if options.Environment == nil {
		options.Environment = os.Environ()
	}
	d := &Daemon{options: options}
	if _, err := consumer.New(d.worker(&round{})); err != nil { // whatever it would refuse later
		return nil, err
	}
	return d, nil
}

// Run works until ctx ends. Then children are asked to finish and to checkpoint, for as long as ShutdownGrace, leases are given up, and it returns nil. The error of a
// child that fails ends it too, unless Restart is set, and so does an error of the worker. When it returns, no child is running.
func (d *Daemon) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		began := d.options.Clock.Now()
		err := d.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !d.options.Restart || !errors.Is(err, ErrProcessor) {
			return err
		}
		if d.options.Clock.Now().Sub(began) > restartForgets {
			wait = 0
		}
		wait = min(max(restartFirst, 2*wait), restartMost)
		d.options.Say("", fmt.Sprintf("begins again in %s", wait))
		if clock.Sleep(ctx, d.options.Clock, wait) != nil {
			return nil
		}
	}
}

// worker is the options of a round's worker.
func (d *Daemon) worker(r *round) consumer.Options {
	o := d.options.Settings.Worker
	o.Application, o.Stream = d.options.Settings.Table, d.options.Settings.Stream
	o.Kinesis, o.DynamoDB, o.Metrics, o.Clock = d.options.Kinesis, d.options.DynamoDB, d.options.Metrics, d.options.Clock
	o.Factory = func(shard string) (consumer.Processor, error) { return &processor{round: r, shard: shard}, nil }
	o.Notice = func(err error) {
		if !errors.Is(err, ErrProcessor) { // which is said once, when it happens
			d.options.Say("", err.Error())
		}
	}
	o.Events = func(e consumer.Event) {
		text := e.Kind
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		if e.Shard != "" {
			text = "weir: " + text
		}
		d.options.Say(e.Shard, text)
	}
	return o
}

// serve is one round: a worker from its start until it has left.
func (d *Daemon) serve(ctx context.Context) error {
	r := &round{
		settings: d.options.Settings, environment: d.options.Environment, clock: d.options.Clock, say: d.options.Say,
		halt: make(chan struct{}), failures: make(chan error, 1), children: map[*child]bool{},
	}
	worker, err := consumer.New(d.worker(r))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(context.WithoutCancel(ctx)) }()
	var why error
	select {
	case err := <-ended:
		r.end()
		return err
	case <-ctx.Done():
		d.options.Say("", "stops: processors may finish within "+r.settings.ShutdownGrace.String())
	case why = <-r.failures:
	}
	err = d.leave(r, worker)
	if ran := <-ended; err == nil {
		err = ran
	}
	r.end()
	if err != nil {
		d.options.Say("", "leases were not given up; they expire: "+err.Error())
	}
	return why
}

// leave ends the worker in order, with limited patience.
func (d *Daemon) leave(r *round, worker *consumer.Worker) error {
	ctx, cancel := context.WithCancel(context.Background())
	var patience sync.WaitGroup
	patience.Go(func() {
		defer cancel()
		if clock.Sleep(ctx, d.options.Clock, r.settings.ShutdownGrace) == nil {
			close(r.halt)
			_ = clock.Sleep(ctx, d.options.Clock, releaseGrace) // cancelled, or over: the same
		}
	})
	err := worker.Shutdown(ctx)
	cancel()
	patience.Wait()
	return err
}

// round is what a worker's processors share.
type round struct {
	settings    *Settings
	environment []string
	clock       clock.Clock
	say         func(shard, text string)
	halt        chan struct{} // closed when there is no more patience with children
	failures    chan error    // capacity 1: the first failure is enough

	mu       sync.Mutex // guards everything below
	children map[*child]bool
	told     map[string]bool // shards whose failure has been told
}

// fail ends the round.
func (r *round) fail(why failure) {
	r.mu.Lock()
	told := r.told[why.shard]
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[why.shard] = true
	r.mu.Unlock()
	if !told {
		r.say(why.shard, "weir: "+why.error.Error())
	}
	select {
	case r.failures <- why:
	default:
	}
}

func (r *round) keep(c *child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.children[c] = true
}

func (r *round) drop(c *child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.children, c)
}

// end ends children whose processors were not told of an end: those that had yet to checkpoint the end of their shard. Nobody calls processors any more.
func (r *round) end() {
	r.mu.Lock()
	left := r.children
	r.children = nil
	r.mu.Unlock()
	for c := range left {
		c.kill()
	}
}
