package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

var (
	begin = time.Date(2026, 11, 1, 10, 0, 30, 0, time.UTC)
	whose = Scope{"111111111111", "us-east-1"}
)

func datum(name string, at time.Time, v float64, dimensions ...Dimension) Datum {
	return Datum{ID: ID{whose, "App", name, dimensions}, Unit: "Count", At: at, Value: Value{1, v, v, v}}
}

func names(s *Store) map[string]bool {
	found := make(map[string]bool)
	s.Each(func(one *Series) { found[one.ID.Name] = true })
	return found
}

// TestStatistics adds up what falls into a minute, whatever the order of dimensions and of arrival.
func TestStatistics(t *testing.T) {
	s := New(Options{Clock: clock.NewManual(begin)})
	a, b := Dimension{"a", "1"}, Dimension{"b", "2"}
	s.Put([]Datum{
		datum("load", begin, 3, a, b), datum("load", begin.Add(time.Minute), 10, a, b), datum("load", begin.Add(20*time.Second), -1, b, a), datum("load", begin, 99, a),
		{ID: ID{whose, "App", "load", []Dimension{a, b}}, Unit: "Count", At: begin, Value: Value{Count: 4, Sum: 8, Min: 1, Max: 5}},
		{ID: ID{whose, "App", "load", []Dimension{a, b}}, Unit: "None", At: begin, Value: Value{1, 7, 7, 7}},
		{ID: ID{whose, "App", "nothing", nil}, Unit: "None", At: begin},
	})
	minute := begin.Truncate(time.Minute)
	got := s.Statistics(ID{whose, "App", "load", []Dimension{b, a}}, "Count", minute, minute.Add(time.Hour))
	want := []Minute{{minute, Value{6, 10, -1, 5}}, {minute.Add(time.Minute), Value{1, 10, 10, 10}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := s.Statistics(ID{whose, "App", "load", []Dimension{b, a}}, "Count", minute.Add(time.Second), minute.Add(time.Minute)); got != nil {
		t.Errorf("outside: %v", got)
	}
	if other := (ID{Scope{"222222222222", "us-east-1"}, "App", "load", []Dimension{a, b}}); s.Statistics(other, "Count", minute, minute.Add(time.Hour)) != nil {
		t.Error("another account sees it")
	}
	if names(s)["nothing"] {
		t.Error("a datum without samples is a metric")
	}
}

// TestBounds shows what makes room: the metric that was reported longest ago, the oldest minutes, and what nobody reports any more.
func TestBounds(t *testing.T) {
	now := clock.NewManual(begin)
	s := New(Options{Clock: now, SeriesMax: 2, MinutesMax: 3, Keep: time.Hour})
	s.Put([]Datum{datum("a", begin, 1), datum("b", begin, 1), datum("a", begin, 1), datum("c", begin, 1)})
	if got := names(s); len(got) != 2 || !got["a"] || !got["c"] || s.Evicted() != 1 {
		t.Errorf("kept %v, evicted %d", got, s.Evicted())
	}
	for i := range 5 {
		s.Put([]Datum{datum("a", begin.Add(time.Duration(i)*time.Minute), float64(i))})
	}
	s.Put([]Datum{datum("a", begin.Add(-time.Hour), 5)}) // older than all that is kept, so it goes at once
	got := s.Statistics(ID{whose, "App", "a", nil}, "Count", begin.Add(-2*time.Hour), begin.Add(time.Hour))
	if len(got) != 3 || got[0].Sum != 2 || got[2].Sum != 4 {
		t.Errorf("minutes %v", got)
	}
	now.Advance(time.Hour)
	s.Put([]Datum{datum("c", begin, 1)})
	now.Advance(time.Second)
	if got := names(s); len(got) != 1 || !got["c"] {
		t.Errorf("after an hour: %v", got)
	}
}
