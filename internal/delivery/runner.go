package delivery

import (
	"context"
	"sync"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/record"
)

// runner is one delivery stream at work, as of one version of it.
type runner struct {
	// Set once.
	engine *Engine
	stream *Stream
	source readers.Source
	names  *namer
	stats  *Stats

	cancel   context.CancelFunc
	done     chan struct{} // closed when the reader has ended
	reader   *readers.Reader
	stopping chan struct{} // closed by halt

	mu     sync.Mutex // guards everything below
	over   bool       // stopping is closed: no delivery begins any more
	active int        // deliveries under way
	quiet  chan struct{}
	shards map[*shardRun]bool
}

// start begins to work on a delivery stream.
func (e *Engine) start(ctx context.Context, s *Stream) (*runner, error) {
	r := &runner{engine: e, stream: s, stats: e.Stats(s.Number), done: make(chan struct{}), stopping: make(chan struct{}), quiet: make(chan struct{}), shards: map[*shardRun]bool{}}
	var err error
	if r.names, err = newNamer(s); err != nil {
		return nil, err
	}
	begin := readers.Start{Type: readers.TrimHorizon}
	if s.Source.Kinesis != nil {
		if r.source, err = e.options.Sources.Source(s.Source.Kinesis.Stream); err != nil {
			return nil, err
		}
		begin.Type = readers.Latest
	} else {
		r.source = &direct{engine: e, number: s.Number}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.reader = readers.New(readers.Options{
		Source: r.source, Consumer: s.consumer(), Start: begin, Checkpoints: e.options.Checkpoints, Clock: e.options.Clock, Consume: r.consume,
		Found: func(err error) { r.found(ctx, err) }, OnEvent: r.observe, Activity: &e.activity, Backoff: e.options.Backoff,
	})
	go func() {
		defer close(r.done)
		r.reader.Run(ctx)
	}()
	return r, nil
}

// found hears what asking for the shards of the source has come to. Once there are some, and from where is durable, the delivery stream is ACTIVE; one whose stream is gone waits for
// another of that name.
func (r *runner) found(ctx context.Context, err error) {
	if err != nil {
		r.engine.options.Logger.Warn("delivery stream: its source cannot be read", "deliveryStream", r.stream.ARN(), "err", err)
		return
	}
	if r.stream.Status != Creating {
		return
	}
	for {
		err := r.engine.Propose(ctx, Ready{r.stream.Number})
		if err == nil || ctx.Err() != nil {
			return
		}
		r.engine.options.Logger.Warn("delivery stream: its state could not be noted; trying again", "deliveryStream", r.stream.ARN(), "err", err)
		if clock.Sleep(ctx, r.engine.options.Backoff, retryPause) != nil {
			return
		}
	}
}

// stop ends the work: a delivery that is under way is waited for and remembered, unless ctx ends before. After it nothing of the runner runs.
func (r *runner) stop(ctx context.Context) {
	r.halt(ctx)
	r.cancel()
	<-r.done
}

// halt lets no delivery begin any more, and waits until those that are under way have ended, or the reader, or ctx.
func (r *runner) halt(ctx context.Context) {
	r.mu.Lock()
	if !r.over {
		r.over = true
		close(r.stopping)
		if r.active == 0 {
			close(r.quiet)
		}
	}
	r.mu.Unlock()
	select {
	case <-r.quiet:
	case <-r.done:
	case <-ctx.Done():
	}
}

// begin counts a delivery, unless the runner stops; ended counts it off.
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

func (r *runner) join(s *shardRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards[s] = true
}

func (r *runner) leave(s *shardRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.shards, s)
}

func (r *runner) observe(e readers.Event) {
	logger := r.engine.options.Logger.With("deliveryStream", r.stream.ARN(), "shard", e.Shard)
	switch e.Kind {
	case readers.Lost:
		r.stats.LostRecords.Add(e.To - e.From)
		logger.Error("delivery stream: records expired before they were read; they are lost", "from", e.From, "to", e.To)
	case readers.Failed:
		logger.Warn("delivery stream: its source could not be read; trying again", "pause", e.Pause, "err", e.Err)
	}
}

// shardRun drives one shard of a delivery stream, from a checkpoint to the shard's end. One goroutine reads, gathers, delivers and commits, in that order: while it delivers, what
// comes waits in the source.
type shardRun struct {
	runner *runner
	shard  *readers.Shard
	gather gather

	mu       sync.Mutex // guards standing
	standing Standing   // of the shard, without Behind
}

// readMost is how many records are read at once.
const readMost = 10_000

func (r *runner) consume(ctx context.Context, shard *readers.Shard) error {
	s := &shardRun{runner: r, shard: shard}
	s.gather.size, s.gather.interval = int64(r.stream.S3.SizeMiB)<<20, r.stream.S3.interval()
	r.join(s)
	defer r.leave(s)
	for end := false; ; {
		if len(s.gather.closed) > 0 {
			if err := s.deliver(ctx); err != nil {
				return err
			}
			continue
		}
		if end {
			return shard.Finish(ctx)
		}
		chunk, err := shard.Read(ctx, readMost)
		if err != nil {
			return err
		}
		s.take(&chunk)
		read := len(chunk.Records) > 0
		s.gather.tick(shard.Clock().Now(), read)
		if end = chunk.End; end { // its children wait for it
			s.gather.close()
		}
		s.note()
		if read || end || len(s.gather.closed) > 0 {
			continue
		}
		if s.gather.open.empty() { // passes over positions that hold nothing any more
			if err := shard.Commit(ctx, shard.Position(), nil); err != nil {
				return err
			}
		}
		if err := s.await(ctx, readers.Wait{Records: true, Until: s.gather.due()}); err != nil {
			return err
		}
	}
}

// await waits, at least until the delivery stream goes on being at work.
func (s *shardRun) await(ctx context.Context, w readers.Wait) error {
	w.Signal, w.Pending = s.runner.stopping, s.runner.stopped
	if err := s.shard.Await(ctx, w); err != nil {
		return err
	}
	if s.runner.stopped() { // nothing begins any more: what is left is for the next one
		return s.shard.Await(ctx, readers.Wait{})
	}
	return nil
}

// take sorts the records of a chunk into spans.
func (s *shardRun) take(chunk *readers.Chunk) {
	kinesis := s.runner.stream.Source.Kinesis != nil
	for i := range chunk.Records {
		r := &chunk.Records[i]
		next := chunk.Next
		if i+1 < len(chunk.Records) {
			next = chunk.Records[i+1].Position
		}
		n, bytes := int64(0), int64(0)
		_ = s.runner.each(r, func(data []byte) error { n, bytes = n+1, bytes+int64(len(data)); return nil })
		s.gather.add(r.Position, next, r.Arrival, n, bytes)
		if kinesis {
			s.runner.stats.SourceRecords.Add(1)
			s.runner.stats.SourceBytes.Add(int64(len(r.Data)))
		}
	}
}

// each gives the records that a record of the source stands for: those inside of an aggregate of the KPL, if the source is a data stream, and itself otherwise. It ends with the first
// error of do.
func (r *runner) each(of *readers.Record, do func(data []byte) error) error {
	if r.stream.Source.Kinesis == nil || !record.IsAggregate(of.Data) {
		return do(of.Data)
	}
	inside, _, err := record.Deaggregate("", of.Data)
	if err != nil { // an aggregate that contradicts itself is delivered as it is: nothing of it is lost
		return do(of.Data)
	}
	for i := range inside {
		if err := do(inside[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// sourceError is a failure of the source, and not of the destination: the reader tries those again.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }
