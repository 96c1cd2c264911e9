// Package edge is the front door: bytes from the network become calls on services.
//
// It owns the listeners (plain with h2c, TLS with its own authority), the limits on what a client may send and how slowly, the
// choice of service and protocol for a request, request ids, CORS, the refusals that happen before a service is known, and the
// drain at the end. Who the caller is belongs to auth; what a request means belongs to the api packages, one Service each.
//
// Read Service and Call (service.go, call.go), then handler.go for the path of a request, then server.go.
package edge

import (
	"sync"

	"golang.org/x/sync/semaphore"
)

// Edge serves the services of its Options. Open makes one that listens, Run serves it; New makes one that is only an http.Handler.
type Edge struct {
	options Options // with defaults; immutable
	router  router

	bodies   *semaphore.Weighted // bytes of large bodies in memory
	calls    sync.Pool           // of *Call, each with its buffer
	draining chan struct{}       // closed when Run's context ends

	server *server // nil without listeners
}

// New makes an Edge that does not listen: its ServeHTTP answers requests that somebody else received. Invalid options are refused.
func New(o Options) (*Edge, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return &Edge{
		options: o, router: newRouter(o.Services), bodies: semaphore.NewWeighted(o.BodiesBytesMax), draining: make(chan struct{}),
	}, nil
}
