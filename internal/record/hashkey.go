package record

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"math/bits"

	"github.com/weir-stream/weir/internal/fault"
)

// HashKey is a point in a stream's key space: an unsigned number of 128 bits. In text and JSON it is decimal.
type HashKey struct{ Hi, Lo uint64 }

// MaxHashKey is 2^128−1, the last point of the key space.
var MaxHashKey = HashKey{^uint64(0), ^uint64(0)}

// hashKeyDigits is the length of 2^128−1 in decimal.
const hashKeyDigits = 39

// HashKeyOf is the hash key of a partition key: its MD5, read as a big-endian number (API_PutRecord). It does not allocate.
func HashKeyOf(partitionKey []byte) HashKey {
	sum := md5.Sum(partitionKey)
	return HashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// HashKeyOfString is HashKeyOf, without a copy on the heap for keys that are not longer than 256 bytes.
func HashKeyOfString(partitionKey string) HashKey {
	var room [256]byte
	return HashKeyOf(append(room[:0], partitionKey...))
}

// ParseHashKey reads decimal: 0, or up to 39 digits that do not begin with 0, at most 2^128−1. Invalid otherwise.
func ParseHashKey(text string) (HashKey, error) { return parseHashKey(text) }

func parseHashKey[T string | []byte](text T) (HashKey, error) {
	if !isDecimal(text, hashKeyDigits) {
		return HashKey{}, fault.New(fault.Invalid, "hash key %q is not 0 or up to %d digits that do not begin with 0", clip(text), hashKeyDigits)
	}
	var k HashKey
	for i := range len(text) {
		overflow, hi, lo := mulAdd(k.Hi, k.Lo, 10, uint64(text[i]-'0'))
		if overflow != 0 {
			return HashKey{}, fault.New(fault.Invalid, "hash key %s is beyond 2^128-1", string(text))
		}
		k = HashKey{hi, lo}
	}
	return k, nil
}

// Cmp is −1, 0 or +1 as k is below, at or above other.
func (k HashKey) Cmp(other HashKey) int {
	if c := cmp.Compare(k.Hi, other.Hi); c != 0 {
		return c
	}
	return cmp.Compare(k.Lo, other.Lo)
}

// Add is k + other, modulo 2^128.
func (k HashKey) Add(other HashKey) HashKey {
	lo, carry := bits.Add64(k.Lo, other.Lo, 0)
	hi, _ := bits.Add64(k.Hi, other.Hi, carry)
	return HashKey{hi, lo}
}

// Sub is k − other, modulo 2^128.
func (k HashKey) Sub(other HashKey) HashKey {
	lo, borrow := bits.Sub64(k.Lo, other.Lo, 0)
	hi, _ := bits.Sub64(k.Hi, other.Hi, borrow)
	return HashKey{hi, lo}
}

// Next is k + 1; after MaxHashKey comes 0.
func (k HashKey) Next() HashKey { return k.Add(HashKey{Lo: 1}) }

// Prev is k − 1; before 0 comes MaxHashKey.
func (k HashKey) Prev() HashKey { return k.Sub(HashKey{Lo: 1}) }

// div is k / n and the remainder. n is not 0.
func (k HashKey) div(n uint64) (HashKey, uint64) {
	hi, rest := k.Hi/n, k.Hi%n
	lo, rest := bits.Div64(rest, k.Lo, n)
	return HashKey{hi, lo}, rest
}

// String is k in decimal.
func (k HashKey) String() string { return string(k.AppendTo(make([]byte, 0, hashKeyDigits))) }

// AppendTo appends k in decimal to dst and gives the extended slice.
func (k HashKey) AppendTo(dst []byte) []byte {
	rest, low := k.div(tenTo19)
	high, middle := rest.div(tenTo19)
	switch {
	case high.Lo != 0: // one digit: 2^128 is 3.4 × 10^38
		return appendPadded(appendPadded(append(dst, byte('0'+high.Lo)), middle), low)
	case middle != 0:
		return appendPadded(appendUint(dst, middle), low)
	default:
		return appendUint(dst, low)
	}
}

// MarshalText is AppendTo; it makes JSON a decimal string.
func (k HashKey) MarshalText() ([]byte, error) {
	return k.AppendTo(make([]byte, 0, hashKeyDigits)), nil
}

// UnmarshalText is ParseHashKey.
func (k *HashKey) UnmarshalText(text []byte) error {
	parsed, err := parseHashKey(text)
	if err == nil {
		*k = parsed
	}
	return err
}
