// Package dynamodb speaks the APIs of DynamoDB and of DynamoDB Streams.
//
// It owns what each operation takes, checks and answers, one file an operation, and the tables from kinds of error to AWS's exceptions (errors.go). What tables do
// belongs to tables, the expression language to tables/expr, the shape of messages to wire.
//
// Read serve.go, convert.go and request.go, then put_item.go and query.go.
package dynamodb

import (
	"log/slog"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/tables"
)

// Options is what the APIs work with. Every field but Audit and Logger is required.
type Options struct {
	Tables *tables.Engine
	Clock  clock.Clock
	Audit  *audit.Log   // hears of control calls; nil keeps none
	Secret []byte       // signs shard iterators; the same after a restart
	Logger *slog.Logger // hears of failures that are ours. Default slog.Default
}

// API serves the operations of DynamoDB. It is an edge.Service and safe for concurrent use.
type API struct {
	tables *tables.Engine
	clock  clock.Clock
	audit  *audit.Log
	secret []byte
	logger *slog.Logger
}

// New makes the API.
func New(o Options) *API {
	a := &API{tables: o.Tables, clock: o.Clock, audit: o.Audit, secret: o.Secret, logger: o.Logger}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	return a
}

// Name is the service's name in signatures.
func (a *API) Name() string { return "dynamodb" }

// TargetPrefix is what stands before the operation in X-Amz-Target.
func (a *API) TargetPrefix() string { return "DynamoDB_20120810" }

// Streams serves the operations of DynamoDB Streams, which are addressed apart. It is an edge.Service.
type Streams struct{ api *API }

// Streams is the other half of the API.
func (a *API) Streams() *Streams { return &Streams{a} }

// Name is the service's name in signatures: that of DynamoDB.
func (s *Streams) Name() string { return "dynamodb" }

// TargetPrefix is what stands before the operation in X-Amz-Target.
func (s *Streams) TargetPrefix() string { return "DynamoDBStreams_20120810" }
