package expr

import (
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/tables/value"
)

// True says whether a condition holds for an item; nil always does. An item that is not there is an empty one.
//
// What is not there, or has another type than the operator needs, makes a condition false, except that it differs (<>) from every value.
func (n *Node) True(it value.Item) bool {
	if n == nil {
		return true
	}
	if n.Op < OpAnd { // an operand, which no parser puts where a condition belongs
		return false
	}
	switch n.Op {
	case OpAnd:
		return !slices.ContainsFunc(n.Args, func(arg *Node) bool { return !arg.True(it) })
	case OpOr:
		return slices.ContainsFunc(n.Args, func(arg *Node) bool { return arg.True(it) })
	case OpNot:
		return !n.Args[0].True(it)
	case OpAttributeExists:
		return n.Args[0].of(it).Exists()
	case OpAttributeAbsent:
		return !n.Args[0].of(it).Exists()
	case OpIn:
		v := n.Args[0].of(it)
		return slices.ContainsFunc(n.Args[1:], func(arg *Node) bool { return same(v, arg.of(it)) })
	case OpBetween:
		v := n.Args[0].of(it)
		return ordered(n.Args[1].of(it), v, atMost) && ordered(v, n.Args[2].of(it), atMost)
	}
	a, b := n.Args[0].of(it), n.Args[1].of(it)
	switch n.Op {
	case OpEqual:
		return same(a, b)
	case OpNotEqual:
		return !same(a, b)
	case OpLess:
		return ordered(a, b, func(order int) bool { return order < 0 })
	case OpLessEqual:
		return ordered(a, b, atMost)
	case OpGreater:
		return ordered(b, a, func(order int) bool { return order < 0 })
	case OpGreaterEqual:
		return ordered(b, a, atMost)
	case OpAttributeType:
		return a.Exists() && a.Kind == value.KindNamed(b.Text)
	case OpBeginsWith:
		return a.Kind == b.Kind && (a.Kind == value.S || a.Kind == value.B) && strings.HasPrefix(a.Text, b.Text)
	case OpContains:
		return contains(a, b)
	}
	return false
}

func atMost(order int) bool { return order <= 0 }

func same(a, b value.Value) bool { return a.Exists() && value.Equal(a, b) }

func ordered(a, b value.Value, is func(order int) bool) bool {
	order, comparable := value.Compare(a, b)
	return comparable && is(order)
}

func contains(in, v value.Value) bool {
	switch {
	case in.Kind == value.S || in.Kind == value.B:
		return v.Kind == in.Kind && strings.Contains(in.Text, v.Text)
	case in.Kind.IsSet():
		_, found := slices.BinarySearch(in.Set, v.Text)
		return found && v.Kind == in.Kind.Member()
	case in.Kind == value.L:
		return slices.ContainsFunc(in.List, func(e value.Value) bool { return same(e, v) })
	}
	return false
}

// of is the value of an operand of a condition.
func (n *Node) of(it value.Item) value.Value {
	switch n.Op {
	case OpLiteral:
		return n.Value
	case OpPath:
		return n.Path.In(it)
	case OpSize:
		if size, has := n.Args[0].of(it).Length(); has {
			return value.Numeric(value.NumberOf(int64(size)))
		}
	}
	return value.Value{}
}

// Walk calls visit for a node and everything in it.
func (n *Node) Walk(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, arg := range n.Args {
		arg.Walk(visit)
	}
}
