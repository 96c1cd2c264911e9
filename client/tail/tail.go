// Package tail reads all shards of a stream together, and goes on in their children after a reshard.
//
// It owns which shards to read and where each one is: parents before children, iterators and shards that expire, reads that
// are refused. It keeps no checkpoints and decodes nothing: that is the caller's.
//
// Read Reader.Run, then shards.go, which decides what is read next.
package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
)

// API is the part of the SDK's client that is used.
type API interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// Options say where to begin and when to end. The zero value reads everything there is and waits for more.
type Options struct {
	// From is TRIM_HORIZON (the default), LATEST or AT_TIMESTAMP with At. Shards that take over from those that are read are
	// read from their first record, or from the first one at At.
	From types.ShardIteratorType
	At   time.Time
	// UntilEnd ends each shard when its newest record was read, instead of waiting for more.
	UntilEnd bool
	// Idle is how long to wait after a read that found nothing. Default 200 ms: five reads a second, as AWS allows a shard.
	Idle time.Duration
	// Patience is how long to go on when nothing is answered. Default one minute.
	Patience time.Duration
	// Retried is told of each read that is repeated. May be nil. Called from several goroutines.
	Retried func(cause error)
	// Sleep waits. Default by the system's clock.
	Sleep func(context.Context, time.Duration) error
}

// Batch is the answer to one read of one shard.
type Batch struct {
	Shard   string
	Records []types.Record
	// Behind is how far the read is from the newest record of the shard. Zero is caught up.
	Behind time.Duration
	// Closed says that the shard has ended: a reshard closed it, and everything in it was read. Its children are read next, each
	// once all its parents were read to their end, so that the records of a key come in their order.
	Closed bool
}

// ErrStop ends Run without an error when the caller has had enough.
var ErrStop = errors.New("stop")

// Reader reads one stream.
type Reader struct {
	api    API
	stream string
	opts   Options
}

// New makes a Reader of a stream, by name.
func New(api API, stream string, opts Options) *Reader {
	if opts.From == "" {
		opts.From = types.ShardIteratorTypeTrimHorizon
	}
	if opts.Idle == 0 {
		opts.Idle = 200 * time.Millisecond
	}
	if opts.Sleep == nil {
		opts.Sleep = client.Sleep
	}
	return &Reader{api: api, stream: stream, opts: opts}
}

// Run calls emit with what it reads, one call at a time, until ctx ends, every shard has ended, or emit returns an error.
// Batches without records are passed on too: they say how far behind a shard is.
func (r *Reader) Run(ctx context.Context, emit func(Batch) error) error {
	all, err := r.list(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg sync.WaitGroup
		mu sync.Mutex // guards plan and makes emit one call at a time
	)
	plan := newShardPlan()
	// A child may be older than the time to begin at; from the latest record on, it is younger than the reading.
	childFrom := types.ShardIteratorTypeTrimHorizon
	if r.opts.From == types.ShardIteratorTypeAtTimestamp {
		childFrom = r.opts.From
	}
	var start func(ids []string, from types.ShardIteratorType)
	start = func(ids []string, from types.ShardIteratorType) {
		for _, id := range ids {
			wg.Go(func() {
				end, err := r.readShard(ctx, id, from, func(b Batch) error {
					mu.Lock()
					defer mu.Unlock()
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					return emit(b)
				})
				mu.Lock()
				strangers := plan.strangers(end.children)
				mu.Unlock()
				if err == nil && strangers {
					end.listed, err = r.list(ctx)
				}
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				next := plan.finish(id, end)
				mu.Unlock()
				start(next, childFrom)
			})
		}
	}
	start(plan.begin(all, r.opts.From == types.ShardIteratorTypeLatest), r.opts.From)
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	return nil
}

