package streams

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

const (
	// subscriptionLife is how long a subscription lasts (API_SubscribeToShard: up to 5 minutes).
	subscriptionLife = 5 * time.Minute
	// heartbeat is how long a subscriber hears nothing at most. AWS sends an event about every five seconds also when there are no records.
	heartbeat = 5 * time.Second
	// eventBytes is how much data and keys one event has at most, unless its only record is larger. AWS publishes no figure; a MiB is half a second of what
	// it pushes.
	eventBytes = 1 << 20
)

// SubscribeRequest says who subscribes to what.
type SubscribeRequest struct {
	Stream   *catalog.Stream
	Consumer *catalog.Consumer // one of Stream's
	ShardID  string            // as ParseShardID reads it
	Start    Start
	DryRun   bool // only says whether it would succeed: the Subscription is then nil
}

// Subscription is a consumer's place in a shard, from which records are pushed as they come. It is driven by one goroutine, which goes round Await, Read, Advance,
// and then Close:
//
//	for {
//		records, err := sub.Await(ctx, stop, idle)   // nothing is held while it waits
//		event, err := sub.Read(ctx, into, limit)     // limit 0 when !records: a heartbeat
//		send(event)                                  // as long as it takes
//		event.Release()
//		sub.Advance(event)                           // only now has it moved
//	}
//
// So a slow client holds at most one event, and what is sent is what the log has when the client can take it.
//
// A push costs one wake-up through the log's own wait, one read of its tail, which copies nothing when the batches lie together, and no allocation for a record.
type Subscription struct {
	// Set once.
	streams *Streams
	who     subscriber
	place   *place
	ends    time.Time
	taken   chan struct{} // closed by subscribers when another has taken over
	cancel  context.CancelFunc
	watcher sync.WaitGroup

	// The driver's alone.
	stream   *catalog.Stream // as of the last look
	position commitlog.Position
	beat     time.Time   // when something must be sent
	timer    clock.Timer // for due; nil when none is running
	due      time.Time
	ahead    bool  // there are records at position
	sealed   bool  // there are none, and the log will get no more; what is missing is the catalog's word that the shard is closed
	watching bool  // the watcher has been asked about position
	second   int64 // of the last continuation, since 1970
	over     bool  // the last event of a closed shard has been sent

	want chan commitlog.Position // capacity 1: where the watcher waits next
	got  chan error              // capacity 1: how that ended
}

