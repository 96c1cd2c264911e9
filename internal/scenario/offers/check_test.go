package offers

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/scenario"
)

// Shows what a check is when little is said of it, and what cannot be run together.
func TestValidate(t *testing.T) {
	for _, row := range []struct {
		options CheckOptions
		pace    Pace
		says    string
	}{
		{CheckOptions{}, Max, ""},
		{CheckOptions{Mapping: FanOut, Pace: Real, Count: FullCount}, Real, ""},
		{CheckOptions{Mapping: Windowed}, Stepped, ""},
		{CheckOptions{Pace: Stepped, Fault: scenario.Throttle, Count: FullCount}, Stepped, ""},
		{CheckOptions{Mapping: Windowed, Pace: Real}, Real, "nobody waits"},
		{CheckOptions{Mapping: Windowed, Fault: scenario.SinkDown}, Stepped, "a retry is another"},
		{CheckOptions{Mapping: Windowed, Count: FullCount}, Stepped, "full before"},
	} {
		o := row.options
		err := o.Validate()
		if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) || o.Pace != row.pace || o.Count == 0 || o.Mapping == "" {
			t.Errorf("%+v: %+v, %v", row.options, o, err)
		}
	}
}

// Shows that a window of a shard has to have one invocation: none, two, and one that reaches into the next window are each named.
func TestWindowsBroken(t *testing.T) {
	batch := func(shard string, first, last time.Duration) Batch {
		return Batch{Shard: shard, First: Start.Add(first), Last: Start.Add(last), Offers: 1}
	}
	good := []Batch{batch("a", 0, Window-1), batch("b", time.Second, time.Second), batch("a", Window, Window), batch("b", Window+1, 2*Window-1)}
	for _, row := range []struct {
		name    string
		batches []Batch
		says    string
	}{
		{"exactly one", good, ""},
		{"none", good[:3], "3 windows of 4"},
		{"two", append(good[:4:4], good[1]), "window 0 of b has more than one"},
		{"too long", append(good[:3:3], batch("b", Window-1, Window), good[3]), "window 0 and of window 1"},
	} {
		if lines := strings.Join(windowsBroken(row.batches, 2), "; "); (lines == "") != (row.says == "") || !strings.Contains(lines, row.says) {
			t.Errorf("%s: %q, want %q", row.name, lines, row.says)
		}
	}
}

// Shows the line of a report, with the bound, and that a bound that is not held is a failure that is named.
func TestReport(t *testing.T) {
	r := Report{Seed: 7, Pace: Real, Mapping: FanOut, Passed: true, SignUps: 2000, P50Millis: 20, P99Millis: 300}
	r.hold(FanOut.Bound())
	if line := r.Line(); len(r.Lines()) > 0 || !strings.HasPrefix(line, "PASS offers --seed 7 --pace real --mapping fan-out: 2000 sign-ups") || !strings.Contains(line, "p50 20 ms, p99 300 ms of at most 300;") {
		t.Errorf("%s %v", line, r.Lines())
	}
	r.P99Millis++
	r.hold(FanOut.Bound())
	if lines := strings.Join(r.Lines(), "; "); !strings.Contains(lines, "took 301 ms or longer; at most 300") {
		t.Error(lines)
	}
	r.hold(Standard.Bound())
	if r.BoundMillis != 2000 || len(r.Lines()) != 1 {
		t.Errorf("%+v", r)
	}
	r = Report{Seed: 8, Pace: Stepped, Mapping: Standard, Fault: "F1+F9", Faults: 24, ClockSeconds: 610}
	if line := r.Line(); !strings.HasPrefix(line, "FAIL offers --seed 8 --pace test --fault F1+F9 (24 times): ") || !strings.Contains(line, "; 10m10s by the server's clock;") {
		t.Error(line)
	}
}

// Shows that a plan has every moment of each of its faults, in order, with a kill behind everything else, and that a seed draws the same ones again.
func TestPlan(t *testing.T) {
	draw := func(seed uint64) (counts map[scenario.Fault]int, all []moment) {
		c := newCheck(CheckOptions{Seed: seed, Count: SmokeCount, Fault: "F1+F5+F9"})
		all, counts = c.plan(), map[scenario.Fault]int{}
		for i, m := range all {
			counts[m.fault]++
			if i > 0 && m.at < all[i-1].at {
				t.Errorf("seed %d: %v comes behind %v", seed, m, all[i-1])
			}
		}
		return counts, all
	}
	counts, all := draw(7)
	_, again := draw(7)
	_, other := draw(8)
	if counts["F1"] != kills || counts["F5"] != reshards || counts["F9"] != throttles || all[len(all)-1].at != SmokeCount {
		t.Errorf("%v, %v", counts, all)
	}
	same := true
	for i := range all {
		if all[i] != again[i] {
			t.Errorf("moment %d is %v and %v", i, all[i], again[i])
		}
		same = same && all[i] == other[i]
	}
	if same {
		t.Error("another seed draws the same moments")
	}
}
