package history

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "repeat this one seed; how goroutines are scheduled is not repeated")
	seedsFlag = flag.Int("seeds", 6, "how many seeds to try, each new")
)

const (
	recordsOfLife = 2500            // as many records are put before a life that does not end is ended, and in the last
	patience      = 2 * time.Minute // for one seed; it takes a second
)

// TestHistories makes a history for each seed and judges it.
func TestHistories(t *testing.T) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = nil
		for range *seedsFlag {
			seeds = append(seeds, 1+rand.Uint64N(1<<40))
		}
	}
	var all totals
	for _, seed := range seeds {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		s := newSim(seed)
		wrong := s.live(ctx)
		cancel()
		all.add(s)
		if len(wrong) > 0 {
			t.Fatalf("seed %d, %v:\n  %s\nrepeat with: go test ./test/history -run TestHistories -count=20 -seed %d", seed, s.lives, strings.Join(wrong[:min(len(wrong), 20)], "\n  "), seed)
		}
	}
	t.Logf("%d seeds: %v", len(seeds), &all)
	if *seedFlag == 0 && (all.acknowledged == 0 || all.refused == 0 || all.unknown == 0 || all.closed == 0 || all.saw == 0) {
		t.Errorf("the simulation shows nothing: %v", &all)
	}
}

// totals is what the histories held, so that a simulation that does nothing is seen.
type totals struct{ lives, shards, closed, acknowledged, refused, unknown, saw int }

func (a *totals) add(s *sim) {
	a.lives += len(s.lives)
	for _, t := range s.streams {
		h := t.history
		if len(h.Views) > 0 {
			last := h.Views[len(h.Views)-1]
			a.shards += int(last[len(last)-1].Number) + 1
			for _, shard := range last {
				if shard.Status == catalog.Closed {
					a.closed++
				}
			}
		}
		for i := range h.Attempts {
			switch h.Attempts[i].Outcome {
			case Acknowledged:
				a.acknowledged++
			case Refused:
				a.refused++
			default:
				a.unknown++
			}
		}
		for _, r := range h.Readers {
			a.saw += len(r.Steps)
		}
	}
}

func (a *totals) String() string {
	return fmt.Sprintf("%d lives, %d shards of which %d are closed and there, %d records acknowledged, %d refused, %d unknown, %d steps of readers",
		a.lives, a.shards, a.closed, a.acknowledged, a.refused, a.unknown, a.saw)
}

// sim is one seed: streams with their writers, readers and operator, who go on through life after life of a node.
type sim struct {
	rand     *rand.Rand
	clock    *clock.Manual
	events   *events
	progress progress
	limited  bool // shards take only so much a second
	streams  []*tracked
	lives    []string // how each ended

	jumps sync.RWMutex // held for writing while the clock jumps by more than a day

	mu        sync.Mutex // guards everything below
	surprises []string
	applied   commitlog.Position // how far the control log has been seen
}

// tracked is a stream whose history is written.
type tracked struct {
	name     string
	mode     catalog.Mode
	shards   int
	spread   bool // records are given to shards evenly
	writers  []*writer
	readers  []*reader
	operator *operator
	views    []View // the observer's, like last
	last     *catalog.Stream
	history  History // when all is over
}

func newSim(seed uint64) *sim {
	r := rand.New(rand.NewPCG(seed, 0))
	fork := func() *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }
	s := &sim{rand: r, clock: clock.NewManual(time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)), events: &events{faults: r.IntN(3) == 0}}
	s.progress.changed = make(chan struct{})
	days := r.IntN(3) == 0
	s.limited = r.IntN(4) == 0
	for _, t := range []*tracked{{name: "tolls", mode: catalog.Provisioned}, {name: "meters", mode: catalog.OnDemand}} {
		t.shards = 1 + r.IntN(5)
		t.spread = t.mode == catalog.OnDemand && r.IntN(3) == 0
		for i := range 2 + r.IntN(2) {
			t.writers = append(t.writers, newWriter(s, t.name, i, fork()))
		}
		t.operator = &operator{sim: s, stream: t.name, rand: fork(), days: days}
		t.readers = []*reader{newReader(s, t.name, "the reader of "+t.name, fork())}
		s.streams = append(s.streams, t)
	}
	return s
}

