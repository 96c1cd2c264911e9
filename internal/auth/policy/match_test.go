package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzGlob: a pattern fits what the regular expression of its meaning fits.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**", "")
	f.Add("*??", "€")
	f.Add("?é*?", "àéî")
	f.Add("*a*a*a*b", "aaaaaaaaaaaaaaac")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return // no policy has such text
		}
		meaning := regexp.QuoteMeta(pattern)
		meaning = strings.ReplaceAll(strings.ReplaceAll(meaning, `\*`, ".*"), `\?`, ".")
		if got, want := glob(pattern, text), regexp.MustCompile("(?s)^"+meaning+"$").MatchString(text); got != want {
			t.Errorf("glob(%q, %q) = %v", pattern, text, got)
		}
	})
}