// Subscribe makes a subscription, which takes over from one that the consumer already has on the shard.
//
// NotFound when there is no such shard; Invalid for a wrong start; Conflict within five seconds of another subscription.
func (s *Streams) Subscribe(ctx context.Context, o SubscribeRequest) (*Subscription, error) {
	r, err := s.route(ctx, o.Stream)
	if err != nil {
		return nil, err
	}
	shard, err := r.shard(o.ShardID)
	if err != nil {
		return nil, err
	}
	o.Start.Operation = "SubscribeToShard"
	position, err := s.startPosition(ctx, r, shard, o.Start)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	sub := &Subscription{
		streams: s, stream: o.Stream, position: position, ends: now.Add(subscriptionLife), beat: now.Add(heartbeat), ahead: true, // the first look says whether it is
		who:   subscriber{group: o.Stream.Group, shard: shard.Number, consumer: o.Consumer.Name, created: o.Consumer.Created.UnixMilli()},
		taken: make(chan struct{}), want: make(chan commitlog.Position, 1), got: make(chan error, 1),
	}
	if err := s.subscribers.take(sub, o.DryRun); err != nil || o.DryRun {
		return nil, err
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	sub.cancel = cancel
	sub.watcher.Go(func() { sub.watch(watch, shard.log) })
	return sub, nil
}

// watch waits on the log for the driver, which waits for other things too.
func (sub *Subscription) watch(ctx context.Context, log commitlog.Log) {
	for {
		select {
		case from := <-sub.want:
			sub.got <- log.Wait(ctx, from)
		case <-ctx.Done():
			return
		}
	}
}

// Close gives the subscription's place up. It waits for what it started.
func (sub *Subscription) Close() {
	sub.cancel()
	sub.watcher.Wait()
	sub.stopTimer()
	sub.streams.subscribers.leave(sub)
}

// Event is what a subscriber is sent at once.
type Event struct {
	Batch // without Next
	// Continuation is where to subscribe again, at or after: nothing is lost and nothing comes twice. It is above the number of every record up to here and
	// below that of the next, and grows also when nothing comes.
	Continuation record.SequenceNumber
	// End says that this is the last event of a closed shard: there is no Continuation, but Children.
	End bool

	next commitlog.Position
}

// Read reads the next event: up to limit records and a MiB, or one record of any size. Without records it tells how far behind the subscriber is, and at the end of a closed
// shard that it is the end. The caller releases it, before Advance or after. Reading again before Advance gives the same records, and perhaps more.
//
// Faults as Await; Corrupt where the log is damaged.
func (sub *Subscription) Read(ctx context.Context, into []batch.Record, limit int) (Event, error) {
	s, now := sub.streams, sub.streams.clock.Now()
	r, err := s.route(ctx, sub.stream)
	if err != nil {
		return Event{}, sub.why(err)
	}
	shard := r.byNumber(sub.who.shard)
	if shard == nil {
		return Event{}, sub.shardGone()
	}
	e := Event{Batch: Batch{Shard: shard, Records: into[:0], most: eventBytes}}
	e.next, err = s.read(ctx, sub.stream, &e.Batch, sub.position, limit, now)
	if err != nil {
		e.Release()
		return Event{}, sub.why(err)
	}
	if shard.Status == catalog.Closed && e.next >= endOf(shard) {
		e.End, e.Children = true, r.children(shard)
		return e, nil
	}
	sub.second = max(sub.second, now.Unix()) // also when the clock is set back
	e.Continuation = record.SequenceNumber{
		ShardCreated: shard.Created.Unix(), Shard: shard.Number, Position: e.next + shard.Base - 1, ArrivalSecond: sub.second, Behind: true,
	}
	return e, nil
}

// Advance says that an event has been sent.
func (sub *Subscription) Advance(e Event) {
	if e.next != sub.position && sub.watching { // the watcher has been asked about another place; its answer tells nothing any more
		sub.watching = false
		<-sub.got //nolint:errcheck // it is there, or about to be: there are records where it was asked
	}
	sub.position, sub.over = e.next, e.End
	sub.ahead = e.MillisBehind > 0
	sub.place.pace.take(e.Bytes)
	sub.beat = sub.streams.clock.Now().Add(heartbeat)
}

// look brings what is known of the stream up to date, and says why the subscription has to end.
func (sub *Subscription) look(state *catalog.State) error {
	stream := state.StreamByGroup(sub.who.group)
	if stream == sub.stream {
		return nil
	}
	if stream == nil || stream.Status == catalog.Deleting {
		return NotFound(sub.stream.Account, sub.stream.Name)
	}
	if c := stream.Consumer(sub.who.consumer); c == nil || c.Created.UnixMilli() != sub.who.created {
		return fault.New(fault.NotFound, "Consumer %s of stream %s under account %s not found.", sub.who.consumer, stream.Name, stream.Account)
	}
	if shard := stream.Shard(sub.who.shard); shard == nil || !shard.Status.Listed() {
		return sub.shardGone()
	}
	sub.stream = stream
	return nil
}

// why is what the failure of the log means to the subscriber: a log that is gone has been removed with its stream or shard.
func (sub *Subscription) why(err error) error {
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if gone := sub.look(sub.streams.control.State()); gone != nil {
		return gone
	}
	return sub.shardGone()
}

func (sub *Subscription) shardGone() error {
	return fault.New(fault.NotFound, "Shard %s in stream %s under account %s does not exist", ShardID(sub.who.shard), sub.stream.Name, sub.stream.Account)
}

// atEnd says whether everything of a closed shard has been read.
func (sub *Subscription) atEnd() bool {
	shard := sub.stream.Shard(sub.who.shard)
	return shard.Status == catalog.Closed && sub.position+shard.Base >= shard.End
}

// errOver ends a subscription without a reason to tell: its time is over, or the shard.
var errOver = io.EOF
