package aws

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// onTestClock runs a script once per transport, each on a server of its own whose clock stands still.
func onTestClock(t *testing.T, script func(s *session)) {
	t.Helper()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel()
			script(startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).session(t, over, nextAccount(), "us-east-1"))
		})
	}
}

// createClocked is create for a server whose clock stands still.
func (s *session) createClocked(stream string, shards int32) {
	s.t.Helper()
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: &shards}))(s)
	s.advanceUntilActive(stream)
}

// register makes a consumer and gives its ARN.
func (s *session) register(stream, consumer string) string {
	s.t.Helper()
	return *must(s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: aws.String(s.arn(stream)), ConsumerName: &consumer}))(s).Consumer.ConsumerARN
}

// subscription is one under test.
type subscription struct {
	s      *session
	stream *kinesis.SubscribeToShardEventStream
	read   string // data of the records up to the end, as children leaves it
}

// from is where a subscription begins.
func from(kind types.ShardIteratorType, number *string) *types.StartingPosition {
	return &types.StartingPosition{Type: kind, SequenceNumber: number}
}

// latest is where most begin.
var latest = from(types.ShardIteratorTypeLatest, nil)

// subscribe begins a subscription, which ends with the test.
func (s *session) subscribe(consumer, shard string, start *types.StartingPosition) *subscription {
	s.t.Helper()
	client := kinesis.New(s.Options()) // its own: subscriptions of one client share a decoder, which the race detector sees
	stream := must(client.SubscribeToShard(s.ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: &shard, StartingPosition: start}))(s).GetStream()
	s.t.Cleanup(func() { stream.Close() })
	return &subscription{s: s, stream: stream}
}

// next is the next event; nil at the end.
func (u *subscription) next() *types.SubscribeToShardEvent {
	u.s.t.Helper()
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case event, open := <-u.stream.Events():
		if !open {
			return nil
		}
		one, is := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !is {
			u.s.t.Fatalf("an event of type %T", event)
		}
		// What the KCL demands of every event: a continuation, or else children that know their parents.
		if (one.Value.ContinuationSequenceNumber == nil) != (len(one.Value.ChildShards) > 0) {
			u.s.t.Fatalf("an event with continuation %v and %d children", one.Value.ContinuationSequenceNumber, len(one.Value.ChildShards))
		}
		for _, child := range one.Value.ChildShards {
			if len(child.ParentShards) == 0 {
				u.s.t.Fatalf("child %s has no parents", *child.ShardId)
			}
		}
		return &one.Value
	case <-patient.C:
		u.s.t.Fatalf("waited %s for an event", patience)
		return nil
	}
}

// event is the next event, of which there must be one.
func (u *subscription) event() *types.SubscribeToShardEvent {
	u.s.t.Helper()
	event := u.next()
	if event == nil {
		u.s.t.Fatalf("the stream has ended: %v", u.stream.Err())
	}
	return event
}

// texts takes events until as many records have come as are wanted, and gives their data in one piece and the last continuation.
func (u *subscription) texts(want int) (data string, continuation *string) {
	u.s.t.Helper()
	for got := 0; got < want; {
		event := u.event()
		for _, record := range event.Records {
			data += string(record.Data)
			got++
		}
		continuation = event.ContinuationSequenceNumber
	}
	return data, continuation
}

// ends checks that nothing comes any more, and why: code is empty for a clean end.
func (u *subscription) ends(code, pattern string) {
	u.s.t.Helper()
	for {
		event := u.next()
		if event == nil {
			break
		}
		if len(event.Records) > 0 {
			u.s.t.Fatalf("%d records instead of the end", len(event.Records))
		}
	}
	if code != "" {
		u.s.refused(u.stream.Err(), code, pattern)
	} else if err := u.stream.Err(); err != nil {
		u.s.t.Errorf("the stream ended with %v", err)
	}
}

// children reads a shard to its end: the last event, and it alone, says what took over. The records before it must be those wanted, unless that is empty.
func (u *subscription) children(want string) []types.ChildShard {
	u.s.t.Helper()
	for {
		event := u.event()
		for _, record := range event.Records {
			u.read += string(record.Data)
		}
		if event.ContinuationSequenceNumber == nil {
			if want != "" && u.read != want {
				u.s.t.Errorf("the shard held %q, want %q", u.read, want)
			}
			u.ends("", "")
			return event.ChildShards
		}
	}
}

const shard0 = "shardId-000000000000"

