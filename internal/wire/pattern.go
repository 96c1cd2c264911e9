package wire

import (
	"regexp"
	"sync"
)

// patterns holds the compiled patterns by their RE2 text, each compiled at its first use. There are as many as
// the models have, so nothing is ever dropped.
var patterns sync.Map // string → *regexp.Regexp

// matches says whether all of text matches the shape's pattern, as Java's matches() does. The generator has
// compiled every pattern, so none fails here.
func (s *Shape) matches(text string) bool {
	source := s.PatternRE2
	if source == "" {
		source = s.Pattern
	}
	if compiled, ok := patterns.Load(source); ok {
		return compiled.(*regexp.Regexp).MatchString(text)
	}
	compiled, _ := patterns.LoadOrStore(source, regexp.MustCompile(`\A(?:`+source+`)\z`))
	return compiled.(*regexp.Regexp).MatchString(text)
}
