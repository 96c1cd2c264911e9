// Package cborproto speaks AWS CBOR 1.1, which Java clients, the KCL and Flink use for Kinesis: shapes as maps
// with text keys, blobs as byte strings, timestamps as tag 1 over INTEGER MILLISECONDS since 1970. The last is
// not what RFC 8949 says of tag 1 (seconds); a client that is sent seconds reads January 1970.
//
// It owns the bytes: a pull Scanner and the Append functions, which hot operations use by hand without
// reflection. How a value becomes a struct, and what AWS says when it cannot, belongs to wire.
//
// What is read: definite and indefinite lengths, heads longer than needed, all floats, null and undefined; tags
// are read over, and a byte or text string may come in chunks. What is written: definite lengths, shortest heads.
//
// Read this file, then scanner.go and append.go.
package cborproto

import "github.com/weir-stream/weir/internal/wire"

// ContentType of requests and answers. It is compared and sent byte for byte.
const ContentType = "application/x-amz-cbor-1.1"

// Codec is the protocol as a value.
var Codec wire.Codec = codec{}

type codec struct{}

func (codec) ContentType() string { return ContentType }

func (codec) Decode(shape *wire.Shape, body []byte, into any) error { return Decode(shape, body, into) }

func (codec) Encode(dst []byte, shape *wire.Shape, value any) []byte {
	return Encode(dst, shape, value)
}

func (codec) AppendError(dst []byte, e *wire.APIError) []byte { return AppendError(dst, e) }

// Decode binds body to into, a pointer to a fresh struct generated for shape. An empty body is no CBOR.
// Errors are fault.Invalid and hold an APIError with the code SerializationException.
func Decode(shape *wire.Shape, body []byte, into any) error {
	if shape == nil {
		return nil
	}
	s := NewScanner(body)
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