// reached notes how far a living node has come in the control log.
func (s *sim) reached(applied commitlog.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = max(s.applied, applied)
}

// live goes through every life and gives all that is wrong with what was said.
func (s *sim) live(ctx context.Context) (wrong []string) {
	disk := vfs.NewMem()
	for range 3 + s.rand.IntN(6) {
		s.events.dies(s.rand)
		var err error
		if disk, err = s.life(ctx, disk, false); err != nil {
			return s.withSurprises(err)
		}
	}
	s.events.lives()
	disk, err := s.life(ctx, disk, true)
	if err != nil {
		return s.withSurprises(err)
	}
	if err := s.lastReading(ctx, disk); err != nil {
		return s.withSurprises(err)
	}
	wrong = s.surprises
	for _, t := range s.streams {
		wrong = append(wrong, Check(t.history)...)
	}
	return wrong
}

func (s *sim) withSurprises(err error) []string { return append(s.surprises, err.Error()) }

// life is one incarnation of the node; it gives the disk to the next. The last one is not killed: when enough has been written, everything comes to rest.
func (s *sim) life(ctx context.Context, disk *vfs.Mem, last bool) (*vfs.Mem, error) {
	l, err := beginLife(ctx, disk, s)
	if err != nil {
		if !s.events.failed() {
			_ = l.close()
			return nil, err
		}
		l.die(kill) // a disk that failed while it opened
	}
	if !l.over() {
		if applied := l.control.Applied(); applied < s.applied {
			return nil, fault.New(fault.Internal, "life %d: the control log ends at %d and had been seen up to %d", len(s.lives), applied, s.applied)
		}
		err = s.work(ctx, l, last)
	}
	if cause := l.close(); cause != "" {
		return nil, fault.New(fault.Internal, "life %d: %s", len(s.lives), cause)
	}
	s.lives = append(s.lives, s.events.String())
	return l.left, err
}

// work sets everyone to work until the life is over.
func (s *sim) work(ctx context.Context, l *life, last bool) error {
	for _, t := range s.streams {
		if l.stream(t.name) == nil {
			command := catalog.CreateStream{Account: account, Region: region, Name: t.name, Mode: t.mode, ShardCount: t.shards}
			if t.spread {
				command.Distribution = catalog.Auto
			}
			err := l.control.Propose(l.ctx, command)
			s.surprised(l, err, "create", fault.Unavailable, fault.Full, fault.Throttled)
		}
		if _, err := l.await(l.ctx, t.name, func(s *catalog.Stream) bool { return s != nil && s.Status != catalog.Creating }); err != nil {
			break // it died
		}
	}
	var writing, reading sync.WaitGroup
	enough, finish := make(chan struct{}), make(chan struct{})
	watching, unwatch := context.WithCancel(l.ctx)
	defer unwatch()
	for _, t := range s.streams {
		if l.stream(t.name) == nil {
			continue // it died before there was one
		}
		for _, w := range t.writers {
			writing.Go(func() { w.run(l, enough) })
		}
		writing.Go(func() { t.operator.run(l, enough) })
		for _, r := range t.readers {
			reading.Go(func() { r.run(l, finish) })
		}
		reading.Go(func() { observe(watching, l, t, s) })
	}
	s.progress.more(l.ctx, nil, recordsOfLife)
	if !last {
		l.die(kill)
	}
	close(enough)
	writing.Wait()
	var err error
	if last {
		err = s.rest(l)
	}
	close(finish)
	unwatch()
	reading.Wait()
	if err == nil {
		err = fault.As(fault.Unavailable, ctx.Err(), "nothing comes to rest")
	}
	return err
}

