package kafkalog

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// fetched is what a partition holds from some offset on.
type fetched struct {
	records       []*kgo.Record
	next          int64 // where to continue
	logStart      int64
	highWatermark int64
	err           error // damage at next; what is before it is in records
}

// fetch reads from an offset, about maxBytes but at least a batch if there is one. It does not wait for records. kerr.OffsetOutOfRange when the partition
// does not reach there.
func (s *Store) fetch(ctx context.Context, name string, partition int32, from int64, maxBytes int) (got fetched, err error) {
	most := int32(min(max(maxBytes, 1), fetchBytesMost))
	err = s.onLeader(ctx, name, partition, func(leader *kgo.Broker, id [16]byte) error {
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes = most
		req.SessionEpoch = -1 // no session: each fetch stands alone
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = name, id
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, from, most
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := leader.Request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return err
		}
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			return errors.New("an answer without the partition")
		}
		part := &answer.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
			return err
		}
		opts := kgo.ProcessFetchPartitionOpts{Offset: from, Topic: name, Partition: partition}
		processed, next := kgo.ProcessFetchPartition(opts, part, kgo.DefaultDecompressor(), nil)
		got = fetched{
			records: processed.Records, next: next, logStart: part.LogStartOffset, highWatermark: part.HighWatermark, err: processed.Err,
		}
		return nil
	})
	return got, err
}

// The timestamps that ListOffsets gives a meaning of its own.
const (
	latest   = -1 // the offset behind the last record
	earliest = -2 // the log start offset
)

// listOffset is the offset of the first record at or after timestamp, in milliseconds, or of one of the special ones; −1 when there is none.
func (s *Store) listOffset(ctx context.Context, name string, partition int32, timestamp int64) (offset int64, err error) {
	err = s.onLeader(ctx, name, partition, func(leader *kgo.Broker, _ [16]byte) error {
		req := kmsg.NewPtrListOffsetsRequest()
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = name
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = partition, timestamp
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := leader.Request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.ListOffsetsResponse)
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			return errors.New("an answer without the partition")
		}
		offset = answer.Topics[0].Partitions[0].Offset
		return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	})
	return offset, err
}

// allRecords as an offset means everything up to the end.
const allRecords = -1

// deleteRecords makes everything below before unreadable. kerr.OffsetOutOfRange when that is beyond the end, or was done already.
func (s *Store) deleteRecords(ctx context.Context, name string, partition int32, before int64) error {
	return s.onLeader(ctx, name, partition, func(leader *kgo.Broker, _ [16]byte) error {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.TimeoutMillis = int32(s.options.Timeout.Milliseconds())
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = name
		rp := kmsg.NewDeleteRecordsRequestTopicPartition()
		rp.Partition, rp.Offset = partition, before
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := leader.Request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.DeleteRecordsResponse)
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			return errors.New("an answer without the partition")
		}
		return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	})
}

// visible makes batches of those records of a log that readers see, below end, in the order of their offsets: one batch for each run of offsets without a gap.
func visible(id commitlog.ID, records []*kgo.Record, end commitlog.Position) ([]byte, error) {
	var out []byte
	var run batch.Batch
	var base, next int64
	finish := func() {
		if run.Len() > 0 {
			raw := run.Bytes()
			batch.SetBase(raw, base)
			out = append(out, raw...)
			run.Reset()
		}
	}
	var headers []batch.Header
	for _, r := range records {
		if r.Offset >= end {
			break
		}
		mine := false
		headers = headers[:0]
		for _, h := range r.Headers {
			switch h.Key {
			case headerShard:
				member, n := binary.Uvarint(h.Value)
				if n <= 0 {
					return nil, fault.New(fault.Corrupt, "header %s of the record at %d is no number", headerShard, r.Offset)
				}
				mine = member == uint64(id.Member)
			case headerIncarnation:
			default:
				headers = append(headers, batch.Header{Key: h.Key, Value: h.Value})
			}
		}
		if !mine || hasHeader(headers, headerClose) {
			continue
		}
		if r.Offset != next {
			finish()
		}
		if run.Len() == 0 {
			base = r.Offset
		}
		run.Append(r.Timestamp.UnixMilli(), r.Key, r.Value, headers...)
		next = r.Offset + 1
	}
	finish()
	return out, nil
}

func hasHeader(headers []batch.Header, key string) bool {
	for _, h := range headers {
		if h.Key == key {
			return true
		}
	}
	return false
}
