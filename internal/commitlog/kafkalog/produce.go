package kafkalog

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// producer is a Kafka producer id and the sequence number of its next record in one partition. A broker that sees a sequence a second time
// answers with the offset of the first and appends nothing. After an append whose outcome is unknown the id is given up: its batch may
// still arrive, and nothing may continue its sequence.
type producer struct {
	ready bool
	id    int64
	epoch int16
	next  int32
}

// advance moves on by records, from 2^31−1 to 0 as Kafka does.
func (p *producer) advance(records int) {
	p.next = int32((int64(p.next) + int64(records)) & math.MaxInt32)
}

// produce appends a batch to a partition with acks=all and gives the offset of its first record. It asks again until ctx ends, always with
// the same sequence. One produce for a producer at a time: the caller sees to that.
//
// What an answer means, when it is the last one:
//
//	an offset                              appended, once
//	a refusal of the batch itself          not appended, unless an earlier try may have been
//	too few replicas, before appending     not appended, likewise
//	anything else, or none                 unknown: also "not the leader", which a leader says of a batch that it appended and then lost
//	                                       its office while replicas were catching up
func (s *Store) produce(ctx context.Context, p *producer, name string, partition int32, b *batch.Batch) (int64, error) {
	raw := b.Bytes()
	if len(raw) > messageBytes {
		return 0, fault.New(fault.Invalid, "a batch of %d bytes: at most %d", len(raw), messageBytes)
	}
	maybe := false // an earlier try may have appended
	base := int64(-1)
	err := s.onLeader(ctx, name, partition, func(leader *kgo.Broker, id [16]byte) error {
		if !p.ready {
			if err := s.initProducer(ctx, p); err != nil {
				return err
			}
		}
		stamp(raw, p)
		offset, err := s.produceOnce(ctx, leader, name, id, partition, raw)
		if err == nil {
			base = offset
			return nil
		}
		if slices.ContainsFunc(lostProducer, func(e error) bool { return errors.Is(err, e) }) {
			p.ready = false
			if maybe { // with a new id the batch could be appended a second time
				return fault.As(fault.Unavailable, err, "producer %d", p.id)
			}
			return errNewProducer
		}
		if slices.ContainsFunc(refusals, func(e error) bool { return errors.Is(err, e) }) {
			return fault.As(fault.Invalid, err, "refused")
		}
		maybe = maybe || !slices.ContainsFunc(notAppended, func(e error) bool { return errors.Is(err, e) })
		return err
	})
	if err == nil {
		p.advance(b.Len())
		return base, nil
	}
	p.ready = false
	switch {
	case maybe:
		return 0, fault.Unknown(fault.Unavailable, err, "the batch may have been appended")
	case fault.Is(err, fault.Invalid):
		return 0, err
	}
	return 0, fault.As(fault.Unavailable, err, "not appended")
}

// What brokers answer to produce requests.
var (
	// The broker does not know the producer id or its sequence (it forgets idle ones): nothing was appended by this try.
	lostProducer = []error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.ProducerFenced}
	// The batch will never do.
	refusals = []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.UnsupportedForMessageFormat}
	// Refused before anything was written, for now or for want of a right.
	notAppended = []error{kerr.NotEnoughReplicas, kerr.LeaderNotAvailable, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.ThrottlingQuotaExceeded,
		kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.InvalidRequiredAcks}
)

// errNewProducer is passing: the next try has a new producer id.
var errNewProducer = errors.New("the broker does not know the producer")

func (s *Store) initProducer(ctx context.Context, p *producer) error {
	resp, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	*p = producer{ready: true, id: resp.ProducerID, epoch: resp.ProducerEpoch}
	return nil
}

func (s *Store) produceOnce(ctx context.Context, leader *kgo.Broker, name string, id [16]byte, partition int32, raw []byte) (int64, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1 // all in-sync replicas
	req.TimeoutMillis = int32(s.options.Timeout.Milliseconds())
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = name, id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, raw
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := leader.Request(ctx, req)
	if err != nil {
		return 0, err
	}
	answer := resp.(*kmsg.ProduceResponse)
	if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return 0, errors.New("an answer without the partition")
	}
	got := answer.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return 0, err
	}
	if got.BaseOffset < 0 {
		return 0, errors.New("an answer without an offset")
	}
	return got.BaseOffset, nil
}

// Offsets in a batch of what the producer fills in, and of what the checksum covers: see the package comment of batch.
const (
	crcAt           = 17
	attributesAt    = 21
	producerIDAt    = 43
	producerEpochAt = 51
	baseSequenceAt  = 53
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp writes the producer into a finished batch, and the checksum that follows.
func stamp(raw []byte, p *producer) {
	binary.BigEndian.PutUint64(raw[producerIDAt:], uint64(p.id))
	binary.BigEndian.PutUint16(raw[producerEpochAt:], uint16(p.epoch))
	binary.BigEndian.PutUint32(raw[baseSequenceAt:], uint32(p.next))
	binary.BigEndian.PutUint32(raw[crcAt:], crc32.Checksum(raw[attributesAt:], castagnoli))
}

// The headers of ours.
const (
	headerShard       = "w.s" // the log's Member, uvarint: whose record this is
	headerIncarnation = "w.g" // the writer's incarnation, uvarint
	headerClose       = "w.c" // on markers only; no value
)

// marks is the headers that every record of a log gets.
func marks(id commitlog.ID, incarnation uint64) []batch.Header {
	return []batch.Header{
		{Key: headerShard, Value: binary.AppendUvarint(nil, uint64(id.Member))},
		{Key: headerIncarnation, Value: binary.AppendUvarint(nil, incarnation)},
	}
}

// marked is a copy of b whose records have more headers.
func marked(b *batch.Batch, more []batch.Header) (*batch.Batch, error) {
	raw := b.Bytes()
	info, err := batch.Peek(raw)
	if err != nil {
		return nil, err
	}
	out := new(batch.Batch)
	out.Grow(len(raw) + b.Len()*32)
	var headers []batch.Header
	for rest := raw[batch.HeaderSize:]; len(rest) > 0; {
		size, n := binary.Varint(rest)
		if n <= 0 || size < 0 || size > int64(len(rest)-n) {
			return nil, fault.New(fault.Invalid, "the batch is not well formed")
		}
		var r kmsg.Record
		if err := r.UnsafeReadFrom(rest[:n+int(size)]); err != nil {
			return nil, fault.As(fault.Invalid, err, "the batch is not well formed")
		}
		rest = rest[n+int(size):]
		headers = headers[:0]
		for _, h := range r.Headers {
			if h.Key == headerShard || h.Key == headerIncarnation || h.Key == headerClose {
				return nil, fault.New(fault.Invalid, "header %s is reserved", h.Key)
			}
			headers = append(headers, batch.Header{Key: h.Key, Value: h.Value})
		}
		out.Append(info.BaseTimestamp+r.TimestampDelta64, r.Key, r.Value, append(headers, more...)...)
	}
	return out, nil
}
