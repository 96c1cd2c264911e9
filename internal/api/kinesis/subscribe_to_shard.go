package kinesis

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/eventstream"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// eventRecordsMax is how many records one event has at most: what GetRecords gives, so that a MiB of tiny records does not become many times that as text.
const eventRecordsMax = getRecordsMax

// What events may take of memory while they are made and taken, all subscriptions together. A subscription that waits takes nothing.
const (
	eventsBytes = 256 << 20 // all; who finds no room waits for those before it, who are cut when their time is over
	eventBytes  = 4 << 20   // one of a MiB of records as text, and the log it is read from
)

// pushScratch is the memory of one event.
type pushScratch struct {
	records []batch.Record
	out     []byte
}

// SubscribeToShard pushes the records of a shard to a consumer as they are put, for up to five minutes.
//
// Source: API_SubscribeToShard, API_SubscribeToShardEvent (read 2026-11). Shown by: TestSubscribe, TestSubscriptionTakeover, TestResubscribe, TestSubscribeAcrossReshard in test/aws.
// The answer is an event stream (docs/format/event-stream.md) over HTTP/2 or HTTP/1.1. What is wrong before it has begun is an error as any operation's; after that
// it is an exception in the stream. The stream ends without one after five minutes, at the end of a closed shard, and when the server drains.
// Another call for the same consumer and shard is refused with ResourceInUseException for five seconds, and takes over after that.
func (a *API) subscribeToShard(c *edge.Call) error {
	in := new(shapes.SubscribeToShardInput)
	if err := decode(c, in); err != nil {
		return err
	}
	if err := refuseStreamID(in.StreamId); err != nil {
		return err
	}
	stream, consumer, err := a.consumerByARN(c, deref(in.ConsumerARN))
	if err != nil {
		return err
	}
	start, err := startOf(deref(in.StartingPosition.Type), in.StartingPosition.SequenceNumber, in.StartingPosition.Timestamp)
	if err != nil {
		return err
	}
	sub, err := a.streams.Subscribe(c.Ctx, streams.SubscribeRequest{Stream: stream, Consumer: consumer, ShardID: deref(in.ShardId), Start: start, DryRun: deref(in.DryRun)})
	stats := a.streams.Stats(stream).Consumer(consumer.Name)
	if deref(in.DryRun) && err == nil {
		return errDryRun
	}
	stats.Subscribe.Add(err == nil, 0)
	if err != nil {
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.LimitExceeded) {
			stats.RateExceeded.Add(1)
		}
		return err
	}
	defer sub.Close()
	p := pushJSON
	if c.Protocol == edge.CBOR11 {
		p = pushCBOR
	}
	c.Begin(eventstream.ContentType)
	if c.Send(p.initial) != nil {
		return nil
	}
	if err := a.push(c, sub, &p, stats); !errors.Is(err, io.EOF) && c.Ctx.Err() == nil {
		a.except(c, &p, err)
	}
	return nil
}

// push sends event after event. It returns why there are no more: io.EOF when nobody need be told.
//
// Sketch, a record of 1 KiB: the log's own bytes are read where they lie, written once as base64 (1.4 KiB) into the frame, passed over once for its checksum, copied by the
// kernel. Nothing is allocated for a record; a push of a few allocates what the log's wait does, and a timer now and then.
func (a *API) push(c *edge.Call, sub *streams.Subscription, p *pushing, stats *streams.ConsumerStats) error {
	var idle streams.Idle
	if c.Watcher != nil {
		idle = c
	}
	room := int64(eventBytes)
	for {
		records, err := sub.Await(c.Ctx, c.Draining(), idle)
		if err != nil {
			return err
		}
		limit := 0
		if records {
			limit = eventRecordsMax
		}
		if room, err = a.pushOne(c, sub, p, limit, room, stats); err != nil {
			return err
		}
	}
}

