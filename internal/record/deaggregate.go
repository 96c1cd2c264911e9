package record

import (
	"crypto/md5"
	"encoding/binary"
	"math"

	"github.com/weir-stream/weir/internal/fault"
)

// Deaggregate opens the data of a record of the service. aggregate says whether there was an aggregate inside; if not, records is the
// one record as it was put. Data of the results points into data; records of one key share its string.
//
// It follows the KCL: magic, checksum or message not right mean that the data is the customer's own, which is no error. A message that is
// right, but names a key its tables do not have, is Corrupt: the records before it are given. The check that every key belongs to the
// shard is the caller's, who knows the shard: see UserRecord.HashKey.
func Deaggregate(partitionKey string, data []byte) (records []UserRecord, aggregate bool, err error) {
	if a, ok := openAggregate(data); ok {
		records, err = a.resolve()
		return records, true, err
	}
	return []UserRecord{{PartitionKey: partitionKey, Data: data}}, false, nil
}

// IsAggregate says whether data is a whole aggregate, magic and checksum included.
func IsAggregate(data []byte) bool {
	_, ok := aggregateMessage(data)
	return ok
}

// aggregateMessage is the message inside data if magic and checksum are right.
func aggregateMessage(data []byte) ([]byte, bool) {
	if len(data) <= aggregateOverhead || string(data[:len(aggregateMagic)]) != aggregateMagic {
		return nil, false
	}
	message, sum := data[len(aggregateMagic):len(data)-md5.Size], data[len(data)-md5.Size:]
	return message, md5.Sum(message) == [md5.Size]byte(sum)
}

// aggregated is a message AggregatedRecord as parsed, before its indices are looked up.
type aggregated struct {
	partitionKeys    []string
	explicitHashKeys []string
	records          []aggregatedRecord
}

type aggregatedRecord struct {
	partitionKey, explicitHashKey uint64
	explicit                      bool
	data                          []byte
	tags                          []Tag
}

func openAggregate(data []byte) (a aggregated, ok bool) {
	message, ok := aggregateMessage(data)
	if !ok {
		return aggregated{}, false
	}
	fields := protoFields{rest: message}
	for fields.next() {
		switch {
		case fields.wire != wireBytes:
		case fields.number == partitionKeyTable:
			a.partitionKeys = append(a.partitionKeys, string(fields.bytes))
		case fields.number == explicitHashKeyTable:
			a.explicitHashKeys = append(a.explicitHashKeys, string(fields.bytes))
		case fields.number == aggregatedRecords:
			r, ok := parseAggregatedRecord(fields.bytes)
			if !ok {
				return aggregated{}, false
			}
			a.records = append(a.records, r)
		}
	}
	return a, !fields.broken
}

func parseAggregatedRecord(message []byte) (r aggregatedRecord, ok bool) {
	var hasKey, hasData bool
	fields := protoFields{rest: message}
	for fields.next() {
		switch {
		case fields.number == recordPartitionKey && fields.wire == wireVarint:
			r.partitionKey, hasKey = fields.varint, true
		case fields.number == recordExplicitHashKey && fields.wire == wireVarint:
			r.explicitHashKey, r.explicit = fields.varint, true
		case fields.number == recordData && fields.wire == wireBytes:
			r.data, hasData = fields.bytes, true
		case fields.number == recordTags && fields.wire == wireBytes:
			tag, ok := parseTag(fields.bytes)
			if !ok {
				return r, false
			}
			r.tags = append(r.tags, tag)
		}
	}
	return r, !fields.broken && hasKey && hasData
}

func parseTag(message []byte) (tag Tag, ok bool) {
	fields := protoFields{rest: message}
	for fields.next() {
		switch {
		case fields.wire != wireBytes:
		case fields.number == tagKey:
			tag.Key, ok = string(fields.bytes), true
		case fields.number == tagValue:
			tag.Value, tag.HasValue = string(fields.bytes), true
		}
	}
	return tag, ok && !fields.broken
}

// resolve looks the keys up.
func (a *aggregated) resolve() ([]UserRecord, error) {
	records := make([]UserRecord, 0, len(a.records))
	for i, r := range a.records {
		if r.partitionKey >= uint64(len(a.partitionKeys)) {
			return records, fault.New(fault.Corrupt, "aggregate: record %d has partition key %d of %d", i, r.partitionKey, len(a.partitionKeys))
		}
		user := UserRecord{PartitionKey: a.partitionKeys[r.partitionKey], Data: r.data, Tags: r.tags, SubSequence: uint64(i)}
		if r.explicit {
			if r.explicitHashKey >= uint64(len(a.explicitHashKeys)) {
				return records, fault.New(fault.Corrupt, "aggregate: record %d has explicit hash key %d of %d", i, r.explicitHashKey, len(a.explicitHashKeys))
			}
			user.ExplicitHashKey = a.explicitHashKeys[r.explicitHashKey]
			if user.ExplicitHashKey == "" { // would read as "none"
				return records, fault.New(fault.Corrupt, "aggregate: record %d has an empty explicit hash key", i)
			}
		}
		records = append(records, user)
	}
	return records, nil
}

// protoFields walks the fields of a protobuf message. What it does not know it passes over.
type protoFields struct {
	rest   []byte
	broken bool // the message is not well formed

	// The current field.
	number int
	wire   int
	varint uint64 // wireVarint
	bytes  []byte // wireBytes; points into the message
}

// The wire types that are only passed over, and how deep their groups may nest (as in Google's own parsers).
const (
	wireFixed64    = 1
	wireGroupStart = 3
	wireGroupEnd   = 4
	wireFixed32    = 5

	groupDepthMax = 100
)

// next reads a field and says whether there was one. At the end, or where the message is broken, it says false.
func (f *protoFields) next() bool {
	if f.broken || len(f.rest) == 0 {
		return false
	}
	f.broken = !f.read(0)
	return !f.broken
}

func (f *protoFields) read(depth int) bool {
	tag, ok := f.uvarint()
	if !ok || tag > math.MaxUint32 || tag>>3 == 0 {
		return false
	}
	f.number, f.wire = int(tag>>3), int(tag&7)
	switch f.wire {
	case wireVarint:
		f.varint, ok = f.uvarint()
		return ok
	case wireFixed64:
		return f.take(8)
	case wireFixed32:
		return f.take(4)
	case wireBytes:
		size, ok := f.uvarint()
		return ok && size <= uint64(len(f.rest)) && f.take(int(size))
	case wireGroupStart:
		return depth < groupDepthMax && f.skipGroup(f.number, depth)
	default: // a group's end without its start, or a wire type that does not exist
		return false
	}
}

// skipGroup reads up to and including the end of group number.
func (f *protoFields) skipGroup(number, depth int) bool {
	for {
		before := f.rest
		tag, ok := f.uvarint()
		if !ok {
			return false
		}
		if tag&7 == wireGroupEnd {
			f.number, f.wire = number, wireGroupStart
			return tag>>3 == uint64(number)
		}
		f.rest = before
		if !f.read(depth + 1) {
			return false
		}
	}
}

func (f *protoFields) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		return 0, false
	}
	f.rest = f.rest[n:]
	return v, true
}

func (f *protoFields) take(n int) bool {
	if n > len(f.rest) {
		return false
	}
	f.bytes, f.rest = f.rest[:n:n], f.rest[n:]
	return true
}
