package record

import "math/bits"

// tenTo19 is the largest power of ten in 64 bits: long numbers are printed and parsed 19 digits at a time.
const tenTo19 = 10_000_000_000_000_000_000

// isDecimal says whether text is 0, or up to most digits that do not begin with 0.
func isDecimal[T string | []byte](text T, most int) bool {
	if len(text) == 0 || len(text) > most || text[0] == '0' && len(text) > 1 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// clip keeps what a stranger sent short enough for an error message.
func clip[T string | []byte](text T) string {
	const most = 160
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// mulAdd is (hi, lo) × factor + term, in three words.
func mulAdd(hi, lo, factor, term uint64) (top, newHi, newLo uint64) {
	carryLo, newLo := bits.Mul64(lo, factor)
	newLo, carry := bits.Add64(newLo, term, 0)
	carryLo += carry // cannot overflow: the high word of a product is at most 2^64−2
	top, newHi = bits.Mul64(hi, factor)
	newHi, carry = bits.Add64(newHi, carryLo, 0)
	return top + carry, newHi, newLo
}

const pairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

// appendUint appends v in decimal.
func appendUint(dst []byte, v uint64) []byte {
	var digits [20]byte
	at := len(digits)
	for v >= 10 {
		at--
		digits[at] = byte('0' + v%10)
		v /= 10
	}
	at--
	digits[at] = byte('0' + v)
	return append(dst, digits[at:]...)
}

// appendPadded appends v as exactly 19 digits. v is below 10^19.
func appendPadded(dst []byte, v uint64) []byte {
	var digits [19]byte
	putDigits(digits[:], v)
	return append(dst, digits[:]...)
}

// putDigits fills dst with the last len(dst) digits of v.
func putDigits(dst []byte, v uint64) {
	at := len(dst)
	for at >= 8 { // eight digits at a time keep the divisions short
		part := uint32(v % 1e8)
		v /= 1e8
		high, low := part/1e4, part%1e4
		a, b, c, d := high/100*2, high%100*2, low/100*2, low%100*2
		at -= 8
		eight := dst[at : at+8 : at+8]
		eight[0], eight[1] = pairs[a], pairs[a+1]
		eight[2], eight[3] = pairs[b], pairs[b+1]
		eight[4], eight[5] = pairs[c], pairs[c+1]
		eight[6], eight[7] = pairs[d], pairs[d+1]
	}
	for at > 0 {
		at--
		dst[at] = byte('0' + v%10)
		v /= 10
	}
}
