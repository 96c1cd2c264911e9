package firehose

import (
	"net/http"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// exceptions is what a kind of fault is called here. Kinds that are not in it are our own failures: InternalFailure, status 500, which SDKs try again.
var exceptions = map[fault.Kind]string{
	fault.NotFound:      shapes.CodeResourceNotFoundException,
	fault.Exists:        shapes.CodeResourceInUseException,
	fault.WrongState:    shapes.CodeResourceInUseException,
	fault.Conflict:      shapes.CodeConcurrentModificationException,
	fault.Invalid:       shapes.CodeInvalidArgumentException,
	fault.Unsupported:   shapes.CodeInvalidArgumentException,
	fault.LimitExceeded: shapes.CodeLimitExceededException,
	fault.Denied:        "AccessDeniedException",
	fault.Throttled:     shapes.CodeServiceUnavailableException,
	fault.Full:          shapes.CodeServiceUnavailableException, // a full disk heals: clients slow down and try again
}

// What customers are told of our own failures, and of a full disk.
const (
	internalFailure = "Internal service failure."
	diskFull        = "The disk is full: nothing can be written until there is room again."
)

// apiError is how err is sent.
func apiError(err error) *wire.APIError {
	if e, ok := wire.AsAPIError(err); ok {
		return e
	}
	kind := fault.KindOf(err)
	code, known := exceptions[kind]
	switch {
	case !known:
		return &wire.APIError{Code: wire.CodeInternalFailure, Message: internalFailure, Status: http.StatusInternalServerError}
	case kind == fault.Full:
		return &wire.APIError{Code: code, Message: diskFull, Status: http.StatusServiceUnavailable}
	case kind == fault.Throttled:
		return &wire.APIError{Code: code, Message: err.Error(), Status: http.StatusServiceUnavailable}
	}
	return &wire.APIError{Code: code, Message: err.Error()}
}

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// refused is an option that this version does not have, and whether a request asks for it.
type refused struct {
	name string
	is   bool
}

// refuse refuses the first option that a request asks for, by name.
func refuse(options []refused) error {
	for _, o := range options {
		if o.is {
			return fault.New(fault.Unsupported, "%s is not supported by this version of Weir.", o.name)
		}
	}
	return nil
}
