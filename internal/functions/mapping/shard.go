package mapping

import (
	"context"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// shardRun drives one shard of one mapping, from a checkpoint to the shard's end.
//
// One goroutine (run) reads, filters, gathers and commits. Records go to one of N lanes by their key, N being the ParallelizationFactor; a lane has one batch under way at a time,
// on a goroutine of its own (worker.go), so that order is kept for each key. A worker reports what is done as it goes and waits until that is committed:
//
//	run                                              worker
//	reads, while there is room in the lanes
//	gives a lane's batch to a worker             →   invokes, retries, cuts, discards
//	commits the lowest position that is not done ←   reports n records done
//	lets it go on                                →   invokes with the next part, or ends
//
// So a crash repeats what a worker had invoked and not reported, and, with more than one lane, what was reported above the lowest that is not done.
type shardRun struct {
	runner *runner
	shard  *readers.Shard

	// run's alone.
	encoder encoder
	lanes   []lane
	end     bool          // everything has been read: the shard has ended
	window  *window       // the tumbling window that is open; nil when none is
	closed  int64         // where the last window ended: no record belongs to an earlier one
	before  *leftover     // of the run before, nil when there was none
	kept    time.Duration // how long the stream keeps records; 0 is for ever

	wake   chan struct{} // capacity 1: full when there are reports, or the runner stops
	oldest atomic.Int64  // when the first record that is not done arrived, in milliseconds since 1970; 0 when there is none

	mu      sync.Mutex // guards reports
	reports []*report
}

// lane is the records of some keys, in order: those that the worker has come first.
type lane struct {
	records []record  // that are not done
	flying  int       // how many of them, from the front, the worker has
	busy    bool      // there is a worker
	bytes   int       // of the others, as part of an event
	idle    time.Time // when the last worker ended: the next batching window begins then
	due     time.Time // when the batching window of the others ends
}

// report is what a worker says: records, from the front of its lane, are done; or, with ended, that it ends.
type report struct {
	lane   int
	done   int
	window *window // the tumbling window as it is now, if the runner has them
	closes bool    // it has ended
	ended  bool
	ack    chan error // capacity 1: what became of committing it
}

// aheadMin is how many records a shard may hold at least, so that keys that wait do not keep the others waiting at once.
const aheadMin = 1000

// readMost is how many records are read at once.
const readMost = 10_000

func (r *runner) consume(ctx context.Context, shard *readers.Shard) error {
	s := &shardRun{runner: r, shard: shard, lanes: make([]lane, r.mapping.Config.Parallelization), wake: make(chan struct{}, 1)}
	s.encoder = encoder{kind: r.kind, shard: shard.ID, region: r.region, source: r.stream}
	now := shard.Clock().Now()
	for i := range s.lanes {
		s.lanes[i].idle = now
	}
	var err error
	if s.window, err = decodeWindow(shard.State()); err != nil {
		return err
	}
	if r.mapping.Config.TumblingSeconds == 0 {
		s.window = nil // of before a change of the mapping
	}
	r.join(s)
	defer r.leave(s)
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer workers.Wait()
	defer cancel()
	err = s.run(ctx, &workers)
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.NotFound) {
		r.problem(ctx, "PROBLEM: the stream could not be read")
	}
	return err
}