// rest waits until no reshard is under way, nothing is being made or removed, and no time is due.
//
// Puts that were cut off may still be on their way to the disk. They share the journal with the control log, so a barrier is behind them.
func (s *sim) rest(l *life) error {
	if err := l.control.Barrier(l.ctx); err != nil {
		return err
	}
	for {
		state := l.control.State()
		due, some := state.NextDeadline()
		busy := !l.streams.Settled() || some && !due.After(s.clock.Now())
		for stream := range state.All() {
			busy = busy || !active(stream)
		}
		if !busy {
			return nil
		}
		select {
		case <-l.ctx.Done():
			return fault.As(fault.Unavailable, l.ctx.Err(), "nothing comes to rest")
		default:
		}
	}
}

// surprised notes an error of a living node that is of none of the kinds expected.
func (s *sim) surprised(l *life, err error, what string, expected ...fault.Kind) {
	if err == nil {
		return
	}
	for _, kind := range expected {
		if fault.Is(err, kind) {
			return
		}
	}
	l.note(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.surprises = append(s.surprises, what+": "+err.Error())
	})
}

// lastReading opens the disk once more, reads every shard from its beginning, and completes the histories.
func (s *sim) lastReading(ctx context.Context, disk *vfs.Mem) error {
	l, err := beginLife(ctx, disk, s)
	if err != nil {
		_ = l.close()
		return err
	}
	defer func() { _ = l.close() }()
	if err := s.rest(l); err != nil {
		return err
	}
	expected := []commitlog.ID{{}}
	for stream := range l.control.State().All() {
		for i := range stream.Shards {
			expected = append(expected, streams.LogID(stream, stream.Shards[i].Number))
		}
	}
	for _, t := range s.streams {
		stream := l.stream(t.name)
		if stream == nil {
			return fault.New(fault.NotFound, "stream %s is gone", t.name)
		}
		t.views = append(t.views, stream.Shards)
		t.history = History{Views: t.views, Final: make(map[uint32][]Sighting), Spread: t.spread, Horizon: stream.Horizon(s.clock.Now()).Unix()}
		for _, w := range t.writers {
			t.history.Attempts = append(t.history.Attempts, w.attempts...)
		}
		for _, r := range t.readers {
			t.history.Readers = append(t.history.Readers, r.seen)
		}
		for i := range stream.Shards {
			if shard := &stream.Shards[i]; shard.Status.Listed() {
				if t.history.Final[shard.Number], err = readShard(ctx, l, stream, shard.Number); err != nil {
					return err
				}
			}
		}
	}
	logs, err := l.store.Logs(ctx)
	if err != nil {
		return err
	}
	if len(logs) != len(expected) {
		return fault.New(fault.Internal, "the store has the logs %v, the catalog asks for %v", logs, expected)
	}
	return nil
}

// readShard is everything in a shard.
func readShard(ctx context.Context, l *life, stream *catalog.Stream, number uint32) ([]Sighting, error) {
	var all []Sighting
	token, err := l.streams.Iterator(ctx, stream, streams.ShardID(number), streams.Start{Type: streams.TrimHorizon})
	for err == nil {
		var got streams.Batch
		if got, err = l.streams.Get(ctx, token, 1000, make([]batch.Record, 0, 16), func(*catalog.Stream) error { return nil }); err != nil {
			break
		}
		for i := range got.Records {
			all = append(all, sighting(got.Shard, &got.Records[i]))
		}
		got.Release()
		if token = got.Next; token == "" || len(got.Records) == 0 && got.MillisBehind == 0 {
			return all, nil
		}
	}
	return nil, fault.Wrap(err, "read %s", streams.ShardID(number))
}

// progress counts records put, and wakes those who wait for that or for anything else to happen.
type progress struct {
	mu      sync.Mutex // guards everything below
	records int
	changed chan struct{} // closed and replaced when something happens
}

func (p *progress) tick(records int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records += records
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *progress) now() (records int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records, p.changed
}

// more waits for so many more records, for ctx or for enough.
func (p *progress) more(ctx context.Context, enough <-chan struct{}, records int) {
	now, changed := p.now()
	for until := now + records; now < until; now, changed = p.now() {
		select {
		case <-changed:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}
