// Package lambda speaks the Lambda API.
//
// It owns what each operation takes, checks and answers, and the table from kinds of error to AWS's exceptions (errors.go). Where members stand in a request belongs
// to wire/restjson, listeners and signatures to edge, what exists and what runs to functions.
//
// Read serve.go, then name.go and create_function.go.
package lambda

import (
	"log/slog"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/functions/mapping"
	"github.com/weir-stream/weir/internal/wire/restjson"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Options is what the API works with. Functions, Mappings and Clock are required.
type Options struct {
	Functions *functions.Functions
	Mappings  *mapping.Engine
	Clock     clock.Clock
	Audit     *audit.Log   // hears of control calls; nil is nobody
	Logger    *slog.Logger // hears of failures that are ours. Default slog.Default
	// Architecture is the machine's, as Lambda calls it: "x86_64" or "arm64".
	Architecture string
}

// API serves the operations of Lambda. It is an edge.Service and safe for concurrent use.
type API struct {
	functions *functions.Functions
	mappings  *mapping.Engine
	clock     clock.Clock
	audit     *audit.Log
	logger    *slog.Logger
	arch      string
}

// New makes the API.
func New(o Options) *API {
	a := &API{functions: o.Functions, mappings: o.Mappings, clock: o.Clock, audit: o.Audit, logger: o.Logger, arch: o.Architecture}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	return a
}

var router = restjson.NewRouter(shapes.Service)

// Name is the service's name in signatures.
func (a *API) Name() string { return "lambda" }

// TargetPrefix is empty: Lambda is addressed by path.
func (a *API) TargetPrefix() string { return "" }

// MatchPath says whether a request that nobody signed is for Lambda.
func (a *API) MatchPath(method, path string) bool {
	op, _ := router.Match(method, path, nil)
	return op != nil
}

// BodyBytesMax is the largest body that Lambda takes: a zip file of functions.ZipBytesMax in base64, and what stands around it.
func (a *API) BodyBytesMax() int64 { return functions.ZipBytesMax/3*4 + 1<<20 }
