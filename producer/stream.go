package producer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/record"
)

// stream is what is put to one stream. Its pump, one goroutine, looks at all lanes whenever something is due, makes requests of what may go, and starts a goroutine for each.
//
// What waits for what:
//
//	Put ─▶ lane.open ─(full, or 4/5 of RecordMaxBufferedTime)─▶ lane.queue ─(enough, or the last fifth; RateLimit; a free connection)─▶ request ─▶ judge
//	          ▲                                                                                                                                  │
//	          └──────────────────── failed, or on the wrong shard: each record by itself, half of RecordMaxBufferedTime ◀────────────────────────┘
//
// Ordered, three rules are added, from which the order of each key follows:
//
//  1. A lane gives one entry to a request, and none while an entry is in flight whose range of hash keys meets its own. blockers counts those. So of any key at
//     most one entry is in flight, across tables too: a lane of a new table is blocked by what an older one has sent.
//  2. What failed goes back before everything that waits in its lane, in order, before the lane is unblocked.
//  3. When the table changes, records move in their order (table.go).
type stream struct {
	p     *Producer
	name  string
	meter *meter

	table    atomic.Pointer[table] // nil after the end; swapped under mu
	kick     chan struct{}         // capacity 1: the pump must look again
	nextLook atomic.Int64          // when the pump looks next by itself; while it looks, never: whoever has something for it says so
	starved  atomic.Bool           // the pump waits for a connection

	mu       sync.Mutex // guards what follows; taken before lane.mu; never held across a call of the API or of the customer
	flying   []*entry   // ordered: in flight, or waiting to be judged
	unjudged []*landed  // taken by shards that are not known
	flushed  instant    // what became ready until then goes without waiting for company
	learner  learner

	// After a request failed as a whole, nothing is sent before pausedTo.
	pausedTo instant
	pause    time.Duration
}

// How long nothing is sent after a request failed as a whole: doubled with each failure, and forgotten with the first success. The KPL does not wait; a server that
// starts again is better off when its clients do.
const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = time.Second
)

func (p *Producer) newStream(name string) *stream {
	s := &stream{p: p, name: name, kick: make(chan struct{}, 1), flushed: -1, meter: p.meterFor(name, "")}
	s.nextLook.Store(int64(never))
	s.learner = newLearner()
	s.table.Store(&table{lanes: []*lane{s.newLane("", everything)}})
	return s
}

func (s *stream) newLane(shard string, hash record.HashRange) *lane {
	return &lane{stream: s, shard: shard, hash: hash, meter: s.p.meterFor(s.name, shard), notBefore: -1}
}

// add gives a record to the lane of its hash key. It is nil when the Producer has ended.
func (s *stream) add(r *UserRecord, hash record.HashKey, e *epoch) *Future {
	now := s.p.now()
	for {
		t := s.table.Load()
		if t == nil {
			return nil
		}
		l := t.find(hash)
		l.mu.Lock()
		if l.closed { // the table was swapped in between
			l.mu.Unlock()
			continue
		}
		f := l.future()
		f.key, f.explicit, f.data, f.callback = r.PartitionKey, r.ExplicitHashKey, r.Data, r.Done
		f.hash, f.arrived, f.epoch = hash, now, e
		l.received++
		look := l.add(f, now, now+s.p.gatherWait)
		l.mu.Unlock()
		s.lookAt(look)
		return f
	}
}

// lookAt makes the pump look at that time, if it would look later.
func (s *stream) lookAt(at instant) {
	if int64(at) < s.nextLook.Load() {
		s.wake()
	}
}

// wake makes the pump look now.
func (s *stream) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// flush makes everything that waits due.
func (s *stream) flush(now instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = now
	if t := s.table.Load(); t != nil {
		for _, l := range t.lanes {
			l.mu.Lock()
			l.shut(now)
			l.mu.Unlock()
		}
	}
	s.wake()
}

// pump runs until the Producer ends.
func (s *stream) pump() {
	defer s.p.running.Done()
	for {
		s.nextLook.Store(int64(never))
		next := s.look()
		s.nextLook.Store(int64(next))
		var alarm <-chan time.Time
		stop := func() bool { return true }
		if next != never {
			timer := s.p.opts.Clock.NewTimer(max(0, next-s.p.now()))
			alarm, stop = timer.C(), timer.Stop
		}
		select {
		case <-s.kick:
		case <-alarm:
		case <-s.p.ended:
			stop()
			s.abandon()
			return
		}
		stop()
	}
}

// look does what is due and says when to look again.
func (s *stream) look() (next instant) {
	now := s.p.now()
	var expired []*Future
	s.mu.Lock()
	next = s.learner.step(s, now)
	for {
		again, due := s.survey(now, &expired)
		next = min(next, again)
		if !due {
			break
		}
		if !s.p.connect() {
			s.starved.Store(true)
			if !s.p.connect() { // again: one may have been given back before starved was seen
				break
			}
			s.starved.Store(false)
		}
		s.dispatch(s.collect(now), now)
	}
	s.mu.Unlock()
	s.fail(expired, CodeExpired, "not acknowledged within RecordTtl", now)
	return next
}

// may says whether a lane may send its first entry now, and if not, when to ask again. The caller holds s.mu and l.mu; queue is not empty.
func (s *stream) may(l *lane, now instant) (ok bool, again instant) {
	switch {
	case s.learner.holds():
		return false, never // what it learns wakes the pump
	case s.pausedTo > now:
		return false, s.pausedTo
	case l.blockers > 0:
		return false, never // what is in flight wakes it
	case l.notBefore > now:
		return false, l.notBefore
	case !l.bucket.allows(now, s.p.opts.RateLimit, l.queue[0].bytes):
		return false, now + limiterWait
	}
	return true, never
}

