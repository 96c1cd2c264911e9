// Package producer puts records to streams of Kinesis as the Kinesis Producer Library does: many records packed into one, in requests that are full, tried again until they
// are taken or too old.
//
// It owns the way of a record from Put to its acknowledgement: which shard it belongs to, with which others it is packed, when it goes, how often, and what became of it. The
// bytes of a packed record are those of internal/record, which the KPL and the KCL write and read as well. Connections, credentials and signatures are the AWS SDK's:
// any client of it will do, of a Weir or of AWS. Nothing here knows the server.
//
// # What is promised
//
// A record whose Future has a Result is in the stream, at that shard, sequence number and sub-sequence number, and its hash key and those of all records it is packed with are within
// that shard's range, so that no consumer passes over it. A record whose Future has a Failure is not, unless Failure.Unknown says that an answer was lost. A record may be in the stream more than once: when an answer
// was lost, and when what it was packed with went to a shard that did not have the hash keys of all, while the stream was resharded. That copy the KCL and this module's consumer
// pass over, as they do with any packed record of which a part does not belong to its shard. (The KPL acknowledges the parts that do belong, which the KCL then loses.)
//
// Without Options.Ordered no order is promised, as with the KPL.
//
// With Options.Ordered, and for the records of one partition key (and explicit hash key) that go to one stream through one Producer, the order is that in which the calls of Put
// returned, one after the other: when Put of one record returned before Put of another was called, the first copy of the one lies before the first copy of the
// other, in the same shard or in an ancestor of its shard. This holds over retries, lost answers, and splits and merges meanwhile. It says nothing about copies after the first, which a lost
// answer may leave anywhere behind it; a consumer that passes over what it has seen has the order. A record that fails leaves a gap, and those behind it go
// on: until it fails or is taken, they wait. Every shard has one record of the stream in flight at a time, so that AggregationMaxSize and the time of a request decide how
// fast it goes.
//
// # Back-pressure
//
// OutstandingRecordsMax and OutstandingBytesMax bound what is put and not done. Put waits then; TryPut refuses with ErrFull. Data belongs to the Producer from Put until the Future is
// done: it must not be changed.
//
// Read Options, then Producer.Put, then stream.go for how it works.
package producer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/record"
)

// Errors of Put, TryPut and Future.Result.
var (
	// ErrClosed says that Close was called. The record was not taken in.
	ErrClosed = errors.New("producer: closed")
	// ErrFull says that as much is outstanding as Options let. The record was not taken in.
	ErrFull = errors.New("producer: as many records are outstanding as the options allow")
	// ErrPending says that a record is not done yet.
	ErrPending = errors.New("producer: the record is not done yet")

	errTimeout = errors.New("no answer within RequestTimeout")
)

// UserRecord is what a program wants in a stream.
type UserRecord struct {
	// Stream is the name or the ARN of the stream.
	Stream string
	// PartitionKey is 1 to 256 characters, in UTF-8. Its MD5 says which shard the record goes to, unless there is an ExplicitHashKey.
	PartitionKey string
	// ExplicitHashKey says it instead: a number below 2^128, in decimal. May be empty.
	ExplicitHashKey string
	// Data is up to MaxUserRecordSize bytes together with PartitionKey. It must not be changed until the Future is done.
	Data []byte
	// Done is called once, when the record is acknowledged or has failed, on a goroutine of the Producer's: with Ordered, for the acknowledged records of a key in their order.
	// It should be quick. It may Put and TryPut, but not Flush or Close. May be nil.
	Done func(*Future)
}

// Producer puts records to any number of streams. It is safe for concurrent use.
type Producer struct {
	// Set once.
	opts        Options
	aggregates  bool
	collectWait time.Duration // how long a record of the stream waits for others
	gatherWait  time.Duration // how long a record waits for others of its record of the stream
	begin       time.Time
	real        bool             // the clock is the system's
	reporter    *report.Reporter // nil when nothing is reported
	meter       *meter           // of everything together; nil when nothing is reported
	gate        *gate
	hashes      *hashes
	life        context.Context // of all requests
	abort       context.CancelFunc

	turn        atomic.Uint32 // which lane is asked first
	connections atomic.Int64  // in use
	streams     sync.Map      // of *stream by name
	latest      atomic.Pointer[stream]
	epoch       atomic.Pointer[epoch]
	unsent      atomic.Int64 // ended as Closed, certainly not in the stream
	unknown     atomic.Int64 // ended as Closed, perhaps in the stream

	running sync.WaitGroup // everything that was started
	closing chan struct{}  // closed when Close begins
	ended   chan struct{}  // closed when pumps shall end

	mu      sync.Mutex // guards what follows
	closed  bool
	retired []*epoch // not drained yet
}

