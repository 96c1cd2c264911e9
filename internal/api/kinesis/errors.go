package kinesis

import (
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire"
)

// exceptions is what a kind of fault is called here. Kinds that are not in it are our own failures: InternalFailure, status 500, which
// SDKs try again.
var exceptions = map[fault.Kind]string{
	fault.NotFound:      "ResourceNotFoundException",
	fault.Exists:        "ResourceInUseException",
	fault.WrongState:    "ResourceInUseException",
	fault.Conflict:      "ResourceInUseException",
	fault.Invalid:       "InvalidArgumentException",
	fault.Unsupported:   "InvalidArgumentException",
	fault.LimitExceeded: "LimitExceededException",
	fault.Denied:        "AccessDeniedException",
	fault.Expired:       "ExpiredNextTokenException",
	fault.Throttled:     "ProvisionedThroughputExceededException",
	fault.Full:          "ProvisionedThroughputExceededException", // a full disk heals: clients slow down and try again
}

// internalFailure is all that a customer learns of our own failures; the operator finds the rest in the log.
const internalFailure = "Internal service failure."

// errDryRun is how an operation that would have succeeded ends when DryRun asks.
var errDryRun = fault.As(fault.Invalid, &wire.APIError{
	Code: "DryRunOperationException", Message: "The request would have succeeded, but the DryRun parameter is set.",
}, "")

// reshardRefusal is err as the operations that reshard send it: what a stream in ON_DEMAND mode does not do is a ValidationException there.
func reshardRefusal(err error) error {
	if !fault.Is(err, fault.Unsupported) {
		return err
	}
	return fault.As(fault.Unsupported, &wire.APIError{Code: wire.CodeValidation, Message: err.Error()}, "")
}

// apiError is how err is sent in answer to operation.
func apiError(operation string, err error) *wire.APIError {
	if e, ok := wire.AsAPIError(err); ok {
		return e
	}
	var lost *envelope.MasterError
	if errors.As(err, &lost) {
		return masterError(lost)
	}
	kind := fault.KindOf(err)
	code, known := exceptions[kind]
	switch {
	case kind == fault.Expired && operation == "GetRecords":
		code = "ExpiredIteratorException"
	case kind == fault.Full:
		return &wire.APIError{Code: code, Message: "The disk is full: nothing can be written until there is room again. Reading goes on."}
	case !known:
		return &wire.APIError{Code: wire.CodeInternalFailure, Message: internalFailure, Status: http.StatusInternalServerError}
	}
	return &wire.APIError{Code: code, Message: err.Error()}
}

// masterError is how an encrypted stream whose master key is missing is told.
func masterError(lost *envelope.MasterError) *wire.APIError {
	if lost.Missing {
		return &wire.APIError{Code: "KMSNotFoundException", Message: "The request was rejected because the master key " + lost.Master + " was not found."}
	}
	return &wire.APIError{Code: "KMSInvalidStateException", Message: "The request was rejected because the master key " + lost.Master + " is not the one that the stream was encrypted under."}
}

// recordError is how the failure of one record of a PutRecords is told (API_PutRecordsResultEntry: ErrorCode is
// ProvisionedThroughputExceededException or InternalFailure).
func recordError(result streams.Result) (code, message string) {
	switch fault.KindOf(result.Err) {
	case fault.Throttled:
		return exceptions[fault.Throttled], result.Err.Error()
	case fault.Full:
		return exceptions[fault.Full], apiError("PutRecords", result.Err).Message
	default:
		return wire.CodeInternalFailure, internalFailure
	}
}
