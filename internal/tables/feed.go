package tables

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/tables/value"
)

// Feed is a change stream as a readers.Source: its one shard, by places. Data of a record is the change as Lambda is told of it, but for eventSourceARN: a JSON object. Key is the item's,
// so that changes of one item stay in order.
type Feed struct {
	Engine *Engine
	// Account and Region say whose table it is; Table and Label name the stream, as its ARN does.
	Account, Region, Table, Label string
}

// find gives the stream, and the region that it is in.
func (f *Feed) find() (*Region, *Stream, error) {
	if r := f.Engine.Find(f.Account, f.Region); r != nil {
		if s := r.Tables().StreamNamed(f.Table, f.Label); s != nil {
			return r, s, nil
		}
	}
	return nil, nil, fault.New(fault.NotFound, "Requested resource not found: Stream: %s of table %s not found", f.Label, f.Table)
}

// ShardID is the name of the stream's one shard.
func (s *Stream) ShardID() string {
	return fmt.Sprintf("shardId-%020d-%08x", s.Created.UnixMilli(), uint32(s.ID))
}

// EventID is the id of a change: the same for everyone who reads it, and of no other.
func (s *Stream) EventID(account, region string, seq Sequence) string {
	b := binary.BigEndian.AppendUint64([]byte(account+"/"+region+"/"), s.ID)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(seq)))
	return hex.EncodeToString(sum[:16])
}

// Shards is readers.Source's.
func (f *Feed) Shards(context.Context) ([]readers.ShardInfo, <-chan struct{}, error) {
	r := f.Engine.Find(f.Account, f.Region)
	if r == nil {
		_, _, err := f.find()
		return nil, nil, err
	}
	_, changed := r.machine.watch()
	_, s, err := f.find()
	if err != nil {
		return nil, changed, err
	}
	return []readers.ShardInfo{{ID: s.ShardID(), Key: "table/" + strconv.FormatUint(s.ID, 10), Opened: s.Created}}, changed, nil
}

// Start is readers.Source's.
func (f *Feed) Start(_ context.Context, _ string, at readers.Start) (int64, error) {
	r, s, err := f.find()
	if err != nil {
		return 0, err
	}
	var from Sequence
	switch at.Type {
	case readers.Latest:
		_, from, err = r.ChangeBounds(s)
	case readers.AtTimestamp:
		from, err = r.ChangeAt(s, at.Time)
	default:
		from, _, err = r.ChangeBounds(s)
	}
	return int64(from), err
}

// Read is readers.Source's.
func (f *Feed) Read(_ context.Context, _ string, from int64, limit int) (readers.Chunk, error) {
	r, s, err := f.find()
	if err != nil {
		return readers.Chunk{}, err
	}
	last, closed := s.Last() // before reading, so that what comes behind it is there by now
	changes, next, err := r.Changes(s, Sequence(from), limit)
	if err != nil {
		return readers.Chunk{}, err
	}
	now := r.engine.clock.Now()
	chunk := readers.Chunk{Records: make([]readers.Record, len(changes)), Next: int64(next), Lost: from < int64(s.Trimmed), Horizon: now.Add(-changesKept)}
	for i := range changes {
		ch := &changes[i]
		chunk.Records[i] = readers.Record{
			Position: int64(ch.Sequence), Sequence: ch.Sequence.String(), Key: value.AppendItem(nil, ch.Keys), Data: s.event(f.Account, f.Region, ch), Arrival: ch.At,
		}
	}
	rest, _, err := r.Changes(s, next, 1)
	if err != nil {
		return readers.Chunk{}, err
	}
	if len(rest) > 0 {
		chunk.Behind = max(now.Sub(rest[0].At), time.Millisecond)
	}
	chunk.End = closed && len(rest) == 0
	if chunk.End {
		chunk.Next = max(chunk.Next, int64(last)+1)
	}
	return chunk, nil
}

// Wait is readers.Source's. A command of the region that changes nothing here costs one look.
func (f *Feed) Wait(ctx context.Context, shard string, from int64) error {
	for {
		r, _, err := f.find()
		if err != nil {
			return err
		}
		applied := r.fold.Applied()
		if f.Ready(shard, from) {
			return nil
		}
		if err := r.fold.WaitApplied(ctx, applied); err != nil {
			return err
		}
	}
}

// Ready is readers.Source's.
func (f *Feed) Ready(_ string, from int64) bool {
	r, s, err := f.find()
	if err != nil || !s.Closed.IsZero() {
		return true
	}
	changes, _, err := r.Changes(s, Sequence(from), 1)
	return err != nil || len(changes) > 0
}

// event is a change as Lambda tells of it (Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB", read 2026-11), without the ARN of the stream.
func (s *Stream) event(account, region string, ch *Change) []byte {
	b := append([]byte(nil), `{"eventID":"`...)
	b = append(append(b, s.EventID(account, region, ch.Sequence)...), `","eventName":"`...)
	b = append(append(b, ch.Event...), `","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":`...)
	b = appendQuoted(b, region)
	b = append(b, `,"dynamodb":{"ApproximateCreationDateTime":`...)
	b = strconv.AppendInt(b, ch.At.Unix(), 10)
	b = appendJSON(append(b, `,"Keys":`...), ch.Keys)
	if ch.New != nil {
		b = appendJSON(append(b, `,"NewImage":`...), ch.New)
	}
	if ch.Old != nil {
		b = appendJSON(append(b, `,"OldImage":`...), ch.Old)
	}
	b = append(append(b, `,"SequenceNumber":"`...), ch.Sequence.String()...)
	b = strconv.AppendInt(append(b, `","SizeBytes":`...), int64(ch.Bytes), 10)
	b = appendQuoted(append(b, `,"StreamViewType":`...), s.View)
	b = append(b, '}')
	if ch.ByService {
		b = append(b, `,"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}`...)
	}
	return append(b, '}')
}

// appendJSON writes an item as DynamoDB's JSON has it.
func appendJSON(b []byte, it value.Item) []byte {
	b = append(b, '{')
	for i := range it {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValueJSON(append(appendQuoted(b, it[i].Name), ':'), it[i].Value)
	}
	return append(b, '}')
}

func appendValueJSON(b []byte, v value.Value) []byte {
	b = append(append(append(b, `{"`...), v.Kind.String()...), `":`...)
	switch v.Kind {
	case value.BOOL:
		b = strconv.AppendBool(b, v.Bool)
	case value.NULL:
		b = append(b, "true"...)
	case value.M:
		b = appendJSON(b, v.Map)
	case value.L:
		b = append(b, '[')
		for i := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValueJSON(b, v.List[i])
		}
		b = append(b, ']')
	case value.SS, value.NS, value.BS:
		b = append(b, '[')
		for i, element := range v.Set {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendScalar(b, v.Kind.Member(), element)
		}
		b = append(b, ']')
	default:
		b = appendScalar(b, v.Kind, v.Text)
	}
	return append(b, '}')
}

// appendScalar writes a string, a number or bytes, all of which are texts in JSON.
func appendScalar(b []byte, kind value.Kind, text string) []byte {
	switch kind {
	case value.N:
		text = value.Number(text).String()
	case value.B:
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return appendQuoted(b, text)
}

func appendQuoted(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("tables: a text that JSON cannot hold: " + err.Error())
	}
	return append(b, quoted...)
}