// TestSubscribe: records are pushed as they are put, in order, with the numbers that the puts were given, each once.
func TestSubscribe(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("pushed", 1)
		s.put("pushed", "k", "before")
		sub := s.subscribe(s.register("pushed", "dashboard"), shard0, latest)
		last := big.NewInt(0)
		for i := range 20 {
			put := s.put("pushed", "key "+fmt.Sprint(i), fmt.Sprint(i))
			var event *types.SubscribeToShardEvent
			for event == nil || len(event.Records) == 0 {
				event = sub.event()
				continuation, _ := new(big.Int).SetString(*event.ContinuationSequenceNumber, 10)
				if continuation.Cmp(last) < 0 {
					s.t.Errorf("continuation %s after %s", continuation, last)
				}
				last = continuation
			}
			record := event.Records[0]
			if len(event.Records) != 1 || string(record.Data) != fmt.Sprint(i) || *record.PartitionKey != "key "+fmt.Sprint(i) || *record.SequenceNumber != *put.SequenceNumber ||
				record.ApproximateArrivalTimestamp == nil || *event.MillisBehindLatest != 0 {
				s.t.Fatalf("put %d came as %+v", i, event)
			}
			if number, _ := new(big.Int).SetString(*record.SequenceNumber, 10); last.Cmp(number) <= 0 {
				s.t.Errorf("continuation %s is not above the record's %s", last, number)
			}
		}
	})
}

// TestSubscribeLargeEvents: what is there already comes in events of about a MiB, and a record of any size in one.
func TestSubscribeLargeEvents(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("large", 1)
		must(s.UpdateMaxRecordSize(s.ctx, &kinesis.UpdateMaxRecordSizeInput{StreamARN: aws.String(s.arn("large")), MaxRecordSizeInKiB: aws.Int32(10240)}))(s)
		s.active("large")
		sizes := []int{10<<20 - 1, 1 << 20, 1, 700 << 10, 700 << 10, 300 << 10}
		for i, size := range sizes {
			s.put("large", "k", strings.Repeat(fmt.Sprint(i), size))
		}
		for range 30 {
			s.put("large", "k", strings.Repeat("x", 100<<10))
		}
		sub := s.subscribe(s.register("large", "c"), shard0, from(types.ShardIteratorTypeTrimHorizon, nil))
		for got := 0; got < len(sizes)+30; {
			event := sub.event()
			bytes := 0
			for _, record := range event.Records {
				want := 100 << 10
				if got < len(sizes) {
					want = sizes[got]
				}
				if len(record.Data) != want {
					s.t.Fatalf("record %d has %d bytes, want %d", got, len(record.Data), want)
				}
				bytes += len(record.Data) + len(*record.PartitionKey)
				got++
			}
			if bytes > 1<<20 && len(event.Records) > 1 {
				s.t.Errorf("an event of %d records and %d bytes", len(event.Records), bytes)
			}
			if behind := *event.MillisBehindLatest; (behind > 0) != (got < len(sizes)+30) {
				s.t.Errorf("%d ms behind after %d records", behind, got)
			}
		}
	})
}

// TestSubscribeStartingPositions: a row is a place to begin in a shard that holds "0" … "4", and what comes from there before "new".
func TestSubscribeStartingPositions(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("begun", 1)
		var numbers []string
		for i := range 5 {
			numbers = append(numbers, *s.put("begun", "k", fmt.Sprint(i)).SequenceNumber)
		}
		arrived := s.readAll("begun", shard0)
		rows := []struct {
			start *types.StartingPosition
			want  string
		}{
			{from(types.ShardIteratorTypeTrimHorizon, nil), "01234"},
			{latest, ""},
			{from(types.ShardIteratorTypeAtSequenceNumber, &numbers[2]), "234"},
			{from(types.ShardIteratorTypeAfterSequenceNumber, &numbers[2]), "34"},
			{from(types.ShardIteratorTypeAfterSequenceNumber, &numbers[4]), ""},
			{&types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Unix(1, 0))}, "01234"},
			{&types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: arrived[0].ApproximateArrivalTimestamp}, "01234"},
		}
		var subs []*subscription
		for i, row := range rows {
			subs = append(subs, s.subscribe(s.register("begun", fmt.Sprint("c", i)), shard0, row.start))
		}
		s.put("begun", "k", "new")
		for i, row := range rows {
			if got, _ := subs[i].texts(len(row.want) + 1); got != row.want+"new" {
				s.t.Errorf("%s: %q, want %q", row.start.Type, got, row.want+"new")
			}
		}
	})
}

// TestSubscriptionBeats: an idle subscription hears something every five seconds, its continuation grows, and it ends after five minutes. The test clock
// does not wait for it, but it does for records that it has yet to push.
func TestSubscriptionBeats(t *testing.T) {
	onTestClock(t, func(s *session) {
		s.createClocked("idle", 1)
		sub := s.subscribe(s.register("idle", "c"), shard0, latest)
		first := sub.event()
		if len(first.Records) != 0 || *first.MillisBehindLatest != 0 {
			s.t.Errorf("the first event is %+v", first)
		}
		last := *first.ContinuationSequenceNumber
		for second := 5; second < 300; second += 5 {
			s.advance("5s")
			beat := sub.event()
			if len(beat.Records) != 0 || *beat.MillisBehindLatest != 0 || *beat.ContinuationSequenceNumber <= last {
				s.t.Fatalf("after %d s came %+v, the continuation was %s", second, beat, last)
			}
			last = *beat.ContinuationSequenceNumber
			if second == 150 {
				s.put("idle", "k", "x")
				if got, _ := sub.texts(1); got != "x" {
					s.t.Errorf("pushed %q", got)
				}
			}
		}
		s.advance("5s")
		sub.ends("", "")
	})
}

