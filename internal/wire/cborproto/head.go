package cborproto

import (
	"encoding/binary"
	"math"
)

// Major types of RFC 8949 §3.1, in the upper three bits of the first byte. The lower five say how the argument
// follows: 0–23 is the argument itself, 24–27 announce 1, 2, 4 or 8 bytes of it, 28–30 are not defined, 31 is
// an indefinite length (or, for simple, the break that ends one).
const (
	majorUint   = 0
	majorNegInt = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7

	infoIndefinite = 31
)

// Simple values and floats of RFC 8949 §3.3, as the lower five bits under majorSimple.
const (
	simpleFalse     = 20
	simpleTrue      = 21
	simpleNull      = 22
	simpleUndefined = 23
	simpleFloat16   = 25
	simpleFloat32   = 26
	simpleFloat64   = 27
)

// tagEpoch is tag 1: in this dialect integer milliseconds since 1970.
const tagEpoch = 1

// head is the start of every item.
type head struct {
	major byte
	info  byte   // the lower five bits
	arg   uint64 // value, length or tag; float bits
	size  int    // bytes that the head takes
}

// readHead reads the head that data starts with; ok is false when it is cut off or not defined.
func readHead(data []byte) (h head, ok bool) {
	if len(data) == 0 {
		return head{}, false
	}
	h = head{major: data[0] >> 5, info: data[0] & 31, size: 1}
	switch rest := data[1:]; {
	case h.info < 24:
		h.arg = uint64(h.info)
	case h.info == 24 && len(rest) >= 1:
		h.arg, h.size = uint64(rest[0]), 2
	case h.info == 25 && len(rest) >= 2:
		h.arg, h.size = uint64(binary.BigEndian.Uint16(rest)), 3
	case h.info == 26 && len(rest) >= 4:
		h.arg, h.size = uint64(binary.BigEndian.Uint32(rest)), 5
	case h.info == 27 && len(rest) >= 8:
		h.arg, h.size = binary.BigEndian.Uint64(rest), 9
	case h.info == infoIndefinite:
		return h, h.major >= majorBytes && h.major <= majorMap || h.major == majorSimple
	default:
		return head{}, false
	}
	return h, true
}

// isBreak says whether data starts with the byte that ends an indefinite length.
func isBreak(data []byte) bool {
	return len(data) > 0 && data[0] == majorSimple<<5|infoIndefinite
}

// float is the value of a simple head that is a float.
func (h head) float() float64 {
	switch h.info {
	case simpleFloat16:
		return float16(uint16(h.arg))
	case simpleFloat32:
		return float64(math.Float32frombits(uint32(h.arg)))
	default:
		return math.Float64frombits(h.arg)
	}
}

// float16 is RFC 8949 appendix D: 1 bit sign, 5 bits exponent, 10 bits mantissa.
func float16(bits uint16) float64 {
	exponent := int(bits >> 10 & 31)
	mantissa := float64(bits & 1023)
	var value float64
	switch {
	case exponent == 0:
		value = math.Ldexp(mantissa, -24)
	case exponent != 31:
		value = math.Ldexp(mantissa+1024, exponent-25)
	case mantissa == 0:
		value = math.Inf(1)
	default:
		value = math.NaN()
	}
	if bits>>15 != 0 {
		return -value
	}
	return value
}