// list gives all shards of the stream.
func (r *Reader) list(ctx context.Context) ([]types.Shard, error) {
	var all []types.Shard
	in := &kinesis.ListShardsInput{StreamName: aws.String(r.stream)}
	backoff := client.Backoff{Sleep: r.opts.Sleep, Patience: r.opts.Patience}
	for {
		out, err := r.api.ListShards(ctx, in)
		if err != nil {
			if err := r.retry(ctx, &backoff, err); err != nil {
				return nil, err
			}
			continue
		}
		backoff.Reset()
		all = append(all, out.Shards...)
		if out.NextToken == nil {
			return all, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

// retry waits before a request is repeated, or gives the error that ends the reading.
func (r *Reader) retry(ctx context.Context, backoff *client.Backoff, cause error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !client.Retriable(cause) {
		return cause
	}
	if r.opts.Retried != nil {
		r.opts.Retried(cause)
	}
	return backoff.Wait(ctx, cause)
}

// ending is how the reading of a shard ended.
type ending struct {
	children []types.ChildShard // of a shard that a reshard closed
	listed   []types.Shard      // the stream's shards at that time, when the children do not say what comes next
}

// readShard reads one shard to its end, or with UntilEnd to its newest record.
func (r *Reader) readShard(ctx context.Context, shard string, from types.ShardIteratorType, emit func(Batch) error) (ending, error) {
	var iterator *string
	var last string  // the sequence number read last, which a new iterator goes on after
	renewed := false // the iterator was refused, and no new one has been good yet
	backoff := client.Backoff{Sleep: r.opts.Sleep, Patience: r.opts.Patience}
	for {
		var out *kinesis.GetRecordsOutput
		var err error
		if iterator == nil {
			iterator, err = r.iterator(ctx, shard, from, last)
		}
		if err == nil {
			out, err = r.api.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(10000)})
		}
		if err != nil {
			var expired *types.ExpiredIteratorException
			var invalid *types.InvalidArgumentException
			if errors.As(err, &expired) || errors.As(err, &invalid) && iterator != nil && !renewed {
				iterator, renewed = nil, true // of a shard that is gone, asking for a new one says so
				continue
			}
			if client.NotFound(err) && ctx.Err() == nil {
				// The last record of the shard expired before it was read: what is left is read.
				var listed []types.Shard
				if listed, err = r.withoutShard(ctx, shard, err); err == nil {
					return ending{listed: listed}, nil
				}
			}
			if err := r.retry(ctx, &backoff, err); err != nil {
				if ctx.Err() == nil {
					err = fmt.Errorf("read %s: %w", shard, err)
				}
				return ending{}, err
			}
			continue
		}
		backoff.Reset()
		renewed = false
		if n := len(out.Records); n > 0 {
			last = aws.ToString(out.Records[n-1].SequenceNumber)
		}
		iterator = out.NextShardIterator
		batch := Batch{
			Shard: shard, Records: out.Records, Closed: iterator == nil,
			Behind: time.Duration(aws.ToInt64(out.MillisBehindLatest)) * time.Millisecond,
		}
		if err := emit(batch); err != nil {
			return ending{}, err
		}
		if batch.Closed {
			return ending{children: out.ChildShards}, nil
		}
		if len(out.Records) > 0 {
			continue
		}
		if r.opts.UntilEnd && batch.Behind == 0 {
			return ending{}, nil
		}
		if batch.Behind > 0 {
			continue // an empty answer on the way, such as a stretch that expired
		}
		if err := r.opts.Sleep(ctx, r.opts.Idle); err != nil {
			return ending{}, err
		}
	}
}

// withoutShard gives the shards of the stream after one of them was not found. When that one is among them, or the stream is gone too, its
// error is missing.
func (r *Reader) withoutShard(ctx context.Context, shard string, missing error) ([]types.Shard, error) {
	all, err := r.list(ctx)
	if err == nil && slices.ContainsFunc(all, func(s types.Shard) bool { return aws.ToString(s.ShardId) == shard }) {
		err = missing
	}
	return all, err
}

func (r *Reader) iterator(ctx context.Context, shard string, from types.ShardIteratorType, last string) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: aws.String(r.stream), ShardId: aws.String(shard), ShardIteratorType: from}
	if from == types.ShardIteratorTypeAtTimestamp {
		in.Timestamp = aws.Time(r.opts.At)
	}
	if last != "" {
		in.ShardIteratorType, in.StartingSequenceNumber, in.Timestamp = types.ShardIteratorTypeAfterSequenceNumber, aws.String(last), nil
	}
	out, err := r.api.GetShardIterator(ctx, in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}
