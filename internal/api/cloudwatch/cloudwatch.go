// Package cloudwatch speaks the part of CloudWatch that programs report to: PutMetricData, and enough to read back what was put.
//
// It owns what each operation takes, checks and answers, one file an operation, in the three protocols that clients of CloudWatch speak: Smithy RPC v2 CBOR, JSON 1.0 and query.
// What is kept of a metric belongs to metrics, the bytes of the protocols to wire.
//
// Read serve.go, then put_metric_data.go.
package cloudwatch

import (
	"log/slog"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/metrics"
)

// Options is what the API works with. Every field but Audit and Logger is required.
type Options struct {
	Metrics *metrics.Store
	Clock   clock.Clock
	Audit   *audit.Log   // hears of refused control calls; nil keeps none
	Logger  *slog.Logger // hears of failures that are ours. Default slog.Default
}

// API serves the operations of CloudWatch. It is an edge.Service, an edge.QuerySpeaker and an edge.GzipTaker, and safe for concurrent use.
type API struct {
	metrics *metrics.Store
	clock   clock.Clock
	audit   *audit.Log
	logger  *slog.Logger
}

// New makes the API.
func New(o Options) *API {
	a := &API{metrics: o.Metrics, clock: o.Clock, audit: o.Audit, logger: o.Logger}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	return a
}

// Name is the service's name in signatures.
func (a *API) Name() string { return "monitoring" }

// TargetPrefix is what stands before the operation in X-Amz-Target, and behind /service/ in RPC v2.
func (a *API) TargetPrefix() string { return "GraniteServiceVersion20100801" }

// SpeaksQuery says that requests may be forms.
func (a *API) SpeaksQuery() {}

// unpackedMax is what a compressed body may unpack to. PutMetricData takes 1 MB as it is sent (API_PutMetricData, read 2026-11); the largest call that keeps to its other limits,
// 1,000 metrics of 150 values each as a form, has about this size.
const unpackedMax = 16 << 20

// GzipBytesMax is what a compressed body may unpack to.
func (a *API) GzipBytesMax() int64 { return unpackedMax }
