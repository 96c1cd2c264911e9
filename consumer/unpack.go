package consumer

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/record"
)

// unpacker turns records of the stream into user records.
type unpacker struct {
	shard  string
	hashes *record.HashRange // of the shard; nil if the lease does not say
	after  Position          // what comes at or before it has been processed
	notice func(error)
	denied func(sequence string, parts int) // an aggregate was dropped
}

// unpack opens aggregates and leaves out what has been processed. The rule of the KCL holds: if a part of an aggregate has a hash key outside the shard, the whole aggregate is
// dropped, since each of its parts is taken to have been put again to the shard where it belongs. What looks like an aggregate and is none is a record of its own.
func (u *unpacker) unpack(records []types.Record) []Record {
	var all []Record
	for i := range records {
		for _, r := range u.open(&records[i]) {
			if at := r.Position(); at.compare(u.after) > 0 {
				all = append(all, r)
				u.after = at
			}
		}
	}
	return all
}

func (u *unpacker) open(r *types.Record) []Record {
	sequence := aws.ToString(r.SequenceNumber)
	base := Record{Data: r.Data, PartitionKey: aws.ToString(r.PartitionKey), SequenceNumber: sequence, Arrived: aws.ToTime(r.ApproximateArrivalTimestamp), EncryptionType: string(r.EncryptionType)}
	parts, aggregate, err := record.Deaggregate(base.PartitionKey, r.Data)
	if err != nil {
		u.notice(fmt.Errorf("record %s of %s is handed out as it is: %w", sequence, u.shard, err))
		return []Record{base}
	}
	if !aggregate {
		return []Record{base}
	}
	out := make([]Record, 0, len(parts))
	for i := range parts {
		hash, err := parts[i].HashKey()
		if u.hashes != nil && (err != nil || !u.hashes.Contains(hash)) {
			u.denied(sequence, len(parts))
			return nil
		}
		one := base
		one.Data, one.PartitionKey, one.ExplicitHashKey = parts[i].Data, parts[i].PartitionKey, parts[i].ExplicitHashKey
		one.SubSequenceNumber, one.Aggregated = int64(parts[i].SubSequence), true
		out = append(out, one)
	}
	return out
}
