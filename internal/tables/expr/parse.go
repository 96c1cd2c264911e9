package expr

import (
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// Limits of expressions (ServiceQuotas, "Expression parameters", read 2026-11).
const (
	textMax      = 4 << 10 // bytes of an expression
	operatorsMax = 300     // operators and functions of one
	inMax        = 100     // operands behind IN
)

// ParseCondition reads a condition or a filter. parameter is the request's name for it, with which errors begin.
func ParseCondition(parameter, text string, p *Placeholders) (*Node, error) {
	ps, err := newParser(text, p)
	if err != nil {
		return nil, named(parameter, err)
	}
	n, err := ps.condition()
	if err == nil {
		err = ps.end()
	}
	if err != nil {
		return nil, named(parameter, err)
	}
	return n, nil
}

// named says of which parameter an error is.
func named(parameter string, err error) error {
	return fault.New(fault.Invalid, "Invalid %s: %v", parameter, err)
}

// parser walks the tokens of one expression. No rule looks more than two tokens ahead.
type parser struct {
	text      string
	tokens    []token
	closing   []int // closing[i] is the token that closes the parenthesis at i, or the end
	at        int
	operators int
	p         *Placeholders
}

func newParser(text string, p *Placeholders) (*parser, error) {
	switch {
	case text == "":
		return nil, invalid("The expression can not be empty;")
	case len(text) > textMax:
		return nil, invalid("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	ps := &parser{text: text, tokens: lex(text), p: p}
	ps.closing = make([]int, len(ps.tokens))
	var open []int
	for i, t := range ps.tokens {
		ps.closing[i] = len(ps.tokens) - 1
		switch {
		case t.kind != tokenSymbol:
		case t.text == "(":
			open = append(open, i)
		case t.text == ")" && len(open) > 0:
			ps.closing[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return ps, nil
}

func (ps *parser) token() token { return ps.tokens[ps.at] }

// next is the token behind this one; the end follows itself.
func (ps *parser) next() token { return ps.tokens[min(ps.at+1, len(ps.tokens)-1)] }

// symbol takes a symbol if it is next.
func (ps *parser) symbol(text string) bool {
	if t := ps.token(); t.kind != tokenSymbol || t.text != text {
		return false
	}
	ps.at++
	return true
}

// keyword takes a word if it is next, whatever its case.
func (ps *parser) keyword(word string) bool {
	if !ps.isKeyword(word) {
		return false
	}
	ps.at++
	return true
}

func (ps *parser) isKeyword(word string) bool {
	t := ps.token()
	return t.kind == tokenWord && strings.EqualFold(t.text, word)
}

func (ps *parser) want(text string) error {
	if !ps.symbol(text) {
		return ps.syntax()
	}
	return nil
}

func (ps *parser) end() error {
	if ps.token().kind != tokenEnd {
		return ps.syntax()
	}
	return nil
}

// syntax says which token has no place here, and what stands around it.
func (ps *parser) syntax() error {
	from := ps.tokens[max(ps.at-1, 0)]
	to := ps.next()
	return invalid("Syntax error; token: \"%s\", near: \"%s\"", ps.token().text, strings.TrimSpace(ps.text[from.start:to.end]))
}

// count notes an operator or function.
func (ps *parser) count() error {
	if ps.operators++; ps.operators > operatorsMax {
		return invalid("The expression contains too many operators; operator count: %d", ps.operators)
	}
	return nil
}

// condition is the loosest rule: … OR …, then AND, then NOT.
func (ps *parser) condition() (*Node, error) {
	return ps.chain("OR", OpOr, func() (*Node, error) { return ps.chain("AND", OpAnd, ps.negation) })
}

func (ps *parser) chain(word string, op Op, rule func() (*Node, error)) (*Node, error) {
	first, err := rule()
	if err != nil || !ps.isKeyword(word) {
		return first, err
	}
	n := &Node{Op: op, Args: []*Node{first}}
	for ps.keyword(word) {
		if err := ps.count(); err != nil {
			return nil, err
		}
		arg, err := rule()
		if err != nil {
			return nil, err
		}
		n.Args = append(n.Args, arg)
	}
	return n, nil
}

func (ps *parser) negation() (*Node, error) {
	if !ps.keyword("NOT") {
		return ps.primary()
	}
	if err := ps.count(); err != nil {
		return nil, err
	}
	arg, err := ps.negation()
	if err != nil {
		return nil, err
	}
	return &Node{Op: OpNot, Args: []*Node{arg}}, nil
}

// primary is a condition in parentheses, a function that is a condition, or a comparison.
func (ps *parser) primary() (*Node, error) {
	if ps.parenthesizedCondition() {
		ps.at++
		inner := ps.at
		n, err := ps.condition()
		if err != nil {
			return nil, err
		}
		if ps.tokens[inner].text == "(" && ps.closing[inner] == ps.at-1 {
			return nil, invalid("The expression has redundant parentheses;")
		}
		return n, ps.want(")")
	}
	n, err := ps.operand(true)
	if err != nil {
		return nil, err
	}
	if n.Op >= OpAnd {
		return n, nil
	}
	return ps.comparison(n)
}

// parenthesizedCondition says whether the parenthesis here holds a condition rather than an operand: behind the one that closes it there is no comparison.
func (ps *parser) parenthesizedCondition() bool {
	t := ps.token()
	if t.kind != tokenSymbol || t.text != "(" {
		return false
	}
	behind := ps.tokens[min(ps.closing[ps.at]+1, len(ps.tokens)-1)]
	switch {
	case strings.EqualFold(behind.text, "BETWEEN"), strings.EqualFold(behind.text, "IN"):
		return false
	case behind.kind == tokenSymbol && behind.text != ")":
		return false
	}
	return true
}

var comparators = map[string]Op{"=": OpEqual, "<>": OpNotEqual, "<": OpLess, "<=": OpLessEqual, ">": OpGreater, ">=": OpGreaterEqual}

func (ps *parser) comparison(left *Node) (*Node, error) {
	n := &Node{Args: []*Node{left}}
	t := ps.token()
	switch op, compares := comparators[t.text]; {
	case t.kind == tokenSymbol && compares:
		ps.at++
		n.Op = op
		if err := ps.operands(n, 1); err != nil {
			return nil, err
		}
	case ps.keyword("BETWEEN"):
		n.Op = OpBetween
		if err := ps.operands(n, 1); err != nil {
			return nil, err
		}
		if !ps.keyword("AND") {
			return nil, ps.syntax()
		}
		if err := ps.operands(n, 1); err != nil {
			return nil, err
		}
	case ps.keyword("IN"):
		n.Op = OpIn
		if err := ps.want("("); err != nil {
			return nil, err
		}
		for more := true; more; more = ps.symbol(",") {
			if err := ps.operands(n, 1); err != nil {
				return nil, err
			}
		}
		if err := ps.want(")"); err != nil {
			return nil, err
		}
	default:
		return nil, ps.syntax()
	}
	if err := ps.count(); err != nil {
		return nil, err
	}
	return n, checkComparison(n)
}

func (ps *parser) operands(n *Node, count int) error {
	for range count {
		arg, err := ps.operand(false)
		if err != nil {
			return err
		}
		n.Args = append(n.Args, arg)
	}
	return nil
}

// conditionFunctions is the functions of conditions and how many operands each takes.
var conditionFunctions = map[string]struct {
	op   Op
	args int
}{
	"attribute_exists": {OpAttributeExists, 1}, "attribute_not_exists": {OpAttributeAbsent, 1}, "attribute_type": {OpAttributeType, 2},
	"begins_with": {OpBeginsWith, 2}, "contains": {OpContains, 2}, "size": {OpSize, 1},
}

// operand is a value, a path, size(…), an operand in parentheses, or, where a condition may stand, any function of conditions.
func (ps *parser) operand(conditionToo bool) (*Node, error) {
	if ps.symbol("(") {
		n, err := ps.operand(false)
		if err != nil {
			return nil, err
		}
		return n, ps.want(")")
	}
	t := ps.token()
	if t.kind == tokenWord && ps.next().text == "(" {
		n, err := ps.function()
		if err != nil {
			return nil, err
		}
		if n.Op >= OpAnd && !conditionToo {
			return nil, invalid("The function is not allowed to be used this way in an expression; function: %s", t.text)
		}
		return n, nil
	}
	return ps.simple()
}

// simple is a value or a path.
func (ps *parser) simple() (*Node, error) {
	if t := ps.token(); t.kind == tokenValue {
		ps.at++
		v, err := ps.p.value(t.text)
		return Literal(v), err
	}
	path, err := ps.path()
	return &Node{Op: OpPath, Path: path}, err
}

func (ps *parser) function() (*Node, error) {
	name := ps.token().text
	f, known := conditionFunctions[name]
	if !known {
		if name == "if_not_exists" || name == "list_append" {
			return nil, invalid("The function is not allowed in a condition expression; function: %s", name)
		}
		return nil, invalid("Invalid function name; function: %s", name)
	}
	ps.at += 2
	n := &Node{Op: f.op}
	for more := true; more; more = ps.symbol(",") {
		if err := ps.operands(n, 1); err != nil {
			return nil, err
		}
	}
	if err := ps.want(")"); err != nil {
		return nil, err
	}
	if len(n.Args) != f.args {
		return nil, invalid("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, len(n.Args))
	}
	if err := ps.count(); err != nil {
		return nil, err
	}
	return n, checkFunction(n)
}

// path is a name, then .name and [index] any number of times.
func (ps *parser) path() (Path, error) {
	step, err := ps.pathName()
	if err != nil {
		return nil, err
	}
	path := Path{step}
	for {
		switch {
		case ps.symbol("."):
			step, err := ps.pathName()
			if err != nil {
				return nil, err
			}
			path = append(path, step)
		case ps.symbol("["):
			t := ps.token()
			index, err := strconv.Atoi(t.text)
			if t.kind != tokenNumber || err != nil {
				return nil, ps.syntax()
			}
			ps.at++
			if err := ps.want("]"); err != nil {
				return nil, err
			}
			if index > indexMax {
				return nil, invalid("List index is not within the allowable range; index: [%d]", index)
			}
			path = append(path, Step{Index: index, IsIndex: true})
		default:
			if len(path) > value.DepthMax {
				return nil, invalid("The document path has too many nesting elements; nesting level: %d", len(path))
			}
			return path, nil
		}
	}
}

// indexMax is the last index that a list can have, and more than an item of 400 KB has room for.
const indexMax = 1 << 30

func (ps *parser) pathName() (Step, error) {
	t := ps.token()
	switch t.kind {
	case tokenName:
		ps.at++
		name, err := ps.p.name(t.text)
		return Step{Name: name}, err
	case tokenWord:
		ps.at++
		if isReserved(t.text) {
			return Step{}, invalid("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		return Step{Name: t.text}, nil
	}
	return Step{}, ps.syntax()
}
