package meter

import (
	"sync"
	"time"
)

// trafficMinutes is how many minutes Traffic remembers: the hour that releasing warm throughput looks back on, and some.
const trafficMinutes = 64

// Minute is what a stream took in one minute.
type Minute struct {
	Start   time.Time // whole minutes, UTC
	Bytes   int64     // of data and partition keys
	Records int64
}

// Traffic counts what a stream takes, minute by minute. The zero value is ready. It is safe for concurrent use.
type Traffic struct {
	mu      sync.Mutex            // guards minutes
	minutes [trafficMinutes]taken // by number of the minute, modulo trafficMinutes
}

type taken struct{ number, bytes, records int64 } // number of the minute since 1970

// Add counts records that were written now.
func (t *Traffic) Add(now time.Time, records int, bytes int64) {
	number := now.Unix() / 60
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &t.minutes[number%trafficMinutes]
	if m.number != number {
		*m = taken{number: number}
	}
	m.records += int64(records)
	m.bytes += bytes
}

// Since gives the minutes that are remembered, from the one that holds a time on, the oldest first, without those in which nothing came. The last may still be
// going on. What is older than 64 minutes has been forgotten when something newer came in its place.
func (t *Traffic) Since(from time.Time) []Minute {
	first := from.Unix() / 60
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Minute
	newest := int64(0)
	for _, m := range t.minutes {
		newest = max(newest, m.number)
	}
	for number := max(first, newest-trafficMinutes+1); number <= newest; number++ {
		m := t.minutes[number%trafficMinutes]
		if m.number == number && m.records > 0 {
			out = append(out, Minute{Start: time.Unix(number*60, 0).UTC(), Bytes: m.bytes, Records: m.records})
		}
	}
	return out
}
