package kinesis

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/segmentio/asm/base64"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// getRecordsMax is how many records one GetRecords gives, also when it does not say (API_GetRecords: 10,000).
const getRecordsMax = 10_000

// What GetRecords may take of memory. An answer is up to 10 MiB of log and four thirds of it as text, held until the client has taken it.
const (
	answerBytes  = 24 << 20         // the most that one takes: its room while it is made
	answersBytes = 256 << 20        // all together; who finds no room waits
	answersWait  = 10 * time.Second // and is told to slow down after this
	answerKept   = 2 << 20          // the most that a pooled one holds on to
)

// getScratch is the memory of one GetRecords.
type getScratch struct {
	records []batch.Record
	out     []byte
}

// GetRecords reads from where an iterator stands, up to 10,000 records and 10 MiB.
//
// Source: API_GetRecords (read 2026-11). Shown by: TestGetRecordsPages in test/aws.
// Every answer has another NextShardIterator, also when it has no records; at the end of a closed shard there is none, but ChildShards.
// Damaged records are not passed over: InternalFailure, and the log says where.
func (a *API) getRecords(c *edge.Call) error {
	in := new(shapes.GetRecordsInput)
	if err := decode(c, in); err != nil {
		return err
	}
	if err := refuseStreamID(in.StreamId); err != nil {
		return err
	}
	limit := getRecordsMax
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	room, err := a.answerRoom(c.Ctx)
	if err != nil {
		return err
	}
	defer func() { a.answers.Release(room) }()
	scratch := a.gets.Get().(*getScratch)
	defer a.putScratch(scratch)

	got, err := a.streams.Get(c.Ctx, deref(in.ShardIterator), limit, scratch.records, func(stream *catalog.Stream) error {
		return a.mayRead(c, stream, in.StreamARN)
	})
	if got.Stats != nil {
		c.Meter = (*metered)(&got.Stats.GetRecords)
	}
	if err != nil {
		return err
	}
	defer got.Release()
	scratch.records = got.Records
	if deref(in.DryRun) {
		return errDryRun
	}
	if c.Protocol == edge.CBOR11 {
		scratch.out = appendRecordsCBOR(scratch.out[:0], got)
	} else {
		scratch.out = appendRecordsJSON(scratch.out[:0], got)
	}
	if needed := min(int64(2*len(scratch.out)), room); needed < room {
		a.answers.Release(room - needed)
		room = needed
	}
	c.Reply(http.StatusOK, c.Protocol.ContentType(), scratch.out)
	return nil
}

// answerRoom takes room for one answer of any size. Throttled when there is none for too long.
func (a *API) answerRoom(ctx context.Context) (int64, error) {
	if a.answers.TryAcquire(answerBytes) {
		return answerBytes, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answersWait)
	defer cancel()
	if a.answers.Acquire(ctx, answerBytes) != nil {
		return 0, fault.New(fault.Throttled, "Too many answers are waiting to be read by their clients.")
	}
	return answerBytes, nil
}

// putScratch gives a scratch back without what the log has let go, and without what only a rare answer needs.
func (a *API) putScratch(s *getScratch) {
	clear(s.records[:cap(s.records)])
	if cap(s.out) > answerKept {
		s.out = nil
	}
	a.gets.Put(s)
}

// mayRead says whether the caller may read an iterator's stream, and whether it is the one that the request names, if it does. Whoever made
// the iterator, it opens nothing to others.
func (a *API) mayRead(c *edge.Call, stream *catalog.Stream, streamARN *string) error {
	if stream.Region != c.Region {
		return fault.New(fault.Denied, "The stream of this ShardIterator belongs to another region.")
	}
	if err := a.authorizeStream(c, stream); err != nil {
		return err
	}
	if streamARN != nil && *streamARN != stream.ARN {
		return fault.New(fault.Invalid, "The ShardIterator is not one of stream %s.", *streamARN)
	}
	return nil
}

