package restjson

import (
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
)

// Answer is an operation's output, ready to be sent.
type Answer struct {
	Status      int
	ContentType string // empty when there is no body
	Body        []byte
	Headers     [][2]string // name and value, in the order of the model
}

// Encode spreads an output, a struct generated for the operation or a pointer to one, over status, headers and body.
func Encode(op *wire.Operation, out any) Answer {
	a := Answer{Status: op.Status}
	shape := op.Output
	if shape == nil {
		return a
	}
	v := reflect.ValueOf(out)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	body := reflect.New(v.Type()).Elem()
	body.Set(v)
	inBody := false
	for i := range shape.Members {
		m := &shape.Members[i]
		field := v.Field(i)
		if m.Location == "" {
			inBody = inBody || m.Name != shape.Payload
			continue
		}
		body.Field(i).SetZero()
		if field.IsNil() {
			continue
		}
		switch m.Location {
		case "statusCode":
			a.Status = int(field.Elem().Int())
		case "header":
			a.Headers = append(a.Headers, [2]string{m.WireName(), text(m.Shape, field.Elem())})
		case "headers":
			for entries := field.MapRange(); entries.Next(); {
				a.Headers = append(a.Headers, [2]string{m.LocationName + entries.Key().String(), entries.Value().String()})
			}
		}
	}
	switch {
	case shape.Payload != "":
		a.payload(shape, v)
	case inBody || a.Status == http.StatusOK && len(shape.Members) == 0:
		a.ContentType, a.Body = ContentType, jsonproto.Encode(nil, shape, body.Interface())
	}
	return a
}

// payload sends the member that is the body.
func (a *Answer) payload(shape *wire.Shape, v reflect.Value) {
	for i := range shape.Members {
		m := &shape.Members[i]
		field := v.Field(i)
		if m.Name != shape.Payload || field.IsNil() {
			continue
		}
		switch m.Shape.Type {
		case wire.TypeBlob:
			a.ContentType, a.Body = "application/octet-stream", field.Bytes()
		case wire.TypeString:
			a.ContentType, a.Body = "text/plain", []byte(field.Elem().String())
		default:
			a.ContentType, a.Body = ContentType, jsonproto.Encode(nil, m.Shape, field.Interface())
		}
	}
}

// text is a scalar as a header has it.
func text(shape *wire.Shape, v reflect.Value) string {
	switch shape.Type {
	case wire.TypeBoolean:
		return strconv.FormatBool(v.Bool())
	case wire.TypeInteger, wire.TypeLong:
		return strconv.FormatInt(v.Int(), 10)
	case wire.TypeFloat, wire.TypeDouble:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case wire.TypeTimestamp:
		at := v.Interface().(time.Time).UTC()
		switch shape.TimestampFormat {
		case wire.TimestampISO8601:
			return at.Format("2006-01-02T15:04:05.999Z")
		case wire.TimestampUnix:
			return strconv.FormatInt(at.Unix(), 10)
		}
		return at.Format(http.TimeFormat)
	}
	return v.String()
}
