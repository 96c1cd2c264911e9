package readers

import (
	"context"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// Options say what a Reader is made of. What has no default must be set.
type Options struct {
	Source      Source
	Consumer    string // what its checkpoints are filed under: no other reader may have it
	Start       Start
	Checkpoints *Checkpoints
	Clock       clock.Clock

	// Consume takes the records of one shard until they end (nil, after Finish) or ctx does. It is called on a goroutine of its own for each shard; after another error it is
	// called again, some time later, with a Shard that stands at the last checkpoint.
	Consume func(ctx context.Context, shard *Shard) error
	// Begun is told once that where the reader begins is durable: what comes from then on will be read. Nil is nobody.
	Begun func()
	// Found is told what looking for shards has come to: nil once there are some, after Begun, and otherwise why not, each time. Nil is nobody.
	Found func(err error)
	// OnEvent is told what happens, from any goroutine. Nil is nobody.
	OnEvent func(Event)
	// Activity counts who is at work; nil counts nothing.
	Activity *Activity
	// Backoff is the clock for pauses after a failure; it is not Clock because a test clock stands still. Default clock.Real.
	Backoff clock.Clock
}

// Reader follows one stream for one consumer. Run drives it.
type Reader struct {
	options Options
	turn    *Turn

	wake chan struct{} // capacity 1: full when a shard has ended

	mu     sync.Mutex        // guards everything below
	shards map[string]*Shard // by key, those that are being read
	ended  []string          // the keys of those that have ended and that Run has not looked at
}

// The shortest and the longest pause before a shard that could not be read is tried again, or the list of shards.
const (
	pauseMin = 100 * time.Millisecond
	pauseMax = 30 * time.Second
)

// begunKey is filed like a shard, once all starting positions are: nothing else has an empty key. So a crash while a reader begins makes it begin again, and a shard that
// opens later is told from one whose beginning was not reached yet.
const begunKey = ""

// New makes a reader.
func New(o Options) *Reader {
	if o.Backoff == nil {
		o.Backoff = clock.Real
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	return &Reader{options: o, wake: make(chan struct{}, 1), shards: map[string]*Shard{}, turn: o.Activity.Begin()}
}

// Run reads until ctx ends. It is called once, also when nothing is to be read: it ends the turn that New began.
//
// Each shard that is open to reading is consumed on its own goroutine: one whose parents are done, or gone with all their records. The list of shards is looked at when it changes,
// and when one has ended. Checkpoints of shards that are gone are dropped.
func (r *Reader) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer r.turn.End()
	defer all.Wait()
	defer cancel()
	pause, found := pauseMin, false
	for ctx.Err() == nil {
		infos, changed, err := r.options.Source.Shards(ctx)
		if err == nil && infos != nil {
			err = r.begin(ctx, infos)
		}
		if err == nil {
			err = r.start(ctx, infos, &all)
		}
		if ctx.Err() != nil {
			return
		}
		if r.options.Found != nil && (err != nil || infos != nil && !found) {
			r.options.Found(err)
		}
		if found = err == nil && (found || infos != nil); err == nil {
			pause = pauseMin
		}
		var again <-chan time.Time
		var timer clock.Timer
		if err != nil && !fault.Is(err, fault.NotFound) { // what is not there is worth another look when something has changed
			r.options.OnEvent(Event{Kind: Failed, Err: err, Pause: pause})
			timer = r.options.Backoff.NewTimer(pause)
			again, pause = timer.C(), min(2*pause, pauseMax)
		}
		r.wait(ctx, changed, again)
		if timer != nil {
			timer.Stop()
		}
	}
}

// wait waits until the list of shards may have changed, a shard has ended or again has come.
func (r *Reader) wait(ctx context.Context, changed <-chan struct{}, again <-chan time.Time) {
	// What pending looks at stays as it is until the turn has been resumed: who takes a message out of a channel seems to have nothing to do for a moment.
	r.turn.Waits(func() bool {
		select {
		case <-changed:
			return true
		default:
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.ended) > 0
		}
	})
	select {
	case <-ctx.Done():
	case <-changed:
	case <-again:
	case <-r.wake:
	}
	r.turn.Resumes()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range r.ended {
		delete(r.shards, key)
	}
	r.ended = nil
}