func appendRecordsJSON(dst []byte, got streams.Batch) []byte {
	dst = appendListJSON(append(dst, '{'), &got)
	if got.Next != "" {
		dst = append(dst, `,"NextShardIterator":"`...)
		dst = append(dst, got.Next...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// appendListJSON appends what answers of GetRecords and events of SubscribeToShard have in common: Records, MillisBehindLatest and ChildShards.
func appendListJSON(dst []byte, got *streams.Batch) []byte {
	dst = append(dst, `"Records":[`...)
	for i := range got.Records {
		rec := &got.Records[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"SequenceNumber":"`...)
		dst = got.Shard.SequenceOf(rec).AppendTo(dst)
		dst = append(dst, `","ApproximateArrivalTimestamp":`...)
		dst = jsonproto.AppendMillis(dst, rec.Timestamp)
		dst = append(dst, `,"Data":"`...)
		dst = appendBase64(dst, rec.Value)
		dst = append(dst, '"')
		if len(rec.Key) > 0 { // a stream in AUTO takes records without
			dst = append(dst, `,"PartitionKey":`...)
			dst = jsonproto.AppendString(dst, rec.Key)
		}
		if streams.Sealed(rec) {
			dst = append(dst, sealedJSON...)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"MillisBehindLatest":`...)
	dst = strconv.AppendInt(dst, got.MillisBehind, 10)
	if len(got.Children) > 0 {
		dst = append(dst, `,"ChildShards":[`...)
		for i, child := range got.Children {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = jsonproto.Codec.Encode(dst, childShard, childShape(child))
		}
		dst = append(dst, ']')
	}
	return dst
}

func appendRecordsCBOR(dst []byte, got streams.Batch) []byte {
	members := 0
	if got.Next != "" {
		members++
	}
	dst = appendListCBOR(dst, &got, members)
	if got.Next != "" {
		dst = cborproto.AppendText(dst, "NextShardIterator")
		dst = cborproto.AppendText(dst, got.Next)
	}
	return dst
}

// appendListCBOR is appendListJSON in CBOR, with the header of the map, in which more members follow.
func appendListCBOR(dst []byte, got *streams.Batch, more int) []byte {
	members := 2 + more
	if len(got.Children) > 0 {
		members++
	}
	dst = cborproto.AppendMapHeader(dst, members)
	dst = cborproto.AppendText(dst, "Records")
	dst = cborproto.AppendArrayHeader(dst, len(got.Records))
	for i := range got.Records {
		rec := &got.Records[i]
		members := 3
		if len(rec.Key) > 0 { // a stream in AUTO takes records without
			members++
		}
		if streams.Sealed(rec) {
			dst = appendSealedCBOR(cborproto.AppendMapHeader(dst, members+1))
		} else {
			dst = cborproto.AppendMapHeader(dst, members)
		}
		dst = cborproto.AppendText(dst, "SequenceNumber")
		dst = appendSequenceCBOR(dst, got.Shard.SequenceOf(rec))
		dst = cborproto.AppendText(dst, "ApproximateArrivalTimestamp")
		dst = cborproto.AppendTimestampMillis(dst, rec.Timestamp)
		dst = cborproto.AppendText(dst, "Data")
		dst = cborproto.AppendBytes(dst, rec.Value)
		if len(rec.Key) > 0 {
			dst = cborproto.AppendText(dst, "PartitionKey")
			dst = cborproto.AppendText(dst, rec.Key)
		}
	}
	dst = cborproto.AppendText(dst, "MillisBehindLatest")
	dst = cborproto.AppendInt(dst, got.MillisBehind)
	if len(got.Children) > 0 {
		dst = cborproto.AppendText(dst, "ChildShards")
		dst = cborproto.AppendArrayHeader(dst, len(got.Children))
		for _, child := range got.Children {
			dst = cborproto.Codec.Encode(dst, childShard, childShape(child))
		}
	}
	return dst
}

// childShard is the shape of an element of GetRecordsOutput.ChildShards.
var childShard = func() *wire.Shape {
	output := shapes.Service.Operations["GetRecords"].Output
	return output.Members[output.MemberNamed([]byte("ChildShards"))].Shape.Element
}()

func childShape(child streams.Child) *shapes.ChildShard {
	return &shapes.ChildShard{ShardId: ptr(child.Shard.ID), ParentShards: child.Parents, HashKeyRange: hashKeyRange(&child.Shard.Shard)}
}

// appendBase64 appends data in base64.
func appendBase64(dst, data []byte) []byte {
	size := base64.StdEncoding.EncodedLen(len(data))
	if cap(dst)-len(dst) < size {
		dst = append(dst, make([]byte, size)...)[:len(dst)]
	}
	base64.StdEncoding.Encode(dst[len(dst):len(dst)+size], data)
	return dst[:len(dst)+size]
}

// appendSequenceCBOR appends a sequence number as CBOR text.
func appendSequenceCBOR(dst []byte, number record.SequenceNumber) []byte {
	var text [64]byte
	return cborproto.AppendText(dst, number.AppendTo(text[:0]))
}
