package value

import (
	"math/big"
	"strconv"
	"strings"
)

// Number is an exact decimal of up to 38 digits, held in bytes whose order is that of numbers, so that comparing, sorting and keys need no arithmetic:
//
//	class    1 byte   1 negative, 2 zero, 3 positive; zero has nothing behind it
//	exponent 1 byte   where the point stands: d₁.d₂… × 10^(exponent − 130)
//	digits   n bytes  two a byte, 1 + their value, the last filled up with a 0 digit; no zero byte pair at the end
//	end      1 byte   0
//
// Of a negative number everything behind the class is inverted. The largest takes 22 bytes. The empty Number is none.
type Number string

const (
	digitsMax   = 38   // significant digits (ServiceQuotas)
	exponentMin = -130 // of the first digit: 1E-130 is the least
	exponentMax = 125  // 9.99…E+125 is the most

	classNegative = 1
	classZero     = 2
	classPositive = 3
)

// Zero is the number 0.
const Zero = Number("\x02")

// decimal is a number taken apart: digits without zeros at either end, the first standing for itself times 10^exponent. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exponent int
}

// ParseNumber reads a number as requests write it: digits, a point, an exponent. Invalid, in DynamoDB's words, when it is none or is out of range.
func ParseNumber(text string) (Number, error) {
	if text == "" {
		return "", invalid("The parameter cannot be converted to a numeric value")
	}
	d, ok := parseDecimal(text)
	if !ok {
		return "", invalid("The parameter cannot be converted to a numeric value: %s", excerpt(text))
	}
	return d.number()
}

