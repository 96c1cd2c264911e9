package functions

import (
	"context"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

const (
	// runningMax is how many asynchronous events run at once; the others wait in order. The sandbox bounds processes; this bounds goroutines and payloads in memory.
	runningMax = 128
	// queueChunk is how much of the log is read at once.
	queueChunk = 1 << 20
	// trimEvery is after how many records the log is trimmed.
	trimEvery = 1024
	// queuePause is how long to wait after a failure of ours.
	queuePause = time.Second
)

// queue is the asynchronous events: durable, in order of arrival, run at least once.
//
// Enqueue appends and answers. The reader follows the log and keeps the fold of it, waiting; the dispatcher begins what is due; each run appends what came of it, which
// the reader meets like everything else. So after a kill the log says what is not done, and that runs again: an event that had run when its Done was not yet durable
// runs twice.
type queue struct {
	f    *Functions
	log  commitlog.Log
	done chan struct{} // closed when run has returned

	mu       sync.Mutex // guards everything below
	waiting  *waiting
	read     commitlog.Position // behind the last record applied
	appended commitlog.Position // behind the last record that this node knows to have appended
	running  int                // runs under way, and those whose record has not come back
	coming   int                // appends of new events under way
	looked   commitlog.Position // where trim last looked
	changed  chan struct{}      // closed and replaced when the dispatcher should look again
}

func openQueue(ctx context.Context, f *Functions) (*queue, error) {
	q := &queue{f: f, log: f.options.Events, done: make(chan struct{}), waiting: newWaiting(), changed: make(chan struct{})}
	bounds, err := q.log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	q.read, q.appended, q.looked = bounds.First, bounds.Next, bounds.First
	for q.read < bounds.Next {
		if err := q.readChunk(ctx); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// readChunk applies what the log holds next.
func (q *queue) readChunk(ctx context.Context) error {
	chunk, err := q.log.Read(ctx, q.read, queueChunk)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var r batch.Record
	records := batch.Iterate(chunk.Batches)
	for records.Next(&r) {
		if r.Position < q.read {
			continue
		}
		if err := q.waiting.apply(r.Position, r.Key); err != nil {
			return err
		}
	}
	if err := records.Err(); err != nil {
		return err
	}
	if chunk.Next > q.read {
		q.read = chunk.Next
	}
	close(q.changed)
	q.changed = make(chan struct{})
	return nil
}

// run follows the log and runs events until ctx ends (no error) or the log cannot be followed.
func (q *queue) run(ctx context.Context) error {
	defer close(q.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var dispatching sync.WaitGroup
	dispatching.Go(func() { q.dispatch(ctx) })
	defer dispatching.Wait()
	defer cancel()
	for {
		err := q.log.Wait(ctx, q.read)
		if err == nil {
			err = q.readChunk(ctx)
		}
		if err == nil {
			err = q.trim(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
		case !fault.Is(err, fault.Unavailable):
			return fault.Wrap(err, "log of events")
		default:
			q.f.options.Logger.Warn("functions: the log of events does not answer; trying again", "err", err)
			if clock.Sleep(ctx, q.f.options.Backoff, queuePause) != nil {
				return nil
			}
		}
	}
}

// trim lets go of the records that no event needs any more. Looking for the oldest that one does is a walk over all that wait, so that it is done now and then.
func (q *queue) trim(ctx context.Context) error {
	q.mu.Lock()
	due := q.read-q.looked >= trimEvery
	oldest := commitlog.Position(0)
	if due {
		oldest, q.looked = q.waiting.oldest(q.read), q.read
	}
	q.mu.Unlock()
	if !due {
		return nil
	}
	return q.log.Trim(ctx, oldest)
}

// InvokeEvent takes an event that nobody waits for, and gives the id of its invocations. It is durable when this returns, and runs at least once. The error says whether
// it was taken: with the mark "unknown" it may have been.
//
// Faults: as Invoke's, but for what only running it tells; Throttled also when too many wait.
func (f *Functions) InvokeEvent(ctx context.Context, r Request) (requestID string, err error) {
	if err := checkPayload(r.Payload, EventPayloadBytesMax); err != nil {
		return "", err
	}
	if _, _, err := f.Resolve(r.Function); err != nil {
		return "", err
	}
	id, err := f.ids.next()
	if err != nil {
		return "", err
	}
	arrived := eventArrived{ID: id, Function: r.Function, Received: f.options.Clock.Now().UnixMilli(), Source: r.Source, ClientContext: r.ClientContext, TraceID: r.TraceID}
	return id, f.queue.enqueue(ctx, arrived, r.Payload)
}

func (q *queue) enqueue(ctx context.Context, arrived eventArrived, payload []byte) error {
	q.mu.Lock()
	full := len(q.waiting.events)+q.coming+int(max(q.appended-q.read, 0)) >= q.f.options.EventsMax
	if !full {
		q.coming++
	}
	q.mu.Unlock()
	if full {
		return fault.New(fault.Throttled, "Rate Exceeded.")
	}
	defer func() {
		q.mu.Lock()
		q.coming--
		q.mu.Unlock()
	}()
	var b batch.Batch
	if err := q.add(&b, arrivedKind, arrived, payload); err != nil {
		return err
	}
	return q.append(ctx, &b)
}

func (q *queue) append(ctx context.Context, b *batch.Batch) error {
	n := commitlog.Position(b.Len())
	position, err := q.log.Append(ctx, b)
	if err != nil {
		return fault.Wrap(err, "log of events")
	}
	q.mu.Lock()
	q.appended = max(q.appended, position+n)
	q.mu.Unlock()
	return nil
}

// dispatch begins what is due, until ctx ends; then it waits for what runs.
func (q *queue) dispatch(ctx context.Context) {
	var runs sync.WaitGroup
	defer runs.Wait()
	room := make(chan struct{}, runningMax)
	now := q.f.options.Clock
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		q.mu.Lock()
		e := q.waiting.begin(now.Now())
		if e != nil {
			q.running++
		}
		next, changed := q.waiting.next(), q.changed
		q.mu.Unlock()
		if e != nil {
			runs.Go(func() {
				q.runEvent(ctx, e)
				q.mu.Lock()
				q.running--
				q.mu.Unlock()
				<-room
			})
			continue
		}
		<-room
		if next.IsZero() {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			continue
		}
		timer := now.NewTimer(next.Sub(now.Now()))
		select {
		case <-timer.C():
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// runEvent tries an event once and says what came of it.
func (q *queue) runEvent(ctx context.Context, e *event) {
	payload, err := q.payload(ctx, e.position)
	if err != nil {
		if fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Trimmed) {
			q.f.options.Logger.Error("an asynchronous event is lost: its payload cannot be read", "function", e.Function, "request", e.ID, "err", err)
			q.finish(ctx, e, nil)
			return
		}
		q.later(ctx, e, err)
		return
	}
	function, _, err := q.f.Resolve(e.Function)
	if err != nil {
		q.f.options.Logger.Warn("an asynchronous event is dropped: its function is gone", "function", e.Function, "request", e.ID)
		q.finish(ctx, e, nil)
		return
	}
	config := function.EventConfig(qualifierOf(e.Function))
	if age := q.f.options.Clock.Now().Sub(time.UnixMilli(e.Received)); age > config.age() {
		q.giveUp(ctx, e, config, conditionAge, e.invokes, payload, nil)
		return
	}
	result, err := q.f.invoke(ctx, Request{Function: e.Function, Payload: payload, Source: e.Source, ClientContext: e.ClientContext, TraceID: e.TraceID}, e.ID)
	switch {
	case ctx.Err() != nil: // the node stops: nobody knows how far it came, and it runs again
	case err != nil:
		q.later(ctx, e, err)
	case result.FunctionError == "":
		if config != nil && config.OnSuccess != "" {
			q.pass(ctx, e, config.OnSuccess, conditionSuccess, e.invokes+1, payload, &result)
			return
		}
		q.finish(ctx, e, nil)
	case e.invokes < config.retries():
		invokes := e.invokes + 1
		tried := eventTried{e.position, invokes, q.f.options.Clock.Now().Add(firstRetry * time.Duration(invokes)).UnixMilli()}
		q.record(ctx, func(b *batch.Batch) error { return q.add(b, triedKind, tried, nil) })
	default:
		q.giveUp(ctx, e, config, conditionExhausted, e.invokes+1, payload, &result)
	}
}

// qualifierOf is the qualifier in a function's ARN, which has been parsed before.
func qualifierOf(functionARN string) string {
	parsed, err := arn.Parse(functionARN)
	if err != nil {
		return ""
	}
	_, qualifier, _ := parsed.FunctionName()
	return qualifier
}

// later makes an event wait that could not be tried: it may not run now, or a part of the server did not answer. That costs no retry, and is not written down: after a
// restart it is tried at once.
func (q *queue) later(ctx context.Context, e *event, err error) {
	if ctx.Err() != nil {
		return
	}
	if !fault.Is(err, fault.Throttled) {
		q.f.options.Logger.Warn("an asynchronous event could not be run; trying again", "function", e.Function, "request", e.ID, "err", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.delay = min(max(2*e.delay, throttledMin), throttledMax)
	q.waiting.again(e, q.f.options.Clock.Now().Add(e.delay))
	close(q.changed)
	q.changed = make(chan struct{})
}

// giveUp ends an event that will not succeed.
func (q *queue) giveUp(ctx context.Context, e *event, config *EventConfig, condition string, invokes int, payload []byte, result *Result) {
	if config != nil && config.OnFailure != "" {
		q.pass(ctx, e, config.OnFailure, condition, invokes, payload, result)
		return
	}
	q.f.options.Logger.Warn("an asynchronous event is given up", "function", e.Function, "request", e.ID, "condition", condition, "invokes", invokes)
	q.finish(ctx, e, nil)
}

// pass ends an event and hands what became of it to a destination, both or neither.
func (q *queue) pass(ctx context.Context, e *event, destination, condition string, invokes int, payload []byte, result *Result) {
	drop := func(why string) {
		q.f.options.Logger.Warn("what became of an asynchronous event is not passed on", "function", e.Function, "request", e.ID, "destination", destination, "why", why)
		q.finish(ctx, e, nil)
	}
	if e.Hops >= hopsMax {
		drop("it has come through too many destinations")
		return
	}
	functionARN := e.Function
	if qualifierOf(functionARN) == "" {
		functionARN += ":" + Latest
	}
	now := q.f.options.Clock.Now()
	text, err := document(e, functionARN, condition, invokes, now, payload, result)
	if err == nil && len(text) > EventPayloadBytesMax {
		err = fault.New(fault.LimitExceeded, "it has %d bytes, and events at most %d", len(text), EventPayloadBytesMax)
	}
	if err != nil {
		drop(err.Error())
		return
	}
	id, err := q.f.ids.next()
	if err != nil {
		drop(err.Error())
		return
	}
	q.finish(ctx, e, func(b *batch.Batch) error {
		arrived := eventArrived{ID: id, Function: destination, Received: now.UnixMilli(), Source: functionARN, TraceID: e.TraceID, Hops: e.Hops + 1}
		return q.add(b, arrivedKind, arrived, text)
	})
}

// finish writes down that an event is done, and what more it is given.
func (q *queue) finish(ctx context.Context, e *event, more func(*batch.Batch) error) {
	q.record(ctx, func(b *batch.Batch) error {
		if more != nil {
			if err := more(b); err != nil {
				return err
			}
		}
		return q.add(b, doneKind, eventDone{e.position}, nil)
	})
}

// record appends what fill says, until it is durable or ctx ends. A lost answer may make it stand twice, which the second Done and Tried do not mind; of a
// destination's event it makes two.
func (q *queue) record(ctx context.Context, fill func(*batch.Batch) error) {
	for {
		var b batch.Batch
		err := fill(&b)
		if err == nil {
			err = q.append(ctx, &b)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		q.f.options.Logger.Warn("functions: what became of an event could not be written down; trying again", "err", err)
		if clock.Sleep(ctx, q.f.options.Backoff, queuePause) != nil {
			return
		}
	}
}

func (q *queue) add(b *batch.Batch, kind string, h happening, payload []byte) error {
	key, err := commands.Encode(kind, h)
	if err != nil {
		return err
	}
	b.Append(q.f.options.Clock.Now().UnixMilli(), key, payload)
	return nil
}

// payload reads the payload of the event at a position.
func (q *queue) payload(ctx context.Context, position commitlog.Position) ([]byte, error) {
	chunk, err := q.log.Read(ctx, position, 1)
	if err != nil {
		return nil, err
	}
	var r batch.Record
	records := batch.Iterate(chunk.Batches)
	for records.Next(&r) {
		if r.Position == position {
			return append([]byte(nil), r.Value...), nil
		}
	}
	if err := records.Err(); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Corrupt, "log of events: there is nothing at %d", position)
}

// Settled says whether nothing is under way at a time: no function is being made ready, no asynchronous event runs or is due, and what was appended has been read.
func (f *Functions) Settled(now time.Time) bool {
	f.mu.RLock()
	settled := f.settled
	f.mu.RUnlock()
	ready := settled == f.Catalog().version
	q := f.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	next := q.waiting.next()
	return ready && f.left.idle() && q.running == 0 && q.coming == 0 && q.read >= q.appended && (next.IsZero() || next.After(now))
}

// Waiting is how many asynchronous events are not done.
func (f *Functions) Waiting() int {
	f.queue.mu.Lock()
	defer f.queue.mu.Unlock()
	return len(f.queue.waiting.events)
}
