package mapping

import (
	"context"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// runner is one enabled mapping at work, as of one description of it.
type runner struct {
	// Set once.
	engine  *Engine
	options *Options
	mapping *Mapping
	filter  filter
	kind    Kind
	stream  string
	region  string

	cancel   context.CancelFunc
	done     chan struct{} // closed when the reader has ended
	reader   *readers.Reader
	stopping chan struct{} // closed by stop

	mu     sync.Mutex // guards everything below
	over   bool       // stopping is closed: nothing begins any more
	active int        // workers
	quiet  chan struct{}
	shards map[*shardRun]bool
	rests  map[string]*leftover // by key of the shard: of runs that have ended, here or in the runner before
}

// start begins to work on a mapping. rests is what the runner before has left, if there was one; it is the new one's.
func (e *Engine) start(ctx context.Context, m *Mapping, rests map[string]*leftover) (*runner, error) {
	source, err := e.options.Sources.Source(m.Source)
	if err != nil {
		return nil, err
	}
	r := &runner{
		engine: e, options: &e.options, mapping: m, kind: source.Kind, stream: source.Stream, region: source.Region, done: make(chan struct{}), stopping: make(chan struct{}),
		quiet: make(chan struct{}), shards: map[*shardRun]bool{}, rests: rests,
	}
	if r.filter, err = newFilter(m.Config.Filters); err != nil {
		return nil, err
	}
	start := readers.Start{Type: readers.TrimHorizon}
	switch m.Starting.Position {
	case "LATEST":
		start.Type = readers.Latest
	case "AT_TIMESTAMP":
		start = readers.Start{Type: readers.AtTimestamp, Time: m.Starting.Time}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.reader = readers.New(readers.Options{
		Source: source, Consumer: m.consumer(), Start: start, Checkpoints: e.options.Checkpoints, Clock: e.options.Clock, Consume: r.consume,
		Found: func(err error) { r.found(ctx, err) }, OnEvent: r.observe, Activity: &e.activity, Backoff: e.options.Backoff,
	})
	go func() {
		defer close(r.done)
		r.reader.Run(ctx)
	}()
	return r, nil
}

// stop ends the work: invocations that are under way are waited for and what they did is committed, unless ctx ends before. After it nothing of the runner runs.
func (r *runner) stop(ctx context.Context) {
	r.halt(ctx)
	r.cancel()
	<-r.done
}

// halt lets nothing begin any more, and waits until what is under way has ended, or ctx.
func (r *runner) halt(ctx context.Context) {
	r.mu.Lock()
	if !r.over {
		r.over = true
		close(r.stopping)
		if r.active == 0 {
			close(r.quiet)
		}
		for s := range r.shards {
			s.poke()
		}
	}
	r.mu.Unlock()
	select {
	case <-r.quiet:
	case <-ctx.Done():
	}
}

// begin counts a worker, unless the runner stops; ended counts it off.
func (r *runner) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.active++
	}
	return !r.over
}

func (r *runner) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active--; r.active == 0 && r.over {
		close(r.quiet)
	}
}

func (r *runner) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// join makes stop wake a shard, and gives it what the run before has left; leave ends that.
func (r *runner) join(s *shardRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards[s] = true
	if rest := r.rests[s.shard.Key]; rest != nil && rest.from == s.shard.Position() {
		s.before = rest
	}
}

func (r *runner) leave(s *shardRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.shards, s)
	if rest := s.rest(); rest.until > rest.from {
		r.rests[s.shard.Key] = rest
	} else {
		delete(r.rests, s.shard.Key)
	}
}

// batching is how long a batch may be gathered.
func (r *runner) batching() time.Duration {
	return time.Duration(r.mapping.Config.WindowSeconds) * time.Second
}

// role is the function's, or empty while there is no function.
func (r *runner) role() string {
	role, err := r.options.Functions.Role(r.mapping.Function)
	if err != nil {
		return ""
	}
	return role
}

func (r *runner) invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > payloadMax {
		return Result{}, fault.New(fault.LimitExceeded, "an event of %d bytes: at most %d", len(payload), payloadMax)
	}
	return r.options.Functions.Invoke(ctx, Request{Function: r.mapping.Function, Payload: payload, Source: r.mapping.ARN()})
}

// processed notes what came of an invocation, in AWS's words.
func (r *runner) processed(ctx context.Context, v verdict, err error) {
	switch {
	case v.outcome == succeeded || v.outcome == partly:
		r.problem(ctx, "OK")
	case fault.Is(err, fault.NotFound):
		r.problem(ctx, "PROBLEM: Function not found")
	case fault.Is(err, fault.Throttled):
		r.problem(ctx, "PROBLEM: Function call was throttled")
	default:
		r.problem(ctx, "PROBLEM: Function call failed")
	}
}

// problem notes the result of the last batch, if it is another than the one before. That it cannot be noted stops nothing.
func (r *runner) problem(ctx context.Context, result string) {
	m := r.engine.Catalog().Mapping(r.mapping.Account, r.mapping.Region, r.mapping.UUID)
	if m == nil || m.Result == result {
		return
	}
	if err := r.engine.propose(ctx, Processed{UUID: m.UUID, Result: result}); err != nil && ctx.Err() == nil {
		r.options.Logger.Warn("event source mapping: a result could not be noted", "mapping", m.UUID, "err", err)
	}
}

func (r *runner) observe(e readers.Event) {
	logger := r.options.Logger.With("mapping", r.mapping.UUID, "shard", e.Shard)
	switch e.Kind {
	case readers.Lost:
		logger.Warn("event source mapping: records expired before they were read", "from", e.From, "to", e.To)
	case readers.Failed:
		logger.Warn("event source mapping: a shard could not be read; trying again", "pause", e.Pause, "err", e.Err)
	}
}
