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

// registration is how often a consumer that is being registered is looked at.
const registration = time.Second

// registerConsumer finds the application's consumer, or registers it, and waits until it can be used.
func (w *Worker) registerConsumer(ctx context.Context) error {
	if w.options.ConsumerARN != "" {
		w.consumer = w.options.ConsumerARN
		return nil
	}
	stream := w.options.Stream
	if !isARN(stream) {
		out, err := w.options.Kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(stream)})
		if err != nil {
			return fmt.Errorf("look for stream %s: %w", stream, err)
		}
		stream = aws.ToString(out.StreamDescriptionSummary.StreamARN)
	}
	name := aws.String(w.options.ConsumerName)
	for {
		out, err := w.options.Kinesis.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: aws.String(stream), ConsumerName: name})
		var missing *types.ResourceNotFoundException
		var busy *types.ResourceInUseException
		var limit *types.LimitExceededException
		switch {
		case errors.As(err, &missing):
			_, err := w.options.Kinesis.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: aws.String(stream), ConsumerName: name})
			if err != nil && !errors.As(err, &busy) { // busy: another worker registers it
				return fmt.Errorf("register consumer %s: %w", *name, err)
			}
		case err != nil && !errors.As(err, &limit):
			return fmt.Errorf("describe consumer %s: %w", *name, err)
		case err == nil && out.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive:
			w.consumer = aws.ToString(out.ConsumerDescription.ConsumerARN)
			return nil
		}
		if err := clock.Sleep(ctx, w.options.Clock, registration); err != nil {
			return err
		}
	}
}

// subscriber reads with SubscribeToShard. A subscription ends after five minutes, or with any trouble of the connection; then there is another, which goes on
// behind the last event.
type subscriber struct {
	w      *Worker
	shard  string
	origin origin

	stream *kinesis.SubscribeToShardEventStream // nil: a subscription is to be had
	cancel context.CancelFunc                   // ends it
	last   time.Time                            // when the last one began
}

// resubscribe is how far apart subscriptions of one shard begin: AWS allows one a second, and calls another ResourceInUse.
const resubscribe = time.Second

// next waits for an event.
func (s *subscriber) next(ctx context.Context) (fetched, error) {
	if s.stream == nil {
		if err := s.subscribe(ctx); err != nil {
			return fetched{}, err
		}
	}
	timer := s.w.options.Clock.NewTimer(eventTimeout)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fetched{}, ctx.Err()
	case <-timer.C():
		s.close()
		return fetched{}, fmt.Errorf("subscription to %s: nothing for %s", s.shard, eventTimeout)
	case event, open := <-s.stream.Events():
		if !open {
			err := s.stream.Err()
			s.close()
			if err != nil {
				return fetched{}, fmt.Errorf("subscription to %s: %w", s.shard, gone(err))
			}
			return fetched{}, nil // its five minutes are over
		}
		data, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			return fetched{}, nil
		}
		return s.take(&data.Value), nil
	}
}

func (s *subscriber) take(event *types.SubscribeToShardEvent) fetched {
	ended := event.ContinuationSequenceNumber == nil
	if !ended {
		s.origin.reached = *event.ContinuationSequenceNumber
	}
	return fetched{
		records: event.Records, behind: time.Duration(aws.ToInt64(event.MillisBehindLatest)) * time.Millisecond, ended: ended, children: event.ChildShards,
	}
}

func (s *subscriber) subscribe(ctx context.Context) error {
	if err := clock.Sleep(ctx, s.w.options.Clock, s.last.Add(resubscribe).Sub(s.w.options.Clock.Now())); err != nil {
		return err
	}
	s.last = s.w.options.Clock.Now()
	kind, sequence, at := s.origin.resolve(s.last)
	from := &types.StartingPosition{Type: kind}
	if sequence != "" {
		from.SequenceNumber = aws.String(sequence)
	}
	if !at.IsZero() {
		from.Timestamp = aws.Time(at)
	}
	// The context is the subscription's for as long as it lives; without an answer it ends.
	ctx, s.cancel = context.WithCancel(ctx)
	impatient := time.AfterFunc(eventTimeout, s.cancel)
	defer impatient.Stop()
	out, err := s.w.options.Kinesis.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: aws.String(s.w.consumer), ShardId: aws.String(s.shard), StartingPosition: from})
	if err != nil {
		s.cancel()
		return fmt.Errorf("subscribe to %s: %w", s.shard, gone(err))
	}
	s.stream = out.GetStream()
	return nil
}

func (s *subscriber) close() {
	if s.stream != nil {
		_ = s.stream.Close() // there is nothing to lose
		s.cancel()
		s.stream = nil
	}
}
