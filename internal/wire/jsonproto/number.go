package jsonproto

import "math"

// number reads a number of RFC 8259 and returns its text.
func (s *Scanner) number() ([]byte, error) {
	s.space()
	start := s.pos
	if s.pos < len(s.data) && s.data[s.pos] == '-' {
		s.pos++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.data[s.pos-whole] == '0' {
		return nil, s.syntax("a bad number")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return nil, s.syntax("a number without decimals after its point")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, s.syntax("a number without an exponent after its e")
		}
	}
	return s.data[start:s.pos], nil
}

func (s *Scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

// exponentMax is where an exponent stops counting: far beyond it every number is 0 or at the edge of int64,
// unless it has as many digits, which no body has room for.
const exponentMax = 1 << 40

// scaled is number × 10^shift as an integer, exact, held within int64. What is behind the point is cut off,
// or rounded half away from zero when round is set. Floats would lose the milliseconds of far years.
func scaled(number []byte, shift int, round bool) int64 {
	negative := number[0] == '-'
	if negative {
		number = number[1:]
	}
	mantissa, exponent := split(number)

	// point is the number of digits of the mantissa in front of the result's point.
	point := exponent + shift
	for _, c := range mantissa {
		if c == '.' {
			break
		}
		point++
	}
	var value uint64
	const limit = math.MaxInt64 // the negative edge is one further; see the end
	seen := 0
	overflow := false
	for _, c := range mantissa {
		if c == '.' {
			continue
		}
		if seen >= point {
			if round && seen == point && c >= '5' {
				value++
			}
			break
		}
		seen++
		value, overflow = times10(value, uint64(c-'0'), overflow)
	}
	for ; seen < point && value != 0 && !overflow; seen++ {
		value, overflow = times10(value, 0, overflow)
	}
	switch {
	case negative && (overflow || value > limit):
		return math.MinInt64
	case negative:
		return -int64(value)
	case overflow || value > limit:
		return math.MaxInt64
	}
	return int64(value)
}

// times10 is value × 10 + digit, and whether that is beyond int64.
func times10(value, digit uint64, overflow bool) (uint64, bool) {
	if overflow || value > math.MaxInt64/10 {
		return value, true
	}
	return value*10 + digit, false
}

// split cuts a number without sign into mantissa and exponent.
func split(number []byte) (mantissa []byte, exponent int) {
	for i, c := range number {
		if c != 'e' && c != 'E' {
			continue
		}
		sign := 1
		for _, c := range number[i+1:] {
			switch {
			case c == '-':
				sign = -1
			case c != '+' && exponent < exponentMax:
				exponent = exponent*10 + int(c-'0')
			}
		}
		return number[:i], sign * exponent
	}
	return number, 0
}
