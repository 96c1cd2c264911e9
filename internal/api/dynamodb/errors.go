package dynamodb

import (
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/wire"
)

// What stands before the name of an exception, by who throws it at AWS: the service, Coral's checks, or Coral itself.
const (
	ofService = "com.amazonaws.dynamodb.v20120810#"
	ofChecks  = "com.amazon.coral.validate#"
	ofCoral   = "com.amazon.coral.service#"
)

// exceptions is what a kind of fault is called here. Kinds that are not in it are our own failures: InternalServerError, status 500, which SDKs try again.
var exceptions = map[fault.Kind]string{
	fault.NotFound:      ofService + "ResourceNotFoundException",
	fault.Exists:        ofService + "ResourceInUseException",
	fault.WrongState:    ofService + "ResourceInUseException",
	fault.Invalid:       ofChecks + wire.CodeValidation,
	fault.Unsupported:   ofChecks + wire.CodeValidation,
	fault.LimitExceeded: ofService + "LimitExceededException",
	fault.Denied:        ofCoral + "AccessDeniedException",
	fault.Trimmed:       ofService + "TrimmedDataAccessException",
	fault.Expired:       ofService + "ExpiredIteratorException",
	fault.Throttled:     ofService + "ProvisionedThroughputExceededException",
	fault.Full:          ofService + "ProvisionedThroughputExceededException", // a full disk heals: clients slow down and try again
}

// apiError is how err is sent.
func apiError(err error) *wire.APIError {
	var failed *tables.ConditionFailed
	var canceled *tables.Canceled
	var mismatch *tables.TokenMismatch
	switch {
	case errors.As(err, &failed):
		return conditionFailed(failed)
	case errors.As(err, &canceled):
		return transactionCanceled(canceled)
	case errors.As(err, &mismatch):
		return &wire.APIError{Code: ofService + "IdempotentParameterMismatchException", Message: mismatch.Error()}
	}
	if e, ok := wire.AsAPIError(err); ok {
		return &wire.APIError{Code: qualified(e.Code), Message: e.Message, Status: e.Status, Fields: e.Fields}
	}
	kind := fault.KindOf(err)
	code, known := exceptions[kind]
	switch {
	case !known:
		return &wire.APIError{Code: ofService + "InternalServerError", Message: "Internal server error", Status: http.StatusInternalServerError}
	case kind == fault.Full:
		return &wire.APIError{Code: code, Message: "The disk is full: nothing can be written until there is room again. Reading goes on."}
	}
	return &wire.APIError{Code: code, Message: err.Error()}
}

// qualified is the name of an error that wire made, with what stands before it.
func qualified(code string) string {
	if code == wire.CodeValidation {
		return ofChecks + code
	}
	return ofCoral + code
}

func conditionFailed(failed *tables.ConditionFailed) *wire.APIError {
	e := &wire.APIError{Code: ofService + "ConditionalCheckFailedException", Message: failed.Error()}
	if failed.Item != nil {
		e.Fields = map[string]any{"Item": itemField(failed.Item)}
	}
	return e
}

// transactionCanceled lists the reasons in the text, by their codes, and beside it, in full.
func transactionCanceled(canceled *tables.Canceled) *wire.APIError {
	codes := ""
	reasons := make([]any, len(canceled.Reasons))
	for i, r := range canceled.Reasons {
		if i > 0 {
			codes += ", "
		}
		codes += r.Code
		field := map[string]any{"Code": r.Code}
		if r.Message != "" {
			field["Message"] = r.Message
		}
		if r.Item != nil {
			field["Item"] = itemField(r.Item)
		}
		reasons[i] = field
	}
	return &wire.APIError{
		Code:   ofService + "TransactionCanceledException",
		Fields: map[string]any{"CancellationReasons": reasons, "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [" + codes + "]"},
	}
}

// itemField is an item as a member of an error.
func itemField(it value.Item) map[string]any {
	out := make(map[string]any, len(it))
	for _, a := range it {
		out[a.Name] = valueField(a.Value)
	}
	return out
}

func valueField(v value.Value) map[string]any {
	var inner any
	switch v.Kind {
	case value.S:
		inner = v.Text
	case value.B:
		inner = base64Text(v.Text)
	case value.N:
		inner = v.Number().String()
	case value.BOOL:
		inner = v.Bool
	case value.NULL:
		inner = true
	case value.SS, value.NS, value.BS:
		list := make([]any, len(v.Set))
		for i, e := range v.Set {
			switch v.Kind {
			case value.NS:
				e = value.Number(e).String()
			case value.BS:
				e = base64Text(e)
			}
			list[i] = e
		}
		inner = list
	case value.L:
		list := make([]any, len(v.List))
		for i, e := range v.List {
			list[i] = valueField(e)
		}
		inner = list
	case value.M:
		inner = itemField(v.Map)
	}
	return map[string]any{v.Kind.String(): inner}
}

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// absent is an option that this version does not have, and whether a request has it.
type absent struct {
	name string
	is   bool
}

// refuse refuses the first option that a request has.
func refuse(options []absent) error {
	for _, option := range options {
		if option.is {
			return notYet(option.name)
		}
	}
	return nil
}

// notYet refuses an option by name.
func notYet(option string) error {
	return fault.New(fault.Unsupported, "%s is not supported by this version of Weir.", option)
}