// end has Run look at a shard that has ended.
func (r *Reader) end(key string) {
	r.mu.Lock()
	r.ended = append(r.ended, key)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// begin makes starting positions durable, the first time.
func (r *Reader) begin(ctx context.Context, infos []ShardInfo) error {
	o := &r.options
	if _, begun := o.Checkpoints.Get(o.Consumer, begunKey); !begun {
		for _, info := range infos {
			if _, has := o.Checkpoints.Get(o.Consumer, info.Key); has {
				continue // from a beginning that was interrupted
			}
			position, err := o.Source.Start(ctx, info.Key, o.Start)
			if err == nil {
				err = o.Checkpoints.Set(ctx, o.Consumer, info.Key, Checkpoint{Position: position})
			}
			if err != nil {
				return fault.Wrap(err, "where %s begins", info.ID)
			}
		}
		if err := o.Checkpoints.Set(ctx, o.Consumer, begunKey, Checkpoint{Done: true}); err != nil {
			return err
		}
	}
	if o.Begun != nil {
		o.Begun()
		o.Begun = nil
	}
	return nil
}

// start begins to read every shard that may be read and is not, and forgets those that are gone.
func (r *Reader) start(ctx context.Context, infos []ShardInfo, all *sync.WaitGroup) error {
	o := &r.options
	checkpoints := o.Checkpoints.Shards(o.Consumer)
	listed := make(map[string]bool, len(infos))
	for _, info := range infos {
		listed[info.Key] = true
	}
	for _, info := range infos {
		if at := checkpoints[info.Key]; at.Done || r.reading(info.Key) || !parentsDone(info, listed, checkpoints) {
			continue
		}
		if _, has := checkpoints[info.Key]; !has { // it opened after the reader had begun
			position, err := o.Source.Start(ctx, info.Key, Start{Type: TrimHorizon})
			if err == nil {
				err = o.Checkpoints.Set(ctx, o.Consumer, info.Key, Checkpoint{Position: position})
			}
			if err != nil {
				return fault.Wrap(err, "where %s begins", info.ID)
			}
		}
		shard := newShard(r, info)
		r.mu.Lock()
		r.shards[info.Key] = shard
		r.mu.Unlock()
		all.Go(func() { r.consume(ctx, shard) })
	}
	if infos == nil {
		return nil
	}
	var gone []string
	for key := range checkpoints {
		if key != begunKey && !listed[key] && !r.reading(key) {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		return o.Checkpoints.Drop(ctx, o.Consumer, gone...)
	}
	return nil
}

// parentsDone says whether everything before a shard has been read, or has expired.
func parentsDone(info ShardInfo, listed map[string]bool, checkpoints map[string]Checkpoint) bool {
	for _, parent := range info.Parents {
		if listed[parent] && !checkpoints[parent].Done {
			return false
		}
	}
	return true
}

func (r *Reader) reading(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shards[key] != nil
}

// consume has a shard consumed until it has ended, is gone or ctx ends.
func (r *Reader) consume(ctx context.Context, shard *Shard) {
	defer shard.turn.End()
	r.options.OnEvent(Event{Kind: Started, Shard: shard.ID})
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		shard.rewind()
		err := r.options.Consume(ctx, shard)
		shard.stopWatching()
		if ctx.Err() != nil {
			return
		}
		if err == nil || fault.Is(err, fault.NotFound) {
			if err == nil {
				r.options.OnEvent(Event{Kind: Finished, Shard: shard.ID})
			} else {
				_ = clock.Sleep(ctx, r.options.Backoff, pauseMin) // what is gone here and not yet there is not asked for all the time
			}
			r.end(shard.Key)
			return
		}
		if shard.moved {
			pause = pauseMin
		}
		r.options.OnEvent(Event{Kind: Failed, Shard: shard.ID, Err: err, Pause: pause})
		shard.turn.Waits(nil) // it may take as long as a disk is full: nothing that a test clock should wait for
		err = clock.Sleep(ctx, r.options.Backoff, pause)
		shard.turn.Resumes()
		if err != nil {
			return
		}
	}
}

// Lag is how old the oldest record is, of any shard being read, that has not been read: 0 when there is none.
func (r *Reader) Lag() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lag time.Duration
	for _, shard := range r.shards {
		lag = max(lag, time.Duration(shard.behind.Load()))
	}
	return lag
}
