package node

import (
	"testing"

	"github.com/weir-stream/weir/internal/edge"
)

// service answers with serve.
type service struct {
	edge.Service
	serve func(*edge.Call)
}

func (s service) Serve(c *edge.Call) { s.serve(c) }

// A call is at work until it is answered, but for the time that it waits with nothing pending; and only where somebody wants to know.
func TestInFlight(t *testing.T) {
	var calls inFlight
	pending := false
	idle := func(want bool, when string) {
		t.Helper()
		if calls.idle() != want {
			t.Errorf("%s: idle is %v", when, !want)
		}
	}
	counted{service{serve: func(c *edge.Call) {
		idle(false, "at work")
		c.Waits(func() bool { return pending })
		idle(true, "waiting")
		pending = true
		idle(false, "about to go on")
		c.Resumes()
		pending = false
		idle(false, "at work again")
	}}, &calls, true}.Serve(new(edge.Call))
	idle(true, "answered")
	counted{service{serve: func(c *edge.Call) {
		c.Waits(func() bool { return false })
		idle(false, "waiting, unwatched")
		c.Resumes()
	}}, &calls, false}.Serve(new(edge.Call))
	idle(true, "answered")
}