// survey shuts what has waited long enough, takes out what has expired, and says whether a request is due, and otherwise when to look again. The caller holds s.mu.
func (s *stream) survey(now instant, expired *[]*Future) (again instant, due bool) {
	again = never
	entries, bytes := 0, 0 // that may go
	company := false       // whether more may come that could join
	var received report.Set
	for _, l := range s.table.Load().lanes {
		l.mu.Lock()
		for ; l.received > 0; l.received-- {
			received.Include(1)
		}
		if len(l.futures) > 0 && l.deadline <= now {
			l.shut(l.deadline) // and not now, or who looks late would wait twice
		}
		*expired = append(*expired, l.expire(now)...)
		if len(l.futures) > 0 {
			again = min(again, l.deadline)
		}
		if len(l.queue) == 0 {
			company = company || len(l.futures) > 0 && l.blockers == 0
			l.mu.Unlock()
			continue
		}
		again = min(again, l.oldest+s.p.opts.RecordTtl)
		ok, at := s.may(l, now)
		again = min(again, at)
		if ok {
			ready := l.queue[0].ready
			switch {
			case ready <= s.flushed, ready+s.p.collectWait <= now, l.queued >= shardBytesEnough:
				due = true
			default:
				again = min(again, ready+s.p.collectWait)
			}
			if s.p.opts.Ordered {
				entries, bytes = entries+1, bytes+l.queue[0].bytes
			} else {
				entries, bytes = entries+len(l.queue), bytes+l.queued
			}
		}
		l.mu.Unlock()
	}
	s.meter.put(userRecordsReceived, received)
	o := &s.p.opts
	due = due || int64(entries) >= o.CollectionMaxCount || int64(bytes) >= o.CollectionMaxSize
	due = due || o.Ordered && entries > 0 && !company // nobody is waited for
	return again, due
}

// collect takes what goes into one request: from lane to lane, so that none waits for another. The caller holds s.mu, and survey has said that there is something.
func (s *stream) collect(now instant) (entries []*entry) {
	o := &s.p.opts
	lanes := s.table.Load().lanes
	bytes := 0
	from := int(s.p.turn.Add(1)) % len(lanes)
	for i := range lanes {
		l := lanes[(from+i)%len(lanes)]
		l.mu.Lock()
		inLane := 0
		for len(l.queue) > 0 && int64(len(entries)) < o.CollectionMaxCount {
			ok, _ := s.may(l, now)
			first := l.queue[0].bytes
			if !ok || len(entries) > 0 && int64(bytes+first) > o.CollectionMaxSize || inLane > 0 && inLane+first > shardBytesEnough {
				break
			}
			e := l.pop()
			l.bucket.take(e.bytes)
			bytes, inLane = bytes+first, inLane+first
			entries = append(entries, e)
			if o.Ordered {
				s.takeOff(e)
				break
			}
		}
		l.mu.Unlock()
	}
	return entries
}

// takeOff blocks the lanes whose keys may be in the entry. The caller holds s.mu.
func (s *stream) takeOff(e *entry) {
	s.flying = append(s.flying, e)
	for _, l := range s.table.Load().lanes {
		if meet(l.hash, e.lane.hash) {
			l.blockers++
		}
	}
}

// land unblocks them. The caller holds s.mu.
func (s *stream) land(e *entry) {
	for i, one := range s.flying {
		if one == e {
			s.flying = append(s.flying[:i], s.flying[i+1:]...)
			if t := s.table.Load(); t != nil {
				for _, l := range t.lanes {
					if meet(l.hash, e.lane.hash) {
						l.blockers--
					}
				}
			}
			return
		}
	}
}

// again gives records back to their lanes, to be sent again. futures are in the order of their aggregate. The caller holds s.mu and has not yet landed the entry. What
// cannot go back, because the Producer has ended, is returned.
func (s *stream) again(futures []*Future, now instant) (left []*Future) {
	t := s.table.Load()
	if t == nil {
		return futures
	}
	half := s.p.opts.RecordMaxBufferedTime / 2
	if !s.p.opts.Ordered {
		for _, f := range futures {
			l := t.find(f.hash)
			l.mu.Lock()
			l.add(f, now, now+half)
			l.mu.Unlock()
		}
		return nil
	}
	for len(futures) > 0 { // by lane, keeping the order within
		l := t.find(futures[0].hash)
		var here, rest []*Future
		for _, f := range futures {
			if l.hash.Contains(f.hash) {
				here = append(here, f)
			} else {
				rest = append(rest, f)
			}
		}
		l.mu.Lock()
		l.prepend(here, now)
		l.notBefore = now + half
		l.mu.Unlock()
		futures = rest
	}
	return nil
}

// abandon ends the records that are still waiting, and lets no more in.
func (s *stream) abandon() {
	var left []*Future
	s.mu.Lock()
	t := s.table.Swap(nil)
	for _, l := range t.lanes {
		l.mu.Lock()
		l.closed = true
		left = append(left, l.empty()...)
		l.mu.Unlock()
	}
	for _, one := range s.unjudged {
		for _, f := range one.entry.futures {
			f.uncertain = true
			left = append(left, f)
		}
	}
	s.unjudged = nil
	s.mu.Unlock()
	s.fail(left, CodeClosed, "the producer was closed", s.p.now())
}
