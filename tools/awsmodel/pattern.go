package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// What Java and RE2 mean differently by one thing, and Java's meaning in RE2.
const (
	javaDot      = `[^\n\r\x{85}\x{2028}\x{2029}]` // RE2's . leaves out \n only
	javaSpace    = ` \t\n\x{0B}\f\r`               // RE2's \s has no \x0B
	javaHorSpace = ` \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`
)

// anything is how models write "any character at all".
const anything = `[\s\S]`

// around are the patterns of models that look around, which RE2 does not, each said again without. TestPatternsThatLookAround holds them against examples.
var around = map[string]string{
	// Not digits alone.
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`: `[0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*`,
	`((?!^\d+$)^[0-9a-zA-Z-_]+$)`:  `[0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*`,
	`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?`: `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9_-]{1,64})(:[0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*)?`,
	// Not a full stop at the end.
	`[0-9A-Za-z\.\-_]*(?<!\.)`: `([0-9A-Za-z._-]*[0-9A-Za-z_-])?`,
	// Not "system." at the beginning.
	`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`: `[_a-rt-zA-Z0-9][^$]*|s([^y$][^$]*)?|sy([^s$][^$]*)?|sys([^t$][^$]*)?|syst([^e$][^$]*)?|syste([^m$][^$]*)?|system([^.$][^$]*)?`,
	// Not white space alone.
	`^(?!\s*$).+`: `[^\n\r\x{85}\x{2028}\x{2029}]*[^ \t\x0B\f\n\r\x{85}\x{2028}\x{2029}][^\n\r\x{85}\x{2028}\x{2029}]*`,
	// Not "aws:" at the beginning.
	`^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`: `(?:(?:[^\P{L}a]|[\p{Z}\p{N}_.:/=+\-@%])[\p{L}\p{Z}\p{N}_.:/=+\-@%]*|a(?:(?:[^\P{L}w]|[\p{Z}\p{N}_.:/=+\-@%])[\p{L}\p{Z}\p{N}_.:/=+\-@%]*)?|aw(?:(?:[^\P{L}s]|[\p{Z}\p{N}_.:/=+\-@%])[\p{L}\p{Z}\p{N}_.:/=+\-@%]*)?|aws(?:[\p{L}\p{Z}\p{N}_./=+\-@%][\p{L}\p{Z}\p{N}_.:/=+\-@%]*)?)?`,
	// Names of hosts without a hyphen at either end.
	`jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`: `jdbc:(redshift|postgresql)://([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`,
}

// translatePattern is a pattern of a model, in Java's syntax, for Go's regexp. What Go cannot do (looking
// around, but for the patterns of around, back references, possessive quantifiers, classes inside classes, more than 1000 repetitions) is an error.
func translatePattern(pattern string) (string, error) {
	if same, known := around[pattern]; known {
		return same, nil
	}
	var out strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case !inClass && strings.HasPrefix(pattern[i:], anything):
			out.WriteString(`(?s:.)`)
			i += len(anything) - 1
		case c == '\\' && i+1 < len(pattern):
			escape, size, err := translateEscape(pattern[i:], inClass)
			if err != nil {
				return "", err
			}
			out.WriteString(escape)
			i += size - 1
		case inClass && c == '[':
			return "", fmt.Errorf("a class inside a class")
		case inClass && c == '&' && strings.HasPrefix(pattern[i:], "&&"):
			return "", fmt.Errorf("an intersection of classes")
		case inClass && c == ']':
			inClass = false
			out.WriteByte(c)
		case inClass:
			out.WriteByte(c)
		case c == '[':
			inClass = true
			out.WriteByte(c)
			if strings.HasPrefix(pattern[i+1:], "^") {
				i++
				out.WriteByte('^')
			}
			if strings.HasPrefix(pattern[i+1:], "]") {
				return "", fmt.Errorf("a class that starts with ]")
			}
		case c == '.':
			out.WriteString(javaDot)
		case strings.IndexByte("*+?}", c) >= 0 && strings.HasPrefix(pattern[i+1:], "+"):
			return "", fmt.Errorf("a possessive quantifier")
		default:
			out.WriteByte(c)
		}
	}
	if _, err := regexp.Compile(`\A(?:` + out.String() + `)\z`); err != nil {
		return "", err
	}
	return out.String(), nil
}

// translateEscape is the escape that text starts with, for RE2, and how long it is in text.
func translateEscape(text string, inClass bool) (escape string, size int, err error) {
	c := text[1]
	switch {
	case c == 's' && inClass:
		return javaSpace, 2, nil
	case c == 's':
		return "[" + javaSpace + "]", 2, nil
	case c == 'S' && inClass:
		return "", 0, fmt.Errorf(`\S inside a class`)
	case c == 'S':
		return "[^" + javaSpace + "]", 2, nil
	case c == 'h' && inClass:
		return javaHorSpace, 2, nil
	case c == 'h':
		return "[" + javaHorSpace + "]", 2, nil
	case c == 'p' || c == 'P':
		return translateProperty(text, inClass)
	case c == 'u':
		return translateUnicode(text)
	case strings.IndexByte("vVHRXZGkbB", c) >= 0:
		// Words that Go gives another meaning (\v, \b, \Z) or none.
		return "", 0, fmt.Errorf(`\%c is not the same in Go`, c)
	}
	return text[:2], 2, nil
}

// posixClasses are Java's \p{…} that mean ASCII only, and RE2's names of the same.
var posixClasses = map[string]string{
	"Lower": "lower", "Upper": "upper", "ASCII": "ascii", "Alpha": "alpha", "Digit": "digit", "Alnum": "alnum", "Punct": "punct",
	"Graph": "graph", "Print": "print", "Blank": "blank", "Cntrl": "cntrl", "XDigit": "xdigit", "Space": "space",
}

// translateProperty is \p{Name}. What is no POSIX class is a Unicode property, which RE2 names the same or not at all.
func translateProperty(text string, inClass bool) (string, int, error) {
	end := strings.IndexByte(text, '}')
	if len(text) < 3 || text[2] != '{' || end < 0 {
		return text[:2], 2, nil
	}
	posix, ok := posixClasses[text[3:end]]
	if !ok {
		return text[:end+1], end + 1, nil
	}
	class := "[:" + posix + ":]"
	if text[1] == 'P' {
		class = "[:^" + posix + ":]"
	}
	if !inClass {
		class = "[" + class + "]"
	}
	return class, end + 1, nil
}

// translateUnicode is \uXXXX, or two of them that make one character outside the basic plane.
func translateUnicode(text string) (string, int, error) {
	high, err := codeUnit(text)
	if err != nil {
		return "", 0, err
	}
	if !utf16.IsSurrogate(high) {
		return fmt.Sprintf(`\x{%04X}`, high), 6, nil
	}
	low, err := codeUnit(text[6:])
	if err != nil {
		return "", 0, fmt.Errorf("half a surrogate pair: %w", err)
	}
	r := utf16.DecodeRune(high, low)
	if r == unicode.ReplacementChar {
		return "", 0, fmt.Errorf("%s is no surrogate pair", text[:12])
	}
	return fmt.Sprintf(`\x{%X}`, r), 12, nil
}

func codeUnit(text string) (rune, error) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, fmt.Errorf(`\uXXXX expected`)
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err
}