// TestSubscriptionTakeover: within five seconds another subscription of the consumer is refused, also when the first has ended; after that it takes over.
func TestSubscriptionTakeover(t *testing.T) {
	onTestClock(t, func(s *session) {
		s.createClocked("taken", 2)
		consumer := s.register("taken", "c")
		again := func() error {
			_, err := s.SubscribeToShard(s.ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: aws.String(shard0), StartingPosition: latest})
			return err
		}
		inUse := "Another active subscription exists for this consumer: {account}:taken:shardId-000000000000:c"
		first := s.subscribe(consumer, shard0, latest)
		first.event()
		s.refused(again(), "ResourceInUseException", inUse)
		s.advance("4s")
		s.refused(again(), "ResourceInUseException", inUse)
		s.subscribe(consumer, "shardId-000000000001", latest)     // another shard
		s.subscribe(s.register("taken", "other"), shard0, latest) // another consumer
		s.advance("1s")                                           // five
		second := s.subscribe(consumer, shard0, latest)           // takes over
		first.ends("ResourceInUseException", inUse)               // and the first is told
		s.put("taken", "k", "x")                                  // on one of the two shards
		s.refused(again(), "ResourceInUseException", inUse)       // the second is as safe as the first was
		second.event()
		if err := second.stream.Close(); err != nil {
			s.t.Error(err)
		}
		s.refused(again(), "ResourceInUseException", inUse) // it counts when it began
		s.advance("5s")
		s.subscribe(consumer, shard0, latest).event()
	})
}

// TestResubscribe: from a continuation, at or after it, records go on where they stopped, also from one that was sent while nothing came; so does GetRecords.
func TestResubscribe(t *testing.T) {
	onTestClock(t, func(s *session) {
		s.createClocked("again", 1)
		consumer := s.register("again", "c")
		sub := s.subscribe(consumer, shard0, from(types.ShardIteratorTypeTrimHorizon, nil))
		continuation := sub.event().ContinuationSequenceNumber // of an empty shard
		for i := range 12 {
			if err := sub.stream.Close(); err != nil {
				s.t.Error(err)
			}
			text := string(rune('a' + i))
			s.put("again", "k", text+"1")
			s.put("again", "k", text+"2")
			s.advance("5s")
			kind := types.ShardIteratorTypeAfterSequenceNumber
			if i%2 == 1 {
				kind = types.ShardIteratorTypeAtSequenceNumber
			}
			records := s.read(s.iterator(&kinesis.GetShardIteratorInput{
				StreamName: aws.String("again"), ShardId: aws.String(shard0), ShardIteratorType: kind, StartingSequenceNumber: continuation}))
			if len(records) != 2 || string(records[0].Data) != text+"1" {
				s.t.Fatalf("GetRecords from the continuation gives %d records", len(records))
			}
			sub = s.subscribe(consumer, shard0, from(kind, continuation))
			var got string
			if got, continuation = sub.texts(2); got != text+"1"+text+"2" {
				s.t.Fatalf("%s the continuation: %q, want %q", kind, got, text+"1"+text+"2")
			}
			if i%3 == 0 { // go on from a heartbeat
				s.advance("5s")
				continuation = sub.event().ContinuationSequenceNumber
			}
		}
	})
}

// TestSubscribeAcrossReshard: the last event of a shard that was split, and of two that were merged, has no continuation but the children; the stream then ends.
func TestSubscribeAcrossReshard(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("moved", 1)
		consumer := s.register("moved", "c")
		live := s.subscribe(consumer, shard0, latest)
		s.put("moved", "k", "1")
		s.split("moved", shard0, middle)
		s.put("moved", "k", "2")
		late := s.subscribe(s.register("moved", "late"), shard0, from(types.ShardIteratorTypeTrimHorizon, nil)) // of a shard that is closed already
		for _, parent := range []*subscription{live, late} {
			children := parent.children("1")
			if len(children) != 2 || *children[0].ShardId != "shardId-000000000001" || *children[1].HashKeyRange.StartingHashKey != middle || len(children[0].ParentShards) != 1 || children[1].ParentShards[0] != shard0 {
				s.t.Fatalf("children %+v", children)
			}
		}
		left := s.subscribe(consumer, "shardId-000000000001", from(types.ShardIteratorTypeTrimHorizon, nil))
		right := s.subscribe(consumer, "shardId-000000000002", from(types.ShardIteratorTypeTrimHorizon, nil))
		must(s.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: aws.String("moved"), ShardToMerge: aws.String("shardId-000000000001"), AdjacentShardToMerge: aws.String("shardId-000000000002")}))(s)
		s.active("moved")
		got := ""
		for _, parent := range []*subscription{left, right} {
			children := parent.children("")
			if len(children) != 1 || len(children[0].ParentShards) != 2 {
				s.t.Fatalf("children %+v", children)
			}
			got += parent.read
		}
		if got != "2" {
			s.t.Errorf("the children held %q", got)
		}
	})
}

