package agent

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/weir-stream/weir/client/follow"
	"github.com/weir-stream/weir/internal/clock"
)

// Sizes of what a flow reads at once. A batch is read only while the buffer is not full, so a flow holds at most a full buffer and one batch.
const (
	pollBytes = 256 << 10
	// linger is how long a rotated file is watched for writers that are slow to leave it.
	linger = 250 * time.Millisecond
)

// FlowOptions are what a flow works with.
type FlowOptions struct {
	Config      *FlowConfig
	Sink        Sink
	Checkpoints *Checkpoints
	// Clock tells the time. Default the real one.
	Clock clock.Clock
	// Log is told what an operator should know. Default nothing.
	Log *slog.Logger
	// Metrics are told what was sent. May be nil.
	Metrics Metrics
	// Acquire waits until the flow may send, and gives what to call afterwards. May be nil.
	Acquire func(context.Context) (release func(), err error)
	// Linger is how long a rotated file is watched for late lines. Default a quarter of a second; less than nought is not at all.
	Linger time.Duration

	places FlowPlaces // where to begin without Checkpoints
}

// Flow brings the lines of the files of one pattern into one stream. It is used by one goroutine, but for Status.
//
// What is read goes through the splitter and the converters into queue, in order. A request takes the front of it; what the service did not take stays. A
// checkpoint says of each file where its first record begins that is not in the stream yet, so it never runs ahead, and a kill repeats at most what was in
// the queue. While the queue is full nothing is read: the files wait, not the memory.
type Flow struct {
	c    *FlowConfig
	o    FlowOptions
	log  *slog.Logger
	sink Sink

	set       *follow.Set
	splitters map[string]*splitter
	scanned   time.Time
	turn      int // the file to begin the next reading with
	saved     FlowPlaces

	queue      []*item
	queueBytes int
	nextTry    time.Time // not before then, after a refusal
	backoff    time.Duration

	status   status
	reported time.Time
}

// NewFlow begins where the checkpoints say, or else where the configuration does.
func NewFlow(o FlowOptions) (*Flow, error) {
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Linger == 0:
		o.Linger = linger
	case o.Linger < 0:
		o.Linger = 0
	}
	f := &Flow{c: o.Config, o: o, log: o.Log.With("flow", o.Config.ID), sink: o.Sink, splitters: map[string]*splitter{}, saved: o.places}
	if o.Checkpoints != nil {
		f.saved = o.Checkpoints.Flow(f.c.ID)
	}
	saved := map[string]follow.Saved{}
	for key, place := range f.saved.Files {
		saved[key] = place.Saved
		f.splitters[key] = &splitter{header: place.Header, ended: place.Ended}
	}
	set, err := follow.NewSet(f.c.Dir, f.c.Pattern, follow.SetOptions{
		Options: follow.Options{
			AtEnd: !f.c.FromStart, LineBytesMax: f.c.bufferBytesMax(), Cut: true, Linger: o.Linger, Now: o.Clock.Now, Notice: f.notice,
		},
		Begun: f.saved.Begun, Saved: saved, AtStartOf: f.headerIsShort, Hold: f.holds,
	})
	if err != nil {
		return nil, err
	}
	f.set = set
	f.status.begin(f.c)
	return f, nil
}

func (f *Flow) notice(n follow.Notice) {
	if n.Lost {
		f.status.lost()
		f.log.Warn("lines may be lost", "file", n.Path, "what", n.Text)
		return
	}
	f.log.Info("rotation", "file", n.Path, "what", n.Text)
}

// headerIsShort says of a file at whose end the flow would begin that it does not hold its whole header yet.
func (f *Flow) headerIsShort(path string) bool {
	if f.c.SkipHeaderLines == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close() // read only
	start := make([]byte, 1<<20)
	n, err := file.Read(start)
	return (err == nil || n == 0) && n < len(start) && bytes.Count(start[:n], []byte("\n")) < f.c.SkipHeaderLines
}

// holds says whether records of a file are read and not in the stream.
func (f *Flow) holds(key string) bool {
	if s := f.splitters[key]; s != nil && s.open != nil {
		return true
	}
	for _, one := range f.queue {
		if one.file == key {
			return true
		}
	}
	return false
}

// Close closes the files. What is in the queue is read again next time.
func (f *Flow) Close() error { return f.set.Close() }

// Status is how the flow is. It may be called by anybody.
func (f *Flow) Status() FlowStatus { return f.status.get() }

// Run sends until ctx ends, and then, for as long as drain lives, what has been read by then.
func (f *Flow) Run(ctx, drain context.Context) {
	for ctx.Err() == nil {
		// A request that is under way when ctx ends is answered, not cut off: else it would be sent twice.
		wait := f.Step(drain, false)
		if wait > 0 {
			_ = clock.Sleep(ctx, f.o.Clock, wait) // the loop sees the end of ctx
		}
	}
	for len(f.queue) > 0 && drain.Err() == nil {
		f.send(drain)
		if wait := f.nextTry.Sub(f.o.Clock.Now()); wait > 0 && len(f.queue) > 0 {
			_ = clock.Sleep(drain, f.o.Clock, wait)
		}
	}
	f.save()
	f.report(true)
}

