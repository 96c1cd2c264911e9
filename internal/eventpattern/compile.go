package eventpattern

import (
	"encoding/json"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

// depthMax is how deep objects of a pattern may lie in each other: more than any event has, and no danger to a stack.
const depthMax = 100

// Compile reads a pattern. Invalid, with the reason, when it is none.
func Compile(text string) (*Pattern, error) {
	v, err := Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	object, is := v.(map[string]any)
	if !is {
		return nil, fault.New(fault.Invalid, "a pattern is a JSON object")
	}
	return compile(object, 0)
}

func compile(object map[string]any, depth int) (*Pattern, error) {
	if len(object) == 0 {
		return nil, fault.New(fault.Invalid, "an empty object in a pattern")
	}
	if depth > depthMax {
		return nil, fault.New(fault.Invalid, "a pattern more than %d deep", depthMax)
	}
	p := &Pattern{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch v := object[name].(type) {
		case map[string]any:
			under, err := compile(v, depth+1)
			if err != nil {
				return nil, err
			}
			p.fields = append(p.fields, field{name: name, under: under})
		case []any:
			if name == "$or" {
				alternatives, err := compileOr(v, depth)
				if err != nil {
					return nil, err
				}
				p.or = append(p.or, alternatives)
				continue
			}
			rules, err := compileRules(v)
			if err != nil {
				return nil, fault.Wrap(err, "%q", name)
			}
			p.fields = append(p.fields, field{name: name, rules: rules})
		default:
			return nil, fault.New(fault.Invalid, "%q must be an object or an array", name)
		}
	}
	return p, nil
}

func compileOr(list []any, depth int) (alternatives []Pattern, err error) {
	if len(list) < 2 {
		return nil, fault.New(fault.Invalid, "$or has at least two alternatives")
	}
	for _, v := range list {
		object, is := v.(map[string]any)
		if !is {
			return nil, fault.New(fault.Invalid, "an alternative of $or is an object")
		}
		p, err := compile(object, depth+1)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, *p)
	}
	return alternatives, nil
}

func compileRules(list []any) (rules []rule, err error) {
	if len(list) == 0 {
		return nil, fault.New(fault.Invalid, "an empty array")
	}
	for _, v := range list {
		r, err := compileRule(v)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func compileRule(v any) (rule, error) {
	object, is := v.(map[string]any)
	if !is {
		if _, list := v.([]any); list {
			return nil, fault.New(fault.Invalid, "an array in an array")
		}
		return equals{v}, nil
	}
	if len(object) != 1 {
		return nil, fault.New(fault.Invalid, "a rule has one operator, not %d", len(object))
	}
	for operator, of := range object {
		switch operator {
		case "exists":
			wanted, is := of.(bool)
			if !is {
				return nil, fault.New(fault.Invalid, "exists is true or false")
			}
			return exists{wanted}, nil
		case "anything-but":
			return compileNot(of)
		case "numeric":
			return compileNumeric(of)
		case "cidr":
			text, _ := of.(string)
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fault.As(fault.Invalid, err, "cidr")
			}
			return cidr{prefix}, nil
		default:
			return compileText(operator, of)
		}
	}
	panic("eventpattern: an object of one member has none")
}

// compileText is the operators about strings.
func compileText(operator string, of any) (rule, error) {
	fold := false
	if object, is := of.(map[string]any); is && len(object) == 1 && (operator == "prefix" || operator == "suffix") {
		of, fold = object["equals-ignore-case"], true
	}
	text, is := of.(string)
	if !is {
		return nil, fault.New(fault.Invalid, "%s takes a string", operator)
	}
	switch operator {
	case "prefix":
		return affix{text, fold, false}, nil
	case "suffix":
		return affix{text, fold, true}, nil
	case "equals-ignore-case":
		return sameLetters(text), nil
	default:
		return nil, fault.New(fault.Invalid, "operator %q is not known", operator)
	}
}

// compileNot is anything-but: of a value, of any in a list, or of what an operator about strings says.
func compileNot(of any) (rule, error) {
	switch v := of.(type) {
	case []any:
		if len(v) == 0 {
			return nil, fault.New(fault.Invalid, "anything-but nothing")
		}
		var n not
		for _, value := range v {
			switch value.(type) {
			case string, json.Number:
				n = append(n, equals{value})
			default:
				return nil, fault.New(fault.Invalid, "anything-but takes strings and numbers")
			}
		}
		return n, nil
	case map[string]any:
		if len(v) != 1 {
			return nil, fault.New(fault.Invalid, "anything-but has one operator")
		}
		var n not
		for operator, texts := range v {
			list, is := texts.([]any)
			if !is {
				list = []any{texts}
			}
			for _, text := range list {
				r, err := compileText(operator, text)
				if err != nil {
					return nil, err
				}
				n = append(n, r)
			}
		}
		if len(n) == 0 {
			return nil, fault.New(fault.Invalid, "anything-but nothing")
		}
		return n, nil
	case string, json.Number:
		return not{equals{v}}, nil
	default:
		return nil, fault.New(fault.Invalid, "anything-but takes strings and numbers")
	}
}

// numericMost bounds the numbers of a range (EventBridge: between -5.0e9 and 5.0e9, with 15 digits).
var numericMost = big.NewRat(5_000_000_000, 1)

func compileNumeric(of any) (rule, error) {
	list, is := of.([]any)
	if !is || len(list) != 2 && len(list) != 4 {
		return nil, fault.New(fault.Invalid, "numeric takes an operator and a number, or two of each")
	}
	var r numeric
	for i := 0; i < len(list); i += 2 {
		operator, _ := list[i].(string)
		number, is := ratOf(list[i+1])
		if !is || new(big.Rat).Abs(number).Cmp(numericMost) > 0 {
			return nil, fault.New(fault.Invalid, "numeric compares with numbers between -5e9 and 5e9")
		}
		if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, operator) {
			return nil, fault.New(fault.Invalid, "numeric has no operator %q", operator)
		}
		r = append(r, bound{operator, number})
	}
	if len(r) == 2 && (!strings.HasPrefix(r[0].operator, ">") || !strings.HasPrefix(r[1].operator, "<") || r[0].number.Cmp(r[1].number) >= 0) {
		return nil, fault.New(fault.Invalid, "a range of numeric begins with its lower end")
	}
	return r, nil
}

// numberLengthMax is how long a number may be that is compared by value: EventBridge looks at 15 digits.
const numberLengthMax = 100

// ratOf is the value of a JSON number, if it is one that can be compared: an exponent of more than three digits is not worth its memory.
func ratOf(v any) (*big.Rat, bool) {
	number, is := v.(json.Number)
	if !is || len(number) > numberLengthMax {
		return nil, false
	}
	if at := strings.IndexAny(string(number), "eE"); at >= 0 && len(strings.TrimLeft(string(number[at+1:]), "+-0")) > 3 {
		return nil, false
	}
	return new(big.Rat).SetString(string(number))
}
