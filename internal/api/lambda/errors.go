package lambda

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/restjson"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// exceptions is what a kind of fault is called here. Kinds that are not in it are our own failures: ServiceException, status 500, which SDKs try again.
var exceptions = map[fault.Kind]string{
	fault.NotFound:    shapes.CodeResourceNotFoundException,
	fault.Exists:      shapes.CodeResourceConflictException,
	fault.WrongState:  shapes.CodeResourceConflictException,
	fault.Conflict:    shapes.CodePreconditionFailedException,
	fault.Invalid:     shapes.CodeInvalidParameterValueException,
	fault.Unsupported: shapes.CodeInvalidParameterValueException,
	fault.Denied:      edge.CodeAccessDenied,
	fault.Throttled:   shapes.CodeTooManyRequestsException,
	fault.Full:        shapes.CodeTooManyRequestsException, // a full disk heals: clients slow down and try again
}

// limited is what LimitExceeded is called, by operation.
var limited = map[string]string{
	"AddPermission": shapes.CodePolicyLengthExceededException,
	"Invoke":        shapes.CodeRequestTooLargeException,
}

// fail answers with err.
func (a *API) fail(c *edge.Call, err error) {
	if e, ok := wire.AsAPIError(err); ok {
		a.Refuse(c, e.HTTPStatus(), e.Code, e.Message)
		return
	}
	kind := fault.KindOf(err)
	code, known := exceptions[kind]
	message := err.Error()
	switch {
	case kind == fault.LimitExceeded:
		code = limited[c.Operation]
		if code == "" {
			code = shapes.CodeCodeStorageExceededException
		}
	case kind == fault.Invalid && c.Operation == "Invoke":
		code = shapes.CodeInvalidRequestContentException
	case kind == fault.WrongState && isMapping(c.Operation):
		code = shapes.CodeResourceInUseException
	case kind == fault.Full:
		message = "The disk is full: nothing can be written until there is room again."
	case !known:
		code, message = shapes.CodeServiceException, "Internal service failure."
		if c.Ctx.Err() == nil {
			a.logger.Error("a request failed", "operation", c.Operation, "request", c.RequestID, "err", err)
		}
	}
	status := http.StatusBadRequest
	if shape := errorShape(code); shape != nil {
		status = shape.Error.Status
	} else if code == edge.CodeAccessDenied {
		status = http.StatusForbidden
	}
	a.answer(c, status, code, message, reasonOf(err))
}

// reasonOf is which limit was reached, when one was.
func reasonOf(err error) string {
	var throttled *functions.ThrottledError
	switch {
	case !fault.Is(err, fault.Throttled):
		return ""
	case errors.As(err, &throttled) && throttled.Reserved:
		return string(shapes.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded)
	}
	return string(shapes.ThrottleReasonConcurrentInvocationLimitExceeded)
}

// Refuse answers with an error in Lambda's form: who is to blame, and a message under the name that the model has for it.
func (a *API) Refuse(c *edge.Call, status int, code, message string) {
	a.answer(c, status, code, message, "")
}

func (a *API) answer(c *edge.Call, status int, code, message, reason string) {
	c.ErrorCode = code
	body := map[string]string{"Type": "User"}
	if status >= http.StatusInternalServerError {
		body["Type"] = "Service"
	}
	key := "message"
	if shape := errorShape(code); shape != nil && shape.MemberNamed([]byte("Message")) >= 0 {
		key = "Message"
	}
	if message != "" {
		body[key] = message
	}
	if reason != "" {
		body["Reason"] = reason
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("lambda: " + err.Error()) // a map of texts
	}
	c.Writer.Header().Set(wire.HeaderErrorType, code)
	c.Reply(status, restjson.ContentType, text)
}
