package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// TestClock is time that stands still until it is moved.
type TestClock interface {
	Now() time.Time
	// Set moves the clock, durably, and wakes what falls due. Invalid when t is in the past.
	Set(ctx context.Context, t time.Time) error
	// Drain waits until nothing is in flight: everything that has been woken or sent has run its course.
	Drain(ctx context.Context) error
}

// stepsMax bounds one request, so that a typing error does not keep the server busy for days.
const stepsMax = 1_000_000

// ClockRange says whether a test clock may stand at t: sequence numbers have 36 bits for seconds since 1970. Invalid otherwise.
func ClockRange(t time.Time) error {
	if t.Unix() < 0 || t.Unix() >= 1<<36 {
		return fault.New(fault.Invalid, "a test clock stands between the years 1970 and 4147, not at %s", t.UTC().Format(time.RFC3339))
	}
	return nil
}

// move is the body of POST /_weir/clock: {"advance": "10m", "step": "1s", "drain": true}, or {"to": RFC 3339} instead of advance.
type move struct {
	Advance string    `json:"advance"`
	To      time.Time `json:"to"`
	Step    string    `json:"step"`  // how far at once; empty is all at once
	Drain   *bool     `json:"drain"` // wait before each step and after the last until nothing is in flight; true unless said
}

type clockState struct {
	Now   time.Time `json:"now"`
	Steps int       `json:"steps,omitempty"`
}

const noTestClock = "this node runs in real time: start it with `weir dev --test-clock` to move time by hand"

func showClock(w http.ResponseWriter, clock TestClock) {
	if clock == nil {
		refuse(w, http.StatusConflict, noTestClock)
		return
	}
	reply(w, http.StatusOK, clockState{Now: clock.Now().UTC()})
}

func moveClock(w http.ResponseWriter, r *http.Request, clock TestClock) {
	if clock == nil {
		refuse(w, http.StatusConflict, noTestClock)
		return
	}
	target, step, drain, err := readMove(r.Body, clock.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	steps, err := run(r.Context(), clock, target, step, drain)
	if err != nil {
		status := http.StatusServiceUnavailable
		if fault.Is(err, fault.Invalid) { // somebody else moved the clock further meanwhile
			status = http.StatusBadRequest
		}
		refuse(w, status, err.Error())
		return
	}
	reply(w, http.StatusOK, clockState{Now: clock.Now().UTC(), Steps: steps})
}

// readMove reads and checks a move, all that is wrong with it by name.
func readMove(body io.Reader, now time.Time) (target time.Time, step time.Duration, drain bool, err error) {
	var m move
	decoder := json.NewDecoder(io.LimitReader(body, 1<<16))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return target, 0, false, fault.New(fault.Invalid, `the body must be like {"advance":"10m","step":"1s","drain":true}: %v`, err)
	}
	switch {
	case (m.Advance == "") == m.To.IsZero():
		return target, 0, false, fault.New(fault.Invalid, "give either advance, a duration like 10m, or to, an RFC 3339 time")
	case m.Advance != "":
		d, err := time.ParseDuration(m.Advance)
		if err != nil {
			return target, 0, false, fault.New(fault.Invalid, "advance: %v", err)
		}
		target = now.Add(d)
	default:
		target = m.To
	}
	if err := ClockRange(target); err != nil {
		return target, 0, false, err
	}
	if target.Before(now) {
		return target, 0, false, fault.New(fault.Invalid, "the clock stands at %s and does not go back", now.UTC().Format(time.RFC3339Nano))
	}
	step = target.Sub(now)
	if m.Step != "" {
		if step, err = time.ParseDuration(m.Step); err != nil || step <= 0 {
			return target, 0, false, fault.New(fault.Invalid, "step %q is not a positive duration like 1s", m.Step)
		}
	}
	if step > 0 && target.Sub(now)/step > stepsMax {
		return target, 0, false, fault.New(fault.Invalid, "that is more than %d steps", stepsMax)
	}
	return target, step, m.Drain == nil || *m.Drain, nil
}

// run moves the clock step by step and gives the number of steps.
func run(ctx context.Context, clock TestClock, target time.Time, step time.Duration, drain bool) (steps int, err error) {
	for now := clock.Now(); now.Before(target); now = clock.Now() {
		if drain {
			if err := clock.Drain(ctx); err != nil {
				return steps, err
			}
		}
		next := now.Add(step)
		if next.After(target) {
			next = target
		}
		if err := clock.Set(ctx, next); err != nil {
			return steps, err
		}
		steps++
	}
	if drain {
		err = clock.Drain(ctx)
	}
	return steps, err
}
