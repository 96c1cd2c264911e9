package cborproto

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/weir-stream/weir/internal/wire"
)

// RPCContentType of requests and answers in Smithy RPC v2 CBOR.
const RPCContentType = "application/cbor"

// RPC is Smithy RPC v2 CBOR as a value, which new SDKs speak to CloudWatch. It is AWS CBOR 1.1 but for timestamps, which are tag 1 over seconds as RFC 8949 has them, whole or
// with a fraction, and but for an empty body, which is an empty structure (Smithy 2.0, "Smithy RPC v2 CBOR protocol", read 2026-11).
var RPC wire.Codec = rpc{}

type rpc struct{}

func (rpc) ContentType() string { return RPCContentType }

func (rpc) Decode(shape *wire.Shape, body []byte, into any) error {
	if shape == nil || len(body) == 0 {
		return nil
	}
	s := rpcScanner{NewScanner(body)}
	if err := wire.Bind(&s, shape, into); err != nil {
		return err
	}
	return s.End()
}

func (rpc) Encode(dst []byte, shape *wire.Shape, value any) []byte {
	if shape == nil {
		return AppendMapHeader(dst, 0)
	}
	w := rpcWriter{writer{buf: dst}}
	wire.Emit(&w, shape, value)
	return w.buf
}

func (rpc) AppendError(dst []byte, e *wire.APIError) []byte { return AppendError(dst, e) }

// rpcScanner reads timestamps in seconds.
type rpcScanner struct{ Scanner }

// Millis is rounded to the nearest millisecond, and held within int64.
func (s *rpcScanner) Millis() (int64, error) {
	seconds, err := s.Float()
	if err != nil {
		return 0, err
	}
	switch millis := math.Round(seconds * 1000); {
	case math.IsNaN(millis):
		return 0, nil
	case millis >= math.MaxInt64:
		return math.MaxInt64, nil
	case millis <= math.MinInt64:
		return math.MinInt64, nil
	default:
		return int64(millis), nil
	}
}

// rpcWriter writes timestamps in seconds.
type rpcWriter struct{ writer }

// Time is always a float of 64 bits: SDKs read nothing else as safely.
func (w *rpcWriter) Time(at time.Time) {
	w.buf = append(w.buf, majorTag<<5|tagEpoch, majorSimple<<5|simpleFloat64)
	w.buf = binary.BigEndian.AppendUint64(w.buf, math.Float64bits(float64(at.UnixMilli())/1000))
}
