package record

import (
	"crypto/md5"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// An aggregate is one record of the service that holds many of a producer. Its data:
//
//	offset  bytes  field
//	     0      4  magic F3 89 9A C2
//	     4      …  message AggregatedRecord, in protobuf (proto2)
//	    −16    16  MD5 of the message
//
//	AggregatedRecord: 1 repeated string partition_key_table, 2 repeated string explicit_hash_key_table, 3 repeated Record records
//	Record:           1 uint64 partition_key_index, 2 optional uint64 explicit_hash_key_index, 3 bytes data, 4 repeated Tag tags
//	Tag:              1 string key, 2 optional string value
//
// Fields are written in this order, so that an aggregate of the same records has the KPL's bytes.
// Source: the KPL's aggregation format.
const (
	aggregateMagic    = "\xf3\x89\x9a\xc2"
	aggregateOverhead = len(aggregateMagic) + md5.Size

	partitionKeyTable    = 1
	explicitHashKeyTable = 2
	aggregatedRecords    = 3

	recordPartitionKey    = 1
	recordExplicitHashKey = 2
	recordData            = 3
	recordTags            = 4

	tagKey   = 1
	tagValue = 2
)

// AggregateBytesDefault is how large the KPL lets an aggregate grow (AggregationMaxSize), in bytes.
const AggregateBytesDefault = 51200

// aggregatePartitionKey is what the KPL gives an aggregate: where it goes says its explicit hash key.
const aggregatePartitionKey = "a"

// Aggregator packs records that go to the same shard. The zero value holds nothing and grows to AggregateBytesDefault; it is for one goroutine.
type Aggregator struct {
	// MaxBytes is how large an aggregate may grow, in bytes of data, overhead included; 0 means AggregateBytesDefault. One record
	// is always taken, however large.
	MaxBytes int

	first            UserRecord
	count            int
	partitionKeys    keyTable
	explicitHashKeys keyTable
	records          []byte // encoded
}

// keyTable is one of the two tables of an aggregate: each key once, by number. It is a hash table of its own because a map took half of what adding a record costs.
//
//	slots[h], slots[h+1], …  1 + the number of a key whose hash begins at h; 0 is free. At least half are free.
type keyTable struct {
	keys    []string
	slots   []uint32 // a power of two, or none
	encoded []byte
}

// keySeed is of this process: where keys lie in a table shows nowhere outside.
var keySeed = maphash.MakeSeed()

// find is the number of a key, or of the next new one, and where to put it.
func (t *keyTable) find(key string) (number uint64, slot uint64, known bool) {
	if len(t.slots) < 2*(len(t.keys)+1) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for slot = maphash.String(keySeed, key) & mask; ; slot = (slot + 1) & mask {
		switch at := t.slots[slot]; {
		case at == 0:
			return uint64(len(t.keys)), slot, false
		case t.keys[at-1] == key:
			return uint64(at - 1), slot, true
		}
	}
}

// put adds a key that find did not know, at the slot that it gave.
func (t *keyTable) put(field int, key string, slot uint64) {
	t.keys = append(t.keys, key)
	t.slots[slot] = uint32(len(t.keys))
	t.encoded = appendBytesField(t.encoded, field, key)
}

func (t *keyTable) grow() {
	t.slots = make([]uint32, max(64, 2*len(t.slots)))
	mask := uint64(len(t.slots) - 1)
	for i, key := range t.keys {
		slot := maphash.String(keySeed, key) & mask
		for t.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.slots[slot] = uint32(i + 1)
	}
}

func (t *keyTable) reset() {
	clear(t.keys) // they hold on to a customer's memory
	clear(t.slots)
	t.keys, t.encoded = t.keys[:0], t.encoded[:0]
}

// Len is how many records are inside.
func (a *Aggregator) Len() int { return a.count }

// Size is how many bytes Finish would give now if it gave an aggregate.
func (a *Aggregator) Size() int {
	if a.count == 0 {
		return 0
	}
	return aggregateOverhead + len(a.partitionKeys.encoded) + len(a.explicitHashKeys.encoded) + len(a.records)
}

// Add takes a record in, copying its data, or says false when it would grow past MaxBytes: Finish, then Add again.
func (a *Aggregator) Add(r UserRecord) bool { return a.AddRecord(&r) }

// AddRecord is Add for who has a record in memory already. It keeps nothing of r but its strings.
func (a *Aggregator) AddRecord(r *UserRecord) bool {
	most := a.MaxBytes
	if most <= 0 {
		most = AggregateBytesDefault
	}
	keyIndex, keySlot, keyKnown := a.partitionKeys.find(r.PartitionKey)
	explicit := r.ExplicitHashKey != ""
	var hashIndex, hashSlot uint64
	hashKnown := true
	if explicit {
		hashIndex, hashSlot, hashKnown = a.explicitHashKeys.find(r.ExplicitHashKey)
	}

	body := 1 + uvarintSize(keyIndex) + bytesFieldSize(len(r.Data))
	if explicit {
		body += 1 + uvarintSize(hashIndex)
	}
	for _, tag := range r.Tags {
		body += bytesFieldSize(tag.size())
	}
	grown := max(a.Size(), aggregateOverhead) + bytesFieldSize(body)
	if !keyKnown {
		grown += bytesFieldSize(len(r.PartitionKey))
	}
	if !hashKnown {
		grown += bytesFieldSize(len(r.ExplicitHashKey))
	}
	if a.count > 0 && grown > most {
		return false
	}

	if !keyKnown {
		a.partitionKeys.put(partitionKeyTable, r.PartitionKey, keySlot)
	}
	if !hashKnown {
		a.explicitHashKeys.put(explicitHashKeyTable, r.ExplicitHashKey, hashSlot)
	}
	dst := binary.AppendUvarint(append(a.records, aggregatedRecords<<3|wireBytes), uint64(body))
	dst = appendVarintField(dst, recordPartitionKey, keyIndex)
	if explicit {
		dst = appendVarintField(dst, recordExplicitHashKey, hashIndex)
	}
	dst = appendBytesField(dst, recordData, r.Data)
	for _, tag := range r.Tags {
		dst = binary.AppendUvarint(append(dst, recordTags<<3|wireBytes), uint64(tag.size()))
		dst = appendBytesField(dst, tagKey, tag.Key)
		if tag.HasValue {
			dst = appendBytesField(dst, tagValue, tag.Value)
		}
	}
	a.records = dst
	if a.count == 0 {
		a.first = *r
		a.first.SubSequence = 0
		a.first.Data = append([]byte(nil), r.Data...)
	}
	a.count++
	return true
}

// size is how many bytes the message of a tag has.
func (t Tag) size() int {
	size := bytesFieldSize(len(t.Key))
	if t.HasValue {
		size += bytesFieldSize(len(t.Value))
	}
	return size
}

// Finish gives what is to be put, and empties the Aggregator: an aggregate with the KPL's partition key and the first record's hash key as explicit one.
// A single record without tags stays as it is, as with the KPL. It gives nothing, and false, when nothing was added.
func (a *Aggregator) Finish() (put UserRecord, ok bool) {
	if a.count == 0 {
		return UserRecord{}, false
	}
	put = a.first
	if a.count > 1 || len(a.first.Tags) > 0 {
		explicit := a.first.ExplicitHashKey
		if explicit == "" {
			explicit = HashKeyOf([]byte(a.first.PartitionKey)).String()
		}
		put = UserRecord{PartitionKey: aggregatePartitionKey, ExplicitHashKey: explicit, Data: a.data()}
	}
	a.Reset()
	return put, true
}

// data is the whole aggregate.
func (a *Aggregator) data() []byte { return a.AppendTo(make([]byte, 0, a.Size())) }

// AppendTo appends the data of one aggregate, as Finish would give it for more than one record, and leaves what is inside.
func (a *Aggregator) AppendTo(dst []byte) []byte {
	if a.count == 0 {
		return dst
	}
	dst = append(dst, aggregateMagic...)
	start := len(dst)
	dst = append(dst, a.partitionKeys.encoded...)
	dst = append(dst, a.explicitHashKeys.encoded...)
	dst = append(dst, a.records...)
	sum := md5.Sum(dst[start:])
	return append(dst, sum[:]...)
}

// Reset empties the Aggregator without giving anything. What it has grown to it keeps for the next records.
func (a *Aggregator) Reset() {
	a.partitionKeys.reset()
	a.explicitHashKeys.reset()
	a.first, a.count = UserRecord{}, 0
	a.records = a.records[:0]
}

// Aggregate is the data of one aggregate that holds all of records, however large and however many; nil for none.
func Aggregate(records []UserRecord) []byte {
	if len(records) == 0 {
		return nil
	}
	a := Aggregator{MaxBytes: int(^uint(0) >> 1)}
	for _, r := range records {
		a.Add(r)
	}
	return a.data()
}

// The wire types of protobuf that we write.
const (
	wireVarint = 0
	wireBytes  = 2
)

func appendVarintField(dst []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(field<<3|wireVarint)), v)
}

func appendBytesField[T string | []byte](dst []byte, field int, v T) []byte {
	dst = binary.AppendUvarint(append(dst, byte(field<<3|wireBytes)), uint64(len(v)))
	return append(dst, v...)
}

// bytesFieldSize is what appendBytesField appends for a value of n bytes.
func bytesFieldSize(n int) int { return 1 + uvarintSize(uint64(n)) + n }

// uvarintSize is what AppendUvarint appends.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