// New makes a Producer. It starts nothing and asks nobody until the first Put. The error says all that is wrong with the Options at once.
func New(o Options) (*Producer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	p := &Producer{
		opts: o, aggregates: *o.AggregationEnabled, collectWait: o.collectWait(), gatherWait: o.RecordMaxBufferedTime - o.collectWait(), begin: o.Clock.Now(), real: o.Clock == clock.Real,
		gate: newGate(o.OutstandingRecordsMax, o.OutstandingBytesMax), hashes: newHashes(), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if o.MetricsLevel != MetricsNone {
		p.reporter, err = report.New(report.Options{API: o.CloudWatch, Namespace: o.MetricsNamespace, Every: o.MetricsUploadDelay, Notice: o.Notice, Clock: o.Clock})
		if err != nil {
			return nil, fmt.Errorf("producer: metrics: %w", err)
		}
		p.meter = &meter{to: p.reporter, detailed: o.MetricsLevel == MetricsDetailed, dims: make([][]types.Dimension, 1)}
	}
	p.life, p.abort = context.WithCancel(context.Background())
	p.epoch.Store(newEpoch())
	return p, nil
}

// Put takes a record in and returns; the Future says what becomes of it. It waits while as much is outstanding as the Options allow, until ctx ends. The error, ErrClosed, ctx's or one
// that names what is wrong with the record, means that it was not taken in.
func (p *Producer) Put(ctx context.Context, r UserRecord) (*Future, error) {
	return p.put(ctx, &r, true)
}

// TryPut is Put that refuses with ErrFull where that would wait.
func (p *Producer) TryPut(r UserRecord) (*Future, error) {
	return p.put(context.Background(), &r, false)
}

// put waits for room or refuses.
func (p *Producer) put(ctx context.Context, r *UserRecord, wait bool) (*Future, error) {
	select {
	case <-p.closing:
		return nil, ErrClosed
	default:
	}
	hash, err := p.check(r)
	if err != nil {
		return nil, err
	}
	s, err := p.stream(r.Stream)
	if err != nil {
		return nil, err
	}
	size := len(r.Data) + len(r.PartitionKey)
	if !p.gate.try(size) {
		if !wait {
			return nil, ErrFull
		}
		if err := p.gate.enter(ctx, size, p.closing); err != nil {
			return nil, err
		}
	}
	e := p.epoch.Load()
	for {
		e.count.Add(1)
		now := p.epoch.Load()
		if now == e {
			break
		}
		e.leave(1) // a Flush has come in between
		e = now
	}
	f := s.add(r, hash, e)
	if f == nil {
		p.gate.leave(1, size)
		e.leave(1)
		return nil, ErrClosed
	}
	return f, nil
}

// partitionKeyCharactersMax is the longest partition key (API_PutRecordsRequestEntry).
const partitionKeyCharactersMax = 256

// check says what is wrong with a record, and computes its hash key.
func (p *Producer) check(r *UserRecord) (record.HashKey, error) {
	key, none := r.PartitionKey, record.HashKey{}
	switch size := len(r.Data) + len(key); {
	case r.Stream == "":
		return none, errors.New("producer: the record names no stream")
	case key == "" || len(key) > partitionKeyCharactersMax && utf8.RuneCountInString(key) > partitionKeyCharactersMax || !utf8.ValidString(key):
		return none, fmt.Errorf("producer: a partition key of %d bytes: want 1 to %d characters in UTF-8", len(key), partitionKeyCharactersMax)
	case int64(size) > p.opts.MaxUserRecordSize:
		return none, fmt.Errorf("producer: a record of %d bytes is larger than MaxUserRecordSize, %d", size, p.opts.MaxUserRecordSize)
	}
	if r.ExplicitHashKey == "" {
		return p.hashes.of(key), nil
	}
	hash, err := record.ParseHashKey(r.ExplicitHashKey)
	if err != nil {
		return none, fmt.Errorf("producer: %w", err)
	}
	return hash, nil
}

// stream is the stream of a name; the first to ask for it starts its pump.
func (p *Producer) stream(name string) (*stream, error) {
	if s := p.latest.Load(); s != nil && s.name == name {
		return s, nil
	}
	if s, ok := p.streams.Load(name); ok {
		p.latest.Store(s.(*stream))
		return s.(*stream), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if s, ok := p.streams.Load(name); ok {
		return s.(*stream), nil
	}
	s := p.newStream(name)
	p.streams.Store(name, s)
	p.running.Add(1)
	go s.pump()
	return s, nil
}

// Outstanding is how many records are put and not done, and their data and keys in bytes.
func (p *Producer) Outstanding() (records, bytes int64) { return p.gate.outstanding() }

// Flush sends what waits for company, and returns when every record that was put before is done, well or badly; their Futures say which. The error is ctx's.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	before := p.epoch.Swap(newEpoch())
	before.retire()
	p.retired = append(p.retired, before)
	waiting := append([]*epoch(nil), p.retired...)
	p.mu.Unlock()
	now := p.now()
	p.streams.Range(func(_, s any) bool {
		s.(*stream).flush(now)
		return true
	})
	for _, e := range waiting {
		select {
		case <-e.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []*epoch
	for _, e := range p.retired {
		select {
		case <-e.drained:
		default:
			left = append(left, e)
		}
	}
	p.retired = left
	return nil
}

// UnsentError is what Close returns when records were left.
type UnsentError struct {
	// Unsent is how many records are not in the stream. Unknown is how many may be: they were on their way.
	Unsent, Unknown int64
}

// Error says both numbers.
func (e *UnsentError) Error() string {
	return fmt.Sprintf("producer: closed with %d records not sent, and %d of which it is not known", e.Unsent, e.Unknown)
}

// Close takes nothing more in, sends what there is, waits until it is done, and stops. When ctx ends before, what is on its way is cut off, and what is left fails with CodeClosed: then the
// error is an *UnsentError. Metrics go out last. Calls after the first return when that does.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	again := p.closed
	if !again {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	if again {
		p.running.Wait()
		return nil
	}
	_ = p.Flush(ctx) // what it leaves is counted below
	p.abort()
	close(p.ended)
	p.running.Wait()
	var failed error
	if unsent, unknown := p.unsent.Load(), p.unknown.Load(); unsent+unknown > 0 {
		failed = &UnsentError{unsent, unknown}
	}
	return errors.Join(failed, p.reporter.Close(ctx))
}

// now is the time since the Producer was made.
func (p *Producer) now() instant {
	if p.real {
		return time.Since(p.begin) // the same, at half the price: it does not ask for the time of day
	}
	return p.opts.Clock.Now().Sub(p.begin)
}

// at and since translate it.
func (p *Producer) at(i instant) time.Time    { return p.begin.Add(i) }
func (p *Producer) since(t time.Time) instant { return t.Sub(p.begin) }

// sentBefore is when a record began to wait for the sending that is on its way: when it was put, or sent before.
func (p *Producer) sentBefore(f *Future) instant {
	if f.attempts == nil {
		return f.arrived
	}
	return p.since(f.attempts.Ended)
}

// isAborted says whether Close waits no longer: what is not done by then is left.
func (p *Producer) isAborted() bool { return p.life.Err() != nil }

// abandoned counts what Close leaves.
func (p *Producer) abandoned(uncertain bool) {
	if uncertain {
		p.unknown.Add(1)
	} else {
		p.unsent.Add(1)
	}
}

// connect takes a connection if one is free.
func (p *Producer) connect() bool {
	if p.connections.Add(1) <= p.opts.MaxConnections {
		return true
	}
	p.connections.Add(-1)
	return false
}

// disconnect gives it back, to whoever waits for one.
func (p *Producer) disconnect() {
	p.connections.Add(-1)
	p.streams.Range(func(_, s any) bool {
		if one := s.(*stream); one.starved.CompareAndSwap(true, false) {
			one.wake()
		}
		return true
	})
}

// departure gathers, while records end, what is to be done about all of them afterwards.
type departure struct {
	bytes     int
	callbacks bool
	epoch     *epoch // of the last count records
	count     int
	earlier   []departed
}

type departed struct {
	epoch *epoch
	count int
}

func (d *departure) add(f *Future) {
	d.bytes += f.size()
	d.callbacks = d.callbacks || f.callback != nil
	if f.epoch != d.epoch {
		if d.count > 0 {
			d.earlier = append(d.earlier, departed{d.epoch, d.count})
		}
		d.epoch, d.count = f.epoch, 0
	}
	d.count++
}

// depart makes room for others, then calls whoever wants to know, who may put again, then lets Flush go on.
func (p *Producer) depart(futures []*Future, d *departure) {
	if len(futures) == 0 {
		return
	}
	p.gate.leave(len(futures), d.bytes)
	if d.callbacks {
		for _, f := range futures {
			if f.callback != nil {
				f.callback(f)
			}
		}
	}
	for _, one := range d.earlier {
		one.epoch.leave(one.count)
	}
	d.epoch.leave(d.count)
}
