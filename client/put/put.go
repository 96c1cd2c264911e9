// Package put writes records to a stream in batches, and keeps their order.
//
// It owns the splitting into requests and the trying again of what was not taken. Where records come from, and which key
// each has, is the caller's. A record that was sent twice because an answer was lost is in the stream twice: Kinesis has no
// other way, and consumers expect it.
//
// Read Sender.Send.
package put

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/client"
)

// Limits of one PutRecords request. AWS allows 500 records (API_PutRecords) and now 10 MiB; 5 MiB is what every server of
// this API takes.
const (
	BatchRecordsMax = 500
	BatchBytesMax   = 5 << 20
)

// API is the part of the SDK's client that is used.
type API interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Record is one record to write.
type Record struct {
	Key  string
	Data []byte
}

// Ack is where a record was written.
type Ack struct {
	Shard    string
	Sequence string
}

// Options say how patient the Sender is and whom it tells. The zero value is useful.
type Options struct {
	// Patience is how long to go on when nothing is taken. Default one minute.
	Patience time.Duration
	// BatchRecords is how many records go into a request. Default and at most 500.
	BatchRecords int
	// Retried is told of each try that is repeated: how many records, and why. May be nil.
	Retried func(records int, cause error)
	// Acked is told of each request that brought records into the stream. May be nil.
	Acked func(records, bytes int)
	// Sleep waits between tries. Default by the system's clock.
	Sleep func(context.Context, time.Duration) error
}

// Sender writes to one stream. One request is on its way at a time, so that no record overtakes another of its key. It is
// used by one goroutine.
type Sender struct {
	api    API
	stream string
	opts   Options
}

// New makes a Sender for a stream, by name.
func New(api API, stream string, opts Options) *Sender {
	if opts.BatchRecords <= 0 || opts.BatchRecords > BatchRecordsMax {
		opts.BatchRecords = BatchRecordsMax
	}
	return &Sender{api: api, stream: stream, opts: opts}
}

// Send writes records in their order and returns when all are in the stream: acks[i] is where records[i] is. After an error
// the acks that are not zero are good, and whether the others were written is unknown.
func (s *Sender) Send(ctx context.Context, records []Record) (acks []Ack, err error) {
	acks = make([]Ack, len(records))
	for done := 0; done < len(records); {
		n := s.batch(records[done:])
		if err := s.sendBatch(ctx, records[done:done+n], acks[done:done+n]); err != nil {
			return acks, err
		}
		done += n
	}
	return acks, nil
}

// batch is how many of records, at least one, go into the next request.
func (s *Sender) batch(records []Record) int {
	size := 0
	for i, r := range records {
		size += len(r.Data) + len(r.Key)
		if i == s.opts.BatchRecords || i > 0 && size > BatchBytesMax {
			return i
		}
	}
	return len(records)
}

// sendBatch repeats one request with what was not taken until everything is.
func (s *Sender) sendBatch(ctx context.Context, records []Record, acks []Ack) error {
	pending := make([]int, len(records)) // pending[i] indexes records, ascending, so retries keep the order
	for i := range pending {
		pending[i] = i
	}
	backoff := client.Backoff{Sleep: s.opts.Sleep, Patience: s.opts.Patience}
	for {
		refused, cause, err := s.request(ctx, records, pending, acks)
		if err != nil {
			return err
		}
		if len(refused) == 0 {
			return nil
		}
		if len(refused) < len(pending) {
			backoff.Reset()
		}
		pending = refused
		if s.opts.Retried != nil {
			s.opts.Retried(len(pending), cause)
		}
		if err := backoff.Wait(ctx, cause); err != nil {
			return err
		}
	}
}

// request sends the pending records once. It gives those to send again, with the reason, or the error that ends it all.
func (s *Sender) request(ctx context.Context, records []Record, pending []int, acks []Ack) (refused []int, cause, err error) {
	entries := make([]types.PutRecordsRequestEntry, len(pending))
	for i, at := range pending {
		entries[i] = types.PutRecordsRequestEntry{Data: records[at].Data, PartitionKey: aws.String(records[at].Key)}
		if entries[i].Data == nil {
			entries[i].Data = []byte{}
		}
	}
	out, err := s.api.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(s.stream), Records: entries})
	if err != nil {
		if ctx.Err() != nil || !client.Retriable(err) {
			return nil, nil, err
		}
		return pending, err, nil
	}
	if len(out.Records) != len(pending) {
		return nil, nil, fmt.Errorf("put to %s: %d records were sent and %d answered", s.stream, len(pending), len(out.Records))
	}
	taken, size := 0, 0
	for i, answer := range out.Records {
		at := pending[i]
		if answer.ErrorCode != nil {
			refused = append(refused, at)
			cause = &smithy.GenericAPIError{Code: aws.ToString(answer.ErrorCode), Message: aws.ToString(answer.ErrorMessage)}
			continue
		}
		acks[at] = Ack{Shard: aws.ToString(answer.ShardId), Sequence: aws.ToString(answer.SequenceNumber)}
		taken++
		size += len(records[at].Data)
	}
	if s.opts.Acked != nil && taken > 0 {
		s.opts.Acked(taken, size)
	}
	return refused, cause, nil
}
