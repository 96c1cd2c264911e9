package jsonproto

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends text as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, text[start:i]...)
				dst = utf8.AppendRune(dst, utf8.RuneError)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, text[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// AppendBlob appends data as a JSON string of base64.
func AppendBlob(dst, data []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return append(dst, '"')
}

// AppendTimestamp appends at as seconds since 1970 with at most three decimals, in the shortest form. Java
// clients take at most 20 characters, which lasts until the year 292278994.
func AppendTimestamp(dst []byte, at time.Time) []byte { return AppendMillis(dst, at.UnixMilli()) }

// AppendMillis appends milliseconds since 1970 as AppendTimestamp does.
func AppendMillis(dst []byte, millis int64) []byte {
	abs := uint64(millis)
	if millis < 0 {
		dst = append(dst, '-')
		abs = -abs
	}
	dst = strconv.AppendUint(dst, abs/1000, 10)
	fraction := byte(abs % 1000 / 10)
	tens, ones := fraction/10, fraction%10
	last := byte(abs % 10)
	switch {
	case last != 0:
		return append(dst, '.', '0'+tens, '0'+ones, '0'+last)
	case ones != 0:
		return append(dst, '.', '0'+tens, '0'+ones)
	case tens != 0:
		return append(dst, '.', '0'+tens)
	}
	return dst
}

// appendFloat appends a number, or one of the three words for what no JSON number can say.
func appendFloat(dst []byte, value float64, bits int) []byte {
	switch {
	case math.IsNaN(value):
		return append(dst, `"NaN"`...)
	case math.IsInf(value, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(value, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, value, 'g', -1, bits)
}

// writer is the wire.Sink of JSON. A comma is due where the last byte does not open something: no value ends in { or [.
type writer struct{ buf []byte }

func (w *writer) comma() {
	if last := w.buf[len(w.buf)-1]; last != '{' && last != '[' {
		w.buf = append(w.buf, ',')
	}
}

func (w *writer) BeginMap(int) { w.buf = append(w.buf, '{') }

func (w *writer) Key(name string) {
	w.comma()
	w.buf = append(AppendString(w.buf, name), ':')
}

func (w *writer) EndMap()                       { w.buf = append(w.buf, '}') }
func (w *writer) BeginList(int)                 { w.buf = append(w.buf, '[') }
func (w *writer) Item()                         { w.comma() }
func (w *writer) EndList()                      { w.buf = append(w.buf, ']') }
func (w *writer) Text(text string)              { w.buf = AppendString(w.buf, text) }
func (w *writer) Blob(data []byte)              { w.buf = AppendBlob(w.buf, data) }
func (w *writer) Bool(value bool)               { w.buf = strconv.AppendBool(w.buf, value) }
func (w *writer) Int(value int64)               { w.buf = strconv.AppendInt(w.buf, value, 10) }
func (w *writer) Time(at time.Time)             { w.buf = AppendTimestamp(w.buf, at) }
func (w *writer) Float(value float64, bits int) { w.buf = appendFloat(w.buf, value, bits) }
