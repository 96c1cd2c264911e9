package expr

import (
	"slices"

	"github.com/weir-stream/weir/internal/tables/value"
)

// typeOf is the type that an operand has whatever the item, or None.
func typeOf(n *Node) value.Kind {
	switch n.Op {
	case OpLiteral:
		return n.Value.Kind
	case OpSize, OpPlus, OpMinus:
		return value.N
	case OpListAppend:
		return value.L
	}
	return value.None
}

func badType(n *Node, kind value.Kind) error {
	return invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", opNames[n.Op], kind)
}

// checkComparison refuses what no item can make true.
func checkComparison(n *Node) error {
	if err := checkDistinct(n); err != nil {
		return err
	}
	switch n.Op {
	case OpLess, OpLessEqual, OpGreater, OpGreaterEqual, OpBetween:
		for _, arg := range n.Args {
			if k := typeOf(arg); k != value.None && k != value.S && k != value.N && k != value.B {
				return badType(n, k)
			}
		}
	case OpIn:
		if len(n.Args)-1 > inMax {
			return invalid("The IN operator is provided with too many operands; number of operands: %d", len(n.Args)-1)
		}
	}
	if n.Op != OpBetween || n.Args[1].Op != OpLiteral || n.Args[2].Op != OpLiteral {
		return nil
	}
	low, high := n.Args[1].Value, n.Args[2].Value
	if low.Kind != high.Kind {
		return invalid("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s",
			shown(low), shown(high))
	}
	if order, ordered := value.Compare(low, high); ordered && order > 0 {
		return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s",
			shown(low), shown(high))
	}
	return nil
}

// shown is a value as these texts write it.
func shown(v value.Value) string {
	text := v.Text
	if v.Kind == value.N {
		text = v.Number().String()
	}
	return "{" + v.Kind.String() + ":" + text + "}"
}

// checkDistinct refuses an operator whose first operand is repeated: it says nothing.
func checkDistinct(n *Node) error {
	first := n.Args[0]
	if first.Op != OpPath {
		return nil
	}
	for _, arg := range n.Args[1:] {
		if arg.Op == OpPath && slices.Equal(arg.Path, first.Path) {
			return invalid("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %v", opNames[n.Op], first.Path)
		}
	}
	return nil
}

func checkFunction(n *Node) error {
	if err := checkDistinct(n); err != nil {
		return err
	}
	switch n.Op {
	case OpAttributeExists, OpAttributeAbsent:
		if n.Args[0].Op != OpPath {
			return invalid("Operator or function requires a document path; operator or function: %s", opNames[n.Op])
		}
	case OpAttributeType:
		if k := typeOf(n.Args[1]); k != value.S {
			if k == value.None {
				return invalid("Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
			}
			return badType(n, k)
		}
		if name := n.Args[1].Value.Text; value.KindNamed(name) == value.None {
			return invalid("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", name)
		}
	case OpBeginsWith:
		for _, arg := range n.Args {
			if k := typeOf(arg); k != value.None && k != value.S && k != value.B {
				return badType(n, k)
			}
		}
	case OpSize:
		switch k := typeOf(n.Args[0]); k {
		case value.N, value.BOOL, value.NULL:
			return badType(n, k)
		}
	}
	return nil
}
