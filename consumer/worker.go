package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weir-stream/weir/internal/clock"
)

// Worker takes part in an application: it has leases, processes their shards, and may be the leader that gives leases to workers.
type Worker struct {
	options  Options
	table    *table
	lock     *lock
	consumer string // ARN, in fan-out; set before any shard is processed

	started  atomic.Bool
	stopOnce sync.Once
	stopping chan struct{} // closed by Shutdown
	done     chan struct{} // closed when Run has ended
	kick     chan struct{} // wakes the leader's loop; capacity 1, and a full one is as good
	look     chan struct{} // wakes the loop that looks for leases; the same
	shards   sync.WaitGroup

	mu       sync.Mutex // guards everything below
	holdings map[string]*holding
	running  map[string]bool // shards that are being processed
	kill     context.CancelFunc

	leading leading // only the leader's loop
}

// New checks the options and makes a worker. Nothing is asked of anybody before Run.
func New(options Options) (*Worker, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	options.DynamoDB, options.Kinesis = timedDynamo{options.DynamoDB}, timedKinesis{options.Kinesis}
	t := &table{db: options.DynamoDB, name: options.Application, worker: options.Worker, clock: options.Clock}
	return &Worker{
		options: options, table: t, lock: &lock{table: t, lease: options.LeaderLease},
		stopping: make(chan struct{}), done: make(chan struct{}), kick: make(chan struct{}, 1), look: make(chan struct{}, 1),
		holdings: map[string]*holding{}, running: map[string]bool{}, kill: func() {},
	}, nil
}

// Name is the worker's name in the lease table.
func (w *Worker) Name() string { return w.options.Worker }

// Run works until Shutdown, and returns nil then; or until ctx ends, and returns its error: then everything stops at once, processors are told LeaseLost, nothing is
// given up, and others take the leases when they expire. ErrState: the application's table is not one to take part in. Other errors are those of the start, after
// twenty tries. When it returns, nothing of the worker is running. A worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	if !w.started.CompareAndSwap(false, true) {
		return errors.New("consumer: a worker runs once")
	}
	defer close(w.done)
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	w.mu.Lock()
	w.kill = kill
	w.mu.Unlock()
	if stopped, err := w.start(ctx); stopped || err != nil {
		return err
	}
	w.report(ctx)                            // before this worker may lead, or it would find nobody to give leases to
	working, rest := context.WithCancel(ctx) // until the worker stops taking anything on
	defer rest()
	var loops, beats sync.WaitGroup
	loops.Go(func() {
		for clock.Sleep(working, w.options.Clock, w.options.WorkerMetricsEvery) == nil {
			w.report(working)
		}
	})
	for _, l := range []struct {
		every time.Duration
		kick  <-chan struct{}
		f     func(context.Context)
	}{
		{w.options.AssignEvery / 2, w.look, func(working context.Context) { w.discover(ctx, working) }},
		{w.options.LeaderHeartbeat, nil, w.campaign},
		{w.options.AssignEvery, w.kick, w.lead},
		{w.options.LeaseCleanup, nil, w.clean},
	} {
		loops.Go(func() { every(working, w.options.Clock, l.every, l.kick, func() { l.f(working) }) })
	}
	beats.Go(func() { every(ctx, w.options.Clock, w.options.Failover/3, nil, func() { w.renew(ctx) }) })
	select {
	case <-ctx.Done():
	case <-w.stopping:
		rest()
		loops.Wait()
		w.leave(ctx)
	}
	err := ctx.Err()
	kill()
	loops.Wait()
	beats.Wait()
	w.shards.Wait()
	return err
}

// Shutdown ends the worker in order: processors are told ShutdownRequested and may checkpoint, leases are given up, and the leader's lock too. It returns when Run has.
// If ctx ends before, everything is stopped as it is, and its error returned.
func (w *Worker) Shutdown(ctx context.Context) error {
	w.stopOnce.Do(func() { close(w.stopping) })
	if w.started.CompareAndSwap(false, true) {
		close(w.done)
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		kill := w.kill
		w.mu.Unlock()
		kill()
		<-w.done
		return ctx.Err()
	}
}

// startAttempts is how often a start is tried (maxInitializationAttempts of the KCL).
const startAttempts = 20

// start makes what the application needs. stopped is that Shutdown came first.
func (w *Worker) start(ctx context.Context) (stopped bool, err error) {
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return w.table.create(ctx, w.options.ProvisionedCapacity) },
		w.table.enter,
		func(ctx context.Context) error { return w.table.createIndex(ctx, w.options.IndexPatience) },
	}
	if w.options.FanOut {
		steps = append(steps, w.registerConsumer)
	}
	for _, step := range steps {
		wait := w.backoff()
		for attempt := 1; ; attempt++ {
			if err = step(ctx); err == nil {
				break
			}
			if ctx.Err() != nil || errors.Is(err, ErrState) || attempt == startAttempts {
				return false, fmt.Errorf("consumer %s: %w", w.options.Application, err)
			}
			w.options.Notice(err)
			timer := w.options.Clock.NewTimer(wait.next())
			select {
			case <-timer.C():
			case <-ctx.Done():
			case <-w.stopping:
				timer.Stop()
				return true, nil
			}
			timer.Stop()
		}
	}
	return false, nil
}

// report says that the worker is there.
func (w *Worker) report(ctx context.Context) {
	w.notice(ctx, w.table.report(ctx))
}

// notice passes trouble on, unless it is only that the worker stops.
func (w *Worker) notice(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		w.options.Notice(err)
	}
}

