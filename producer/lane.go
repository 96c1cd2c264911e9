package producer

import (
	"math"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/record"
)

// instant is time since the Producer was made, in nanoseconds of its clock.
type instant = time.Duration

// never is later than everything.
const never instant = math.MaxInt64

// lane gathers the records of one range of hash keys, which is a shard as far as is known. Put adds under the lane's own lock, so that producers of
// different shards do not meet.
type lane struct {
	// Set once.
	stream *stream
	shard  string // empty when no shard is known: see table
	hash   record.HashRange
	meter  *meter

	mu       sync.Mutex // guards what follows; taken after stream.mu
	closed   bool       // another table has taken this lane's records over
	open     *record.Aggregator
	futures  []*Future // of open, by sub-sequence
	deadline instant   // when open goes into the queue, if it holds anything
	queue    []*entry  // ready to be sent, the first first
	queued   int       // bytes of queue
	received int       // records since it was last reported
	fresh    []Future  // to be handed out next
	oldest   instant   // not later than the arrival of any record in queue

	// Guarded by stream.mu.
	bucket    bucket
	blockers  int     // ordered: how many entries are in flight whose range meets this one's
	notBefore instant // ordered: when the first of queue, which failed, may be sent again
}

// entry is what becomes one record of the stream.
type entry struct {
	lane    *lane
	futures []*Future          // by sub-sequence, at least one
	packed  *record.Aggregator // holds futures; nil for one that goes as it is
	data    *[]byte            // what packed makes, while it is sent
	bytes   int                // of data and key
	ready   instant            // when it joined the queue
	oldest  instant            // arrival of the future that came first
}

// futuresAtOnce is how many Futures are made together: records of one lane, which end together too. One that a customer keeps keeps the others' memory, 5 KB, and their data.
const futuresAtOnce = 32

// future is one that nobody has. The caller holds mu.
func (l *lane) future() *Future {
	if len(l.fresh) == 0 {
		l.fresh = make([]Future, futuresAtOnce)
	}
	f := &l.fresh[0]
	l.fresh = l.fresh[1:]
	return f
}

// aggregators are empty ones, with the room they have grown to.
var aggregators = sync.Pool{New: func() any { return new(record.Aggregator) }}

// add takes a record in, to be sent when there is more, or by deadline. It says when the stream's pump must look at it. The caller holds mu.
func (l *lane) add(f *Future, now, deadline instant) (look instant) {
	o := &l.stream.p.opts
	look = never
	if !l.stream.p.aggregates || l.shard == "" {
		l.push(&entry{lane: l, futures: []*Future{f}, bytes: f.size(), ready: now, oldest: f.arrived})
		return l.lookAtQueue(now)
	}
	if l.open == nil {
		l.open = aggregators.Get().(*record.Aggregator)
		l.open.MaxBytes = int(o.AggregationMaxSize)
	}
	r := record.UserRecord{PartitionKey: f.key, ExplicitHashKey: f.explicit, Data: f.data}
	if !l.open.AddRecord(&r) {
		l.shut(now)
		look = l.lookAtQueue(now)
		l.open = aggregators.Get().(*record.Aggregator)
		l.open.MaxBytes = int(o.AggregationMaxSize)
		l.open.AddRecord(&r)
	}
	if len(l.futures) == 0 || deadline < l.deadline {
		l.deadline = deadline
		look = min(look, deadline)
	}
	l.futures = append(l.futures, f)
	if int64(len(l.futures)) >= o.AggregationMaxCount || int64(l.open.Size()) >= o.AggregationMaxSize {
		l.shut(now)
		look = min(look, l.lookAtQueue(now))
	}
	return look
}

// shut moves what is open to the end of the queue. The caller holds mu.
func (l *lane) shut(now instant) {
	if len(l.futures) == 0 {
		return
	}
	e := &entry{lane: l, futures: l.futures, packed: l.open, ready: now}
	e.settleSize()
	l.futures, l.open = make([]*Future, 0, len(l.futures)+8), nil
	l.push(e)
}

// settleSize computes what follows from the futures. One record alone is sent as it is, as the KPL does.
func (e *entry) settleSize() {
	if len(e.futures) == 1 {
		if e.packed != nil {
			e.discard()
		}
		e.bytes = e.futures[0].size()
	} else {
		e.bytes = e.packed.Size() + 1 // the key "a"
	}
	e.oldest = never
	for _, f := range e.futures {
		e.oldest = min(e.oldest, f.arrived)
	}
}

// discard gives the aggregator back.
func (e *entry) discard() {
	e.packed.Reset()
	aggregators.Put(e.packed)
	e.packed = nil
}

func (l *lane) push(e *entry) {
	if len(l.queue) == 0 {
		l.oldest = never
	}
	l.queue = append(l.queue, e)
	l.queued += e.bytes
	l.oldest = min(l.oldest, e.oldest)
}

