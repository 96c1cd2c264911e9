package mapping

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/readers"
)

// record is one record on its way to a function.
type record struct {
	position int64
	sequence string
	arrival  int64  // milliseconds since 1970
	event    []byte // JSON, as an element of Records
}

// payloadMax is how large an event may be (Lambda quotas: 6 MB synchronous).
const payloadMax = 6 << 20

// Lengths of what stands around the records of an event: a window's other fields are a few hundred bytes, the state apart.
const (
	frameBytes  = len(`{"Records":[]}`)
	windowBytes = 1 << 10
)

// encoder makes the elements of Records for one shard.
type encoder struct {
	kind    Kind
	shard   string
	region  string
	source  string // the stream's ARN
	role    string
	scratch []byte
}

// encode makes a record's element. Source: Lambda developer guide, "Using Lambda to process records from Amazon Kinesis Data Streams" (read 2026-11); of a table's stream the source
// has made all but the last key.
func (e *encoder) encode(r *readers.Record) record {
	out := record{position: r.Position, sequence: r.Sequence, arrival: r.Arrival.UnixMilli()}
	b := e.scratch[:0]
	if e.kind == Table {
		b = append(b, r.Data[:len(r.Data)-1]...) // without its brace
		b = append(b, `,"eventSourceARN":`...)
		b = append(appendString(b, e.source), '}')
	} else {
		b = append(b, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":`...)
		b = appendString(b, string(r.Key))
		b = append(b, `,"sequenceNumber":"`...)
		b = append(b, r.Sequence...)
		b = append(b, `","data":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Data)
		b = append(b, `","approximateArrivalTimestamp":`...)
		b = appendSeconds(b, out.arrival)
		b = append(b, `},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"`...)
		b = append(append(append(b, e.shard...), ':'), r.Sequence...)
		b = append(b, `","eventName":"aws:kinesis:record","invokeIdentityArn":`...)
		b = appendString(b, e.role)
		b = append(b, `,"awsRegion":`...)
		b = appendString(b, e.region)
		b = append(b, `,"eventSourceARN":`...)
		b = append(appendString(b, e.source), '}')
	}
	e.scratch = b
	out.event = append([]byte(nil), b...)
	return out
}

// appendSeconds writes milliseconds as seconds with three decimals.
func appendSeconds(b []byte, millis int64) []byte {
	b = append(strconv.AppendInt(b, millis/1000, 10), '.')
	return append(b, byte('0'+millis/100%10), byte('0'+millis/10%10), byte('0'+millis%10))
}

func appendString(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("mapping: a text that JSON cannot hold: " + err.Error())
	}
	return append(b, quoted...)
}

// payload is the event for some records; w is nil without a tumbling window.
func payload(records []record, w *windowEvent) []byte {
	size := frameBytes + windowBytes
	for i := range records {
		size += len(records[i].event) + 1
	}
	if w != nil {
		size += len(w.State)
	}
	b := append(make([]byte, 0, size), `{"Records":[`...)
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, records[i].event...)
	}
	b = append(b, ']')
	if w != nil {
		rest, err := json.Marshal(w)
		if err != nil {
			panic("mapping: a window that JSON cannot hold: " + err.Error())
		}
		b = append(append(b, ','), rest[1:len(rest)-1]...)
	}
	return append(b, '}')
}

// windowEvent is what an event has beside its records in a tumbling window.
type windowEvent struct {
	Window struct {
		Start string `json:"start"`
		End   string `json:"end"`
	} `json:"window"`
	State json.RawMessage `json:"state"`
	Shard string          `json:"shardId"`
	ARN   string          `json:"eventSourceARN"`
	Final bool            `json:"isFinalInvokeForWindow"`
	Early bool            `json:"isWindowTerminatedEarly"`
}

// wholeSeconds is a time as windows have theirs.
func wholeSeconds(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05Z")
}

// exactly is a time with milliseconds.
func exactly(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z")
}
