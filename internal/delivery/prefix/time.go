package prefix

import (
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// field is one letter of a pattern of Java's DateTimeFormatter, how often it stands, or a literal when letter is 0.
//
// Source: java.time.format.DateTimeFormatter, "Patterns for Formatting and Parsing", in the English locale.
type field struct {
	letter  byte
	count   int
	literal string
}

// letters is what each letter is at most repeated. What is not here needs a locale's weeks, an era or a padding, and is refused by name.
var letters = map[byte]int{
	'y': 19, 'u': 19, // year
	'M': 5, 'L': 5, // month
	'd': 2, // day of the month
	'D': 3, // day of the year
	'E': 5, // day of the week
	'Q': 2, // quarter
	'a': 1, // AM or PM
	'H': 2, // hour, 0 to 23
	'k': 2, // hour, 1 to 24
	'K': 2, // hour, 0 to 11
	'h': 2, // hour, 1 to 12
	'm': 2, // minute
	's': 2, // second
	'S': 9, // fraction of a second, cut
	'X': 3, // offset from UTC, Z for none
	'x': 3, // offset from UTC
	'Z': 3, // offset from UTC, four digits
}

// defaultFields is byDefault.
var defaultFields = mustPattern(byDefault)

func mustPattern(text string) []field {
	fields, err := parsePattern(text)
	if err != nil {
		panic("prefix: " + err.Error())
	}
	return fields
}

// parsePattern reads a pattern of time. Text in single quotes is literal, and two of them are one; other characters than letters stand for themselves.
func parsePattern(text string) ([]field, error) {
	if text == "" {
		return nil, wrong("!{timestamp:} has no pattern")
	}
	var fields []field
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\'':
			quoted, size, err := parseQuoted(text[i:])
			if err != nil {
				return nil, err
			}
			fields = append(fields, field{literal: quoted})
			i += size
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(text) && text[i+n] == c {
				n++
			}
			most, known := letters[c]
			if !known {
				return nil, fault.New(fault.Unsupported, "The pattern letter %c in !{timestamp:%s} is not supported by this version of Weir.", c, text)
			}
			if n > most {
				return nil, wrong("!{timestamp:%s} has the letter %c %d times; at most %d are allowed", text, c, n, most)
			}
			fields = append(fields, field{letter: c, count: n})
			i += n
		case strings.IndexByte("[]{#", c) >= 0:
			return nil, fault.New(fault.Unsupported, "The character %c in !{timestamp:%s} is not supported by this version of Weir.", c, text)
		default:
			fields = append(fields, field{literal: string(c)})
			i++
		}
	}
	return fields, nil
}

// parseQuoted reads the quoted text that text begins with, and says how long it is with its quotes.
func parseQuoted(text string) (quoted string, size int, err error) {
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '\'':
			out.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '\'':
			out.WriteByte('\'')
			i++
		case i == 1:
			return "'", 2, nil // two quotes are one
		default:
			return out.String(), i + 1, nil
		}
	}
	if text == "''" {
		return "'", 2, nil
	}
	return "", 0, wrong("!{timestamp:%s} has a quote without its end", text)
}

func appendTime(out []byte, fields []field, at time.Time) []byte {
	for _, f := range fields {
		if f.letter == 0 {
			out = append(out, f.literal...)
			continue
		}
		out = appendField(out, f, at)
	}
	return out
}

func appendField(out []byte, f field, at time.Time) []byte {
	number := func(n int) []byte { return appendPadded(out, n, f.count) }
	named := func(name string) []byte {
		switch {
		case f.count == 4:
			return append(out, name...)
		case f.count == 5:
			return append(out, name[:1]...)
		}
		return append(out, name[:3]...)
	}
	switch f.letter {
	case 'y', 'u':
		if f.count == 2 {
			return appendPadded(out, at.Year()%100, 2)
		}
		return number(at.Year())
	case 'M', 'L':
		if f.count > 2 {
			return named(at.Month().String())
		}
		return number(int(at.Month()))
	case 'd':
		return number(at.Day())
	case 'D':
		return number(at.YearDay())
	case 'E':
		return named(at.Weekday().String())
	case 'Q':
		return number((int(at.Month())-1)/3 + 1)
	case 'a':
		return append(out, at.Format("PM")...)
	case 'H':
		return number(at.Hour())
	case 'k':
		return number((at.Hour()+23)%24 + 1)
	case 'K':
		return number(at.Hour() % 12)
	case 'h':
		return number((at.Hour()+11)%12 + 1)
	case 'm':
		return number(at.Minute())
	case 's':
		return number(at.Second())
	case 'S':
		return append(out, strconv.Itoa(1e9 + at.Nanosecond())[1:1+f.count]...)
	default:
		return appendOffset(out, f, at)
	}
}

// appendOffset is the letters X, x and Z.
func appendOffset(out []byte, f field, at time.Time) []byte {
	_, seconds := at.Zone()
	minutes := seconds / 60
	if f.letter == 'X' && minutes == 0 {
		return append(out, 'Z')
	}
	sign := byte('+')
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	out = appendPadded(append(out, sign), minutes/60, 2)
	if f.letter != 'Z' && f.count == 1 && minutes%60 == 0 {
		return out
	}
	if f.letter != 'Z' && f.count == 3 {
		out = append(out, ':')
	}
	return appendPadded(out, minutes%60, 2)
}

// appendPadded appends n with zeros before it, to at least width digits.
func appendPadded(out []byte, n, width int) []byte {
	digits := strconv.Itoa(n)
	for range width - len(digits) {
		out = append(out, '0')
	}
	return append(out, digits...)
}
