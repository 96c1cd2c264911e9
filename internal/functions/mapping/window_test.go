package mapping

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// counts makes a function that counts its records in the window's state.
func counts(_ context.Context, e *event) (Result, error) {
	var state struct{ N int }
	_ = json.Unmarshal(e.State, &state)
	return answers(fmt.Sprintf(`{"state":{"N":%d}}`, state.N+len(e.Records)))
}

// windows is what a function was told of windows: records, state, flags.
func (w *world) windows(name string) (out []string) {
	w.Helper()
	for _, e := range w.called(name) {
		text := fmt.Sprintf("%s-%s %s [%s]", e.Window.Start[14:19], e.Window.End[14:19], e.State, e.data())
		if e.Final {
			text += " final"
		}
		if e.Early {
			text += " early"
		}
		out = append(out, text)
	}
	return out
}

func (w *world) wantWindows(name string, want ...string) {
	w.Helper()
	if got := strings.Join(w.windows(name), "\n"); got != strings.Join(want, "\n") {
		w.Errorf("windows\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// State goes from invocation to invocation in a window, and ends with it: at its boundary, which is a multiple of its length. The final invocation comes without records, and only to
// windows that had some. The state survives a crash together with the position.
func TestTumblingWindow(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.does("f", counts)
	m := w.mapTo("f", func(c *Config) { c.TumblingSeconds, c.BatchSize = 120, 2 })
	w.pass(30 * time.Second)
	w.put("s", "1", "2", "3")
	w.pass(89 * time.Second)
	w.wantWindows("f", "00:00-02:00 {} [1 2]", `00:00-02:00 {"N":2} [3]`)
	w.crash()
	w.open()
	w.put("s", "4")
	w.pass(time.Second)
	w.put("s", "5")
	w.wantWindows("f", "00:00-02:00 {} [1 2]", `00:00-02:00 {"N":2} [3]`, `00:00-02:00 {"N":3} [4]`, `00:00-02:00 {"N":4} [] final`, "02:00-04:00 {} [5]")
	w.pass(time.Hour)
	calls := w.called("f")
	if len(calls) != 6 || !calls[5].Final || calls[5].Shard != "shardId-000000000000" || calls[5].ARN != m.Source || calls[5].Records == nil && !strings.Contains(calls[5].raw, `"Records":[]`) {
		t.Errorf("%d calls, the last %s", len(calls), calls[len(calls)-1].raw)
	}
	var keys map[string]any
	must(t, json.Unmarshal([]byte(calls[5].raw), &keys))
	if len(keys) != 7 {
		t.Errorf("keys %v", keys)
	}
}

// A batch has records of one window, a late reader ends the windows before it goes on to the next, and the shard's end ends its window.
func TestWindowsOfALateReader(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1")
	w.clock.Advance(59 * time.Second)
	w.put("s", "2")
	w.clock.Advance(time.Second)
	w.put("s", "3")
	w.clock.Advance(5 * time.Minute)
	w.put("s", "4")
	w.reshard("s", 2)
	w.put("s", "5")
	w.does("f", counts)
	w.mapTo("f", func(c *Config) { c.TumblingSeconds = 60 })
	w.wantWindows("f", "00:00-01:00 {} [1 2]", `00:00-01:00 {"N":2} [] final`, "01:00-02:00 {} [3]", `01:00-02:00 {"N":1} [] final`, "06:00-07:00 {} [4]", `06:00-07:00 {"N":1} [] final`,
		"06:00-07:00 {} [5]")
}

// An answer without a state is a failure. A final invocation that fails is tried until it succeeds, and the shard waits.
func TestWindowFailures(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	finals, first := 0, true
	w.does("f", func(ctx context.Context, e *event) (Result, error) {
		if first {
			first = false
			return answers(`{}`)
		}
		if e.Final {
			if finals++; finals < 4 {
				return errored, nil
			}
		}
		return counts(ctx, e)
	})
	w.mapTo("f", func(c *Config) { c.TumblingSeconds, c.Retries = 60, 1 })
	w.put("s", "1")
	w.wantWindows("f", "00:00-01:00 {} [1]")
	w.pass(time.Second)
	w.wantWindows("f", "00:00-01:00 {} [1]", "00:00-01:00 {} [1]")
	w.pass(59 * time.Second)
	w.put("s", "2")
	w.pass(10 * time.Second)
	final := `00:00-01:00 {"N":1} [] final`
	w.wantWindows("f", "00:00-01:00 {} [1]", "00:00-01:00 {} [1]", final, final, final, final, "01:00-02:00 {} [2]")
}

// A state of more than a megabyte ends its window early: a final invocation says so, and the rest of the window begins without state.
func TestWindowEndsEarly(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.does("f", func(ctx context.Context, e *event) (Result, error) {
		if e.data() == "2" {
			return answers(`{"state":{"x":"` + strings.Repeat("x", stateMax) + `"}}`)
		}
		return counts(ctx, e)
	})
	w.mapTo("f", func(c *Config) { c.TumblingSeconds, c.BatchSize = 60, 1 })
	w.put("s", "1", "2", "3")
	calls := w.called("f")
	if len(calls) != 4 || !calls[2].Final || !calls[2].Early || len(calls[2].State) < stateMax || calls[3].data() != "3" || string(calls[3].State) != "{}" || calls[3].Early {
		t.Errorf("%d calls", len(calls))
	}
	w.pass(time.Minute)
	if calls := w.called("f"); len(calls) != 5 || !calls[4].Final || calls[4].Early || string(calls[4].State) != `{"N":1}` {
		t.Errorf("%d calls", len(calls))
	}
}
