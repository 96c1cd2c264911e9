package follow

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob makes a matcher of file names of a pattern: * any characters, ? one, [abc] [a-z] [!a] classes, {a,b} alternatives, \ takes the next character as it is.
// These are the globs of Java's PathMatcher, which match names with a leading dot too. exact says that the pattern is one plain name.
func Glob(pattern string) (match func(name string) bool, exact bool, err error) {
	var re strings.Builder
	re.WriteString(`^(?s:`)
	depth := 0
	exact = true
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		if strings.ContainsRune(`*?[{\`, c) {
			exact = false
		}
		switch {
		case c == '\\' && i+1 == len(runes):
			return nil, false, fmt.Errorf("glob %q ends in a backslash", pattern)
		case c == '\\':
			i++
			re.WriteString(regexp.QuoteMeta(string(runes[i])))
		case c == '*':
			re.WriteString(`.*`)
		case c == '?':
			re.WriteString(`.`)
		case c == '[':
			end := i + 1
			if end < len(runes) && runes[end] == '!' {
				end++
			}
			for first := end; end < len(runes) && (runes[end] != ']' || end == first); {
				end++
			}
			if end == len(runes) {
				return nil, false, fmt.Errorf("glob %q has a [ without its ]", pattern)
			}
			class := string(runes[i+1 : end])
			class, negated := strings.CutPrefix(class, "!")
			class = strings.NewReplacer(`\`, `\\`, `]`, `\]`, `[`, `\[`, `^`, `\^`).Replace(class)
			if negated {
				class = "^" + class
			}
			re.WriteString("[" + class + "]")
			i = end
		case c == '{' && depth > 0:
			return nil, false, fmt.Errorf("glob %q has braces in braces", pattern)
		case c == '{':
			depth++
			re.WriteString(`(?:`)
		case c == '}' && depth > 0:
			depth--
			re.WriteString(`)`)
		case c == ',' && depth > 0:
			re.WriteString(`|`)
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if depth > 0 {
		return nil, false, fmt.Errorf("glob %q has a { without its }", pattern)
	}
	if exact {
		return func(name string) bool { return name == pattern }, true, nil
	}
	re.WriteString(`)$`)
	compiled, err := regexp.Compile(re.String())
	if err != nil {
		return nil, false, fmt.Errorf("glob %q: %w", pattern, err)
	}
	return compiled.MatchString, exact, nil
}
