package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// The pauses before an object is put again: double each time, less up to jitterPercent. AWS publishes no figures.
const (
	pauseMin      = time.Second
	pauseMax      = time.Minute
	jitterPercent = 20
)

// attemptMax is how long one try to put an object may take, in real time: at 128 MiB, half a megabyte a second.
const attemptMax = 5 * time.Minute

// deliver makes an object of the oldest closed span and commits. It tries until that is done or nothing of the span is left: only then the next span's turn comes, so that objects of a
// shard are in order.
func (s *shardRun) deliver(ctx context.Context) error {
	sp := s.gather.closed[0]
	r := s.runner
	logger := r.engine.options.Logger.With("deliveryStream", r.stream.ARN(), "shard", s.shard.ID, "bucket", r.stream.S3.bucketName())
	var trouble string
	for tries := 0; ; tries++ {
		if !r.begin() {
			return s.shard.Await(ctx, readers.Wait{})
		}
		done, err := s.attempt(ctx, &sp)
		if err == nil {
			err = s.commit(ctx, &sp, done)
			r.ended()
			if err == nil && trouble != "" {
				logger.Info("delivery stream: objects are delivered again", "tries", tries+1)
			}
			return err
		}
		r.ended()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var ofSource sourceError
		if errors.As(err, &ofSource) {
			return ofSource.error
		}
		r.stats.Failed.Add(1)
		if code := codeOf(err); code != trouble { // once, not each time
			trouble = code
			logger.Error("delivery stream: an object could not be delivered; trying again until its records expire", "errorCode", code, "err", err)
		}
		next := s.shard.Clock().Now().Add(r.engine.pause(tries))
		s.failed(trouble, err.Error(), tries+1, next)
		if err := s.await(ctx, readers.Wait{Until: next}); err != nil {
			return err
		}
	}
}

// outcome is what an attempt has delivered.
type outcome struct{ records, bytes int64 }

// commit makes durable that a span is done.
func (s *shardRun) commit(ctx context.Context, sp *span, done outcome) error {
	r := s.runner
	if err := s.shard.Commit(ctx, sp.next, nil); err != nil {
		return err
	}
	if lost := sp.records - done.records; lost > 0 {
		r.stats.LostRecords.Add(lost)
		r.engine.options.Logger.Error("delivery stream: records expired before they could be delivered; they are lost",
			"deliveryStream", r.stream.ARN(), "shard", s.shard.ID, "records", lost, "from", sp.from, "to", sp.next)
	}
	if done.records > 0 {
		r.stats.Delivered.Add(1)
		r.stats.DeliveredRecords.Add(done.records)
		r.stats.DeliveredBytes.Add(done.bytes)
	}
	s.gather.closed = s.gather.closed[1:]
	s.failed("", "", 0, time.Time{})
	s.note()
	if d, is := r.source.(*direct); is {
		d.trim(ctx, sp.next)
	}
	return nil
}

// attempt reads a span again and puts it as one object. Nothing is put when nothing is left of it. A failure of the source is a sourceError.
func (s *shardRun) attempt(ctx context.Context, sp *span) (done outcome, err error) {
	r := s.runner
	e := r.engine
	select {
	case e.uploads <- struct{}{}:
	case <-ctx.Done():
		return done, ctx.Err()
	}
	defer func() { <-e.uploads }()
	ctx, cancel := context.WithTimeout(ctx, attemptMax)
	defer cancel()
	client, err := e.options.Objects.Client(r.stream.Account, r.stream.Region)
	if err != nil {
		return done, err
	}
	o := &object{ctx: ctx, client: client, bucket: r.stream.S3.bucketName(), how: blob.Put{ContentType: "application/octet-stream", ContentEncoding: codings[r.stream.S3.Compression].encoding}}
	defer o.abort()
	for at := sp.from; at < sp.next; {
		chunk, err := r.source.Read(ctx, s.shard.Key, at, readMost)
		if err != nil {
			return done, sourceError{err}
		}
		for i := range chunk.Records {
			of := &chunk.Records[i]
			if of.Position >= sp.next {
				break
			}
			if o.encoder == nil {
				oldest := sp.oldest
				if of.Position > sp.from { // what stood before it has expired
					oldest = of.Arrival
				}
				var uuid string
				o.key, uuid = r.names.name(s.shard.Key, of.Position, oldest)
				if o.encoder, err = compress(r.stream.S3.Compression, o, uuid); err != nil {
					return done, err
				}
			}
			err := r.each(of, func(data []byte) error {
				done.records++
				done.bytes += int64(len(data))
				_, err := o.encoder.Write(data)
				return err
			})
			if err != nil {
				return done, err
			}
		}
		if chunk.Next <= at { // the log has lost its end
			break
		}
		at = chunk.Next
	}
	if o.encoder == nil {
		return done, nil
	}
	return done, o.finish()
}

// pause is how long to wait after a number of tries before this one.
func (e *Engine) pause(tries int) time.Duration {
	pause := pauseMin
	for range min(tries, 10) {
		pause = min(2*pause, pauseMax)
	}
	e.random.Lock()
	defer e.random.Unlock()
	var b [1]byte
	if _, err := e.options.Random.Read(b[:]); err != nil {
		return pause
	}
	return pause - pause*jitterPercent/100*time.Duration(b[0])/256
}

// codeOf is what AWS's error log calls a failure of S3.
func codeOf(err error) string {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return "S3.NoSuchBucket"
	case fault.Denied:
		return "S3.AccessDenied"
	default:
		return "InternalError"
	}
}
