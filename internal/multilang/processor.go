package multilang

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/consumer"
)

// processor is a shard's Processor: its child, and the conversation with it, which is one request and one status after the other. While a request waits for its status
// the child may ask for checkpoints.
//
// When the child fails - dies, is silent for too long, or answers something else than was asked - the shard cannot go on here: records that the child had and did not
// checkpoint are in no one's hands, so the next child must begin at the checkpoint. The processor refuses every further call, and the round that it is part of ends,
// as the original's daemon does.
type processor struct {
	round *round
	shard string

	child  *child
	last   consumer.Position // of the last record that the child was given
	atEnd  bool              // ShardEnded has been called
	ended  bool              // SHARD_END is written
	failed error             // why no call is made any more
	busy   atomic.Bool       // a request waits for its status
}

// failure is that a child cannot go on.
type failure struct {
	shard string
	error
}

// Unwrap is what happened.
func (f failure) Unwrap() error { return f.error }

// Is says that it is an ErrProcessor.
func (f failure) Is(target error) bool { return target == ErrProcessor }

// Error is the shard and what happened.
func (f failure) Error() string { return f.shard + ": " + f.error.Error() }

// errHalted is that the daemon has no more patience.
var errHalted = errors.New("the daemon stops, and the processor did not finish in time")

// Initialize starts the child.
func (p *processor) Initialize(ctx context.Context, start consumer.Start) error {
	if p.failed != nil {
		return p.failed
	}
	s := p.round.settings
	c, err := startChild(p.shard, s.Command, p.round.environment, p.round.clock, p.round.say, func(how string) {
		if !p.busy.Load() { // otherwise the request notices, and can say during what
			p.round.fail(failure{p.shard, fmt.Errorf("the processor ended by itself: %s", how)})
		}
	})
	if err != nil {
		return p.fail(fmt.Errorf("start the processor: %w", err))
	}
	p.child = c
	p.round.keep(c)
	at := start.From
	return p.must(p.request(ctx, actionInitialize, initializeMessage{actionInitialize, p.shard, at.SequenceNumber, at.SubSequenceNumber}, nil))
}

// ProcessRecords hands the records over, and waits until the child has processed them, also when the lease is lost meanwhile: the child cannot be told before.
func (p *processor) ProcessRecords(ctx context.Context, batch consumer.Batch) error {
	if p.failed != nil {
		return p.failed
	}
	if n := len(batch.Records); n > 0 {
		p.last = batch.Records[n-1].Position()
	}
	return p.must(p.request(ctx, actionProcessRecords, recordsMessage(batch), batch.Checkpoint))
}

// LeaseLost tells the child, and ends it. What goes wrong with it costs nothing any more, and is told.
func (p *processor) LeaseLost(ctx context.Context) {
	if p.gone() {
		return
	}
	p.finish(p.ask(ctx, actionLeaseLost, plainMessage{actionLeaseLost}, nil))
}

// ShardEnded tells the child, which must checkpoint. If it does not it is told again, as the original's documentation says.
func (p *processor) ShardEnded(ctx context.Context, check consumer.Checkpointer) error {
	if p.failed != nil {
		return p.failed
	}
	p.atEnd = true
	if err := p.must(p.ask(ctx, actionShardEnded, plainMessage{actionShardEnded}, check)); err != nil {
		return err
	}
	if !p.ended {
		return errors.New("the processor has not checkpointed at the end of the shard")
	}
	p.finish(nil)
	return nil
}

// ShutdownRequested lets the child checkpoint, tells it that the lease is gone, as the original does when it gives it up, and ends it.
func (p *processor) ShutdownRequested(ctx context.Context, check consumer.Checkpointer) error {
	if p.gone() {
		return nil
	}
	err := p.ask(ctx, actionShutdownRequested, plainMessage{actionShutdownRequested}, check)
	if err == nil {
		err = p.ask(ctx, actionLeaseLost, plainMessage{actionLeaseLost}, nil)
	}
	p.finish(err)
	return nil
}

// gone says whether there is no child to talk to.
func (p *processor) gone() bool { return p.child == nil || p.failed != nil }

// finish ends the child: in order, or at once if it has failed.
func (p *processor) finish(err error) {
	if err != nil {
		p.round.say(p.shard, "weir: "+err.Error())
		p.child.kill()
	} else {
		p.child.close()
	}
	p.round.drop(p.child)
	p.child = nil
}

// must makes a failed request the end of the processor.
func (p *processor) must(err error) error {
	if err == nil {
		return nil
	}
	return p.fail(err)
}

func (p *processor) fail(err error) error {
	if p.child != nil {
		p.child.kill()
		p.round.drop(p.child)
		p.child = nil
	}
	why := failure{p.shard, err}
	p.failed = why
	p.round.fail(why)
	return why
}

// request asks a child that must live on.
func (p *processor) request(ctx context.Context, action string, message any, check consumer.Checkpointer) error {
	if err := p.ask(ctx, action, message, check); err != nil {
		return err
	}
	select { // what ended before busy was false is seen here, what ended later by the child's own goroutine
	case <-p.child.exited:
		return p.lost(action)
	default:
		return nil
	}
}

