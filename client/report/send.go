package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/client"
)

// What one PutMetricData may hold: 1000 metrics and 1 MB, before compression (API_PutMetricData). The size here is estimated from above, by what one
// metric takes in the most talkative of the protocols.
const (
	callDataMax     = 1000
	callBytesMax    = 900_000
	datumBytes      = 450
	dimensionsBytes = 90
)

// run sends every so often until Close.
func (r *Reporter) run(ctx context.Context) {
	defer close(r.stopped)
	for {
		timer := r.opts.Clock.NewTimer(r.opts.Every)
		select {
		case <-timer.C():
			_ = r.Flush(ctx) // Notice was told
		case <-r.stop:
			timer.Stop()
			return
		}
	}
}

// Flush sends what was gathered so far and returns when that is done. What a call could not bring there for now waits for the next one; what is refused
// for good is dropped. The error, which Notice is told as well, says either.
func (r *Reporter) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	select {
	case r.sending <- struct{}{}:
		defer func() { <-r.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var failed []error
	sets, dropped := r.take()
	if dropped > 0 {
		failed = append(failed, fmt.Errorf("report metrics: %d measurements were dropped: more than %d metrics were waiting, or they were no metrics", dropped, r.opts.Capacity))
	}
	for len(sets) > 0 {
		n := callSize(sets)
		if err := r.send(ctx, sets[:n]); err != nil {
			if ctx.Err() != nil || client.Retriable(err) {
				failed = append(failed, fmt.Errorf("report metrics: %d are kept: %w", len(sets), err))
				r.keep(sets)
				break
			}
			failed = append(failed, fmt.Errorf("report metrics: %d are lost: %w", n, err))
			r.lose(sets[:n])
		}
		sets = sets[n:]
	}
	err := errors.Join(failed...)
	if err != nil && r.opts.Notice != nil {
		r.opts.Notice(err)
	}
	return err
}

// Close sends what is left and stops. It waits for a call that is on its way, and no longer than ctx. Add does nothing afterwards.
func (r *Reporter) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		<-r.stopped
		return nil
	}
	defer r.cancel()
	close(r.stop)
	select {
	case <-r.stopped:
	case <-ctx.Done():
		r.cancel()
		<-r.stopped
	}
	return r.Flush(ctx)
}

// take is what was gathered, oldest first.
func (r *Reporter) take() (sets []*set, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sets {
		sets = append(sets, s)
	}
	clear(r.sets)
	dropped, r.dropped = r.dropped, 0
	slices.SortFunc(sets, func(a, b *set) int { return cmp.Or(a.minute.Compare(b.minute), cmp.Compare(a.name, b.name)) })
	return sets, dropped
}

// keep brings back what was not sent; with what has come meanwhile, where there is something of the same minute.
func (r *Reporter) keep(sets []*set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sets {
		key := string(appendKey(nil, s.minute, s.name, s.unit, s.dimensions))
		newer := r.sets[key]
		switch {
		case newer != nil:
			newer.count += s.count
			newer.sum += s.sum
			newer.min, newer.max = min(newer.min, s.min), max(newer.max, s.max)
		case len(r.sets) < r.opts.Capacity:
			r.sets[key] = s
		default:
			r.drop(int64(s.count))
		}
	}
}

func (r *Reporter) lose(sets []*set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sets {
		r.lost += int64(s.count)
	}
}

// callSize is how many of sets, at least one, go into one call.
func callSize(sets []*set) int {
	size := 0
	for i, s := range sets {
		size += datumBytes + len(s.name)
		for _, d := range s.dimensions {
			size += dimensionsBytes + len(aws.ToString(d.Name)) + len(aws.ToString(d.Value))
		}
		if i == callDataMax || i > 0 && size > callBytesMax {
			return i
		}
	}
	return len(sets)
}

func (r *Reporter) send(ctx context.Context, sets []*set) error {
	data := make([]types.MetricDatum, len(sets))
	for i, s := range sets {
		data[i] = types.MetricDatum{
			MetricName: aws.String(s.name), Unit: s.unit, Dimensions: s.dimensions, Timestamp: aws.Time(s.minute),
			StatisticValues: &types.StatisticSet{SampleCount: &s.count, Sum: &s.sum, Minimum: &s.min, Maximum: &s.max},
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	_, err := r.opts.API.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &r.opts.Namespace, MetricData: data})
	return err
}