// TestSubscriptionEndsWithItsConsumer, and with its stream, each with an exception that says so.
func TestSubscriptionEndsWithItsConsumer(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("ended", 1)
		first, second := s.register("ended", "first"), s.register("ended", "second")
		a, b := s.subscribe(first, shard0, latest), s.subscribe(second, shard0, latest)
		must(s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &first}))(s)
		a.ends("ResourceNotFoundException", "Consumer first of stream ended under account {account} not found\\.")
		must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("ended"), EnforceConsumerDeletion: aws.Bool(true)}))(s)
		b.ends("ResourceNotFoundException", "Stream ended under account {account} not found\\.")
	})
}

// TestSubscriptionEndsWithTheServer: a server that stops ends it cleanly and is not held up by it.
func TestSubscriptionEndsWithTheServer(t *testing.T) {
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			server := startFor(t, node.Config{})
			s := server.session(t, over, nextAccount(), "us-east-1")
			s.create("stopped", 1)
			sub := s.subscribe(s.register("stopped", "c"), shard0, latest)
			sub.event()
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				server.halt(t)
			}()
			sub.ends("", "")
			sub.stream.Close()
			<-stopped
		})
	}
}

// TestSubscribeErrors: a row is a request that makes no sense, answered before a stream of events begins.
func TestSubscribeErrors(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("asked", 1)
		consumer := s.register("asked", "c")
		number := s.put("asked", "k", "x").SequenceNumber
		gone := s.arn("asked") + "/consumer/c:1"
		mustEither := "Must either specify \\(1\\) .* or \\(2\\) .*"
		for _, row := range []struct {
			name, consumer, shard string
			start                 *types.StartingPosition
			code, pattern         string
		}{
			{"another registration", gone, shard0, latest, "ResourceNotFoundException", "Consumer c of stream asked under account {account} not found\\."},
			{"no such stream", s.arn("other") + "/consumer/c:1", shard0, latest, "ResourceNotFoundException", "Stream other under account {account} not found\\."},
			{"no ARN of a consumer", s.arn("asked"), shard0, latest, "ValidationException", ".*consumerARN.*"},
			{"no such shard", consumer, "shardId-000000000009", latest, "ResourceNotFoundException", "Shard shardId-000000000009 in stream asked under account {account} does not exist"},
			{"AT without a number", consumer, shard0, from(types.ShardIteratorTypeAtSequenceNumber, nil), "InvalidArgumentException", mustEither},
			{"LATEST with a number", consumer, shard0, from(types.ShardIteratorTypeLatest, number), "InvalidArgumentException", mustEither},
			{"number that is none", consumer, shard0, from(types.ShardIteratorTypeAtSequenceNumber, aws.String("12")), "InvalidArgumentException",
				"StartingSequenceNumber 12 used in SubscribeToShard on shard shardId-000000000000 in stream asked under account {account} is invalid\\."},
			{"tomorrow", consumer, shard0, &types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Now().Add(24 * time.Hour))},
				"InvalidArgumentException", "The timestampInMillis parameter .*"},
			{"somewhere", consumer, shard0, from("SOMEWHERE", nil), "ValidationException", ".*startingPosition.type.*"},
		} {
			_, err := s.SubscribeToShard(s.ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &row.consumer, ShardId: &row.shard, StartingPosition: row.start})
			if err == nil {
				s.t.Errorf("%s: taken", row.name)
				continue
			}
			s.refused(err, row.code, row.pattern)
		}
		// A dry run says that it would work, and leaves no subscription behind that could be in the way.
		_, err := s.SubscribeToShard(s.ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: aws.String(shard0), StartingPosition: latest, DryRun: aws.Bool(true)})
		s.refused(err, "DryRunOperationException", ".+")
		s.subscribe(consumer, shard0, latest)
		_, err = s.SubscribeToShard(s.ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: aws.String(shard0), StartingPosition: latest, DryRun: aws.Bool(true)})
		var inUse *types.ResourceInUseException
		if !errors.As(err, &inUse) {
			s.t.Errorf("a dry run beside a subscription: %v", err)
		}
	})
}