// ask sends a request and waits for its status. Meanwhile the child's checkpoints are made, each answered before anything else is read. check is nil where there is
// nothing to checkpoint.
func (p *processor) ask(ctx context.Context, action string, message any, check consumer.Checkpointer) error {
	p.busy.Store(true)
	defer p.busy.Store(false)
	request, err := encode(message)
	if err != nil {
		return err
	}
	w := p.waiting(action)
	defer w.stop()
	c := p.child
	c.send(request)
	unwritten, answered := 1, false
	for !answered || unwritten > 0 {
		// While an answer is on its way, and once the status is there, nothing is read.
		lines, exited := (<-chan []byte)(c.lines), (<-chan struct{})(nil)
		if answered || unwritten > 0 && w.answering {
			lines, exited = nil, c.exited
		}
		select {
		case line, more := <-lines:
			if !more {
				return p.lost(action)
			}
			said, err := decode(line)
			if err != nil {
				if len(line) > 0 {
					p.round.say(p.shard, string(line)) // printed by the processor or a library in it
				}
				continue
			}
			w.heard()
			switch said.action {
			case actionStatus:
				if said.responseFor != action {
					return fmt.Errorf("%s: the processor answered with a status for %.60q", action, said.responseFor)
				}
				answered = true
			case actionCheckpoint:
				answer, err := encode(p.checkpoint(ctx, said, check))
				if err != nil {
					return err
				}
				w.heard() // the time of the checkpoint is not the child's
				c.send(answer)
				unwritten, w.answering = unwritten+1, true
			default:
				p.round.say(p.shard, fmt.Sprintf("weir: the processor sent %.60q, which has no meaning", said.action))
			}
		case err := <-c.wrote:
			if err != nil {
				return p.lost(action)
			}
			unwritten--
			w.answering = w.answering && unwritten > 0
		case <-exited:
			return p.lost(action)
		case <-w.timeout:
			return fmt.Errorf("%s: the processor has not answered within %s (timeoutInSeconds)", action, p.round.settings.Timeout)
		case <-w.warning:
			w.warn()
		case <-p.round.halt:
			return fmt.Errorf("%s: %w", action, errHalted)
		}
	}
	return nil
}

// lost says how a child was lost that no longer talks: it has ended, or is about to, or has closed its output or input and goes on without.
func (p *processor) lost(action string) error {
	timer := p.round.clock.NewTimer(pipeGrace)
	defer timer.Stop()
	select {
	case <-p.child.exited:
		return fmt.Errorf("%s: the processor ended: %s", action, p.child.exit)
	case <-timer.C():
		return fmt.Errorf("%s: the processor closed its standard input or output", action)
	case <-p.round.halt:
		return fmt.Errorf("%s: %w", action, errHalted)
	}
}

// checkpoint does what a child asks for, and makes the answer.
func (p *processor) checkpoint(ctx context.Context, said answer, check consumer.Checkpointer) checkpointMessage {
	m := checkpointMessage{Action: actionCheckpoint, SequenceNumber: said.sequence, SubSequenceNumber: said.subSequence}
	refuse := func(name string, err error) checkpointMessage {
		p.round.say(p.shard, "weir: "+err.Error())
		m.Error = &name
		return m
	}
	if check == nil {
		return refuse("InvalidStateException", errors.New("the processor asked for a checkpoint where there can be none"))
	}
	var err error
	end := p.atEnd && said.sequence == nil
	if said.sequence == nil {
		err = check.Checkpoint(ctx)
	} else {
		at := consumer.Position{SequenceNumber: *said.sequence}
		if said.subSequence != nil {
			at.SubSequenceNumber = *said.subSequence
		}
		if end = p.atEnd && at == p.last; end {
			err = check.Checkpoint(ctx) // at the end of the shard its last record is the end, as in the KCL
		} else {
			err = check.CheckpointAt(ctx, at)
		}
	}
	if err != nil {
		return refuse(exception(ctx, err), fmt.Errorf("checkpoint: %w", err))
	}
	p.ended = p.ended || end
	return m
}

// exception is the name of the Java exception that the KCL's checkpointer would have thrown.
func exception(ctx context.Context, err error) string {
	var api smithy.APIError
	var missing *types.ResourceNotFoundException
	switch {
	case errors.Is(err, consumer.ErrLeaseLost), ctx.Err() != nil:
		return "ShutdownException"
	case errors.Is(err, consumer.ErrPosition):
		return "IllegalArgumentException"
	case errors.As(err, &missing):
		return "InvalidStateException"
	case errors.As(err, &api) && throttles[api.ErrorCode()]:
		return "ThrottlingException"
	}
	return "KinesisClientLibDependencyException"
}

// throttles are DynamoDB's words for too fast.
var throttles = map[string]bool{"ProvisionedThroughputExceededException": true, "ThrottlingException": true, "RequestLimitExceeded": true, "LimitExceededException": true}

// waiting is a request's time: when the child was last heard, and how long the request has taken.
type waiting struct {
	p         *processor
	action    string
	began     time.Time
	answering bool // an answer to a checkpoint is being written
	timeout   <-chan time.Time
	warning   <-chan time.Time
	stops     [2]func() bool
}

func (p *processor) waiting(action string) *waiting {
	w := &waiting{p: p, action: action, began: p.round.clock.Now(), stops: [2]func() bool{func() bool { return true }, func() bool { return true }}}
	w.heard()
	w.rearm()
	return w
}

// heard begins the child's time anew.
func (w *waiting) heard() {
	w.stops[0]()
	if d := w.p.round.settings.Timeout; d > 0 {
		timer := w.p.round.clock.NewTimer(d)
		w.timeout, w.stops[0] = timer.C(), timer.Stop
	}
}

func (w *waiting) rearm() {
	timer := w.p.round.clock.NewTimer(w.p.round.settings.WarnAfter)
	w.warning, w.stops[1] = timer.C(), timer.Stop
}

func (w *waiting) warn() {
	w.p.round.say(w.p.shard, fmt.Sprintf("weir: the processor has been at %s for %s", w.action, w.p.round.clock.Now().Sub(w.began).Round(time.Second)))
	w.rearm()
}

func (w *waiting) stop() {
	w.stops[0]()
	w.stops[1]()
}
