package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
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
	f.status.begin(f.c, o.Clock.Now())
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

// send makes one request of the front of the queue, or, when that is refused for what is in it, as many as it takes to find the record that is the reason.
func (f *Flow) send(ctx context.Context) {
	if f.o.Acquire != nil {
		release, err := f.o.Acquire(ctx)
		if err != nil {
			return
		}
		defer release()
	}
	part := f.front()
	requests := 0
	answer := f.put(ctx, part, &requests)
	taken, refused := 0, 0
	for _, a := range answer {
		if a.taken {
			taken++
		} else if a.forGood {
			refused++
		}
	}
	// A record is given up only when others of its request went through: else it may well be the request, such as a name that is no stream's, and not the record.
	giveUp := taken > 0
	var kept []*item
	var cause error
	for i, one := range part {
		switch a := answer[i]; {
		case a.taken:
		case a.forGood && giveUp:
			f.status.count(func(s *FlowStatus) { s.Refused++ })
			f.log.Error("given up: the service refuses this record", "file", one.path, "offset", one.offset, "bytes", len(one.Data), "err", a.cause)
		default:
			kept = append(kept, one)
			if a.cause != nil {
				cause = a.cause
			}
		}
	}
	f.queue = append(kept, f.queue[len(part):]...)
	f.queueBytes = 0
	for _, one := range f.queue {
		f.queueBytes += one.bytes()
	}
	f.retry(ctx, len(part), len(kept), cause)
	if len(kept) < len(part) {
		f.save()
	}
}

// front is what the next request takes.
func (f *Flow) front() []*item {
	size := 0
	for i, one := range f.queue {
		size += one.bytes()
		if i == f.c.MaxBufferRecords || i > 0 && size > f.c.MaxBufferBytes {
			return f.queue[:i:i]
		}
	}
	return f.queue[:len(f.queue):len(f.queue)]
}

// answer is what became of a record.
type answer struct {
	taken   bool
	forGood bool // it was refused alone, for what it is
	cause   error
}

// searchRequestsMax is how many requests may be spent on finding the records that a service refuses: enough for a few of them among 500.
const searchRequestsMax = 64

// put sends records, halving what is refused for its contents.
func (f *Flow) put(ctx context.Context, part []*item, requests *int) []answer {
	answers := make([]answer, len(part))
	*requests++
	records := make([]Record, len(part))
	for i, one := range part {
		records[i] = one.Record
	}
	causes, err := f.sink.Put(ctx, records)
	f.measure(part, causes, err)
	switch {
	case err == nil:
		for i, cause := range causes {
			answers[i] = answer{taken: cause == nil, cause: cause}
		}
	case !aboutRecords(err) || *requests >= searchRequestsMax:
		for i := range answers {
			answers[i].cause = err
		}
	case len(part) == 1:
		answers[0] = answer{forGood: true, cause: err}
	default:
		half := len(part) / 2
		copy(answers, f.put(ctx, part[:half], requests))
		copy(answers[half:], f.put(ctx, part[half:], requests))
	}
	return answers
}

// measure counts one request.
func (f *Flow) measure(part []*item, causes []error, err error) {
	var sent, sentBytes, failed int
	for i, one := range part {
		if err == nil && causes[i] == nil {
			sent++
			sentBytes += len(one.Data)
		} else if err == nil {
			failed++
		}
	}
	f.status.count(func(s *FlowStatus) {
		s.Sent += int64(sent)
		s.SentBytes += int64(sentBytes)
		s.Requests++
		if sent > 0 {
			s.LastSent = f.o.Clock.Now()
		}
	})
	if f.o.Metrics != nil {
		f.o.Metrics.Request(f.c.Destination(), len(part), sent, sentBytes, failed, err)
	}
}

// retry says when to go on after a request: at once when anything was taken whole, with growing waits while nothing is.
func (f *Flow) retry(ctx context.Context, asked, kept int, cause error) {
	now := f.o.Clock.Now()
	switch {
	case kept == 0:
		f.backoff, f.nextTry = 0, time.Time{}
		f.status.count(func(s *FlowStatus) { s.Waiting = "" })
		return
	case ctx.Err() != nil && errors.Is(cause, ctx.Err()):
		return
	case kept < asked || f.backoff == 0:
		f.backoff = f.c.BackoffFirst
	default:
		f.backoff = min(2*f.backoff, f.c.BackoffMax)
	}
	// 30 % more or less, so that many agents do not come back together.
	f.nextTry = now.Add(time.Duration(float64(f.backoff) * (0.7 + 0.6*rand.Float64())))
	text := "unknown"
	if cause != nil {
		text = reason(cause)
	}
	fresh := false
	f.status.count(func(s *FlowStatus) {
		s.Retried += int64(kept)
		s.LastError, s.LastErrorAt = text, now
		fresh = s.Waiting != text
		s.Waiting = text
	})
	if fresh {
		f.log.Warn("waiting: not everything was taken, and it is sent again", "records", kept, "err", text)
	}
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

// places are how far each file is: where its first record begins that is not in the stream, or else where its reading is.
func (f *Flow) places() FlowPlaces {
	first := map[string]*item{}
	note := func(one *item) {
		if first[one.file] == nil {
			first[one.file] = one
		}
	}
	for _, one := range f.queue {
		note(one)
	}
	for _, s := range f.splitters {
		if s.open != nil {
			note(s.open)
		}
	}
	now := f.o.Clock.Now()
	places := FlowPlaces{Begun: true, Files: map[string]Place{}}
	for _, key := range f.set.Keys() {
		s := f.splitterOf(key)
		place := Place{Header: s.header, Ended: s.ended, Updated: now}
		at := f.set.File(key).At()
		if one := first[key]; one != nil {
			at, place.Header, place.Ended = one.before(), 0, false
		}
		place.Saved = f.set.Save(key, at)
		if before, known := f.saved.Files[key]; known && samePlace(before, place) {
			place.Updated = before.Updated
		}
		places.Files[key] = place
	}
	for key, saved := range f.set.Gone() {
		before, known := f.saved.Files[key]
		if known && now.Sub(before.Updated) > f.c.checkpointTTL {
			f.set.Forget(key)
			continue
		}
		place := Place{Saved: saved, Updated: now}
		if known {
			place.Updated = before.Updated
		}
		places.Files[key] = place
	}
	for key, s := range f.splitters {
		if f.set.File(key) == nil && s.open == nil {
			delete(f.splitters, key)
		}
	}
	return places
}

func samePlace(a, b Place) bool {
	a.Updated, b.Updated = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

// save writes the places down if they are others. Without a checkpoint the flow goes on: what is on disk is older and stays good, and a restart sends more
// lines twice.
func (f *Flow) save() {
	if f.o.Checkpoints == nil {
		return
	}
	places := f.places()
	if f.saved.Begun && reflect.DeepEqual(places, f.saved) && f.status.get().CheckpointError == "" {
		return
	}
	err := f.o.Checkpoints.Save(f.c.ID, places)
	f.saved = places
	fresh := false
	f.status.count(func(s *FlowStatus) {
		text := ""
		if err != nil {
			text = err.Error()
		} else {
			s.CheckpointAt = f.o.Clock.Now()
		}
		fresh = text != s.CheckpointError
		s.CheckpointError = text
	})
	if err != nil && fresh {
		f.log.Error("the checkpoint could not be written; sending goes on, and a restart would send again what is sent from now on", "err", err)
	}
}
