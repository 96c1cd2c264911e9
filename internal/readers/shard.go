package readers

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// Shard is a shard as its consumer has it. It is driven by one goroutine, which goes round Read, or Await when there was nothing to read, and Commit:
//
//	for {
//		chunk, err := shard.Read(ctx, limit)         // what is there, perhaps nothing; moves on, in memory
//		…                                            // do with it what is to be done
//		err = shard.Commit(ctx, chunk.Next, state)   // done with everything before: durable
//		if chunk.End { return shard.Finish(ctx) }
//		err = shard.Await(ctx, Wait{Records: true})  // holds nothing
//	}
//
// What was read and not committed is read again after a crash, and nothing else is.
type Shard struct {
	ShardInfo

	// Set once.
	reader *Reader
	turn   *Turn
	behind atomic.Int64 // nanoseconds, as of the last Read

	// The driver's alone.
	cursor   int64 // where the next Read begins
	at       Checkpoint
	moved    bool // something was committed since the last rewind
	watching bool // the watcher has been asked about cursor
	watch    *watcher
}

// watcher waits on the log for the driver, which waits for other things too.
type watcher struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	want   chan int64 // capacity 1: where it waits next
	got    chan error // capacity 1: how that ended
}

func newShard(r *Reader, info ShardInfo) *Shard {
	return &Shard{ShardInfo: info, reader: r, turn: r.options.Activity.Begin()}
}

// rewind puts the shard to its checkpoint.
func (s *Shard) rewind() {
	s.at, _ = s.reader.options.Checkpoints.Get(s.reader.options.Consumer, s.Key)
	s.cursor, s.moved = s.at.Position, false
}

// Position is where the next Read begins. After a start that is the checkpoint.
func (s *Shard) Position() int64 { return s.cursor }

// State is what was committed beside the checkpoint. Who reads it must not write to it.
func (s *Shard) State() []byte { return s.at.State }

// Read reads up to limit records from where the last one ended, and does not wait.
func (s *Shard) Read(ctx context.Context, limit int) (Chunk, error) {
	o := &s.reader.options
	chunk, err := o.Source.Read(ctx, s.Key, s.cursor, limit)
	if err != nil {
		return Chunk{}, err
	}
	s.behind.Store(int64(chunk.Behind))
	if chunk.Lost {
		to := chunk.Next
		if len(chunk.Records) > 0 {
			to = chunk.Records[0].Position
		}
		o.OnEvent(Event{Kind: Lost, Shard: s.ID, From: s.cursor, To: to})
	}
	if chunk.Next != s.cursor && s.watching { // the watcher's answer tells nothing any more, and is there or about to be: there are records where it was asked
		s.watching = false
		select {
		case <-s.watch.got: //nolint:errcheck // its answer tells nothing any more
		case <-ctx.Done():
			return Chunk{}, ctx.Err()
		}
	}
	s.cursor = chunk.Next
	return chunk, nil
}

// Commit makes durable that everything before a position is done, with the consumer's state as it is then. What is so already costs nothing.
func (s *Shard) Commit(ctx context.Context, position int64, state []byte) error {
	if position == s.at.Position && bytes.Equal(state, s.at.State) {
		return nil
	}
	return s.set(ctx, Checkpoint{Position: position, State: state})
}

// Finish makes durable that the shard is done.
func (s *Shard) Finish(ctx context.Context) error {
	return s.set(ctx, Checkpoint{Position: s.cursor, Done: true})
}

func (s *Shard) set(ctx context.Context, to Checkpoint) error {
	o := &s.reader.options
	if err := o.Checkpoints.Set(ctx, o.Consumer, s.Key, to); err != nil {
		return err
	}
	s.at, s.moved = to, true
	return nil
}

// Wait says what Await waits for, beside the end of its context: whatever comes first.
type Wait struct {
	Records bool            // until there may be something to Read
	Until   time.Time       // until a time, on the reader's clock; zero is never
	Signal  <-chan struct{} // until it receives; nil is never
	Pending func() bool     // whether there is what Signal is for: it stays true after Signal has received. May be asked from any goroutine
}

// Await waits for one of the things that w names. It holds nothing meanwhile.
func (s *Shard) Await(ctx context.Context, w Wait) error {
	o := &s.reader.options
	var got <-chan error
	if w.Records {
		s.ask(ctx)
		got = s.watch.got
	}
	var due <-chan time.Time
	if !w.Until.IsZero() {
		timer := o.Clock.NewTimer(w.Until.Sub(o.Clock.Now()))
		defer timer.Stop()
		due = timer.C()
	}
	cursor := s.cursor
	s.turn.Waits(func() bool {
		return w.Records && o.Source.Ready(s.Key, cursor) || !w.Until.IsZero() && !o.Clock.Now().Before(w.Until) || w.Pending != nil && w.Pending()
	})
	defer s.turn.Resumes()
	select {
	case err := <-got:
		s.watching = false
		return err
	case <-due:
	case <-w.Signal:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// ask has the watcher wait at the cursor.
func (s *Shard) ask(ctx context.Context) {
	if s.watch == nil {
		ctx, cancel := context.WithCancel(ctx)
		w := &watcher{cancel: cancel, want: make(chan int64, 1), got: make(chan error, 1)}
		source, key := s.reader.options.Source, s.Key
		w.done.Go(func() {
			for {
				select {
				case from := <-w.want:
					w.got <- source.Wait(ctx, key, from)
				case <-ctx.Done():
					return
				}
			}
		})
		s.watch = w
	}
	if !s.watching {
		s.watching = true
		s.watch.want <- s.cursor
	}
}

func (s *Shard) stopWatching() {
	if s.watch != nil {
		s.watch.cancel()
		s.watch.done.Wait()
		s.watch, s.watching = nil, false
	}
}

// Activity has a goroutine of the consumer's counted; see Activity.Begin. nil counts nothing.
func (s *Shard) Activity() *Activity { return s.reader.options.Activity }

// Clock is the reader's.
func (s *Shard) Clock() clock.Clock { return s.reader.options.Clock }
