package functions

import (
	"container/heap"
	"encoding/json"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// The log of events. Each record's key says what happened, as {"type": …, "body": …}; its value is the payload of an Event and empty otherwise. What an event is called
// in the others is its position. The log is trimmed behind the oldest event that is not done, so that its beginning is all that a restart needs: there is no snapshot.
type (
	// eventArrived is an asynchronous event, acknowledged once this is durable.
	eventArrived struct {
		ID            string `json:"id"`       // of its invocations, all of them
		Function      string `json:"function"` // ARN, as it was invoked
		Received      int64  `json:"received"` // milliseconds since 1970
		Source        string `json:"source,omitempty"`
		ClientContext string `json:"clientContext,omitempty"`
		TraceID       string `json:"traceId,omitempty"`
		Hops          int    `json:"hops,omitempty"` // how many destinations it has come through
	}
	// eventTried is a try that failed, with another to come.
	eventTried struct {
		Event   commitlog.Position `json:"event"`
		Invokes int                `json:"invokes"` // tries so far
		Next    int64              `json:"next"`    // when the next one is due, milliseconds since 1970
	}
	// eventDone is the end of an event: it succeeded, or was given up.
	eventDone struct {
		Event commitlog.Position `json:"event"`
	}
)

const (
	arrivedKind = "Event.1"
	triedKind   = "Tried.1"
	doneKind    = "Done.1"
)

// happening is one of the three.
type happening interface {
	apply(s *waiting, position commitlog.Position)
}

var happenings = commands.Set[happening]{
	arrivedKind: commands.As[eventArrived, happening],
	triedKind:   commands.As[eventTried, happening],
	doneKind:    commands.As[eventDone, happening],
}

// event is one that is not done.
type event struct {
	eventArrived
	position commitlog.Position
	invokes  int       // tries that have ended
	due      time.Time // when the next may begin
	delay    time.Duration
	running  bool
	index    int // in waiting.order; -1 when it is not there
}

// waiting is the fold of the log of events: those that are not done, and which is due first. It has no clock, disk or goroutine.
type waiting struct {
	events map[commitlog.Position]*event
	order  byDue // those that are not running
}

func newWaiting() *waiting { return &waiting{events: map[commitlog.Position]*event{}} }

// apply does what the record at a position says. Unsupported and Corrupt stop whoever reads.
func (s *waiting) apply(position commitlog.Position, key []byte) error {
	h, err := happenings.Decode(key)
	if err != nil {
		return fault.Wrap(err, "log of events at %d", position)
	}
	h.apply(s, position)
	return nil
}

func (h eventArrived) apply(s *waiting, position commitlog.Position) {
	e := &event{eventArrived: h, position: position, due: time.UnixMilli(h.Received).UTC(), index: -1}
	s.events[position] = e
	heap.Push(&s.order, e)
}

func (h eventTried) apply(s *waiting, _ commitlog.Position) {
	if e := s.events[h.Event]; e != nil && h.Invokes > e.invokes {
		e.invokes, e.delay = h.Invokes, 0
		s.again(e, time.UnixMilli(h.Next).UTC())
	}
}

func (h eventDone) apply(s *waiting, _ commitlog.Position) {
	if e := s.events[h.Event]; e != nil {
		if e.index >= 0 {
			heap.Remove(&s.order, e.index)
		}
		delete(s.events, h.Event)
	}
}

// again makes an event wait until a time.
func (s *waiting) again(e *event, due time.Time) {
	e.due, e.running = due, false
	if e.index >= 0 {
		heap.Fix(&s.order, e.index)
		return
	}
	heap.Push(&s.order, e)
}

// begin takes out the event that is due first, if one is by now.
func (s *waiting) begin(now time.Time) *event {
	if len(s.order) == 0 || s.order[0].due.After(now) {
		return nil
	}
	e := heap.Pop(&s.order).(*event)
	e.running = true
	return e
}

// next is when the first event is due; zero when none waits.
func (s *waiting) next() time.Time {
	if len(s.order) == 0 {
		return time.Time{}
	}
	return s.order[0].due
}

// oldest is the lowest position that is still needed, or otherwise.
func (s *waiting) oldest(otherwise commitlog.Position) commitlog.Position {
	for position := range s.events {
		otherwise = min(otherwise, position)
	}
	return otherwise
}

// byDue is a heap: the event that is due first, and of those the one that came first.
type byDue []*event

func (h byDue) Len() int { return len(h) }
func (h byDue) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].position < h[j].position
}
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *byDue) Push(x any) {
	e := x.(*event)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *byDue) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	e.index = -1
	*h = old[:len(old)-1]
	return e
}

// What becomes of an event that failed or was refused (Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation", read 2026-11).
const (
	retriesMax   = 2               // by default, and at most
	ageMax       = 6 * time.Hour   // by default, and at most
	firstRetry   = time.Minute     // after the first failure; two after the second
	throttledMin = time.Second     // after the first refusal, twice as long after each that follows
	throttledMax = 5 * time.Minute // and no longer than this
	hopsMax      = 16              // destinations that an event may come through: a function that is its own destination ends (Lambda ends such loops at about 16 too)
)

// retries and age are what counts for an event of a configuration, which may be nil.
func (e *EventConfig) retries() int {
	if e == nil || e.Retries == nil {
		return retriesMax
	}
	return *e.Retries
}

func (e *EventConfig) age() time.Duration {
	if e == nil || e.AgeSeconds == nil {
		return ageMax
	}
	return time.Duration(*e.AgeSeconds) * time.Second
}

// outcomeDocument is what a destination gets ("Capturing records of Lambda asynchronous invocations", read 2026-11).
type outcomeDocument struct {
	Version        string `json:"version"`
	Timestamp      string `json:"timestamp"`
	RequestContext struct {
		RequestID              string `json:"requestId"`
		FunctionARN            string `json:"functionArn"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage   `json:"requestPayload"`
	ResponseContext *responseDocument `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage   `json:"responsePayload,omitempty"`
}

type responseDocument struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// The conditions of an outcomeDocument.
const (
	conditionSuccess   = "Success"
	conditionExhausted = "RetriesExhausted"
	conditionAge       = "EventAgeExceeded"
)

// document says what became of an event. result is nil when it never ran, or not this time.
func document(e *event, functionARN, condition string, invokes int, at time.Time, payload []byte, result *Result) ([]byte, error) {
	d := outcomeDocument{Version: "1.0", Timestamp: at.UTC().Format("2006-01-02T15:04:05.000Z"), RequestPayload: asJSON(payload)}
	d.RequestContext.RequestID, d.RequestContext.FunctionARN = e.ID, functionARN
	d.RequestContext.Condition, d.RequestContext.ApproximateInvokeCount = condition, invokes
	if result != nil {
		d.ResponseContext = &responseDocument{200, result.Version, result.FunctionError}
		d.ResponsePayload = asJSON(result.Payload)
	}
	b, err := json.Marshal(d)
	return b, fault.As(fault.Internal, err, "what became of an event")
}

// asJSON is a payload inside a document: what is no JSON is a text.
func asJSON(payload []byte) json.RawMessage {
	switch {
	case len(payload) == 0:
		return json.RawMessage("null")
	case json.Valid(payload):
		return payload
	}
	text, err := json.Marshal(string(payload))
	if err != nil {
		panic("functions: " + err.Error()) // a text
	}
	return text
}
