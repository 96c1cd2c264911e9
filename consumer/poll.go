package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/clock"
)

// poller reads with GetRecords.
type poller struct {
	w      *Worker
	shard  string
	origin origin

	iterator *string   // nil: one is to be had
	last     time.Time // when the last read began
}

// next waits until IdleBetweenReads has passed since the last read, and reads once.
func (p *poller) next(ctx context.Context) (fetched, error) {
	if err := clock.Sleep(ctx, p.w.options.Clock, p.last.Add(p.w.options.IdleBetweenReads).Sub(p.w.options.Clock.Now())); err != nil {
		return fetched{}, err
	}
	p.last = p.w.options.Clock.Now()
	if p.iterator == nil {
		if err := p.begin(ctx); err != nil {
			return fetched{}, err
		}
	}
	out, err := p.w.options.Kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{
		ShardIterator: p.iterator, StreamARN: p.w.options.streamARN(), Limit: aws.Int32(int32(p.w.options.MaxRecords)),
	})
	p.w.took("KinesisDataFetcher.getRecords", p.last, err == nil, operation("ProcessTask"), shardDimension(p.shard))
	if err != nil {
		var expired *types.ExpiredIteratorException
		if errors.As(err, &expired) {
			p.iterator = nil // after five minutes without a read
		}
		return fetched{}, fmt.Errorf("read %s: %w", p.shard, gone(err))
	}
	p.iterator = out.NextShardIterator
	if n := len(out.Records); n > 0 {
		p.origin.reached = aws.ToString(out.Records[n-1].SequenceNumber)
	}
	return fetched{
		records: out.Records, behind: time.Duration(aws.ToInt64(out.MillisBehindLatest)) * time.Millisecond,
		ended: out.NextShardIterator == nil, children: out.ChildShards,
	}, nil
}

func (p *poller) begin(ctx context.Context) error {
	kind, sequence, at := p.origin.resolve(p.w.options.Clock.Now())
	input := &kinesis.GetShardIteratorInput{
		StreamName: p.w.options.streamName(), StreamARN: p.w.options.streamARN(), ShardId: aws.String(p.shard), ShardIteratorType: kind,
	}
	if sequence != "" {
		input.StartingSequenceNumber = aws.String(sequence)
	}
	if !at.IsZero() {
		input.Timestamp = aws.Time(at)
	}
	out, err := p.w.options.Kinesis.GetShardIterator(ctx, input)
	if err != nil {
		return fmt.Errorf("begin to read %s: %w", p.shard, gone(err))
	}
	p.iterator = out.ShardIterator
	return nil
}

func (p *poller) close() {}
