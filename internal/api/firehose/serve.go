package firehose

import (
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// operations is what this version serves: every other operation of the model is refused by name.
var operations = map[string]func(*API, *edge.Call) error{
	"CreateDeliveryStream":      shaped((*API).createDeliveryStream),
	"DeleteDeliveryStream":      shaped((*API).deleteDeliveryStream),
	"DescribeDeliveryStream":    shaped((*API).describeDeliveryStream),
	"ListDeliveryStreams":       shaped((*API).listDeliveryStreams),
	"ListTagsForDeliveryStream": shaped((*API).listTagsForDeliveryStream),
	"PutRecord":                 shaped((*API).putRecord),
	"PutRecordBatch":            shaped((*API).putRecordBatch),
	"TagDeliveryStream":         shaped((*API).tagDeliveryStream),
	"UntagDeliveryStream":       shaped((*API).untagDeliveryStream),
	"UpdateDestination":         shaped((*API).updateDestination),
}

// Supported says whether this version serves an operation of the model.
func Supported(operation string) bool { return operations[operation] != nil }

// Serve answers one call.
func (a *API) Serve(c *edge.Call) {
	run, model := operations[c.Operation], shapes.Service.Operations[c.Operation]
	if model == nil || c.Protocol != edge.JSON11 {
		c.UnknownOperation()
		return
	}
	defer a.record(c)
	if run == nil {
		c.Fail(http.StatusBadRequest, "UnsupportedOperationException", "The operation "+c.Operation+" is not supported by this version of Weir.")
		return
	}
	if err := run(a, c); err != nil {
		e := apiError(err)
		if e.HTTPStatus() == http.StatusInternalServerError && c.Ctx.Err() == nil {
			a.logger.Error("a request failed", "operation", c.Operation, "request", c.RequestID, "err", err)
		}
		c.Fail(e.HTTPStatus(), e.Code, e.Message)
	}
}

// shaped makes an operation of one that takes and gives generated shapes.
func shaped[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return func(a *API, c *edge.Call) error {
		operation := shapes.Service.Operations[c.Operation]
		in := new(In)
		if err := jsonproto.Decode(operation.Input, c.Body, in); err != nil {
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
		c.Reply(http.StatusOK, c.Protocol.ContentType(), jsonproto.Encode(nil, operation.Output, out))
		return nil
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ptr[T any](v T) *T { return &v }
