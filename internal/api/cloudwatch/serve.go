package cloudwatch

import (
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/queryproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// operations is what this version serves: every other operation of the model is refused by name.
var operations = map[string]func(*API, *edge.Call) error{
	"GetMetricStatistics": shaped((*API).getMetricStatistics),
	"ListMetrics":         shaped((*API).listMetrics),
	"PutMetricData":       shaped((*API).putMetricData),
}

// Supported says whether this version serves an operation of CloudWatch's model.
func Supported(operation string) bool { return operations[operation] != nil }

// Serve answers one call.
func (a *API) Serve(c *edge.Call) {
	run, model := operations[c.Operation], shapes.Service.Operations[c.Operation]
	if model == nil || !spoken(c.Protocol) {
		c.UnknownOperation()
		return
	}
	if run == nil {
		defer a.record(c)
		fail(c, &wire.APIError{Code: codeUnsupported, Message: "The operation " + c.Operation + " is not supported by this version of Weir."})
		return
	}
	if err := run(a, c); err != nil {
		e := apiError(err)
		if e.HTTPStatus() >= http.StatusInternalServerError && c.Ctx.Err() == nil {
			a.logger.Error("a request failed", "operation", c.Operation, "request", c.RequestID, "err", err)
		}
		fail(c, e)
	}
}

func spoken(p edge.Protocol) bool { return p == edge.RPCv2CBOR || p == edge.JSON10 || p == edge.Query }

// shaped makes an operation of one that takes and gives generated shapes.
func shaped[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return func(a *API, c *edge.Call) error {
		operation := shapes.Service.Operations[c.Operation]
		in := new(In)
		if err := decode(c, operation.Input, in); err != nil {
			return err
		}
		c.Input = in
		if err := wire.Validate(operation.Input, in); err != nil {
			return err
		}
		out, err := run(a, c, in)
		if err != nil {
			return err
		}
		c.Reply(http.StatusOK, contentType(c), encode(c, operation, out))
		return nil
	}
}

func decode(c *edge.Call, shape *wire.Shape, into any) error {
	switch c.Protocol {
	case edge.RPCv2CBOR:
		return cborproto.RPC.Decode(shape, c.Body, into)
	case edge.JSON10:
		return jsonproto.Decode(shape, c.Body, into)
	}
	if len(c.Body) == 0 { // a form may stand in the URL instead
		return queryproto.Decode(shape, []byte(c.Request.URL.RawQuery), into)
	}
	return queryproto.Decode(shape, c.Body, into)
}

func encode(c *edge.Call, operation *wire.Operation, out any) []byte {
	switch c.Protocol {
	case edge.RPCv2CBOR:
		return cborproto.RPC.Encode(nil, operation.Output, out)
	case edge.JSON10:
		return jsonproto.Encode(nil, operation.Output, out)
	}
	return queryproto.Encode(nil, shapes.Service, operation, out, c.RequestID)
}

// contentType is that of answers, and marks those of RPC v2, without which its clients do not read them.
func contentType(c *edge.Call) string {
	if c.Protocol == edge.RPCv2CBOR {
		c.Writer.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	return c.Protocol.ContentType()
}

// fail answers with an error under both of its names: that of the model, and that of the query protocol, which clients that were written against it still look for.
func fail(c *edge.Call, e *wire.APIError) {
	side := "Sender"
	if e.HTTPStatus() >= http.StatusInternalServerError {
		side = "Receiver"
	}
	old := queryCode(e.Code)
	var body []byte
	switch c.Protocol {
	case edge.Query:
		c.ErrorCode = old
		body = queryproto.AppendError(nil, &wire.APIError{Code: old, Message: e.Message, Status: e.Status}, c.RequestID)
	case edge.JSON10:
		c.ErrorCode = e.Code
		body = jsonproto.AppendError(nil, e)
	default:
		c.ErrorCode = e.Code
		body = cborproto.AppendError(nil, e)
	}
	if c.Protocol != edge.Query {
		c.Writer.Header().Set("X-Amzn-Query-Error", old+";"+side)
	}
	c.Reply(e.HTTPStatus(), contentType(c), body)
}

const (
	codeUnsupported = "UnsupportedOperationException"
	codeDenied      = "AccessDeniedException"
)

// queryCodes is what errors that no shape of the model stands for are called in the query protocol.
var queryCodes = map[string]string{
	wire.CodeSerialization: "MalformedInput",
	wire.CodeValidation:    "ValidationError",
	codeDenied:             "AccessDenied",
	codeUnsupported:        "UnsupportedOperation",
}

func queryCode(code string) string {
	if shape := shapes.Service.Errors[code]; shape != nil && shape.Error != nil {
		return shape.Error.Code
	}
	if old, ok := queryCodes[code]; ok {
		return old
	}
	return code
}

// apiError is how err is sent.
func apiError(err error) *wire.APIError {
	var e *wire.APIError
	switch {
	case errors.As(err, &e):
		return e
	case fault.Is(err, fault.Denied):
		return &wire.APIError{Code: codeDenied, Message: err.Error(), Status: http.StatusForbidden}
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Unsupported):
		return &wire.APIError{Code: shapes.CodeInvalidParameterValueException, Message: err.Error()}
	}
	return &wire.APIError{Code: shapes.CodeInternalServiceFault, Message: "Internal server error", Status: http.StatusInternalServerError}
}

// invalid is InvalidParameterValue.
func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// missing is MissingParameter.
func missing(message string) error {
	return fault.As(fault.Invalid, &wire.APIError{Code: shapes.CodeMissingRequiredParameterException, Message: message}, "")
}

// combination is InvalidParameterCombination.
func combination(message string) error {
	return fault.As(fault.Invalid, &wire.APIError{Code: shapes.CodeInvalidParameterCombinationException, Message: message}, "")
}

// notYet refuses an option by name.
func notYet(option string) error {
	return fault.New(fault.Unsupported, "%s is not supported by this version of Weir.", option)
}

// nothing is the output of operations that answer nothing.
type nothing = struct{}
