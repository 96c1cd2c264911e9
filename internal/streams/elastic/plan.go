package elastic

import (
	"math"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/quota/meter"
)

const (
	// headroom is capacity over peak: what a stream takes may double at any moment.
	headroom = 2
	// quiet is how long a peak is remembered, and how long the number of shards must not have changed before it shrinks.
	quiet = 24 * time.Hour
	// recent is how far back before the last change of the number of shards a peak still counts: what made the stream grow does, and what a
	// customer released shards in spite of does not (catalog.UpdateWarmThroughput keeps what the last hour needs).
	recent = time.Hour
	// span is the part of an hour that a history keeps a peak for.
	span = 15 * time.Minute
	// spans covers quiet, with the one that is going on.
	spans = int(quiet/span) + 1
)

// bounds is what a stream is scaled between, in open shards.
type bounds struct{ least, most int }

// of is the bounds of one stream: warm throughput is one shard for each MiB a second.
func (b bounds) of(state *catalog.State, stream *catalog.Stream, now time.Time) bounds {
	if state.Settings(stream.Account, stream.Region).Committed(now) {
		b.least = max(b.least, stream.WarmMiBps)
	}
	return b
}

// plan is how many open shards a stream should have that has open now; open when it should stay as it is. A stream with fewer than least is left
// alone until its traffic asks for more: a customer chose so before it was ON_DEMAND.
func (b bounds) plan(open int, changed, now time.Time, h *history) int {
	needed := shardsFor(h.peak(now, changed))
	if needed > open {
		target := open
		for target < needed {
			target *= 2
		}
		return max(min(target, b.most), open)
	}
	half := max((open+1)/2, b.least)
	if half < open && needed <= half && now.Sub(changed) >= quiet && now.Sub(h.since) >= quiet {
		return half
	}
	return open
}

// shardsFor is how many shards a peak of as many shards' worth needs.
func shardsFor(peak float64) int { return int(math.Ceil(headroom*peak - 1e-9)) }

// load is what came in a minute, in shards' worth.
func load(m meter.Minute, l *meter.Limits) float64 {
	return max(share(m.Bytes, l.WriteBytes), share(m.Records, l.WriteRecords))
}

// share is the part of a shard's limit that a minute used. A limit of nothing is one that no number of shards helps against.
func share(taken, perSecond int64) float64 {
	if perSecond <= 0 {
		return 0
	}
	return float64(taken) / 60 / float64(perSecond)
}

// history is the peaks of one stream over the last day.
type history struct {
	since time.Time       // when the scaler began to watch
	seen  time.Time       // up to when traffic has been noted
	peaks [spans]spanPeak // by number of the span, modulo spans
}

// spanPeak is the busiest minute of a span.
type spanPeak struct {
	number int64 // of the span since 1970
	peak   float64
}

// note takes a minute into account. One that was noted when it was not over yet may be noted again.
func (h *history) note(minute time.Time, load float64) {
	number := minute.Unix() / int64(span/time.Second)
	at := &h.peaks[number%int64(spans)]
	if at.number < number {
		*at = spanPeak{number: number}
	}
	if at.number == number {
		at.peak = max(at.peak, load)
	}
}

// peak is the busiest minute of the last day, of what counts after a change of the number of shards: the span in which the last day began counts whole,
// the one in which recent began not at all.
func (h *history) peak(now, changed time.Time) float64 {
	peak := 0.0
	for _, s := range h.peaks {
		start := time.Unix(s.number*int64(span/time.Second), 0)
		if start.Add(span).After(now.Add(-quiet)) && !start.Before(changed.Add(-recent)) {
			peak = max(peak, s.peak)
		}
	}
	return peak
}
