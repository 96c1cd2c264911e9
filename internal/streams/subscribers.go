package streams

import (
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// takeoverAfter is how long a subscription is safe from being taken over by another of the same consumer to the same shard
// (API_SubscribeToShard: within 5 seconds of a successful call another gets a ResourceInUseException).
const takeoverAfter = 5 * time.Second

// subscriber is who may have one subscription at a time: one registration of a consumer, on one shard.
type subscriber struct {
	group    uint64 // of the stream
	shard    uint32
	consumer string
	created  int64 // when the consumer was registered, in milliseconds since 1970
}

// subscribers is who is subscribed, or was moments ago.
type subscribers struct {
	clock clock.Clock
	rate  int // bytes a second that each may be pushed; 0 is no limit

	mu     sync.Mutex // guards everything below, and every place
	places map[subscriber]*place
	held   int       // places with a subscription
	left   []leaving // places without a subscription, to be forgotten when they no longer keep others out and are not overdrawn; about in order of time
}

// place is what is known of a subscriber.
type place struct {
	holder *Subscription // nil when it has ended
	began  time.Time     // when the last subscription did
	pace   *bucket       // of every holder in turn, so that subscribing again does not fill it
}

type leaving struct {
	who  subscriber
	then time.Time
}

// take gives sub its place, and ends whoever had it. Conflict while that one is safe. With dry it only says what would be.
func (s *subscribers) take(sub *Subscription, dry bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.forget(now)
	p := s.places[sub.who]
	if p != nil && now.Sub(p.began) < takeoverAfter {
		return sub.inUse()
	}
	if dry {
		return nil
	}
	if p == nil {
		p = &place{pace: newBucket(s.rate, now)}
		s.places[sub.who] = p
	}
	if p.holder != nil {
		close(p.holder.taken)
	} else {
		s.held++
	}
	p.holder, p.began = sub, now
	sub.place = p
	return nil
}

// leave says that sub has ended.
func (s *subscribers) leave(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.place.holder == sub {
		now := s.clock.Now()
		then := sub.place.began.Add(takeoverAfter)
		if full := now.Add(sub.place.pace.wait(now)); full.After(then) {
			then = full
		}
		sub.place.holder = nil
		s.held--
		s.left = append(s.left, leaving{sub.who, then})
	}
	s.forget(s.clock.Now())
}

// Subscriptions is how many subscriptions there are.
func (s *Streams) Subscriptions() int {
	s.subscribers.mu.Lock()
	defer s.subscribers.mu.Unlock()
	return s.subscribers.held
}

// forget drops the places that nobody has and that keep nobody out.
func (s *subscribers) forget(now time.Time) {
	for len(s.left) > 0 && !s.left[0].then.After(now) {
		who := s.left[0].who
		s.left = s.left[1:]
		if p := s.places[who]; p != nil && p.holder == nil && now.Sub(p.began) >= takeoverAfter {
			delete(s.places, who)
		}
	}
}

// bucket holds the bytes that may be pushed now. It fills with time, to one second's worth at most, and may be overdrawn by one event, because a record may be
// larger than what a second gives.
type bucket struct {
	rate int // bytes a second; 0 is no limit

	mu   sync.Mutex // guards everything below: who was taken over may still be at its last event
	have float64
	at   time.Time
}

func newBucket(rate int, now time.Time) *bucket {
	return &bucket{rate: rate, have: float64(rate), at: now}
}

// wait is how long it takes until something may be pushed: 0 is now.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.have = min(b.have+passed*float64(b.rate), float64(b.rate))
		b.at = now
	}
	if b.have > 0 {
		return 0
	}
	return time.Duration(-b.have/float64(b.rate)*float64(time.Second)) + time.Millisecond
}

// take notes that bytes were pushed.
func (b *bucket) take(bytes int) {
	if b.rate > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.have -= float64(bytes)
	}
}

// inUse is the refusal for the one of two subscriptions that must not be, in AWS's words.
func (sub *Subscription) inUse() error {
	return fault.New(fault.Conflict, "Another active subscription exists for this consumer: %s:%s:%s:%s", sub.stream.Account, sub.stream.Name, ShardID(sub.who.shard), sub.who.consumer)
}
