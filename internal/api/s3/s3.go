// Package s3 speaks the S3 API to the buckets and objects of blob/store.
//
// It owns what each operation takes, checks and answers: one file an operation or a pair that belongs together, the table that
// recognises operations (operations.go), what each must be allowed (permissions.go), and the table from what goes wrong to S3's errors (errors.go). Listeners and signatures belong to edge,
// what an object is and when it exists to blob/store.
//
// Read operations.go, then request.go, then put_object.go and get_object.go.
package s3

import (
	"log/slog"
	"net/http"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
)

// Options is what the API works with. Every field but Audit and Logger is required.
type Options struct {
	Store  *store.Store
	Clock  clock.Clock  // for policies that ask for the time
	Audit  *audit.Log   // is told of every control call. Nil is nobody
	Logger *slog.Logger // hears of failures that are ours. Default slog.Default
}

// API serves the operations of S3. It is an edge.Service and safe for concurrent use.
type API struct {
	store  *store.Store
	clock  clock.Clock
	audit  *audit.Log // may be nil
	logger *slog.Logger
}

// New makes the API.
func New(o Options) *API {
	a := &API{store: o.Store, clock: o.Clock, audit: o.Audit, logger: o.Logger}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	return a
}

// Name is the service's name in signatures.
func (a *API) Name() string { return "s3" }

// TargetPrefix is empty: S3 knows operations by method and path.
func (a *API) TargetPrefix() string { return "" }

// MatchPath takes what no other service has taken, but for the root, which without a signature belongs to nobody.
func (a *API) MatchPath(_, path string) bool { return path != "/" && path != "" }

// TakesStream is true for the bodies of objects and parts.
func (a *API) TakesStream(r *http.Request) bool {
	op := find(newRequest(r))
	return op != nil && op.streams
}

// Serve answers one call.
func (a *API) Serve(c *edge.Call) {
	q := &call{Call: c, request: newRequest(c.Request), api: a}
	h := c.Writer.Header()
	h.Del("X-Amzn-Requestid")
	h["X-Amz-Request-Id"] = []string{c.RequestID}
	if c.Protocol != edge.REST {
		c.UnknownOperation()
		return
	}
	op := find(q.request)
	if op == nil {
		q.fail(errMethod)
		return
	}
	c.Operation = op.name
	defer q.record(op)
	if err := q.check(op); err != nil {
		q.fail(err)
		return
	}
	if err := q.authorize(op); err != nil {
		q.fail(err)
		return
	}
	if op.run == nil {
		q.fail(newError(http.StatusNotImplemented, "NotImplemented", "The operation "+op.name+" is not supported by this version of Weir."))
		return
	}
	if err := op.run(q); err != nil {
		q.fail(err)
	}
}
