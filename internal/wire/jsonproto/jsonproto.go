// Package jsonproto speaks AWS JSON 1.1: shapes as JSON objects, blobs as base64, timestamps as seconds since
// 1970 with at most three decimals.
//
// It owns the bytes: a pull Scanner and the Append functions, which hot operations use by hand without
// reflection. How a value becomes a struct, and what AWS says when it cannot, belongs to wire.
//
// Read this file, then scanner.go, number.go and append.go.
package jsonproto

import "github.com/weir-stream/weir/internal/wire"

// ContentType of requests and answers. It is compared and sent byte for byte.
const ContentType = "application/x-amz-json-1.1"

// Codec is the protocol as a value.
var Codec wire.Codec = codec{}

type codec struct{}

func (codec) ContentType() string { return ContentType }

func (codec) Decode(shape *wire.Shape, body []byte, into any) error { return Decode(shape, body, into) }

func (codec) Encode(dst []byte, shape *wire.Shape, value any) []byte {
	return Encode(dst, shape, value)
}

func (codec) AppendError(dst []byte, e *wire.APIError) []byte { return AppendError(dst, e) }

// Decode binds body to into, a pointer to a fresh struct generated for shape. An empty body is {}.
// Errors are fault.Invalid and hold an APIError with the code SerializationException.
func Decode(shape *wire.Shape, body []byte, into any) error {
	s := NewScanner(body)
	kind, err := s.Kind()
	if err != nil || kind == wire.KindEnd || shape == nil {
		return err
	}
	if err := wire.Bind(&s, shape, into); err != nil {
		return err
	}
	return s.End()
}

// Encode appends value, a struct generated for shape or a pointer to one, to dst. A nil shape appends nothing.
func Encode(dst []byte, shape *wire.Shape, value any) []byte {
	if shape == nil {
		return dst
	}
	w := writer{buf: dst}
	wire.Emit(&w, shape, value)
	return w.buf
}

// AppendError appends the body of an error answer to dst.
func AppendError(dst []byte, e *wire.APIError) []byte {
	w := writer{buf: dst}
	wire.EmitErrorBody(&w, e)
	return w.buf
}
