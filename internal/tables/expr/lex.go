package expr

import "strings"

// token is a piece of an expression's text; kind is its first byte's class.
type token struct {
	kind       tokenKind
	text       string
	start, end int // in the expression
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenName   // #name
	tokenValue  // :value
	tokenNumber // of an index
	tokenSymbol
	tokenBad
)

// lex cuts an expression into tokens; the last is the end.
func lex(text string) []token {
	tokens := make([]token, 0, len(text)/3+1)
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		kind := tokenSymbol
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '#' || c == ':':
			for i++; i < len(text) && isWord(text[i]); i++ {
			}
			kind = tokenName
			if c == ':' {
				kind = tokenValue
			}
			if i == start+1 {
				kind = tokenBad
			}
		case isDigit(c):
			for ; i < len(text) && isDigit(text[i]); i++ {
			}
			kind = tokenNumber
		case isWord(c):
			for ; i < len(text) && isWord(text[i]); i++ {
			}
			kind = tokenWord
		case strings.HasPrefix(text[i:], "<>"), strings.HasPrefix(text[i:], "<="), strings.HasPrefix(text[i:], ">="):
			i += 2
		case strings.IndexByte("=<>(),.[]+-", c) >= 0:
			i++
		default:
			kind = tokenBad
			for i++; i < len(text) && text[i] >= 0x80; i++ {
			}
		}
		tokens = append(tokens, token{kind, text[start:i], start, i})
	}
	return append(tokens, token{tokenEnd, "<EOF>", len(text), len(text)})
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_'
}
