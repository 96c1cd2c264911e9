package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/weir-stream/weir/internal/fault"
)

// Codes of the errors that no service model holds: Coral, the framework under AWS services, sends them itself.
const (
	CodeSerialization    = "SerializationException"    // the body does not parse, or a value has the wrong type
	CodeValidation       = "ValidationException"       // a constraint of the model is broken
	CodeInternalFailure  = "InternalFailure"           // our mistake; status 500
	CodeUnknownOperation = "UnknownOperationException" // no such target
)

// APIError is an error as it is sent to the customer. It is the cause inside a fault of the matching kind;
// AsAPIError takes it out again.
type APIError struct {
	Code    string
	Message string // may be empty: then the body has no message member
	Status  int    // HTTP status; 0 means 400

	// Fields are the further members of the exception, by their names in the body. Values are string, bool,
	// int64, float64, []any or map[string]any of these.
	Fields map[string]any
}

// Error is code and message.
func (e *APIError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// HTTPStatus is Status, or 400 when that is 0.
func (e *APIError) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// MessageKey is the name of the member that holds the message. What Coral sends before an operation is
// reached has Message, everything else message.
func (e *APIError) MessageKey() string {
	if e.Code == CodeSerialization || e.Code == CodeInternalFailure {
		return "Message"
	}
	return "message"
}

// AsAPIError finds the APIError in err's chain.
func AsAPIError(err error) (*APIError, bool) {
	var e *APIError
	ok := errors.As(err, &e)
	return e, ok
}

// SerializationError is a fault.Invalid for a body that cannot be bound; message is AWS's text and may be empty.
func SerializationError(message string) error {
	return fault.As(fault.Invalid, &APIError{Code: CodeSerialization, Message: message}, "")
}

// SyntaxError is a fault.Invalid for bytes that are not of the protocol at all. AWS sends no message for
// these; where says for our own logs what is wrong and at which byte.
func SyntaxError(where string, args ...any) error {
	return fault.As(fault.Invalid, &APIError{Code: CodeSerialization}, "%s", fmt.Sprintf(where, args...))
}
