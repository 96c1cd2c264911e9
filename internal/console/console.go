// Package console is the operator's address: metrics, health and, where time stands still, the clock.
//
// It owns the paths /metrics and /_weir/…, which are kept off the API's address, where a bucket may have those names. What is healthy and
// what is in flight belongs to node, which hands it over.
//
// Read New, then clock.go.
package console

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options is what the console shows.
type Options struct {
	Metrics prometheus.Gatherer
	// Health describes the node; an error is why it is not well.
	Health func(context.Context) (Health, error)
	// Status describes the node at length; see status.go.
	Status func(context.Context) Status
	// Clock is the test clock, or nil in real time, where /_weir/clock is refused.
	Clock TestClock
	// Masters knows of the master keys. Nil answers 404 on /_weir/master-keys.
	Masters Masters
	// Pin holds the data directory still for a backup; see backup.go.
	Pin func(context.Context) (Pin, error)
}

// Health is what /_weir/health answers.
type Health struct {
	Status      string `json:"status"` // "ok", or why not
	Version     string `json:"version"`
	Incarnation uint64 `json:"incarnation"` // how often the data directory has been opened
	Streams     int    `json:"streams"`
}

// New makes the console's handler.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /_weir/health", func(w http.ResponseWriter, r *http.Request) {
		health, err := o.Health(r.Context())
		status := http.StatusOK
		if health.Status = "ok"; err != nil {
			status, health.Status = http.StatusServiceUnavailable, err.Error()
		}
		reply(w, status, health)
	})
	mux.HandleFunc("GET /_weir/status", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, o.Status(r.Context())) })
	mux.HandleFunc("GET /_weir/clock", func(w http.ResponseWriter, _ *http.Request) { showClock(w, o.Clock) })
	mux.HandleFunc("POST /_weir/clock", func(w http.ResponseWriter, r *http.Request) { moveClock(w, r, o.Clock) })
	if o.Masters != nil {
		mux.HandleFunc("GET /_weir/master-keys", func(w http.ResponseWriter, _ *http.Request) { showMasters(w, o.Masters) })
		mux.HandleFunc("POST /_weir/master-keys/rewrap", func(w http.ResponseWriter, r *http.Request) { rewrap(w, r, o.Masters) })
	}
	mux.HandleFunc("POST /_weir/backup", func(w http.ResponseWriter, r *http.Request) { holdPin(w, r, o.Pin) })
	return mux
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that went away is nobody to tell
}

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}
