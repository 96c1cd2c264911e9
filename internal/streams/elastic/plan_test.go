package elastic

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
)

var now = time.Date(2026, 11, 18, 13, 7, 0, 0, time.UTC)

// Shows what a stream is scaled to: the columns are what it has, what it saw and when, and what it may.
func TestPlan(t *testing.T) {
	b := bounds{least: 4, most: 10_000}
	for _, row := range []struct {
		name    string
		bounds  bounds
		open    int
		peak    float64       // in shards' worth
		seen    time.Duration // ago
		changed time.Duration // ago
		watched time.Duration // for how long
		want    int
	}{
		{"idle and small", b, 4, 0, 0, 48 * time.Hour, 48 * time.Hour, 4},
		{"half used is enough", b, 4, 2, 0, time.Hour, time.Hour, 4},
		{"more than half", b, 4, 2.01, 0, 0, 0, 8},
		{"far more", b, 4, 9, 0, 0, 0, 32},
		{"one shard, asked for by a customer, stays", b, 1, 0.4, 0, 48 * time.Hour, 48 * time.Hour, 1},
		{"one shard, busy", b, 1, 0.6, 0, 48 * time.Hour, 48 * time.Hour, 2},
		{"not above the most", bounds{4, 10}, 8, 30, 0, 0, 0, 10},
		{"at the most", bounds{4, 10}, 10, 30, 0, 0, 0, 10},
		{"above the most already", bounds{4, 10}, 12, 30, 0, 0, 0, 12},

		{"quiet for a day", b, 16, 1, 23 * time.Hour, 25 * time.Hour, 25 * time.Hour, 8},
		{"quiet, but only just watched", b, 16, 1, 0, 25 * time.Hour, 23 * time.Hour, 16},
		{"quiet, but only just changed", b, 16, 1, 0, 23 * time.Hour, 25 * time.Hour, 16},
		{"the half is just enough", b, 16, 4, 20 * time.Hour, 25 * time.Hour, 25 * time.Hour, 8},
		{"the half is not enough", b, 16, 4.01, 20 * time.Hour, 25 * time.Hour, 25 * time.Hour, 16},
		{"the peak is too long ago to count", b, 16, 8, 25 * time.Hour, 48 * time.Hour, 48 * time.Hour, 8},
		{"an odd number", b, 15, 0, 0, 48 * time.Hour, 48 * time.Hour, 8},
		{"not below four", b, 6, 0, 0, 48 * time.Hour, 48 * time.Hour, 4},
		{"not below warm throughput", bounds{12, 10_000}, 16, 0, 0, 48 * time.Hour, 48 * time.Hour, 12},
		{"released in spite of an older peak", b, 4, 8, 3 * time.Hour, 10 * time.Minute, 48 * time.Hour, 4},
		{"what made it grow counts still", b, 8, 8, 20 * time.Minute, 10 * time.Minute, 48 * time.Hour, 16},
	} {
		h := &history{since: now.Add(-row.watched)}
		h.note(now.Add(-row.seen), row.peak)
		if got := row.bounds.plan(row.open, now.Add(-row.changed), now, h); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// Shows that load counts bytes or records, whichever fill a shard more, and how many shards an hour's traffic needs.
func TestNeeded(t *testing.T) {
	for _, row := range []struct {
		minutes []meter.Minute
		want    int
	}{
		{nil, 4},
		{[]meter.Minute{{Bytes: 60 << 20, Records: 60}}, 4},
		{[]meter.Minute{{Bytes: 6 * 60 << 20, Records: 60}, {Bytes: 5 * 60 << 20, Records: 60}}, 12},
		{[]meter.Minute{{Bytes: 60 << 20, Records: 7*60_000 + 1}}, 15},
	} {
		if got := Needed(row.minutes, quota.Default()); got != row.want {
			t.Errorf("%v: %d, want %d", row.minutes, got, row.want)
		}
	}
}