// excerpt cuts what is repeated to a customer.
func excerpt(text string) string {
	const most = 256
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// exponentDigits bounds what is read of an exponent: beyond it every number is out of range.
const exponentDigits = 9

func parseDecimal(text string) (d decimal, ok bool) {
	rest := text
	switch rest[0] {
	case '-':
		d.negative = true
		rest = rest[1:]
	case '+':
		rest = rest[1:]
	}
	mantissa, power, hasPower := rest, "", false
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, power, hasPower = rest[:i], rest[i+1:], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return d, false
	}
	shift := 0
	if hasPower {
		unsigned := strings.TrimLeft(power, "+-")
		if len(power)-len(unsigned) > 1 || unsigned == "" || !allDigits(unsigned) {
			return d, false
		}
		unsigned = strings.TrimLeft(unsigned, "0")
		if len(unsigned) > exponentDigits {
			unsigned = strings.Repeat("9", exponentDigits)
		}
		shift, _ = strconv.Atoi("0" + unsigned) // digits, few enough
		if power[0] == '-' {
			shift = -shift
		}
	}
	digits := whole + fraction
	leading := len(digits) - len(strings.TrimLeft(digits, "0"))
	d.digits = strings.TrimRight(digits[leading:], "0")
	d.exponent = len(whole) - 1 - leading + shift
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// number gives the bytes of d, or says that it is out of range.
func (d decimal) number() (Number, error) {
	switch {
	case d.digits == "":
		return Zero, nil
	case d.exponent > exponentMax:
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case d.exponent < exponentMin:
		return "", invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(d.digits) > digitsMax:
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	}
	var b [3 + digitsMax/2]byte
	b[0], b[1] = classPositive, byte(d.exponent-exponentMin)
	n := 2
	for i := 0; i < len(d.digits); i += 2 {
		pair := (d.digits[i] - '0') * 10
		if i+1 < len(d.digits) {
			pair += d.digits[i+1] - '0'
		}
		b[n] = pair + 1
		n++
	}
	n++ // the end
	if d.negative {
		b[0] = classNegative
		for i := 1; i < n; i++ {
			b[i] = ^b[i]
		}
	}
	return Number(b[:n]), nil
}

// decimal takes a Number apart. A Number that was not made here gives nonsense, and no panic.
func (n Number) decimal() (d decimal) {
	if len(n) < 3 {
		return d
	}
	d.negative = n[0] == classNegative
	flip := byte(0)
	if d.negative {
		flip = 0xff
	}
	d.exponent = int(n[1]^flip) + exponentMin
	var digits [2 * (digitsMax/2 + 1)]byte
	w := 0
	for i := 2; i < len(n)-1 && w < len(digits); i++ {
		pair := (n[i] ^ flip) - 1
		digits[w], digits[w+1] = '0'+pair/10, '0'+pair%10
		w += 2
	}
	if w > 0 && digits[w-1] == '0' {
		w--
	}
	d.digits = string(digits[:w])
	return d
}

// String is the number as answers write it: digits and a point, never an exponent, whatever the request had.
func (n Number) String() string {
	d := n.decimal()
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch {
	case d.exponent < 0:
		return sign + "0." + strings.Repeat("0", -d.exponent-1) + d.digits
	case d.exponent+1 >= len(d.digits):
		return sign + d.digits + strings.Repeat("0", d.exponent+1-len(d.digits))
	default:
		return sign + d.digits[:d.exponent+1] + "." + d.digits[d.exponent+1:]
	}
}

// NumberOf is the number of an integer.
func NumberOf(i int64) Number {
	d, _ := parseDecimal(strconv.FormatInt(i, 10))
	n, _ := d.number() // 19 digits are in range
	return n
}

// Int64 is the number as an integer, cut off behind the point. ok is false when it does not fit.
func (n Number) Int64() (i int64, ok bool) {
	d := n.decimal()
	switch {
	case d.digits == "" || d.exponent < 0:
		return 0, true
	case d.exponent > 18:
		return 0, false
	}
	whole := d.digits
	if len(whole) > d.exponent+1 {
		whole = whole[:d.exponent+1]
	}
	whole += strings.Repeat("0", d.exponent+1-len(whole))
	if d.negative {
		whole = "-" + whole
	}
	i, err := strconv.ParseInt(whole, 10, 64)
	return i, err == nil
}

// smallMax bounds the integers that are added as such: their sum cannot overflow.
const smallMax = 1 << 62

// small is the number as an integer, if it is one that is not large.
func (n Number) small() (int64, bool) {
	d := n.decimal()
	if d.exponent > 17 || d.exponent < len(d.digits)-1 {
		return 0, d.digits == ""
	}
	i, ok := n.Int64()
	return i, ok && i < smallMax && i > -smallMax
}

// Add is a + b, or a − b with subtract. Invalid when the sum needs more than 38 digits or is out of range: nothing is rounded.
func Add(a, b Number, subtract bool) (Number, error) {
	if x, small := a.small(); small {
		if y, small := b.small(); small {
			if subtract {
				y = -y
			}
			return NumberOf(x + y), nil
		}
	}
	x, y := a.decimal(), b.decimal()
	if subtract {
		y.negative = !y.negative
	}
	switch {
	case x.digits == "":
		return y.number()
	case y.digits == "":
		return x.number()
	}
	low := min(x.exponent-len(x.digits), y.exponent-len(y.digits)) + 1
	sum := new(big.Int).Add(x.integer(low), y.integer(low))
	d, _ := parseDecimal(sum.String())
	if d.digits != "" {
		d.exponent += low
	}
	return d.number()
}

// integer is d × 10^(−low), which is whole.
func (d decimal) integer(low int) *big.Int {
	i, _ := new(big.Int).SetString(d.digits+strings.Repeat("0", d.exponent-len(d.digits)+1-low), 10)
	if d.negative {
		i.Neg(i)
	}
	return i
}

// size is the number's share of an item's size: a byte for two digits, one more, and one for a minus sign.
func (n Number) size() int {
	if len(n) < 3 {
		return 1
	}
	size := len(n) - 3 + 1
	if n[0] == classNegative {
		size++
	}
	return size
}
