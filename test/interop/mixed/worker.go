package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/consumer"
)

// work runs one worker until its standard input ends. Its intervals are those of interop.kcl.Worker.
func work(application, name, mode string) error {
	c := newClients()
	out := &printer{to: bufio.NewWriter(os.Stdout)}
	notice := func(err error) { fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), " WARN ", err) }
	metrics, err := report.New(report.Options{API: c.cloudwatch, Namespace: application, Every: 2 * time.Second, Notice: notice})
	if err != nil {
		return err
	}
	worker, err := consumer.New(consumer.Options{
		Application: application, Stream: application, Worker: name, Kinesis: c.kinesis, DynamoDB: c.dynamo, FanOut: mode == "fan-out",
		Factory:          func(shard string) (consumer.Processor, error) { return &processor{out: out, shard: shard}, nil },
		IdleBetweenReads: 250 * time.Millisecond, ParentPoll: time.Second, Failover: 4 * time.Second, ShardSync: 5 * time.Second, LeaseCleanup: 10 * time.Second,
		LeaderLease: 10 * time.Second, LeaderHeartbeat: 2 * time.Second, WorkerMetricsEvery: 3 * time.Second,
		Notice: notice, Metrics: metrics,
		Events: func(e consumer.Event) {
			fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), e.Kind, e.Shard, e.Detail)
		},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(context.Background()) }()
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nobody writes; the end is the word
		close(stop)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("run: %w", err)
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(worker.Shutdown(ctx), <-ended, metrics.Close(ctx))
}

// printer writes whole groups of lines, at once: a worker that is killed has printed what it has checkpointed.
type printer struct {
	mu sync.Mutex
	to *bufio.Writer
}

func (p *printer) say(lines ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range lines {
		if _, err := p.to.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return p.to.Flush()
}

// processor prints and checkpoints.
type processor struct {
	out   *printer
	shard string
}

func (p *processor) say(kind string) error {
	return p.out.say(fmt.Sprintf("%s %d %s", kind, time.Now().UnixMilli(), p.shard))
}

func (p *processor) Initialize(context.Context, consumer.Start) error { return p.say("I") }

func (p *processor) ProcessRecords(ctx context.Context, batch consumer.Batch) error {
	var lines []string
	for _, r := range batch.Records {
		lines = append(lines, fmt.Sprintf("R %d %s %s %s %s/%d", time.Now().UnixMilli(), p.shard, r.PartitionKey, r.Data, r.SequenceNumber, r.SubSequenceNumber))
	}
	if err := p.out.say(lines...); err != nil {
		return err
	}
	return p.unlessLost(batch.Checkpoint.Checkpoint(ctx))
}

func (p *processor) LeaseLost(context.Context) { _ = p.say("L") } // who reads it is gone if it cannot be said

func (p *processor) ShardEnded(ctx context.Context, c consumer.Checkpointer) error {
	return errors.Join(p.say("E"), p.unlessLost(c.Checkpoint(ctx))) // said before the checkpoint, behind which children may begin
}

func (p *processor) ShutdownRequested(ctx context.Context, c consumer.Checkpointer) error {
	return errors.Join(p.say("S"), p.unlessLost(c.Checkpoint(ctx)))
}

// unlessLost passes over that another worker has the lease by now, which reads again what was not checkpointed.
func (p *processor) unlessLost(err error) error {
	if errors.Is(err, consumer.ErrLeaseLost) {
		return p.say("X")
	}
	return err
}