// pushOne sends one event. It takes room before it reads, more when that turns out to be too little, and no more than the frame while the client takes it. It gives what
// it needed, which is where the next event begins: where the log has large batches, there are more of them.
func (a *API) pushOne(c *edge.Call, sub *streams.Subscription, p *pushing, limit int, room int64, stats *streams.ConsumerStats) (int64, error) {
	s := a.pushes.Get().(*pushScratch)
	defer a.putPush(s)
	for {
		if err := a.events.Acquire(c.Ctx, room); err != nil {
			return room, err
		}
		e, err := sub.Read(c.Ctx, s.records, limit)
		if err != nil {
			a.events.Release(room)
			return room, err
		}
		s.records = e.Records
		needed := max(min(int64(e.Held()+2*e.Bytes+frameOverhead), answerBytes), eventBytes)
		if needed > room { // one large record, or a batch of many
			e.Release()
			a.events.Release(room)
			room = needed
			continue
		}
		s.out = slices.Grow(s.out[:0], e.Bytes*4/3+len(e.Records)*recordOverhead+frameOverhead)
		s.out = eventstream.Begin(s.out, p.event)
		s.out = p.append(s.out, &e)
		s.out = eventstream.End(s.out, 0)
		e.Release()
		held := min(int64(cap(s.out)), room)
		a.events.Release(room - held)
		err = c.Send(s.out)
		a.events.Release(held)
		stats.Pushed(&e, err == nil)
		if err != nil {
			return needed, io.EOF // it is gone, or was cut
		}
		sub.Advance(e)
		return needed, nil
	}
}

// What the text of an event has beside data and keys, about: the names and numbers of a record, and everything that is not records.
const (
	recordOverhead = 176
	frameOverhead  = 4 << 10
)

// putPush gives a scratch back without what the log has let go, and without what only a rare event needs.
func (a *API) putPush(s *pushScratch) {
	clear(s.records)
	if cap(s.out) > answerKept {
		s.out = nil
	}
	a.pushes.Put(s)
}

// except ends the stream with an exception. One that the model does not have among its events is our own failure to the client, whatever it is to us.
func (a *API) except(c *edge.Call, p *pushing, err error) {
	a.note(c, err)
	e := apiError(c.Operation, err)
	code, message := e.Code, e.Message
	if events := shapes.Service.Operations[c.Operation].OutputEvents; events.MemberNamed([]byte(code)) < 0 {
		code, message = "InternalFailureException", internalFailure
	}
	c.ErrorCode = code
	headers := eventstream.AppendText(nil, ":message-type", "exception")
	headers = eventstream.AppendText(headers, ":exception-type", code)
	headers = eventstream.AppendText(headers, ":content-type", p.contentType)
	_ = c.Send(eventstream.Append(nil, headers, p.exception(message))) // who went away need not be told
}

// pushing is how events look in one protocol.
type pushing struct {
	contentType string
	initial     []byte // the first frame, whole
	event       []byte // headers of every other that is no exception
	append      func(dst []byte, e *streams.Event) []byte
	exception   func(message string) []byte
}

var (
	pushJSON = newPushing("application/json", []byte("{}"), appendEventJSON, func(message string) []byte {
		return append(jsonproto.AppendString([]byte(`{"message":`), message), '}')
	})
	pushCBOR = newPushing("application/x-amz-cbor-1.1", cborproto.AppendMapHeader(nil, 0), appendEventCBOR, func(message string) []byte {
		return cborproto.AppendText(cborproto.AppendText(cborproto.AppendMapHeader(nil, 1), "message"), strings.ToValidUTF8(message, "\uFFFD"))
	})
)

func newPushing(contentType string, empty []byte, event func([]byte, *streams.Event) []byte, exception func(string) []byte) pushing {
	headers := func(eventType string) []byte {
		h := eventstream.AppendText(nil, ":message-type", "event")
		h = eventstream.AppendText(h, ":event-type", eventType)
		return eventstream.AppendText(h, ":content-type", contentType)
	}
	return pushing{
		contentType: contentType, initial: eventstream.Append(nil, headers("initial-response"), empty), event: headers("SubscribeToShardEvent"),
		append: event, exception: exception,
	}
}

func appendEventJSON(dst []byte, e *streams.Event) []byte {
	dst = appendListJSON(append(dst, '{'), &e.Batch)
	if !e.End {
		dst = append(dst, `,"ContinuationSequenceNumber":"`...)
		dst = append(e.Continuation.AppendTo(dst), '"')
	}
	return append(dst, '}')
}

func appendEventCBOR(dst []byte, e *streams.Event) []byte {
	if e.End {
		return appendListCBOR(dst, &e.Batch, 0)
	}
	dst = appendListCBOR(dst, &e.Batch, 1)
	return appendSequenceCBOR(cborproto.AppendText(dst, "ContinuationSequenceNumber"), e.Continuation)
}
