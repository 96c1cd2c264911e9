package restjson

import (
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
)

// Request is what an operation's input is read from.
type Request struct {
	Labels map[string]string // of the path, by the name of their members' places
	Query  url.Values
	Header http.Header
	Body   []byte // a blob that is the payload shares it
}

// Decode fills into, a pointer to a fresh struct generated for the operation's input. What stands in the body under the name of a member that belongs elsewhere
// is not looked at. Errors are those of wire.Codec.
func Decode(op *wire.Operation, r Request, into any) error {
	shape := op.Input
	if shape == nil {
		return nil
	}
	v := reflect.ValueOf(into).Elem()
	if shape.Payload == "" && hasBody(shape) {
		if err := jsonproto.Decode(shape, r.Body, into); err != nil {
			return err
		}
	}
	for i := range shape.Members {
		m := &shape.Members[i]
		field := v.Field(i)
		if m.Location != "" {
			field.SetZero()
		}
		var err error
		switch {
		case m.Location == "uri":
			if text, ok := r.Labels[m.WireName()]; ok {
				err = scalar(m.Shape, field, text, m.Location)
			}
		case m.Location == "querystring":
			err = fromQuery(m, field, r.Query)
		case m.Location == "header":
			if text := r.Header[textproto.CanonicalMIMEHeaderKey(m.WireName())]; len(text) > 0 {
				err = scalar(m.Shape, field, text[0], m.Location)
			}
		case m.Location == "headers":
			prefixed(m, field, r.Header)
		case m.Name == shape.Payload:
			err = payload(m.Shape, field, r.Body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasBody says whether a structure has members that are in the body.
func hasBody(shape *wire.Shape) bool {
	for i := range shape.Members {
		if shape.Members[i].Location == "" {
			return true
		}
	}
	return false
}

// payload reads a body that is one member. An empty one is absent.
func payload(shape *wire.Shape, field reflect.Value, body []byte) error {
	switch {
	case len(body) == 0:
		return nil
	case shape.Type == wire.TypeBlob:
		field.SetBytes(body)
		return nil
	case shape.Type == wire.TypeString:
		return scalar(shape, field, string(body), "")
	}
	target := reflect.New(field.Type().Elem())
	if err := jsonproto.Decode(shape, body, target.Interface()); err != nil {
		return err
	}
	field.Set(target)
	return nil
}

// fromQuery reads a member of the query: a list is a name that repeats, a map takes every name that no other member has a use for.
func fromQuery(m *wire.Member, field reflect.Value, query url.Values) error {
	values := query[m.WireName()]
	if len(values) == 0 {
		return nil
	}
	if m.Shape.Type != wire.TypeList {
		return scalar(m.Shape, field, values[0], m.Location)
	}
	list := reflect.MakeSlice(field.Type(), len(values), len(values))
	for i, text := range values {
		element := reflect.New(reflect.PointerTo(field.Type().Elem())).Elem()
		if err := scalar(m.Shape.Element, element, text, m.Location); err != nil {
			return err
		}
		list.Index(i).Set(element.Elem())
	}
	field.Set(list)
	return nil
}

// prefixed reads a map of all headers that begin with the member's name, such as x-amz-meta-.
func prefixed(m *wire.Member, field reflect.Value, header http.Header) {
	prefix := strings.ToLower(m.LocationName)
	for name, values := range header {
		rest, ok := strings.CutPrefix(strings.ToLower(name), prefix)
		if !ok || rest == "" {
			continue
		}
		if field.IsNil() {
			field.Set(reflect.MakeMap(field.Type()))
		}
		field.SetMapIndex(reflect.ValueOf(rest).Convert(field.Type().Key()), reflect.ValueOf(values[0]).Convert(field.Type().Elem()))
	}
}

// scalar reads text into field, a pointer.
func scalar(shape *wire.Shape, field reflect.Value, text, location string) error {
	target := reflect.New(field.Type().Elem())
	v := target.Elem()
	switch shape.Type {
	case wire.TypeString:
		v.SetString(text)
	case wire.TypeBoolean:
		value, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return misfit(text, "an Boolean")
		}
		v.SetBool(value)
	case wire.TypeInteger, wire.TypeLong:
		value, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return misfit(text, "an Integer")
		}
		v.SetInt(value)
	case wire.TypeFloat, wire.TypeDouble:
		value, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return misfit(text, "an Double")
		}
		v.SetFloat(value)
	case wire.TypeTimestamp:
		at, err := parseTime(shape, text, location)
		if err != nil {
			return misfit(text, "milliseconds since epoch")
		}
		v.Set(reflect.ValueOf(at.UTC()))
	default:
		return misfit(text, "a "+shape.Type.String())
	}
	field.Set(target)
	return nil
}

func misfit(text, target string) error {
	return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to " + target)
}

// parseTime reads a timestamp outside of a body: in headers it is RFC 822 unless the model says otherwise, in path and query ISO 8601 (Smithy, HTTP bindings).
func parseTime(shape *wire.Shape, text, location string) (time.Time, error) {
	format := shape.TimestampFormat
	if format == "" && location == "header" {
		format = wire.TimestampRFC822
	}
	switch format {
	case wire.TimestampRFC822:
		return http.ParseTime(text)
	case wire.TimestampUnix:
		seconds, err := strconv.ParseFloat(text, 64)
		return time.UnixMilli(int64(seconds * 1000)), err
	}
	return time.Parse(time.RFC3339, text)
}
