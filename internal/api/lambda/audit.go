package lambda

import (
	"reflect"
	"strconv"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// parametersMax bounds what an entry says of a request, in bytes.
const parametersMax = 64 << 10

// record tells the audit log of a control call that was answered. Invoke is a data event of CloudTrail's, and is not among them.
func (a *API) record(c *edge.Call) {
	if a.audit == nil || c.Operation == "Invoke" {
		return
	}
	e := audit.Entry{
		Time: c.Received, RequestID: c.RequestID, Account: c.Account, User: c.Identity.ARN(), KeyID: c.Identity.AccessKeyID,
		Service: a.Name(), Region: c.Region, Operation: c.Operation, ErrorCode: c.ErrorCode,
	}
	if from := c.Source(); from.IsValid() {
		e.Source = from.String()
	}
	if c.Input != nil {
		e.Resource = resourceOf(c)
		e.Parameters = jsonproto.Encode(nil, shapes.Service.Operations[c.Operation].Input, withoutSecrets(c.Input))
		if n := len(e.Parameters); n > parametersMax {
			e.Parameters = append(strconv.AppendInt([]byte(`{"bytesLeftOut":`), int64(n), 10), '}')
		}
	}
	a.audit.Record(e)
}

// withoutSecrets is an input without a function's code and variables, which no log should have.
func withoutSecrets(in any) any {
	c := reflect.New(reflect.TypeOf(in).Elem())
	c.Elem().Set(reflect.ValueOf(in).Elem())
	for _, name := range []string{"ZipFile", "Environment"} {
		if field := c.Elem().FieldByName(name); field.IsValid() {
			field.SetZero()
		}
	}
	if create, ok := c.Interface().(*shapes.CreateFunctionRequest); ok && create.Code != nil {
		code := *create.Code
		code.ZipFile = nil
		create.Code = &code
	}
	return c.Interface()
}

// resourceOf is what a request is on, as the request says it; empty when it names nothing.
func resourceOf(c *edge.Call) string {
	in := reflect.ValueOf(c.Input).Elem()
	for _, name := range []string{"FunctionName", "Resource"} {
		field := in.FieldByName(name)
		if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() {
			continue
		}
		text := field.Elem().String()
		if n, err := parseName(c, text, nil); err == nil && name == "FunctionName" {
			return n.arn()
		}
		return text
	}
	return ""
}
