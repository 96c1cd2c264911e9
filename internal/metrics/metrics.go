// Package metrics keeps the figures that programs report: what PutMetricData gives, by the minute.
//
// It owns what a metric is (account, region, namespace, name, dimensions, unit) and its statistics. It lives in memory and is bounded: SeriesMax metrics, for each the newest
// MinutesMax minutes that have values, and none that was not reported for Keep. When there are too many, the metric that was reported longest ago makes room. A restart
// forgets everything. What the server counts about itself is not here but with its parts, and on /metrics.
//
// Read Store, then Put and Statistics.
package metrics

import (
	"container/list"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// How much is kept unless Options say otherwise. A minute takes 40 bytes, so that a full store takes about 75 MB; KCL and KPL report a few dozen metrics for each worker and shard.
const (
	SeriesMaxDefault  = 10_000
	MinutesMaxDefault = 180
	KeepDefault       = 3 * time.Hour // after which ListMetrics' RecentlyActive calls a metric old as well
)

// Dimension is a name and a value that tell metrics of one name apart.
type Dimension struct{ Name, Value string }

// Scope is whose metrics are meant.
type Scope struct{ Account, Region string }

// ID names a metric. Dimensions are sorted by name; Put and Statistics sort what they are given.
type ID struct {
	Scope
	Namespace, Name string
	Dimensions      []Dimension
}

// Value is a set of samples: one sample is {1, v, v, v}.
type Value struct{ Count, Sum, Min, Max float64 }

// Add joins two sets. The zero Value is the empty one.
func (v *Value) Add(w Value) {
	if v.Count == 0 {
		*v = w
		return
	}
	v.Count += w.Count
	v.Sum += w.Sum
	v.Min, v.Max = min(v.Min, w.Min), max(v.Max, w.Max)
}

// Datum is what is reported at once of one metric.
type Datum struct {
	ID    ID
	Unit  string    // "None" when nothing was said. Values of different units are never added up
	At    time.Time // falls into the minute that it is in
	Value Value
}

// Minute is the statistics of one minute.
type Minute struct {
	Start time.Time
	Value
}

// Series is a metric in one unit as Each shows it.
type Series struct {
	ID    ID
	Unit  string
	Total Value     // since the metric was first seen
	Put   time.Time // when it was reported last
}

// Options bound a Store. Zero values have the defaults above.
type Options struct {
	Clock      clock.Clock // required
	SeriesMax  int
	MinutesMax int
	Keep       time.Duration
}

// Store keeps metrics. It is safe for concurrent use.
type Store struct {
	clock                 clock.Clock
	seriesMax, minutesMax int
	keep                  time.Duration

	mu sync.Mutex // guards what follows

	byKey   map[string]*list.Element // of *series
	byPut   *list.List               // of *series, the one reported last in front
	evicted int64
}

// series is a metric in one unit.
type series struct {
	key string
	Series
	minutes []minute // ascending by start
}

type minute struct {
	start int64 // minutes since 1970
	Value
}

// New makes an empty store.
func New(o Options) *Store {
	s := &Store{clock: o.Clock, seriesMax: o.SeriesMax, minutesMax: o.MinutesMax, keep: o.Keep, byKey: make(map[string]*list.Element), byPut: list.New()}
	if s.seriesMax == 0 {
		s.seriesMax = SeriesMaxDefault
	}
	if s.minutesMax == 0 {
		s.minutesMax = MinutesMaxDefault
	}
	if s.keep == 0 {
		s.keep = KeepDefault
	}
	return s
}

// key is an ID and a unit in one piece, every part with its length so that none runs into the next.
func key(id *ID, unit string) string {
	var b strings.Builder
	part := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	for _, s := range []string{id.Account, id.Region, id.Namespace, id.Name, unit} {
		part(s)
	}
	for _, d := range id.Dimensions {
		part(d.Name)
		part(d.Value)
	}
	return b.String()
}

// sorted is dimensions in the order that all of them have here.
func sorted(dimensions []Dimension) []Dimension {
	dimensions = slices.Clone(dimensions)
	slices.SortFunc(dimensions, func(a, b Dimension) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	return dimensions
}

// Put adds what was reported. A datum without samples adds nothing.
func (s *Store) Put(data []Datum) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for i := range data {
		if data[i].Value.Count != 0 {
			s.put(&data[i], now)
		}
	}
}

func (s *Store) put(d *Datum, now time.Time) {
	id := d.ID
	id.Dimensions = sorted(id.Dimensions)
	k := key(&id, d.Unit)
	at := s.byKey[k]
	if at == nil {
		if len(s.byKey) >= s.seriesMax {
			s.remove(s.byPut.Back())
			s.evicted++
		}
		at = s.byPut.PushFront(&series{key: k, Series: Series{ID: id, Unit: d.Unit}})
		s.byKey[k] = at
	}
	s.byPut.MoveToFront(at)
	one := at.Value.(*series)
	one.Put = now
	one.Total.Add(d.Value)
	one.addMinute(minuteOf(d.At), d.Value, s.minutesMax)
}

func minuteOf(t time.Time) int64 {
	seconds := t.Unix()
	return (seconds - (seconds%60+60)%60) / 60
}

// addMinute adds to a minute, which is nearly always the last. Of more than most minutes the oldest goes.
func (one *series) addMinute(start int64, v Value, most int) {
	i, found := slices.BinarySearchFunc(one.minutes, start, func(m minute, start int64) int {
		switch {
		case m.start < start:
			return -1
		case m.start > start:
			return 1
		}
		return 0
	})
	if !found {
		one.minutes = slices.Insert(one.minutes, i, minute{start: start})
	}
	one.minutes[i].Add(v)
	if len(one.minutes) > most {
		one.minutes = append(one.minutes[:0], one.minutes[1:]...)
	}
}

// expire forgets what was not reported for long.
func (s *Store) expire(now time.Time) {
	for at := s.byPut.Back(); at != nil && now.Sub(at.Value.(*series).Put) > s.keep; at = s.byPut.Back() {
		s.remove(at)
	}
}

func (s *Store) remove(at *list.Element) {
	delete(s.byKey, at.Value.(*series).key)
	s.byPut.Remove(at)
}

// Each calls f with every metric that is kept, in no order. f must not call the Store.
func (s *Store) Each(f func(*Series)) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for at := s.byPut.Front(); at != nil; at = at.Next() {
		f(&at.Value.(*series).Series)
	}
}

// Evicted is how many metrics had to make room for others since the start.
func (s *Store) Evicted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.evicted
}

// Statistics is the minutes of a metric in one unit from a time on until before another, ascending; none when the metric is not known.
func (s *Store) Statistics(id ID, unit string, from, to time.Time) []Minute {
	id.Dimensions = sorted(id.Dimensions)
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	at := s.byKey[key(&id, unit)]
	if at == nil {
		return nil
	}
	var out []Minute
	for _, m := range at.Value.(*series).minutes {
		start := time.Unix(m.start*60, 0).UTC()
		if !start.Before(from) && start.Before(to) {
			out = append(out, Minute{start, m.Value})
		}
	}
	return out
}
