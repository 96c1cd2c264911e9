// Package kinesis speaks the Kinesis Data Streams API.
//
// It owns what each operation takes, checks and answers, one file an operation, and the table from kinds of error to AWS's exceptions
// (errors.go). The shape of messages belongs to wire, listeners and signatures to edge, what streams do to streams and catalog.
//
// PutRecord, PutRecords, GetRecords and SubscribeToShard carry the traffic: they read and write bodies by hand (put.go, get_records.go). Everything else goes
// through the generated shapes (serve.go).
//
// Read serve.go, then put_records.go and get_records.go.
package kinesis

import (
	"log/slog"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/streams"
)

// Options is what the API works with. Every field but Keys, Audit, Logger, Quota and Limited is required.
type Options struct {
	Streams *streams.Streams
	Control *controller.Controller
	Clock   clock.Clock
	Keys    *envelope.Ring // the master keys of encrypted streams. Nil is none: no stream can be encrypted
	Audit   *audit.Log     // is told of every control call. Nil is nobody
	Logger  *slog.Logger   // hears of failures that are ours. Default slog.Default
	Quota   *quota.Table   // what DescribeLimits says, and the rates of operations. Default AWS's
	Limited bool           // hold callers to the rates of operations
}

// API serves the operations of Kinesis Data Streams. It is an edge.Service and safe for concurrent use.
type API struct {
	streams *streams.Streams
	control *controller.Controller
	clock   clock.Clock
	keys    *envelope.Ring // may be nil
	audit   *audit.Log     // may be nil
	logger  *slog.Logger
	quota   *quota.Table
	limited bool

	calls       meter.Calls // by operation, account, region and stream; counted when limited
	permissions permissions

	answers *semaphore.Weighted // bytes of GetRecords answers that are being made or taken
	events  *semaphore.Weighted // bytes of SubscribeToShard events, likewise

	puts   sync.Pool // of *putRequest
	gets   sync.Pool // of *getScratch
	pushes sync.Pool // of *pushScratch
}

// New makes the API.
func New(o Options) *API {
	a := &API{
		streams: o.Streams, control: o.Control, clock: o.Clock, keys: o.Keys, audit: o.Audit, logger: o.Logger, quota: o.Quota, limited: o.Limited,
		answers: semaphore.NewWeighted(answersBytes), events: semaphore.NewWeighted(eventsBytes),
	}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	if a.quota == nil {
		a.quota = quota.Default()
	}
	a.puts.New = func() any { return new(putRequest) }
	a.gets.New = func() any { return new(getScratch) }
	a.pushes.New = func() any { return new(pushScratch) }
	return a
}

// Name is the service's name in signatures.
func (a *API) Name() string { return "kinesis" }

// TargetPrefix is what stands before the operation in X-Amz-Target.
func (a *API) TargetPrefix() string { return "Kinesis_20131202" }
