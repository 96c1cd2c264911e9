package kinesis

import (
	stdbase64 "encoding/base64"
	"unicode/utf8"

	"github.com/segmentio/asm/base64"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// What one request may hold (API_PutRecords, read 2026-11).
const (
	putRecordsMax     = 500
	putBytesMax       = 10 << 20 // data and partition keys together
	partitionKeyMax   = 256      // Unicode characters
	explicitDigitsMax = 39
)

// putRequest is a PutRecord or PutRecords as read from its body. Its slices point into the body.
//
// There are two ways to fill it. The plain requests that SDKs send are scanned in place (scan_json.go, scan_cbor.go) and held against the
// constraints of the model here. Whatever the scanners do not take goes through the generated shapes instead, which know every
// rule and every text: one place decides what is wrong with a request, and the hot path only has to know what is plainly right.
type putRequest struct {
	streamName, streamARN []byte
	ordering              string // SequenceNumberForOrdering
	dryRun                bool
	entries               []entry
	out                   []byte // the answer
}

// entry is one record of a putRequest. A nil slice is an absent member.
type entry struct {
	data            []byte
	partitionKey    []byte
	explicitHashKey []byte
	encoded         bool // data is base64
}

func (r *putRequest) reset() {
	if cap(r.entries) > 2*putRecordsMax {
		r.entries = nil // the general way takes more before it refuses
	}
	clear(r.entries)
	*r = putRequest{entries: r.entries[:0], out: r.out[:0]}
}

// scan fills r from the body of c if it is plain, and says whether it was.
func (r *putRequest) scan(c *edge.Call, single bool) bool {
	ok := false
	switch c.Protocol {
	case edge.JSON11:
		ok = r.scanJSON(c.Body, single)
	case edge.CBOR11:
		ok = r.scanCBOR(c.Body, single)
	}
	return ok && r.valid()
}

// valid says whether r keeps every constraint of the model. What does not is read again by way of the shapes, for the texts.
func (r *putRequest) valid() bool {
	if len(r.entries) < 1 || len(r.entries) > putRecordsMax || !validName(r.streamName) || !validARN(r.streamARN) || r.streamARN != nil && r.streamName != nil {
		return false
	}
	for i := range r.entries {
		e := &r.entries[i]
		if e.data == nil || e.partitionKey != nil && len(e.partitionKey) < 1 || len(e.partitionKey) > partitionKeyMax && utf8.RuneCount(e.partitionKey) > partitionKeyMax {
			return false
		}
		if e.explicitHashKey != nil && !validExplicit(e.explicitHashKey) {
			return false
		}
	}
	return true
}

// validName holds a StreamName against [a-zA-Z0-9_.-]{1,128}. An absent one is right: there may be an ARN.
func validName(name []byte) bool {
	if name == nil {
		return true
	}
	for _, b := range name {
		if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '.' || b == '-') {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 128
}

// validARN says whether a StreamARN is the ARN of a stream. An absent one is right: there may be a name.
func validARN(text []byte) bool {
	if text == nil {
		return true
	}
	parsed, err := arn.Parse(string(text))
	if err != nil || !arn.IsAccount(parsed.Account) {
		return false
	}
	_, err = parsed.StreamName()
	return err == nil
}

// validExplicit holds a HashKey against 0|([1-9]\d{0,38}).
func validExplicit(key []byte) bool {
	for _, b := range key {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= explicitDigitsMax && (key[0] != '0' || len(key) == 1)
}

// fillOne fills r from the generated shape of PutRecord.
func (r *putRequest) fillOne(in *shapes.PutRecordInput) {
	r.stream(in.StreamName, in.StreamARN)
	r.ordering = deref(in.SequenceNumberForOrdering)
	r.dryRun = deref(in.DryRun)
	r.add(in.Data, in.PartitionKey, in.ExplicitHashKey)
}

// fill fills r from the generated shape of PutRecords.
func (r *putRequest) fill(in *shapes.PutRecordsInput) {
	r.stream(in.StreamName, in.StreamARN)
	r.dryRun = deref(in.DryRun)
	for i := range in.Records {
		e := &in.Records[i]
		r.add(e.Data, e.PartitionKey, e.ExplicitHashKey)
	}
}

func (r *putRequest) stream(name, arn *string) {
	r.streamName, r.streamARN = textBytes(name), textBytes(arn)
}

func (r *putRequest) add(data []byte, partitionKey, explicitHashKey *string) {
	r.entries = append(r.entries, entry{data: data, partitionKey: textBytes(partitionKey), explicitHashKey: textBytes(explicitHashKey)})
}

// place puts every entry where it belongs in p, decoding data straight into its batch. plain is false when some base64 does not decode: the
// shapes then say how.
func (r *putRequest) place(p *streams.Put, stream *catalog.Stream) (plain bool, err error) {
	total := 0
	for i := range r.entries {
		e := &r.entries[i]
		var explicit *record.HashKey
		if e.explicitHashKey != nil && stream.Distribution != catalog.Auto {
			key, err := record.ParseHashKey(string(e.explicitHashKey))
			if err != nil {
				return true, fault.New(fault.Invalid, "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", e.explicitHashKey)
			}
			explicit = &key
		}
		size := len(e.data)
		if e.encoded {
			size = decodedSize(e.data)
		}
		if size+len(e.partitionKey) > stream.MaxRecordKiB<<10 {
			return true, fault.New(fault.Invalid, "The size of record %d, %d bytes of data and partition key, exceeds the maximum record size of stream %s, %d KiB.",
				i+1, size+len(e.partitionKey), stream.Name, stream.MaxRecordKiB)
		}
		if total += size + len(e.partitionKey); total > putBytesMax {
			return true, fault.New(fault.Invalid, "Records size exceeds 10 MB limit")
		}
		room := p.Add(e.partitionKey, explicit, size)
		if !e.encoded {
			copy(room, e.data)
			continue
		}
		if !decodeInto(room, e.data) {
			return false, nil
		}
	}
	return true, nil
}

// decodeInto decodes base64 into room, which is as large as decodedSize says, if it has the form that encoders give it: whole quanta, no line break
// (decoders pass over them, and the sizes differ then), and nothing in the bits that the last quantum does not use.
func decodeInto(room, text []byte) bool {
	if len(text)%4 != 0 {
		return false
	}
	if n, err := base64.StdEncoding.Decode(room, text); err != nil || n != len(room) {
		return false
	}
	if len(text) == 0 || text[len(text)-1] != '=' {
		return true
	}
	var last [3]byte
	_, err := strictBase64.Decode(last[:], text[len(text)-4:])
	return err == nil
}

var strictBase64 = stdbase64.StdEncoding.Strict()

// decodedSize is how many bytes well-formed base64 stands for.
func decodedSize(text []byte) int {
	size := len(text) / 4 * 3
	for n := len(text); n > 0 && text[n-1] == '=' && size > 0 && len(text)-n < 2; n-- {
		size--
	}
	return size
}

// errNoPartitionKey refuses a record without a partition key in a stream that needs it. The model makes it optional, for streams that distribute records
// themselves, so that the text is the one that AWS has for a required member.
var errNoPartitionKey = fault.As(fault.Invalid, &wire.APIError{
	Code: wire.CodeValidation, Message: "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null",
}, "")

// servePut reads a request, puts its records and answers. general fills the request by way of its shape; it is asked when the request is not plain,
// or when its data turns out not to be what it looked like.
func (a *API) servePut(c *edge.Call, single bool, general func(*putRequest) error, reply func(*edge.Call, *putRequest, *streams.Put) error) error {
	r := a.puts.Get().(*putRequest)
	defer a.puts.Put(r)
	defer r.reset()

	var p *streams.Put
	var err error
	if r.scan(c, single) {
		if p, err = a.put(c, r); err != nil {
			return err
		}
	}
	if p == nil {
		r.reset()
		if err := general(r); err != nil {
			return err
		}
		if p, err = a.put(c, r); err != nil {
			return err
		}
	}
	defer p.Release()
	return reply(c, r, p)
}

// put appends the records of r. It gives nil when one's base64 does not decode; nothing is put then. The caller releases what it gets.
func (a *API) put(c *edge.Call, r *putRequest) (*streams.Put, error) {
	stream, err := a.findStream(c, r.streamName, r.streamARN)
	if err != nil {
		return nil, err
	}
	for i := range r.entries {
		if r.entries[i].partitionKey == nil && stream.Distribution != catalog.Auto {
			return nil, errNoPartitionKey
		}
	}
	if r.ordering != "" {
		if err := a.streams.CheckOrdering(c.Ctx, stream, r.ordering); err != nil {
			return nil, err
		}
	}
	p, err := a.streams.Begin(c.Ctx, stream)
	if err != nil {
		return nil, err
	}
	plain, err := r.place(p, stream)
	if err == nil && plain && r.dryRun {
		err = errDryRun
	}
	if err != nil || !plain {
		p.Release()
		return nil, err
	}
	p.Commit(c.Ctx)
	count(c, p)
	return p, nil
}
