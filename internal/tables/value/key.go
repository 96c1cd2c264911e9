package value

import (
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

// Keys are ordered by their bytes, part by part. A part of text or bytes is written with every 0 as 0 0xff and ends with 0 1, so that a part that is the
// beginning of another comes first; a Number ends by itself.

// AppendKey appends a part of a key: v is an S, N or B.
func AppendKey(b []byte, v Value) []byte {
	if v.Kind == N {
		return append(b, v.Text...)
	}
	return append(AppendKeyPrefix(b, v.Text), 0, 1)
}

// AppendKeyPrefix appends the beginning of a part: what all parts that begin with text begin with.
func AppendKeyPrefix(b []byte, text string) []byte {
	for {
		i := strings.IndexByte(text, 0)
		if i < 0 {
			return append(b, text...)
		}
		b = append(append(b, text[:i]...), 0, 0xff)
		text = text[i+1:]
	}
}

// CutKey reads a part of a type from the front of a key. Corrupt when there is none.
func CutKey(key string, kind Kind) (v Value, rest string, err error) {
	bad := fault.New(fault.Corrupt, "a key that does not hold %s", kind)
	if kind == N {
		if key == "" {
			return v, "", bad
		}
		end := byte(0)
		switch key[0] {
		case classZero:
			return Numeric(Zero), key[1:], nil
		case classNegative:
			end = 0xff
		}
		if len(key) < 3 {
			return v, "", bad
		}
		i := strings.IndexByte(key[2:], end)
		if i < 0 {
			return v, "", bad
		}
		return Value{Kind: N, Text: key[:2+i+1]}, key[2+i+1:], nil
	}
	var escaped strings.Builder
	for {
		i := strings.IndexByte(key, 0)
		if i < 0 || i+1 >= len(key) {
			return v, "", bad
		}
		if key[i+1] == 1 {
			text := key[:i]
			if escaped.Len() > 0 {
				escaped.WriteString(text)
				text = escaped.String()
			}
			return Value{Kind: kind, Text: text}, key[i+2:], nil
		}
		escaped.WriteString(key[:i+1])
		key = key[i+2:]
	}
}
