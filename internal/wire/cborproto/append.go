package cborproto

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
)

// appendHead appends the shortest head for an argument.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	first := major << 5
	switch {
	case arg < 24:
		return append(dst, first|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, first|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, first|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, first|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, first|27), arg)
}

// AppendMapHeader starts a map; entries pairs of key and value must follow.
func AppendMapHeader(dst []byte, entries int) []byte {
	return appendHead(dst, majorMap, uint64(entries))
}

// AppendArrayHeader starts an array; entries values must follow.
func AppendArrayHeader(dst []byte, entries int) []byte {
	return appendHead(dst, majorArray, uint64(entries))
}

// AppendText appends a text string. The text must be UTF-8.
func AppendText[T string | []byte](dst []byte, text T) []byte {
	return append(appendHead(dst, majorText, uint64(len(text))), text...)
}

// AppendBytes appends a byte string.
func AppendBytes(dst, data []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(data))), data...)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, value int64) []byte {
	if value < 0 {
		return appendHead(dst, majorNegInt, uint64(-1-value))
	}
	return appendHead(dst, majorUint, uint64(value))
}

// AppendBool appends true or false.
func AppendBool(dst []byte, value bool) []byte {
	if value {
		return append(dst, majorSimple<<5|simpleTrue)
	}
	return append(dst, majorSimple<<5|simpleFalse)
}

// AppendNull appends null.
func AppendNull(dst []byte) []byte { return append(dst, majorSimple<<5|simpleNull) }

// AppendFloat appends a float of 32 bits where that loses nothing, else of 64.
func AppendFloat(dst []byte, value float64) []byte {
	if narrow := float32(value); float64(narrow) == value {
		return binary.BigEndian.AppendUint32(append(dst, majorSimple<<5|simpleFloat32), math.Float32bits(narrow))
	}
	return binary.BigEndian.AppendUint64(append(dst, majorSimple<<5|simpleFloat64), math.Float64bits(value))
}

// AppendTimestampMillis appends milliseconds since 1970 as tag 1 over an integer.
func AppendTimestampMillis(dst []byte, millis int64) []byte {
	return AppendInt(append(dst, majorTag<<5|tagEpoch), millis)
}

// writer is the wire.Sink of CBOR.
type writer struct{ buf []byte }

func (w *writer) BeginMap(entries int)       { w.buf = AppendMapHeader(w.buf, entries) }
func (w *writer) Key(name string)            { w.buf = AppendText(w.buf, name) }
func (w *writer) EndMap()                    {}
func (w *writer) BeginList(entries int)      { w.buf = AppendArrayHeader(w.buf, entries) }
func (w *writer) Item()                      {}
func (w *writer) EndList()                   {}
func (w *writer) Blob(data []byte)           { w.buf = AppendBytes(w.buf, data) }
func (w *writer) Bool(value bool)            { w.buf = AppendBool(w.buf, value) }
func (w *writer) Int(value int64)            { w.buf = AppendInt(w.buf, value) }
func (w *writer) Float(value float64, _ int) { w.buf = AppendFloat(w.buf, value) }
func (w *writer) Time(at time.Time)          { w.buf = AppendTimestampMillis(w.buf, at.UnixMilli()) }

// Text replaces bytes that are not UTF-8: half a body of a client that reads strictly is worth nothing.
func (w *writer) Text(text string) {
	w.buf = AppendText(w.buf, strings.ToValidUTF8(text, "\uFFFD"))
}