// Step reads what there is and fits, sends it if it is time, or in any case with flush, and says how long there will be nothing to do; nought is that there is
// more to do now.
func (f *Flow) Step(ctx context.Context, flush bool) time.Duration {
	f.scan()
	more := f.read()
	now := f.o.Clock.Now()
	for _, s := range f.splitters {
		if s.open != nil && (flush || now.Sub(s.since) >= f.c.MaxBufferAge) {
			s.close(f.c, f.take)
		}
	}
	due := f.full() || len(f.queue) > 0 && (flush || f.backoff > 0 || !now.Before(f.oldest().Add(f.c.MaxBufferAge)))
	if due && !now.Before(f.nextTry) {
		f.send(ctx)
	}
	f.report(flush)
	return f.wait(more)
}

// wait is how long nothing is to be done.
func (f *Flow) wait(more bool) time.Duration {
	now := f.o.Clock.Now()
	held := f.nextTry.Sub(now)
	if f.full() {
		return max(0, held)
	}
	if more {
		return 0
	}
	wait := f.c.PollEvery
	if len(f.queue) > 0 {
		wait = min(wait, max(f.oldest().Add(f.c.MaxBufferAge).Sub(now), held, time.Millisecond))
	}
	return wait
}

// oldest is when the first of the queue was read.
func (f *Flow) oldest() time.Time { return f.queue[0].read }

// full says that nothing is read before something is sent.
func (f *Flow) full() bool {
	return len(f.queue) >= f.c.MaxBufferRecords || f.queueBytes >= f.c.MaxBufferBytes
}

// scan looks for files: when the folder has changed, and now and then anyway.
func (f *Flow) scan() {
	now := f.o.Clock.Now()
	scan := f.set.ScanIfChanged
	due := f.scanned.IsZero() || now.Sub(f.scanned) >= f.c.RefreshEvery
	if due {
		scan, f.scanned = f.set.Scan, now
	}
	if err := scan(); err != nil {
		f.failed("look for files", err)
		return
	}
	if due { // files that came, went and were left; and, the first time, where each file begins, from which a restart has to go on
		f.save()
	}
}

// read takes lines from the files in turn until the queue is full or none has more; it says whether there may be more.
func (f *Flow) read() bool {
	keys := f.set.Keys()
	for range keys {
		if f.full() {
			break
		}
		key := keys[f.turn%len(keys)]
		for !f.full() {
			batch, err := f.set.File(key).Poll(pollBytes)
			if err != nil {
				f.failed("read "+key, err)
				break
			}
			if len(batch.Lines) == 0 {
				break
			}
			f.status.readLines(len(batch.Lines))
			f.splitterOf(key).split(f.c, key, &batch, f.o.Clock.Now(), f.take)
		}
		if f.full() {
			break
		}
		f.turn++
	}
	if len(keys) > 0 {
		f.turn %= len(keys)
	}
	return f.full()
}

func (f *Flow) splitterOf(key string) *splitter {
	s := f.splitters[key]
	if s == nil {
		s = &splitter{}
		f.splitters[key] = s
	}
	return s
}

// take converts a record and puts it into the queue.
func (f *Flow) take(one *item) {
	data := one.Data
	if f.c.convert != nil {
		converted, err := f.c.convert.convert(one.Data, f.o.Clock.Now())
		switch {
		case err != nil:
			f.status.count(func(s *FlowStatus) { s.Unconverted++ })
			f.log.Warn("sent as it is: it could not be converted", "file", one.path, "offset", one.offset, "err", err)
		case converted == nil:
			if f.status.skip() {
				f.log.Warn("left out: it is no line of the format", "file", one.path, "offset", one.offset)
			}
			return
		default:
			data = converted
		}
	}
	one.Data = data
	if !f.c.Delivery {
		one.Key = f.c.partitionKey(data)
	}
	if size := len(data); f.c.cut(&one.Record) {
		f.status.count(func(s *FlowStatus) { s.Cut++ })
		f.log.Warn("cut: it is larger than a record may be", "file", one.path, "offset", one.offset, "bytes", size)
	}
	one.read = f.o.Clock.Now()
	f.queue = append(f.queue, one)
	f.queueBytes += one.bytes()
}

// failed notes an error that passes by itself or with an operator's help; the same one is logged once until another comes.
func (f *Flow) failed(doing string, err error) {
	text := doing + ": " + err.Error()
	fresh := false
	f.status.count(func(s *FlowStatus) {
		fresh = s.LastError != text
		s.LastError, s.LastErrorAt = text, f.o.Clock.Now()
	})
	if fresh {
		f.log.Error("trouble, and going on with the rest", "err", text)
	}
}