func (s *shardRun) run(ctx context.Context, workers *sync.WaitGroup) error {
	for {
		progressed, err := s.collect(ctx)
		if err != nil {
			return err
		}
		now := s.shard.Clock().Now()
		read := 0
		if s.room() > 0 && !s.end && !s.runner.stopped() {
			if read, err = s.read(ctx, now); err != nil {
				return err
			}
		}
		for i := range s.lanes {
			s.dispatch(ctx, i, now, read == 0, workers)
		}
		if err := s.commit(ctx); err != nil {
			return err
		}
		if s.end && s.idle() && s.window == nil && !s.runner.stopped() {
			return s.shard.Finish(ctx)
		}
		if progressed || read > 0 {
			continue
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
}

// collect takes the reports, commits what they bring, and lets the workers go on.
func (s *shardRun) collect(ctx context.Context) (any bool, err error) {
	s.mu.Lock()
	reports := s.reports
	s.reports = nil
	s.mu.Unlock()
	for _, r := range reports {
		l := &s.lanes[r.lane]
		l.records, l.flying = l.records[r.done:], l.flying-r.done
		if r.window != nil {
			s.window = r.window
		}
		if r.closes {
			if !s.window.Early {
				s.closed = s.window.End
			}
			s.window = nil
		}
		if r.ended {
			s.landed(l)
		}
	}
	if len(reports) > 0 {
		err = s.commit(ctx)
	}
	for _, r := range reports {
		r.ack <- err
	}
	return len(reports) > 0, err
}

// landed is the end of a lane's worker. What it has not done it left because the runner stops.
func (s *shardRun) landed(l *lane) {
	now := s.shard.Clock().Now()
	l.busy, l.flying, l.idle = false, 0, now
	l.bytes = 0
	for i := range l.records {
		l.bytes += len(l.records[i].event) + 1
	}
	if len(l.records) > 0 {
		l.due = now.Add(s.runner.batching())
	}
}

// room is how many more records may be held.
func (s *shardRun) room() int {
	held, bytes := 0, 0
	for i := range s.lanes {
		held += len(s.lanes[i].records)
		bytes += s.lanes[i].bytes
	}
	if bytes >= payloadMax*len(s.lanes) {
		return 0
	}
	return max(2*s.runner.mapping.Config.BatchSize*len(s.lanes), aheadMin) - held
}

// read takes what is there into the lanes, and says how many records that were.
func (s *shardRun) read(ctx context.Context, now time.Time) (int, error) {
	chunk, err := s.shard.Read(ctx, min(s.room(), readMost))
	if err != nil {
		return 0, err
	}
	s.end, s.kept = chunk.End, 0
	if !chunk.Horizon.IsZero() {
		s.kept = now.Sub(chunk.Horizon)
	}
	s.encoder.role = s.runner.role()
	for i := range chunk.Records {
		r := &chunk.Records[i]
		if s.before.done(r.Position) {
			continue
		}
		encoded := s.encoder.encode(r)
		if !s.runner.filter.passes(encoded.event, r.Data, s.runner.kind == Kinesis) {
			continue
		}
		l := &s.lanes[0]
		if len(s.lanes) > 1 {
			h := fnv.New64a()
			h.Write(r.Key) // never fails
			l = &s.lanes[h.Sum64()%uint64(len(s.lanes))]
		}
		if len(l.records) == l.flying { // the window that now is in ends
			l.due = now
			if w := s.runner.batching(); w > 0 {
				l.due = l.idle.Add((now.Sub(l.idle)/w + 1) * w)
			}
		}
		l.records = append(l.records, encoded)
		l.bytes += len(encoded.event) + 1
	}
	return len(chunk.Records), nil
}

// dispatch gives a lane's next batch to a worker, if one is due. caughtUp says that there is nothing to read.
func (s *shardRun) dispatch(ctx context.Context, i int, now time.Time, caughtUp bool, workers *sync.WaitGroup) {
	l := &s.lanes[i]
	if l.busy || s.runner.stopped() {
		return
	}
	c := &s.runner.mapping.Config
	if s.window != nil && (s.window.Early || s.windowOver(l, now, caughtUp)) {
		s.launch(ctx, i, nil, true, workers)
		return
	}
	if len(l.records) == 0 {
		return
	}
	budget := payloadMax - frameBytes
	last := int64(-1) // records of this time and later are of another window; −1 is none
	if c.TumblingSeconds > 0 {
		w := s.window
		if w == nil {
			w = windowFor(max(l.records[0].arrival, s.closed), c.TumblingSeconds)
		}
		budget -= windowBytes + len(w.State)
		last = w.End
	}
	n, bytes, full := 0, 0, false
	for n < len(l.records) && !full {
		r := &l.records[n]
		switch {
		case n == c.BatchSize, n > 0 && bytes+len(r.event)+1 > budget, last >= 0 && r.arrival >= last && n > 0:
			full = true
		default:
			bytes += len(r.event) + 1
			n++
		}
	}
	full = full || n == c.BatchSize || s.end || last >= 0 && now.UnixMilli() >= last
	if !full && now.Before(l.due) {
		return
	}
	if c.TumblingSeconds > 0 && s.window == nil {
		s.window = windowFor(max(l.records[0].arrival, s.closed), c.TumblingSeconds)
	}
	s.launch(ctx, i, l.records[:n:n], false, workers)
}

// windowOver says whether everything in the open window has been given to the function.
func (s *shardRun) windowOver(l *lane, now time.Time, caughtUp bool) bool {
	if len(l.records) > 0 {
		return max(l.records[0].arrival, s.closed) >= s.window.End
	}
	return s.end || caughtUp && now.UnixMilli() >= s.window.End
}

func (s *shardRun) launch(ctx context.Context, i int, records []record, final bool, workers *sync.WaitGroup) {
	if !s.runner.begin() {
		return
	}
	l := &s.lanes[i]
	l.busy, l.flying = true, len(records)
	for i := range records {
		l.bytes -= len(records[i].event) + 1
	}
	w := &worker{shard: s, lane: i, window: s.window, final: final, kept: s.kept, turn: s.shard.Activity().Begin()}
	if len(records) > 0 {
		w.work.parts = []part{{records: records}}
	}
	workers.Go(func() {
		defer s.runner.ended()
		defer w.turn.End()
		w.run(ctx)
	})
}

// commit makes durable where the shard has come.
func (s *shardRun) commit(ctx context.Context) error {
	lowest, oldest := s.shard.Position(), int64(0)
	for i := range s.lanes {
		if l := &s.lanes[i]; len(l.records) > 0 && l.records[0].position < lowest {
			lowest, oldest = l.records[0].position, l.records[0].arrival
		}
	}
	s.oldest.Store(oldest)
	return s.shard.Commit(ctx, lowest, s.window.encode())
}

// idle says whether everything that was read is done.
func (s *shardRun) idle() bool {
	for i := range s.lanes {
		if s.lanes[i].busy || len(s.lanes[i].records) > 0 {
			return false
		}
	}
	return true
}

// await waits until there is something to do.
func (s *shardRun) await(ctx context.Context) error {
	w := readers.Wait{Records: s.room() > 0 && !s.end && !s.runner.stopped(), Signal: s.wake, Pending: s.reported}
	if !s.runner.stopped() {
		for i := range s.lanes {
			l := &s.lanes[i]
			if !l.busy && len(l.records) > 0 {
				w.Until = sooner(w.Until, l.due)
			}
			if !l.busy && s.window != nil {
				w.Until = sooner(w.Until, time.UnixMilli(s.window.End))
			}
		}
	}
	return s.shard.Await(ctx, w)
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// report hands a worker's report over and waits until it is committed.
func (s *shardRun) report(ctx context.Context, r *report) error {
	r.ack = make(chan error, 1)
	s.mu.Lock()
	s.reports = append(s.reports, r)
	s.mu.Unlock()
	s.poke()
	select {
	case err := <-r.ack:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reported says whether there are reports to collect.
func (s *shardRun) reported() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.reports) > 0
}

// poke makes run look again.
func (s *shardRun) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
