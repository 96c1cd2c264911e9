package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// payloadMax is the most that a function may answer (Lambda quotas: 6 MB for a synchronous invocation).
const payloadMax = 6 << 20

// runtimeAPI is the Lambda Runtime API of one process ("Building a custom runtime", Lambda developer guide, read 2026-11). Each process has an
// address of its own, which is how a request says whose it is.
//
//	process                     pool
//	GET  …/invocation/next  ──▶ ready; waits on events
//	                        ◀── an event, with its deadline and id in headers
//	POST …/{id}/response    ──▶ answers
//	POST …/{id}/error       ──▶ answers, as a failure
//	POST …/init/error       ──▶ failed
type runtimeAPI struct {
	listener net.Listener
	server   http.Server

	ready   chan struct{} // closed at the first request for an event
	events  chan *handed  // capacity 0: an event is handed to the process when it asks
	answers chan answer   // capacity 1: one event at a time is under way
	failed  chan []byte   // capacity 1: what the process said about its own start
	gone    chan struct{} // closed when the process has ended

	readyOnce sync.Once
	mu        sync.Mutex // guards current
	current   string     // the id of the event under way; empty when there is none
}

// handed is an event on its way to a process.
type handed struct {
	event    Event
	arn      string
	deadline time.Time
}

// answer is what a process said of an event.
type answer struct {
	payload []byte
	failed  bool
}

func newRuntimeAPI() (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &runtimeAPI{listener: listener, ready: make(chan struct{}), events: make(chan *handed), answers: make(chan answer, 1), failed: make(chan []byte, 1), gone: make(chan struct{})}
	const root = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+root+"invocation/next", a.next)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", a.respond)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", a.respond)
	mux.HandleFunc("POST "+root+"init/error", a.initError)
	a.server = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return a, nil
}

func (a *runtimeAPI) address() string { return a.listener.Addr().String() }

func (a *runtimeAPI) serve() { _ = a.server.Serve(a.listener) } // ends with close

func (a *runtimeAPI) close() { _ = a.server.Close() }

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	a.readyOnce.Do(func() { close(a.ready) })
	var h *handed
	select {
	case h = <-a.events:
	case <-a.gone:
		return
	case <-r.Context().Done():
		return
	}
	header := w.Header()
	header.Set("Lambda-Runtime-Aws-Request-Id", h.event.RequestID)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(h.deadline.UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", h.arn)
	if h.event.TraceID != "" {
		header.Set("Lambda-Runtime-Trace-Id", h.event.TraceID)
	}
	if h.event.ClientContext != "" {
		header.Set("Lambda-Runtime-Client-Context", h.event.ClientContext)
	}
	header.Set("Content-Type", "application/json")
	_, _ = w.Write(h.event.Payload) // a process that does not read it is seen by its deadline
}

func (a *runtimeAPI) respond(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	a.mu.Lock()
	mine := id != "" && id == a.current
	a.mu.Unlock()
	if !mine {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, payloadMax+1))
	failed := strings.HasSuffix(r.URL.Path, "/error")
	switch {
	case err != nil && len(payload) <= payloadMax:
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	case len(payload) > payloadMax:
		payload, failed = described("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", payloadMax)), true
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status":"OK"}`)
	}
	a.mu.Lock()
	again := a.current != id
	a.current = ""
	a.mu.Unlock()
	if !again {
		a.answers <- answer{payload, failed}
	}
}

func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 256<<10))
	select {
	case a.failed <- text:
	default: // said before
	}
	w.WriteHeader(http.StatusAccepted)
}

// expect says which event the next answer is for.
func (a *runtimeAPI) expect(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = id
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(described(kind, message))
}

// described is an error as functions' callers get it.
func described(kind, message string) []byte {
	text, err := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		panic("sandbox: " + err.Error()) // two texts
	}
	return text
}