// pop takes the first of the queue, which is not empty.
func (l *lane) pop() *entry {
	e := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.queued -= e.bytes
	return e
}

// lookAtQueue is when the pump must look at a queue that has just grown: at once if the shard has enough for a request, else when the wait for others is over.
func (l *lane) lookAtQueue(now instant) instant {
	if l.queued >= shardBytesEnough || len(l.queue) >= int(l.stream.p.opts.CollectionMaxCount) {
		return now
	}
	return now + l.stream.p.collectWait
}

// shardBytesEnough is when a request is sent without waiting for more, and the most that goes to one shard in it unless one record is larger. Source: the KPL.
const shardBytesEnough = 256 << 10

// empty takes everything out, in order. The caller holds mu.
func (l *lane) empty() []*Future {
	var all []*Future
	for _, e := range l.queue {
		all = append(all, e.futures...)
		if e.packed != nil {
			e.discard()
		}
	}
	all = append(all, l.futures...)
	if l.open != nil {
		l.open.Reset()
		aggregators.Put(l.open)
	}
	l.queue, l.queued, l.futures, l.open = nil, 0, nil, nil
	return all
}

// prepend puts records before everything else that waits here, in their order. The caller holds mu.
func (l *lane) prepend(futures []*Future, now instant) {
	if len(futures) == 0 {
		return
	}
	var front []*entry
	if !l.stream.p.aggregates || l.shard == "" {
		for _, f := range futures {
			front = append(front, &entry{lane: l, futures: []*Future{f}, bytes: f.size(), ready: now, oldest: f.arrived})
		}
	} else {
		front = l.pack(futures, now)
	}
	rest := l.queue
	l.queue, l.queued = nil, 0
	for _, e := range append(front, rest...) {
		l.push(e)
	}
}

// pack makes entries of records, in their order.
func (l *lane) pack(futures []*Future, now instant) (entries []*entry) {
	o := &l.stream.p.opts
	for len(futures) > 0 {
		e := &entry{lane: l, packed: aggregators.Get().(*record.Aggregator), ready: now}
		e.packed.MaxBytes = int(o.AggregationMaxSize)
		n := 0
		for n < len(futures) && int64(n) < o.AggregationMaxCount {
			f := futures[n]
			if !e.packed.AddRecord(&record.UserRecord{PartitionKey: f.key, ExplicitHashKey: f.explicit, Data: f.data}) {
				break
			}
			n++
		}
		e.futures, futures = futures[:n:n], futures[n:]
		e.settleSize()
		entries = append(entries, e)
	}
	return entries
}

// expire takes the records out of the queue that have been there too long, and gives them. The caller holds mu.
func (l *lane) expire(now instant) (expired []*Future) {
	ttl := l.stream.p.opts.RecordTtl
	if len(l.queue) == 0 || l.oldest+ttl > now {
		return nil
	}
	queue := l.queue
	l.queue, l.queued = nil, 0
	for _, e := range queue {
		if e.oldest+ttl > now {
			l.push(e)
			continue
		}
		var kept []*Future
		for _, f := range e.futures {
			if f.arrived+ttl <= now {
				expired = append(expired, f)
			} else {
				kept = append(kept, f)
			}
		}
		if e.packed != nil {
			e.discard()
		}
		if len(kept) > 0 {
			for _, rest := range l.pack(kept, e.ready) {
				l.push(rest)
			}
		}
	}
	return expired
}

// bucket is what may still go to a shard now: a second's worth of AWS's limits, times RateLimit, which fill up as time goes by.
type bucket struct {
	records, bytes float64
	filled         instant // when it was last filled up
	began          bool
}

// A shard takes 1000 records and 1 MiB a second (quotas of Kinesis Data Streams).
const (
	shardRecordsPerSecond = 1000
	shardBytesPerSecond   = 1 << 20
)

// limiterWait is how long an entry that is over the limit waits before the bucket is asked again. Source: the KPL drains its limiter every 25 ms.
const limiterWait = 25 * time.Millisecond

// allows says whether a record of bytes may go. One that is larger than the bucket goes when that is full.
func (b *bucket) allows(now instant, percent int64, bytes int) bool {
	records, most := shardRecordsPerSecond*float64(percent)/100, shardBytesPerSecond*float64(percent)/100
	if !b.began {
		b.records, b.bytes, b.filled, b.began = records, most, now, true
	}
	if passed := (now - b.filled).Seconds(); passed > 0 {
		b.records = min(records, b.records+passed*records)
		b.bytes = min(most, b.bytes+passed*most)
		b.filled = now
	}
	return b.records >= min(1, records) && b.bytes >= min(float64(bytes), most)
}

// take lets a record through.
func (b *bucket) take(bytes int) {
	b.records--
	b.bytes -= float64(bytes)
}
