package mapping

import (
	"encoding/json"

	"github.com/weir-stream/weir/internal/fault"
)

// stateMax is how large a window's state may become before the window ends early (Lambda developer guide, stateful stream processing: 1 MB).
const stateMax = 1 << 20

// noState is the state that a window begins with.
var noState = json.RawMessage("{}")

// window is the tumbling window of a shard. It is stored beside the checkpoint, as JSON, so that state and position are of the same moment; when no window is open nothing is stored.
type window struct {
	Start int64           `json:"start"` // milliseconds since 1970; End is Start and the length
	End   int64           `json:"end"`
	State json.RawMessage `json:"state"` // an object
	Early bool            `json:"early,omitempty"`
}

// encode is what is stored; nil of no window.
func (w *window) encode() []byte {
	if w == nil {
		return nil
	}
	b, err := json.Marshal(w)
	if err != nil {
		panic("mapping: a window that JSON cannot hold: " + err.Error())
	}
	return b
}

// decodeWindow reads what encode wrote.
func decodeWindow(b []byte) (*window, error) {
	if len(b) == 0 {
		return nil, nil
	}
	w := new(window)
	if err := json.Unmarshal(b, w); err != nil {
		return nil, fault.As(fault.Corrupt, err, "window of a shard")
	}
	return w, nil
}

// windowFor is the window that a record of a time belongs to, when none is open. Windows begin at multiples of their length since 1970.
func windowFor(arrival int64, seconds int) *window {
	length := int64(seconds) * 1000
	start := arrival - arrival%length
	return &window{Start: start, End: start + length, State: noState}
}

// event is what the function is told of the window.
func (w *window) event(shard, arn string, final bool) *windowEvent {
	e := &windowEvent{State: w.State, Shard: shard, ARN: arn, Final: final, Early: final && w.Early}
	e.Window.Start, e.Window.End = wholeSeconds(w.Start), wholeSeconds(w.End)
	return e
}

// after is the window with the state that a function returned. One that is too large ends the window early: its final invocation gets that state, and what follows in the window
// begins without one.
func (w *window) after(state json.RawMessage) *window {
	next := *w
	next.State, next.Early = state, len(state) > stateMax
	return &next
}
