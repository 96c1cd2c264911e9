// Package expr is the language of DynamoDB: conditions, filters, key conditions, projections and updates, from their text and from the parameters that
// came before expressions.
//
// It owns parsing with DynamoDB's words for what is wrong, evaluation, and the bytes in which conditions and updates travel through the log, so that what a
// node decided when a request came is what every node does. Items belong to tables/value; which attributes are keys, to tables.
//
// Everything here is a pure function over values. Read Node and Path, then parse.go, eval.go and update.go.
package expr

import (
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// Op says what a Node is. The numbers are stored in the log: never change one.
type Op uint8

// Operands are Path, Literal and what computes a value of others; everything from And on is a condition.
const (
	OpPath        Op = 1 // the value at Node.Path
	OpLiteral     Op = 2 // Node.Value
	OpSize        Op = 3
	OpIfNotExists Op = 4
	OpListAppend  Op = 5
	OpPlus        Op = 6
	OpMinus       Op = 7

	OpAnd             Op = 32
	OpOr              Op = 33
	OpNot             Op = 34
	OpEqual           Op = 35
	OpNotEqual        Op = 36
	OpLess            Op = 37
	OpLessEqual       Op = 38
	OpGreater         Op = 39
	OpGreaterEqual    Op = 40
	OpBetween         Op = 41
	OpIn              Op = 42
	OpAttributeExists Op = 43
	OpAttributeAbsent Op = 44
	OpAttributeType   Op = 45
	OpBeginsWith      Op = 46
	OpContains        Op = 47
)

// opNames is how texts write an operator or function.
var opNames = map[Op]string{
	OpSize: "size", OpIfNotExists: "if_not_exists", OpListAppend: "list_append", OpPlus: "+", OpMinus: "-",
	OpAnd: "AND", OpOr: "OR", OpNot: "NOT", OpEqual: "=", OpNotEqual: "<>", OpLess: "<", OpLessEqual: "<=", OpGreater: ">", OpGreaterEqual: ">=",
	OpBetween: "BETWEEN", OpIn: "IN", OpAttributeExists: "attribute_exists", OpAttributeAbsent: "attribute_not_exists",
	OpAttributeType: "attribute_type", OpBeginsWith: "begins_with", OpContains: "contains",
}

// Node is a condition or an operand, with what it is made of.
type Node struct {
	Op    Op
	Args  []*Node
	Path  Path        // of OpPath
	Value value.Value // of OpLiteral
}

// Literal is an operand with a value.
func Literal(v value.Value) *Node { return &Node{Op: OpLiteral, Value: v} }

// Attribute is an operand with the value of a top-level attribute.
func Attribute(name string) *Node { return &Node{Op: OpPath, Path: Path{{Name: name}}} }

// Path leads to a value in an item: a name first, then names inside maps and indexes inside lists.
type Path []Step

// Step is a name, or the index of a list's element.
type Step struct {
	Name    string
	Index   int
	IsIndex bool
}

// String is the path as errors write it: [a, b, [1]].
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.Name
		if s.IsIndex {
			parts[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Head is the top-level attribute.
func (p Path) Head() string { return p[0].Name }

// In is the value where the path leads to in an item, or no value.
func (p Path) In(it value.Item) value.Value {
	v := it.Get(p[0].Name)
	for _, s := range p[1:] {
		switch {
		case s.IsIndex && v.Kind == value.L && s.Index < len(v.List):
			v = v.List[s.Index]
		case !s.IsIndex && v.Kind == value.M:
			v = v.Map.Get(s.Name)
		default:
			return value.Value{}
		}
	}
	return v
}

// overlap says that one of two paths leads through the other; conflict, that they part where one takes a name and the other an index.
func overlap(a, b Path) (overlaps, conflicts bool) {
	for i := range min(len(a), len(b)) {
		if a[i].IsIndex != b[i].IsIndex {
			return false, true
		}
		if a[i] != b[i] {
			return false, false
		}
	}
	return true, false
}

// checkPaths refuses paths of which one leads through another.
func checkPaths(paths []Path) error {
	for i := range paths {
		for _, other := range paths[:i] {
			overlaps, conflicts := overlap(other, paths[i])
			if overlaps || conflicts {
				how := "overlap"
				if conflicts {
					how = "conflict"
				}
				return fault.New(fault.Invalid, "Two document paths %s with each other; must remove or rewrite one of these paths; path one: %v, path two: %v", how, other, paths[i])
			}
		}
	}
	return nil
}

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }
