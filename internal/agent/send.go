package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// send makes one request of the front of the queue, or, when that is refused for what is in it, as many as it takes to find the record that is the reason.
func (f *Flow) send(ctx context.Context) {
	if f.o.Acquire != nil {
		release, err := f.o.Acquire(ctx)
		if err != nil {
			return
		}
		defer release()
	}
	part := f.front()
	requests := 0
	answer := f.put(ctx, part, &requests)
	taken, refused := 0, 0
	for _, a := range answer {
		if a.taken {
			taken++
		} else if a.forGood {
			refused++
		}
	}
	// A record is given up only when others of its request went through: else it may well be the request, such as a name that is no stream's, and not the record.
	giveUp := taken > 0
	var kept []*item
	var cause error
	for i, one := range part {
		switch a := answer[i]; {
		case a.taken:
		case a.forGood && giveUp:
			f.status.count(func(s *FlowStatus) { s.Refused++ })
			f.log.Error("given up: the service refuses this record", "file", one.path, "offset", one.offset, "bytes", len(one.Data), "err", a.cause)
		default:
			kept = append(kept, one)
			if a.cause != nil {
				cause = a.cause
			}
		}
	}
	f.queue = append(kept, f.queue[len(part):]...)
	f.queueBytes = 0
	for _, one := range f.queue {
		f.queueBytes += one.bytes()
	}
	f.retry(ctx, len(part), len(kept), cause)
	if len(kept) < len(part) {
		f.save()
	}
}

// front is what the next request takes.
func (f *Flow) front() []*item {
	size := 0
	for i, one := range f.queue {
		size += one.bytes()
		if i == f.c.MaxBufferRecords || i > 0 && size > f.c.MaxBufferBytes {
			return f.queue[:i:i]
		}
	}
	return f.queue[:len(f.queue):len(f.queue)]
}

// answer is what became of a record.
type answer struct {
	taken   bool
	forGood bool // it was refused alone, for what it is
	cause   error
}

// searchRequestsMax is how many requests may be spent on finding the records that a service refuses: enough for a few of them among 500.
const searchRequestsMax = 64

// put sends records, halving what is refused for its contents.
func (f *Flow) put(ctx context.Context, part []*item, requests *int) []answer {
	answers := make([]answer, len(part))
	*requests++
	records := make([]Record, len(part))
	for i, one := range part {
		records[i] = one.Record
	}
	causes, err := f.sink.Put(ctx, records)
	f.measure(part, causes, err)
	switch {
	case err == nil:
		for i, cause := range causes {
			answers[i] = answer{taken: cause == nil, cause: cause}
		}
	case !aboutRecords(err) || *requests >= searchRequestsMax:
		for i := range answers {
			answers[i].cause = err
		}
	case len(part) == 1:
		answers[0] = answer{forGood: true, cause: err}
	default:
		half := len(part) / 2
		copy(answers, f.put(ctx, part[:half], requests))
		copy(answers[half:], f.put(ctx, part[half:], requests))
	}
	return answers
}

// measure counts one request.
func (f *Flow) measure(part []*item, causes []error, err error) {
	var sent, sentBytes, failed int
	for i, one := range part {
		if err == nil && causes[i] == nil {
			sent++
			sentBytes += len(one.Data)
		} else if err == nil {
			failed++
		}
	}
	f.status.count(func(s *FlowStatus) {
		s.Sent += int64(sent)
		s.SentBytes += int64(sentBytes)
		s.Requests++
		if sent > 0 {
			s.LastSent = f.o.Clock.Now()
		}
	})
	if f.o.Metrics != nil {
		f.o.Metrics.Request(f.c.Destination(), len(part), sent, sentBytes, failed, err)
	}
}

// retry says when to go on after a request: at once when anything was taken whole, with growing waits while nothing is.
func (f *Flow) retry(ctx context.Context, asked, kept int, cause error) {
	now := f.o.Clock.Now()
	switch {
	case kept == 0:
		f.backoff, f.nextTry = 0, time.Time{}
		f.status.count(func(s *FlowStatus) { s.Waiting = "" })
		return
	case ctx.Err() != nil && errors.Is(cause, ctx.Err()):
		return
	case kept < asked || f.backoff == 0:
		f.backoff = f.c.BackoffFirst
	default:
		f.backoff = min(2*f.backoff, f.c.BackoffMax)
	}
	// 30 % more or less, so that many agents do not come back together.
	f.nextTry = now.Add(time.Duration(float64(f.backoff) * (0.7 + 0.6*rand.Float64())))
	text := "unknown"
	if cause != nil {
		text = reason(cause)
	}
	fresh := false
	f.status.count(func(s *FlowStatus) {
		s.Retried += int64(kept)
		s.LastError, s.LastErrorAt = text, now
		fresh = s.Waiting != text
		s.Waiting = text
	})
	if fresh {
		f.log.Warn("waiting: not everything was taken, and it is sent again", "records", kept, "err", text)
	}
}
