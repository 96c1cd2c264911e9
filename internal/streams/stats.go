package streams

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
)

// Stats is what one stream has taken and given since the node began, under the names of AWS's metrics (Kinesis developer guide, "Monitoring with CloudWatch", read 2026-11).
// A request adds to a handful of counters; nothing is locked. It goes with its stream.
type Stats struct {
	IncomingRecords, IncomingBytes atomic.Int64 // acknowledged, by both puts: data and partition keys

	PutRecord, PutRecords, GetRecords Calls
	PutRecordBytes                    atomic.Int64 // of requests that succeeded
	PutRecordsBytes                   atomic.Int64 // of records that succeeded
	PutRecordsTotal                   atomic.Int64 // records asked for
	PutRecordsSuccessful              atomic.Int64
	PutRecordsFailed                  atomic.Int64 // for a reason of ours
	PutRecordsThrottled               atomic.Int64
	GetRecordsBytes                   atomic.Int64
	GetRecordsRecords                 atomic.Int64
	IteratorAge                       Age // of the last record of each GetRecords

	ReadExceeded  atomic.Int64 // GetRecords calls that were over a shard's limit
	WriteExceeded atomic.Int64 // records that were

	consumers sync.Map // name (string) → *ConsumerStats
	shards    sync.Map // number (uint32) → *Age; only of streams with shard-level metrics
}

// Calls counts the calls of an operation.
type Calls struct {
	Count     atomic.Int64
	Succeeded atomic.Int64
	Took      atomic.Int64 // all together, ns
}

// Add counts a call.
func (c *Calls) Add(succeeded bool, took time.Duration) {
	c.Count.Add(1)
	c.Took.Add(int64(took))
	if succeeded {
		c.Succeeded.Add(1)
	}
}

// ConsumerStats is what one registered consumer was pushed.
type ConsumerStats struct {
	Subscribe    Calls
	RateExceeded atomic.Int64 // subscriptions that were refused because there was another
	Events       Calls        // Took says nothing
	Bytes        atomic.Int64
	Records      atomic.Int64
	MillisBehind atomic.Int64 // as of the last event
}

// Pushed counts an event that was sent, or could not be. What Event says in numbers holds also when it was released.
func (c *ConsumerStats) Pushed(e *Event, sent bool) {
	c.Events.Add(sent, 0)
	if sent {
		c.Bytes.Add(int64(e.Bytes))
		c.Records.Add(int64(len(e.Records)))
		c.MillisBehind.Store(e.MillisBehind)
	}
}

// Age is the highest of the values that were observed in the last minute or two: the minute is the period in which AWS aggregates. It is safe for concurrent use.
type Age struct {
	mu          sync.Mutex // guards everything below
	minute      int64      // since 1970
	now, before int64      // the highest in minute, and in the one before it; −1 is none
}

// Observe notes a value in milliseconds at a time.
func (a *Age) Observe(at time.Time, millis int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(at)
	a.now = max(a.now, millis)
}

// Highest is the highest value, and whether there was one.
func (a *Age) Highest(at time.Time) (millis int64, some bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(at)
	highest := max(a.now, a.before)
	return highest, highest >= 0
}

// turn goes on to the minute of at. The zero value stands in 1970, before any.
func (a *Age) turn(at time.Time) {
	minute := at.Unix() / 60
	switch {
	case minute == a.minute:
		return
	case minute == a.minute+1:
		a.before = a.now
	default:
		a.before = -1
	}
	a.now, a.minute = -1, minute
}

// Stats are those of a stream.
func (s *Streams) Stats(stream *catalog.Stream) *Stats { return s.meters.statsOf(stream.Group) }

func (m *meters) statsOf(group uint64) *Stats {
	if known, ok := m.stats.Load(group); ok {
		return known.(*Stats)
	}
	known, _ := m.stats.LoadOrStore(group, new(Stats))
	return known.(*Stats)
}

// Consumer are the figures of a consumer of the stream.
func (s *Stats) Consumer(name string) *ConsumerStats {
	if known, ok := s.consumers.Load(name); ok {
		return known.(*ConsumerStats)
	}
	known, _ := s.consumers.LoadOrStore(name, new(ConsumerStats))
	return known.(*ConsumerStats)
}

// Keep forgets the consumers and shards that stream does not have any more.
func (s *Stats) Keep(stream *catalog.Stream) {
	s.consumers.Range(func(name, _ any) bool {
		if stream.Consumer(name.(string)) == nil {
			s.consumers.Delete(name)
		}
		return true
	})
	s.shards.Range(func(number, _ any) bool {
		if stream.Shard(number.(uint32)) == nil {
			s.shards.Delete(number)
		}
		return true
	})
}

// ShardAge is IteratorAge of one shard.
func (s *Stats) ShardAge(shard uint32) *Age {
	if known, ok := s.shards.Load(shard); ok {
		return known.(*Age)
	}
	known, _ := s.shards.LoadOrStore(shard, new(Age))
	return known.(*Age)
}

// Tally is what became of the records of a put.
type Tally struct {
	Successful, Throttled, Failed int
	Bytes                         int64 // of the successful ones: data and partition keys
}

// Tally counts what became of the records, after Commit.
func (p *Put) Tally() (t Tally) {
	for _, part := range p.parts[:p.used] {
		t.Throttled += part.over
		switch {
		case part.moved != nil:
			moved := part.moved.Tally()
			t.Successful += moved.Successful
			t.Throttled += moved.Throttled
			t.Failed += moved.Failed
			t.Bytes += moved.Bytes
		case part.err == nil:
			t.Successful += part.batch.Len()
			t.Bytes += part.bytes
		case fault.Is(part.err, fault.Throttled):
			t.Throttled += part.batch.Len()
		default:
			t.Failed += part.batch.Len()
		}
	}
	return t
}

// Stats are those of the stream that p goes into.
func (p *Put) Stats() *Stats { return p.route.stats }

// observe notes what a GetRecords found.
func (s *Stats) observe(stream *catalog.Stream, out *Batch, now time.Time) {
	s.GetRecordsRecords.Add(int64(len(out.Records)))
	s.GetRecordsBytes.Add(int64(out.Bytes))
	age := out.MillisBehind
	if n := len(out.Records); n > 0 {
		age = max(0, now.UnixMilli()-out.Records[n-1].Timestamp)
	}
	s.IteratorAge.Observe(now, age)
	if len(stream.ShardMetrics) > 0 {
		s.ShardAge(out.Shard.Number).Observe(now, age)
	}
}
