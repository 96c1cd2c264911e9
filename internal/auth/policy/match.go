package policy

import (
	"strings"
	"unicode/utf8"
)

// glob says whether text fits a pattern in which * stands for any text, also none, and ? for one character. It takes at most
// len(pattern)·len(text) steps.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, resume := -1, 0 // the last *, and where in text to go on if it has to stand for one character more
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			t += character(text[t:])
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			resume += character(text[resume:])
			p, t = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// character is how many bytes the first character of text takes.
func character(text string) int {
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// arnPattern is the six parts of an ARN, each with wildcards, which do not reach beyond their part. The first is "*" alone for a pattern
// that everything fits, also what is no ARN.
type arnPattern [6]string

// parseARNPattern reads "*" or an ARN with wildcards. Parts that are left out at the end are *, as AWS has it. The service has no wildcards
// unless the whole pattern is *.
func parseARNPattern(text string) (p arnPattern, ok bool) {
	if text == "*" {
		return arnPattern{"*"}, true
	}
	parts := strings.SplitN(text, ":", 6)
	if parts[0] != "arn" || len(parts) < 2 {
		return p, false
	}
	for i := range p {
		p[i] = "*"
		if i < len(parts) {
			p[i] = parts[i]
		}
	}
	return p, true
}

func (p *arnPattern) fits(text string) bool {
	if p[0] == "*" {
		return true
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 {
		return false
	}
	for i := range p {
		if !glob(p[i], parts[i]) {
			return false
		}
	}
	return true
}

// onAction says whether a statement is on an action, given in lower case.
func (s *statement) onAction(action string) bool {
	for _, pattern := range s.actions {
		if glob(pattern, action) {
			return !s.notAction
		}
	}
	return s.notAction
}

func (s *statement) onResource(resource string) bool {
	for i := range s.resources {
		if s.resources[i].fits(resource) {
			return !s.notResource
		}
	}
	return s.notResource
}

// match says whether the caller is one of p.
func (p *principals) match(r *Request) match {
	m := no
	switch {
	case p.everyone || contains(p.arns, r.ARN):
		m = yes
	case contains(p.accounts, r.Account):
		m = viaRoot
		if r.User == "" {
			m = yes // the caller is that root
		}
	}
	if !p.not {
		return m
	}
	if m == no {
		return yes
	}
	return no
}

func contains(list []string, text string) bool {
	for _, one := range list {
		if one == text {
			return true
		}
	}
	return false
}
