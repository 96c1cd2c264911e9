package eventpattern

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// Match says whether an event, as Decode gives it, matches: every key of the pattern does. A key of the pattern that is an array of rules matches when one of them holds for the
// value, or, where the value is an array, for one of its elements. A key that is an object matches an object, or one in an array.
func (p *Pattern) Match(event any) bool {
	switch v := event.(type) {
	case map[string]any:
		return p.matchObject(v)
	case []any:
		return slices.ContainsFunc(v, p.Match)
	default:
		return p.matchObject(nil) // what only asks that something is not there
	}
}

func (p *Pattern) matchObject(object map[string]any) bool {
	for i := range p.fields {
		f := &p.fields[i]
		value, has := object[f.name]
		if f.under != nil {
			if !f.under.Match(value) {
				return false
			}
		} else if !slices.ContainsFunc(f.rules, func(r rule) bool { return holds(r, value, has) }) {
			return false
		}
	}
	for _, alternatives := range p.or {
		if !slices.ContainsFunc(alternatives, func(q Pattern) bool { return q.matchObject(object) }) {
			return false
		}
	}
	return true
}

// holds asks one rule of a value that may be an array, or not be there.
func holds(r rule, value any, has bool) bool {
	if e, is := r.(exists); is {
		_, object := value.(map[string]any)
		return e.wanted == (has && !object) // only of what is no object itself
	}
	if !has {
		return false
	}
	if list, is := value.([]any); is {
		return slices.ContainsFunc(list, func(v any) bool { return holds(r, v, true) })
	}
	return r.holds(value)
}

// rule is one element of an array in a pattern. holds is asked of values that are neither arrays nor absent.
type rule interface{ holds(value any) bool }

// equals is a string, a number as it is written, true, false or null.
type equals struct{ value any }

func (r equals) holds(value any) bool {
	switch value.(type) {
	case map[string]any:
		return false
	default:
		return r.value == value
	}
}

// exists is asked by holds itself.
type exists struct{ wanted bool }

func (exists) holds(any) bool { return false }

// affix is prefix or suffix.
type affix struct {
	text string
	fold bool // letters count the same, large and small
	end  bool // it is a suffix
}

func (r affix) holds(value any) bool {
	text, is := value.(string)
	if !is {
		return false
	}
	if r.fold {
		if len(text) < len(r.text) {
			return false
		}
		part := text[:len(r.text)]
		if r.end {
			part = text[len(text)-len(r.text):]
		}
		return strings.EqualFold(part, r.text)
	}
	if r.end {
		return strings.HasSuffix(text, r.text)
	}
	return strings.HasPrefix(text, r.text)
}

// sameLetters is equals-ignore-case.
type sameLetters string

func (r sameLetters) holds(value any) bool {
	text, is := value.(string)
	return is && strings.EqualFold(text, string(r))
}

// not is anything-but: none of them holds.
type not []rule

func (r not) holds(value any) bool {
	if _, object := value.(map[string]any); object {
		return false
	}
	return !slices.ContainsFunc(r, func(of rule) bool { return of.holds(value) })
}

// numeric is one or two bounds, by value.
type numeric []bound

type bound struct {
	operator string
	number   *big.Rat
}

func (r numeric) holds(value any) bool {
	number, is := ratOf(value)
	return is && !slices.ContainsFunc(r, func(b bound) bool { return !b.holds(number) })
}

func (b bound) holds(number *big.Rat) bool {
	c := number.Cmp(b.number)
	switch b.operator {
	case "=":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// cidr is an address in a network.
type cidr struct{ prefix netip.Prefix }

func (r cidr) holds(value any) bool {
	text, _ := value.(string)
	address, err := netip.ParseAddr(text)
	return err == nil && r.prefix.Contains(address)
}
