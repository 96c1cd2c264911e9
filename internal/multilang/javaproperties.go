package multilang

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// property is one entry of a .properties file.
type property struct {
	name, value string
	line        int // where it begins, from 1
}

// parseProperties reads the format of java.util.Properties.load(InputStream): ISO-8859-1 with \uXXXX escapes, comments behind # or !, a name up to the first =, : or
// white space that no backslash escapes, and lines that a backslash at their end continues. The order is the file's; of a name that comes twice both are there.
// The only text that is refused is a \u without four hexadecimal digits, as in Java.
func parseProperties(data []byte) ([]property, error) {
	var all []property
	for text, line := data, 1; ; {
		logical, rest, began, next, ok := logicalLine(text, line)
		if !ok {
			return all, nil
		}
		text, line = rest, next
		name, value := splitProperty(logical)
		var p property
		var err error
		if p.name, err = unescape(name); err != nil {
			return nil, fmt.Errorf("line %d: %w", began, err)
		}
		if p.value, err = unescape(value); err != nil {
			return nil, fmt.Errorf("line %d: %w", began, err)
		}
		p.line = began
		all = append(all, p)
	}
}

// logicalLine takes the next line that holds something, with those that continue it, without leading white space and line ends. Escapes are left as they are.
func logicalLine(text []byte, line int) (logical, rest []byte, began, next int, ok bool) {
	continued := false // logical goes on with the next natural line
	for len(text) > 0 {
		natural := text
		text = nil
		for i, c := range natural {
			if c != '\n' && c != '\r' {
				continue
			}
			text = natural[i+1:]
			if c == '\r' && len(text) > 0 && text[0] == '\n' {
				text = text[1:]
			}
			natural = natural[:i]
			break
		}
		line++
		natural = trimBlank(natural)
		if !continued {
			if len(natural) == 0 || natural[0] == '#' || natural[0] == '!' {
				continue
			}
			began, ok = line-1, true
		}
		slashes := 0
		for slashes < len(natural) && natural[len(natural)-1-slashes] == '\\' {
			slashes++
		}
		if continued = slashes%2 == 1; !continued {
			return append(logical, natural...), text, began, line, true
		}
		logical = append(logical, natural[:len(natural)-1]...)
	}
	return logical, nil, began, line, ok
}

// blank is the white space of the format. Line ends are not among it.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func trimBlank(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b
}

// splitProperty splits a logical line at its separator: white space, one = or :, white space, of which any part may be missing.
func splitProperty(line []byte) (name, value []byte) {
	end := 0
	for ; end < len(line); end++ {
		if c := line[end]; c == '\\' {
			end++ // what it escapes is no separator
		} else if c == '=' || c == ':' || blank(c) {
			break
		}
	}
	end = min(end, len(line))
	name, value = line[:end], trimBlank(line[end:])
	if len(value) > 0 && (value[0] == '=' || value[0] == ':') {
		value = trimBlank(value[1:])
	}
	return name, value
}

// unescape turns Latin-1 with escapes into text. A backslash before any other character than t, n, r, f and u stands for that character.
func unescape(b []byte) (string, error) {
	var out []uint16 // UTF-16, because \u escapes may be halves of a surrogate pair
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, uint16(b[i]))
			continue
		}
		if i++; i == len(b) {
			break // a backslash at the end of the file escapes nothing
		}
		switch c := b[i]; c {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'f':
			out = append(out, '\f')
		case 'u':
			if i+4 >= len(b) {
				return "", fmt.Errorf("%q is not \\u and four hexadecimal digits", `\`+string(b[i:]))
			}
			unit, err := strconv.ParseUint(string(b[i+1:i+5]), 16, 16)
			if err != nil || strings.ContainsAny(string(b[i+1:i+5]), "+-_") {
				return "", fmt.Errorf("%q is not \\u and four hexadecimal digits", `\`+string(b[i:i+5]))
			}
			out = append(out, uint16(unit))
			i += 4
		default:
			out = append(out, uint16(c))
		}
	}
	return string(utf16.Decode(out)), nil
}
