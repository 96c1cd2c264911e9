package edge

import (
	"net/http"
	"time"
)

// response is the Writer of a call: the connection's own, and what went through it.
type response struct {
	w      http.ResponseWriter
	status int   // 0 until the header was written
	bytes  int64 // of body
}

func (r *response) Header() http.Header { return r.w.Header() }

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.w.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.w.Write(p)
	r.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered. It is what http.ResponseController.Flush calls.
func (r *response) FlushError() error {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(r.w).Flush()
}

// Flush is FlushError for those who ask for an http.Flusher.
func (r *response) Flush() { _ = r.FlushError() } // a client that went away is told by the next Write

// Unwrap lets http.ResponseController set deadlines.
func (r *response) Unwrap() http.ResponseWriter { return r.w }

// setReadDeadline and setWriteDeadline do nothing for writers that have no connection, such as a recorder.
func (r *response) setReadDeadline(t time.Time) {
	if w, ok := r.w.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = w.SetReadDeadline(t) // fails on closed connections, where reading says so
	}
}

func (r *response) setWriteDeadline(t time.Time) {
	if w, ok := r.w.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = w.SetWriteDeadline(t)
	}
}
