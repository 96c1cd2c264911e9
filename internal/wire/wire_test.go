package wire_test

import (
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
)

// TestWriteError shows the whole answer of errors, byte by byte.
func TestWriteError(t *testing.T) {
	notFound := &wire.APIError{Code: "ResourceNotFoundException", Message: "Stream s under account 000000000000 not found."}
	for _, row := range []struct {
		name   string
		codec  wire.Codec
		err    *wire.APIError
		status int
		body   string
	}{
		{"json", jsonproto.Codec, notFound, 400, `{"__type":"ResourceNotFoundException","message":"Stream s under account 000000000000 not found."}`},
		{"json serialization has another key", jsonproto.Codec, &wire.APIError{Code: wire.CodeSerialization, Message: "m"}, 400, `{"__type":"SerializationException","Message":"m"}`},
		{"json without message", jsonproto.Codec, &wire.APIError{Code: wire.CodeSerialization}, 400, `{"__type":"SerializationException"}`},
		{"json internal failure", jsonproto.Codec, &wire.APIError{Code: wire.CodeInternalFailure, Status: 500}, 500, `{"__type":"InternalFailure"}`},
		{"json with fields", jsonproto.Codec, &wire.APIError{Code: "E", Fields: map[string]any{"b": []any{int64(1), "x"}, "a": map[string]any{"y": true, "z": 1.5}}}, 400,
			`{"__type":"E","a":{"y":true,"z":1.5},"b":[1,"x"]}`},
		{"cbor", cborproto.Codec, &wire.APIError{Code: "E", Message: "m"}, 400, "\xa2\x66__type\x61E\x67message\x61m"},
		{"cbor serialization has another key", cborproto.Codec, &wire.APIError{Code: wire.CodeSerialization, Message: "m"}, 400,
			"\xa2\x66__type\x76SerializationException\x67Message\x61m"},
		{"cbor with fields", cborproto.Codec, &wire.APIError{Code: "E", Fields: map[string]any{"a": []any{int64(-1), false}}}, 400,
			"\xa2\x66__type\x61E\x61a\x82\x20\xf4"},
	} {
		t.Run(row.name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			wire.WriteError(recorder, row.codec, row.err)
			answer := recorder.Result()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != row.status || string(body) != row.body {
				t.Errorf("got %d %q\nwant %d %q", answer.StatusCode, body, row.status, row.body)
			}
			if got := answer.Header.Get("Content-Type"); got != row.codec.ContentType() {
				t.Errorf("Content-Type %q", got)
			}
			if got := answer.Header.Get("x-amzn-ErrorType"); got != row.err.Code {
				t.Errorf("x-amzn-ErrorType %q", got)
			}
			if answer.ContentLength != int64(len(row.body)) {
				t.Errorf("Content-Length %d", answer.ContentLength)
			}
		})
	}
	if jsonproto.ContentType != "application/x-amz-json-1.1" || cborproto.ContentType != "application/x-amz-cbor-1.1" {
		t.Error("the content types are exact")
	}
}

// TestAsAPIError shows that an APIError survives being wrapped, and that its kind does too.
func TestAsAPIError(t *testing.T) {
	err := fault.Wrap(wire.SerializationError("text"), "put records")
	e, ok := wire.AsAPIError(err)
	if !ok || e.Code != wire.CodeSerialization || e.Message != "text" || !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
	if _, ok := wire.AsAPIError(fault.New(fault.NotFound, "x")); ok {
		t.Error("an APIError out of nothing")
	}
}

func TestRequestIDs(t *testing.T) {
	source := rand.NewPCG(1, 2)
	recorder := httptest.NewRecorder()
	id := wire.SetRequestIDs(recorder.Header(), source)
	if got := recorder.Header().Get("x-amzn-RequestId"); got != id {
		t.Errorf("header %q, returned %q", got, id)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("%q is no UUID of version 4", id)
	}
	extended, err := base64.StdEncoding.DecodeString(recorder.Header().Get("x-amz-id-2"))
	if err != nil || len(extended) < 64 || len(extended) > 80 {
		t.Errorf("x-amz-id-2 has %d bytes: %v", len(extended), err)
	}
	if wire.RequestID(source) == id {
		t.Error("the same id twice")
	}
}
