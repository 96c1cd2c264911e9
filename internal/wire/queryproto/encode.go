package queryproto

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/wire"
)

// Encode appends the answer of an operation to dst. value is a struct generated for op.Output or a pointer to one, and not looked at where there is no output.
//
//	<ListMetricsResponse xmlns="…"><ListMetricsResult>members</ListMetricsResult><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></ListMetricsResponse>
func Encode(dst []byte, service *wire.Service, op *wire.Operation, value any, requestID string) []byte {
	dst = append(append(append(dst, '<'), op.Name...), `Response xmlns="`...)
	dst = append(appendText(dst, service.XMLNamespace), `">`...)
	if op.Output != nil {
		v := reflect.ValueOf(value)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		wrapper := op.ResultWrapper
		if wrapper == "" {
			wrapper = op.Name + "Result"
		}
		dst = appendElement(dst, wrapper, func(dst []byte) []byte { return appendMembers(dst, op.Output, v) })
	}
	dst = append(append(append(dst, "<ResponseMetadata><RequestId>"...), requestID...), "</RequestId></ResponseMetadata></"...)
	return append(append(dst, op.Name...), "Response>\n"...)
}

func appendElement(dst []byte, name string, content func([]byte) []byte) []byte {
	dst = append(append(append(dst, '<'), name...), '>')
	dst = content(dst)
	return append(append(append(dst, "</"...), name...), '>')
}

func appendMembers(dst []byte, shape *wire.Shape, v reflect.Value) []byte {
	for i := range shape.Members {
		field := v.Field(i)
		if field.IsNil() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		m := &shape.Members[i]
		dst = appendValue(dst, m.WireName(), m.Shape, m.Flattened || m.Shape.Flattened, field)
	}
	return dst
}

// appendValue appends a value in an element of its name; a flattened list or map has one of these for each of its own.
func appendValue(dst []byte, name string, shape *wire.Shape, flat bool, v reflect.Value) []byte {
	switch shape.Type {
	case wire.TypeStructure:
		return appendElement(dst, name, func(dst []byte) []byte { return appendMembers(dst, shape, v) })
	case wire.TypeList:
		if flat {
			return appendList(dst, name, shape, v)
		}
		return appendElement(dst, name, func(dst []byte) []byte { return appendList(dst, or(shape.ElementName, "member"), shape, v) })
	case wire.TypeMap:
		if flat {
			return appendMap(dst, name, shape, v)
		}
		return appendElement(dst, name, func(dst []byte) []byte { return appendMap(dst, "entry", shape, v) })
	}
	return appendElement(dst, name, func(dst []byte) []byte { return appendText(dst, text(shape, v)) })
}

func appendList(dst []byte, name string, shape *wire.Shape, v reflect.Value) []byte {
	for i := range v.Len() {
		dst = appendValue(dst, name, shape.Element, shape.Element.Flattened, v.Index(i))
	}
	return dst
}

// appendMap writes the entries sorted by key, so that equal values have equal bytes.
func appendMap(dst []byte, name string, shape *wire.Shape, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		dst = appendElement(dst, name, func(dst []byte) []byte {
			dst = appendElement(dst, or(shape.KeyName, "key"), func(dst []byte) []byte { return appendText(dst, key.String()) })
			return appendValue(dst, or(shape.ValueName, "value"), shape.Value, shape.Value.Flattened, v.MapIndex(key))
		})
	}
	return dst
}

func or(name, usual string) string {
	if name == "" {
		return usual
	}
	return name
}

// text is a scalar as the protocol writes it.
func text(shape *wire.Shape, v reflect.Value) string {
	switch shape.Type {
	case wire.TypeString:
		return v.String()
	case wire.TypeBlob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case wire.TypeBoolean:
		return strconv.FormatBool(v.Bool())
	case wire.TypeInteger, wire.TypeLong:
		return strconv.FormatInt(v.Int(), 10)
	case wire.TypeFloat, wire.TypeDouble:
		switch value := v.Float(); {
		case math.IsInf(value, 1):
			return "Infinity"
		case math.IsInf(value, -1):
			return "-Infinity"
		default:
			return strconv.FormatFloat(value, 'g', -1, v.Type().Bits())
		}
	case wire.TypeTimestamp:
		at := v.Interface().(time.Time)
		if shape.TimestampFormat == wire.TimestampUnix {
			return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', -1, 64)
		}
		return wire.FormatTime(shape.TimestampFormat, at)
	}
	panic(fmt.Sprintf("queryproto: shape %s has type %s", shape.Name, shape.Type))
}

// appendText writes text with XML's own characters escaped. What XML cannot say becomes the replacement character.
func appendText(dst []byte, text string) []byte {
	if !strings.ContainsAny(text, "<>&'\"\r\n\t") && printable(text) {
		return append(dst, text...)
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes everything
	return append(dst, b.String()...)
}

// printable says whether text is ASCII without control characters.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}