// discover takes up leases that are this worker's by now. ctx is that of the shards, working that of the search.
func (w *Worker) discover(ctx, working context.Context) {
	began := w.options.Clock.Now()
	w.forget()
	keys, err := w.table.mine(working)
	w.took("", began, err == nil, operation("LeaseDiscovery"), w.identity())
	if err != nil {
		w.notice(working, err)
		return
	}
	found := 0
	for _, key := range keys {
		w.mu.Lock()
		_, have := w.holdings[key]
		w.mu.Unlock()
		if have {
			continue
		}
		at := w.options.Clock.Now()
		l, err := w.table.get(working, key)
		if err != nil {
			w.notice(working, err)
			continue
		}
		if l == nil || l.owner != w.options.Worker || l.handingOff != "" {
			continue // the index is behind, or its owner has yet to finish
		}
		found++
		w.hold(ctx, l, at)
	}
	w.measure("NewLeasesDiscovered", float64(found), count, operation("LeaseDiscovery"), w.identity())
}

// forget drops holdings that are over.
func (w *Worker) forget() {
	for _, h := range w.idle() {
		if !h.valid() {
			w.mu.Lock()
			delete(w.holdings, h.shard)
			w.mu.Unlock()
		}
	}
}

// idle is the holdings whose shards are not being processed: finished ones, and those that are over.
func (w *Worker) idle() []*holding {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*holding
	for key, h := range w.holdings {
		if !w.running[key] {
			all = append(all, h)
		}
	}
	return all
}

// hold begins to renew a lease, and to process its shard unless that is finished.
func (w *Worker) hold(ctx context.Context, l *lease, at time.Time) {
	ctx, lose := context.WithCancelCause(ctx)
	h := &holding{w: w, shard: l.shard, lost: lose, asked: make(chan struct{}), lease: *l, renewed: at, measured: at}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holdings[l.shard] = h
	w.event(EventLeaseTaken, l.shard, "at "+l.checkpoint.String())
	if l.ended() {
		return
	}
	w.running[l.shard] = true
	w.shards.Go(func() {
		defer lose(nil)
		leaving, stop := either(ctx, h.asked, w.stopping)
		defer stop()
		r := &run{w: w, h: h, shard: l.shard, leaving: leaving, check: &checkpointer{holding: h, handed: l.checkpoint}}
		r.unpacker = unpacker{shard: l.shard, hashes: l.hashes, after: l.checkpoint, notice: w.options.Notice, denied: func(sequence string, parts int) {
			w.event(EventAggregateDenied, l.shard, fmt.Sprintf("record %s with %d parts, not all of which belong to the shard", sequence, parts))
			w.measure("AggregatesDenied", 1, count, operation("ProcessTask"), shardDimension(l.shard))
		}}
		r.process(ctx)
		if now := h.snapshot(); !now.ended() {
			h.abandon()
		}
		w.mu.Lock()
		delete(w.running, l.shard)
		w.mu.Unlock()
	})
}

// abandon stops renewing a lease that nobody processes here any more.
func (h *holding) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left("without an answer")
}

// either is closed when a or b is. stop waits for what watches them.
func either(ctx context.Context, a, b <-chan struct{}) (closed <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-a:
			close(out)
		case <-b:
			close(out)
		case <-ctx.Done():
		}
	}()
	return out, func() { cancel(); <-ended }
}

// renew sends a heartbeat for every lease, RenewThreads at a time. A request that takes longer than the lease lives is of no use.
func (w *Worker) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.options.Failover)
	defer cancel()
	began := w.options.Clock.Now()
	w.mu.Lock()
	var all []*holding
	for _, h := range w.holdings {
		all = append(all, h)
	}
	w.mu.Unlock()
	var failed atomic.Bool
	var wait sync.WaitGroup
	slots := make(chan struct{}, w.options.RenewThreads)
	for _, h := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			began := w.options.Clock.Now()
			err := h.renew(ctx)
			w.took("RenewLease", began, err == nil, operation("RenewAllLeases"), w.identity())
			if err != nil {
				failed.Store(true)
				w.notice(ctx, err)
			}
		})
	}
	wait.Wait()
	w.measure("CurrentLeases", float64(len(all)), count, operation("RenewAllLeases"), w.identity())
	w.took("", began, !failed.Load(), operation("RenewAllLeases"), w.identity())
}

// leave gives everything up in order, while heartbeats go on. The worker's item goes first, so that no leader gives it more, and then the leader's lock, so that there
// soon is one.
func (w *Worker) leave(ctx context.Context) {
	_, err := w.options.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(w.options.Application), Key: map[string]types.AttributeValue{attrKey: text(w.options.Worker)},
	})
	w.notice(ctx, err)
	if w.lock.held() {
		w.notice(ctx, w.lock.release(ctx))
		w.event(EventLeaderGone, "", "in order")
	}
	w.shards.Wait()
	w.mu.Lock()
	rest := w.holdings
	w.mu.Unlock()
	for _, h := range rest { // of finished shards
		w.notice(ctx, h.release(ctx, "in order"))
	}
	keys, err := w.table.mine(ctx)
	w.notice(ctx, err)
	for _, key := range keys { // given to this worker while it left
		l, err := w.table.get(ctx, key)
		w.notice(ctx, err)
		if l != nil && l.owner == w.options.Worker && l.handingOff == "" {
			_, err := w.table.evict(ctx, l)
			w.notice(ctx, err)
		}
	}
}

// wake makes a loop look at once.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been woken
	}
}
