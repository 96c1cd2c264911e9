// Package record holds what is true of a record wherever it lies: its hash key, its sequence number, and the
// aggregates in which the Kinesis Producer Library packs many records as one.
//
// It owns 128-bit hash keys and their ranges (hashkey.go, hashrange.go), the decimal form of sequence numbers
// (sequence.go) and KPL aggregation both ways (aggregate.go, deaggregate.go). Where a record is stored belongs to commitlog, which
// shard it goes to and which sequence numbers are acceptable belongs to streams.
//
// Everything here is plain values: no clock, no disk, no goroutine. Read hashkey.go, then sequence.go.
package record

// UserRecord is what a producer wrote: a record of its own, or one of many inside an aggregate.
type UserRecord struct {
	PartitionKey    string
	ExplicitHashKey string // decimal; empty when the hash key is that of PartitionKey
	Data            []byte
	Tags            []Tag
	SubSequence     uint64 // place in its aggregate, from 0; 0 for a record of its own
}

// Tag is a name and value that the aggregate format carries beside a record's data.
type Tag struct {
	Key   string
	Value string // HasValue false means that there is none
	// HasValue tells an empty value from an absent one: the format knows both.
	HasValue bool
}

// HashKey is the explicit hash key if there is one, else the hash of the partition key. Invalid when the explicit one is not a hash key.
func (r *UserRecord) HashKey() (HashKey, error) {
	if r.ExplicitHashKey != "" {
		return ParseHashKey(r.ExplicitHashKey)
	}
	return HashKeyOf([]byte(r.PartitionKey)), nil
}
