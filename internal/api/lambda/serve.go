package lambda

import (
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/restjson"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// operations is what this version serves: every operation of the model that is not here is refused by name.
var operations = map[string]func(*API, *edge.Call, *request) error{
	"AddPermission":                   shaped((*API).addPermission),
	"CreateAlias":                     shaped((*API).createAlias),
	"CreateEventSourceMapping":        shaped((*API).createEventSourceMapping),
	"CreateFunction":                  shaped((*API).createFunction),
	"DeleteAlias":                     shaped((*API).deleteAlias),
	"DeleteEventSourceMapping":        shaped((*API).deleteEventSourceMapping),
	"DeleteFunction":                  shaped((*API).deleteFunction),
	"DeleteFunctionConcurrency":       shaped((*API).deleteFunctionConcurrency),
	"DeleteFunctionEventInvokeConfig": shaped((*API).deleteFunctionEventInvokeConfig),
	"GetAccountSettings":              shaped((*API).getAccountSettings),
	"GetAlias":                        shaped((*API).getAlias),
	"GetEventSourceMapping":           shaped((*API).getEventSourceMapping),
	"GetFunction":                     shaped((*API).getFunction),
	"GetFunctionCodeSigningConfig":    shaped((*API).getFunctionCodeSigningConfig),
	"GetFunctionConcurrency":          shaped((*API).getFunctionConcurrency),
	"GetFunctionConfiguration":        shaped((*API).getFunctionConfiguration),
	"GetFunctionEventInvokeConfig":    shaped((*API).getFunctionEventInvokeConfig),
	"GetPolicy":                       shaped((*API).getPolicy),
	"Invoke":                          shaped((*API).invoke),
	"ListAliases":                     shaped((*API).listAliases),
	"ListEventSourceMappings":         shaped((*API).listEventSourceMappings),
	"ListFunctionEventInvokeConfigs":  shaped((*API).listFunctionEventInvokeConfigs),
	"ListFunctions":                   shaped((*API).listFunctions),
	"ListTags":                        shaped((*API).listTags),
	"ListVersionsByFunction":          shaped((*API).listVersionsByFunction),
	"PublishVersion":                  shaped((*API).publishVersion),
	"PutFunctionConcurrency":          shaped((*API).putFunctionConcurrency),
	"PutFunctionEventInvokeConfig":    shaped((*API).putFunctionEventInvokeConfig),
	"RemovePermission":                shaped((*API).removePermission),
	"TagResource":                     shaped((*API).tagResource),
	"UntagResource":                   shaped((*API).untagResource),
	"UpdateAlias":                     shaped((*API).updateAlias),
	"UpdateEventSourceMapping":        shaped((*API).updateEventSourceMapping),
	"UpdateFunctionCode":              shaped((*API).updateFunctionCode),
	"UpdateFunctionConfiguration":     shaped((*API).updateFunctionConfiguration),
	"UpdateFunctionEventInvokeConfig": shaped((*API).updateFunctionEventInvokeConfig),
}

// Supported says whether this version serves an operation of the model.
func Supported(operation string) bool { return operations[operation] != nil }

// request is a call whose operation is known.
type request struct {
	op     *wire.Operation
	labels map[string]string
}

// Serve answers one call.
func (a *API) Serve(c *edge.Call) {
	query := c.Request.URL.Query()
	op, labels := router.Match(c.Request.Method, c.Request.URL.EscapedPath(), query)
	if op == nil {
		c.UnknownOperation()
		return
	}
	c.Operation = op.Name
	run := operations[op.Name]
	if run == nil {
		a.Refuse(c, http.StatusBadRequest, "UnsupportedOperationException", "The operation "+op.Name+" is not supported by this version of Weir.")
		return
	}
	if err := run(a, c, &request{op, labels}); err != nil {
		a.fail(c, err)
	}
	a.record(c)
}

// shaped makes an operation of one that takes and gives generated shapes. Out is empty for operations that answer nothing.
func shaped[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call, *request) error {
	return func(a *API, c *edge.Call, r *request) error {
		in := new(In)
		from := restjson.Request{Labels: r.labels, Query: c.Request.URL.Query(), Header: c.Request.Header, Body: c.Body}
		if err := restjson.Decode(r.op, from, in); err != nil {
			return err
		}
		c.Input = in
		if err := wire.Validate(r.op.Input, in); err != nil {
			return err
		}
		out, err := run(a, c, in)
		if err != nil {
			return err
		}
		answer := restjson.Encode(r.op, out)
		for _, header := range answer.Headers {
			c.Writer.Header().Set(header[0], header[1])
		}
		if answer.Body != nil && r.op.Name == "Invoke" {
			answer.ContentType = restjson.ContentType
		}
		c.Reply(answer.Status, answer.ContentType, answer.Body)
		return nil
	}
}

// nothing is the output of operations that answer nothing.
type nothing = struct{}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ptr[T any](v T) *T { return &v }

// some is a pointer to v, or nil when v is zero: an absent member.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// unsupported refuses an option by name.
func unsupported(option string) error {
	return fault.New(fault.Unsupported, "%s is not supported by this version of Weir.", option)
}

// page cuts a list to what comes after a marker, at most n of it, and says where the next page begins. name is what items are ordered by.
func page[T any](all []T, name func(T) string, marker *string, maxItems *int32, most int) (items []T, next *string) {
	for _, item := range all {
		if marker == nil || name(item) > *marker {
			items = append(items, item)
		}
	}
	if maxItems != nil {
		most = min(most, int(*maxItems))
	}
	if len(items) > most {
		items = items[:most]
		next = ptr(name(items[most-1]))
	}
	return items, next
}

// pageMax is how many items a page has unless less is asked for (API_ListFunctions: 50).
const pageMax = 50

// errorShape is the shape of an exception of the model, or nil.
func errorShape(code string) *wire.Shape { return shapes.Service.Errors[code] }
