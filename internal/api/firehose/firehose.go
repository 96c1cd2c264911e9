// Package firehose speaks the Firehose API.
//
// It owns what each operation takes, checks and answers, one file an operation, and the table from kinds of error to AWS's exceptions (errors.go). The shape of messages belongs to wire,
// listeners and signatures to edge, what delivery streams are and do to delivery.
//
// Read serve.go, then create_delivery_stream.go and put_record.go.
package firehose

import (
	"log/slog"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/delivery"
)

// Options is what the API works with. Delivery and Clock are required.
type Options struct {
	Delivery *delivery.Engine
	Clock    clock.Clock
	Audit    *audit.Log   // hears of control calls; nil is nobody
	Logger   *slog.Logger // hears of failures that are ours. Default slog.Default
}

// API serves the operations of Firehose. It is an edge.Service and safe for concurrent use.
type API struct {
	delivery *delivery.Engine
	clock    clock.Clock
	audit    *audit.Log
	logger   *slog.Logger
}

// New makes the API.
func New(o Options) *API {
	a := &API{delivery: o.Delivery, clock: o.Clock, audit: o.Audit, logger: o.Logger}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	return a
}

// Name is the service's name in signatures.
func (a *API) Name() string { return "firehose" }

// TargetPrefix is what stands before the operation in X-Amz-Target.
func (a *API) TargetPrefix() string { return "Firehose_20150804" }
