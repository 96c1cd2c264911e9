// Package agent sends the lines of log files to streams, as the Kinesis Agent does and with its configuration.
//
// It owns the configuration (config.go), what becomes of a line (split.go, convert.go, logformat.go), the way into a stream with what was not taken sent again
// (flow.go, send.go), how far each file is (places.go, checkpoint.go) and how all of it is seen from outside (status.go, metrics.go). Which files there are and where they went
// belongs to client/follow; the services to the SDK's clients.
//
// Read Flow, whose comment has the one invariant, then Agent.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/clock"
)

// statusEvery is how often a running agent writes its status; a reader takes it for dead after statusStale.
const (
	statusEvery = 2 * time.Second
	statusStale = 15 * time.Second
)

// Options are what an agent works with.
type Options struct {
	Config *Config
	// Services are where records and metrics go. Needed.
	Services *Services
	// Log is told what an operator should know. Default nothing.
	Log *slog.Logger
	// Clock tells the time. Default the real one.
	Clock clock.Clock
}

// Status is how a running agent is, or was when it last said so.
type Status struct {
	PID     int          `json:"pid"`
	Config  string       `json:"config"`
	Started time.Time    `json:"started"`
	Written time.Time    `json:"written"`
	Ended   bool         `json:"ended"` // it ended in good order
	Flows   []FlowStatus `json:"flows"`
}

// Stale says whether the agent has not said anything for so long that it is not running any more, or stands still.
func (s *Status) Stale(now time.Time) bool { return s.Ended || now.Sub(s.Written) > statusStale }

// StatusPath is where an agent with that checkpoint file writes its status.
func StatusPath(checkpointFile string) string { return checkpointFile + ".status" }

// ReadStatus reads what an agent last wrote. No file is fs.ErrNotExist.
func ReadStatus(path string) (*Status, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s holds no status of an agent: %w", path, err)
	}
	return &s, nil
}

// Agent is the flows of one configuration.
type Agent struct {
	o           Options
	log         *slog.Logger
	checkpoints *Checkpoints
	reporter    *report.Reporter
	flows       []*Flow
	started     time.Time
	statusError string // last one logged
}

// New opens the checkpoints and begins each flow where they say. Nothing is read or sent before Run. The caller closes.
func New(o Options) (*Agent, error) {
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Agent{o: o, log: o.Log, started: o.Clock.Now()}
	var err error
	if a.checkpoints, err = OpenCheckpoints(o.Config.CheckpointFile); err != nil {
		return nil, err
	}
	metrics, err := a.metrics()
	if err != nil {
		return nil, errors.Join(err, a.checkpoints.Close())
	}
	sending := make(chan struct{}, o.Config.MaxSendingThreads) // a token for each request on its way
	acquire := func(ctx context.Context) (func(), error) {
		select {
		case sending <- struct{}{}:
			return func() { <-sending }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for _, c := range o.Config.Flows {
		var sink Sink = StreamSink{API: o.Services.Kinesis, Stream: c.Stream}
		if c.Delivery {
			sink = DeliverySink{API: o.Services.Firehose, Stream: c.Stream}
		}
		flow, err := NewFlow(FlowOptions{Config: c, Sink: sink, Checkpoints: a.checkpoints, Clock: o.Clock, Log: o.Log, Metrics: metrics, Acquire: acquire})
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		a.flows = append(a.flows, flow)
	}
	return a, nil
}

// metrics is where the flows report to; nil when they do not.
func (a *Agent) metrics() (Metrics, error) {
	c := a.o.Config
	if !c.EmitMetrics {
		return nil, nil
	}
	var err error
	a.reporter, err = report.New(report.Options{
		API: a.o.Services.CloudWatch, Namespace: c.MetricsNamespace, Every: c.MetricsEvery, Capacity: c.MetricsQueue, Clock: a.o.Clock,
		Notice: func(err error) { a.log.Warn("metrics", "err", err) },
	})
	if err != nil {
		return nil, err
	}
	instance := ""
	if c.MetricsTagInstance {
		if instance, err = os.Hostname(); err != nil {
			a.log.Warn("metrics have no Instance: the name of this machine is unknown", "err", err)
		}
	}
	return cloudWatch{a.reporter, instance}, nil
}

// Close closes the files. It is called after Run, or in place of it.
func (a *Agent) Close() error {
	var errs []error
	for _, f := range a.flows {
		errs = append(errs, f.Close())
	}
	if a.reporter != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.reporter.Close(ctx); err != nil {
			a.log.Warn("metrics", "err", err)
		}
	}
	return errors.Join(append(errs, a.checkpoints.Close())...)
}

// Run sends until ctx ends. Then what has been read is sent, for at most the time that the configuration gives for it; the rest is read again next time.
func (a *Agent) Run(ctx context.Context) error {
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var flows, others sync.WaitGroup
	for _, f := range a.flows {
		flows.Go(func() { f.Run(ctx, drain) })
	}
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	others.Go(func() {
		select {
		case <-ctx.Done():
		case <-ended.Done():
			return
		}
		_ = clock.Sleep(ended, a.o.Clock, a.o.Config.ShutdownTimeout)
		cancel()
	})
	others.Go(func() { a.every(ended, statusEvery, func() { a.writeStatus(false) }) })
	others.Go(func() { a.every(ended, a.o.Config.StatusPeriod, a.progress) })
	a.writeStatus(false)
	flows.Wait()
	end()
	others.Wait()
	a.progress()
	a.writeStatus(true)
	return nil
}

// every does something now and then until ctx ends.
func (a *Agent) every(ctx context.Context, period time.Duration, do func()) {
	for clock.Sleep(ctx, a.o.Clock, period) == nil {
		do()
	}
}

// progress logs a line for each flow.
func (a *Agent) progress() {
	for _, f := range a.flows {
		s := f.Status()
		fields := []any{"flow", s.Flow, "sent", s.Sent, "sentBytes", s.SentBytes, "queued", s.Queued, "bytesBehind", s.BytesBehind}
		if n := f.status.skips(); n > 0 {
			fields = append(fields, "skippedAndNotLogged", n)
		}
		if a.o.Config.LogMetrics {
			fields = append(fields, "lines", s.Lines, "requests", s.Requests, "retried", s.Retried, "skipped", s.Skipped, "unconverted", s.Unconverted, "cut", s.Cut,
				"refused", s.Refused, "lost", s.Lost, "files", len(s.Files))
		}
		a.log.Info("progress", fields...)
	}
}

// Status is how the agent is.
func (a *Agent) Status() Status {
	s := Status{PID: os.Getpid(), Config: a.o.Config.Path, Started: a.started, Written: a.o.Clock.Now(), Flows: []FlowStatus{}}
	for _, f := range a.flows {
		s.Flows = append(s.Flows, f.Status())
	}
	return s
}

// writeStatus replaces the status file. A status that cannot be written is said once; sending goes on.
func (a *Agent) writeStatus(ended bool) {
	s := a.Status()
	s.Ended = ended
	text, err := json.MarshalIndent(s, "", "  ")
	path := StatusPath(a.o.Config.CheckpointFile)
	if err == nil {
		err = os.WriteFile(path+".new", append(text, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble != "" && trouble != a.statusError {
		a.log.Warn("the status cannot be written, so weir agent status shows an old one", "err", err)
	}
	a.statusError = trouble
}
