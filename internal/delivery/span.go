package delivery

import "time"

// span is a buffer: records of a shard that become one object. It holds none of them, only where they stand.
type span struct {
	from, next int64 // its records stand at positions from ≤ p < next
	records    int64 // after de-aggregation
	bytes      int64 // of their data
	oldest     time.Time
}

func (s *span) empty() bool { return s.records == 0 && s.next == s.from }

// gather sorts the records of a shard into spans. A span closes with the record that fills it; or, once its time is over, with the last record that had arrived by then. So a shard
// that is behind fills its spans, and one that is not has them in time.
type gather struct {
	// Set once.
	size     int64
	interval time.Duration

	open   span      // of which more may come; empty when there is none
	over   time.Time // when it was noticed that open's time is over; zero is not yet
	closed []span    // the oldest first
}

// add adds a record of the shard: n records of so many bytes, if it was an aggregate. next is where the one behind it stands, at least.
func (g *gather) add(position, next int64, arrival time.Time, n, bytes int64) {
	if !g.open.empty() && !g.over.IsZero() && arrival.After(g.over) {
		g.close()
	}
	if g.open.empty() {
		g.open = span{from: position, oldest: arrival}
	}
	o := &g.open
	if arrival.Before(o.oldest) {
		o.oldest = arrival
	}
	o.next, o.records, o.bytes = next, o.records+n, o.bytes+bytes
	if o.bytes >= g.size {
		g.close()
	}
}

// due is when the time of the open span is over; zero when there is none.
func (g *gather) due() time.Time {
	if g.open.empty() {
		return time.Time{}
	}
	return g.open.oldest.Add(g.interval)
}

// tick notices the time. read says whether records were read since the last: what had arrived by now may not have been read yet.
func (g *gather) tick(now time.Time, read bool) {
	if g.open.empty() || now.Before(g.due()) {
		return
	}
	if !read {
		g.close()
		return
	}
	if g.over.IsZero() {
		g.over = now
	}
}

// close closes the open span.
func (g *gather) close() {
	if !g.open.empty() {
		g.closed = append(g.closed, g.open)
	}
	g.open, g.over = span{}, time.Time{}
}
