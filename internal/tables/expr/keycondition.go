package expr

import (
	"github.com/weir-stream/weir/internal/tables/value"
)

// KeyCondition is the part of a table or index that a query reads: one hash key and, perhaps, a condition on the range key.
type KeyCondition struct {
	Hash value.Value
	// Range is OpEqual, OpLess, OpLessEqual, OpGreater, OpGreaterEqual, OpBetween or OpBeginsWith with Low (and High for OpBetween), or 0 for all.
	Range     Op
	Low, High value.Value
}

// ParseKeyCondition reads a key condition for a table or index with a hash key and, unless it is "", a range key.
func ParseKeyCondition(text string, p *Placeholders, hash, rangeKey string) (KeyCondition, error) {
	n, err := ParseCondition("KeyConditionExpression", text, p)
	if err != nil {
		return KeyCondition{}, err
	}
	parts, err := keyParts(n, nil)
	if err != nil {
		return KeyCondition{}, err
	}
	return keyCondition(parts, hash, rangeKey)
}

// keyParts takes ANDs apart and refuses what no key condition has.
func keyParts(n *Node, parts []*Node) ([]*Node, error) {
	switch n.Op {
	case OpAnd:
		for _, arg := range n.Args {
			var err error
			if parts, err = keyParts(arg, parts); err != nil {
				return nil, err
			}
		}
		return parts, nil
	case OpOr, OpNot, OpIn, OpNotEqual, OpAttributeExists, OpAttributeAbsent, OpAttributeType, OpContains:
		return nil, invalid("Invalid operator used in KeyConditionExpression: %s", opNames[n.Op])
	}
	for _, arg := range n.Args {
		if arg.Op == OpSize {
			return nil, invalid("KeyConditionExpressions cannot contain nested operations")
		}
	}
	if n.Args[0].Op != OpPath {
		if n.Op == OpBetween || n.Op == OpBeginsWith || n.Args[1].Op != OpPath {
			return nil, invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", opNames[n.Op])
		}
		n = &Node{Op: mirrored[n.Op], Args: []*Node{n.Args[1], n.Args[0]}}
	}
	if len(n.Args[0].Path) > 1 {
		return nil, invalid("KeyConditionExpressions cannot have conditions on nested attributes")
	}
	for _, arg := range n.Args[1:] {
		if arg.Op != OpLiteral {
			return nil, invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		}
	}
	return append(parts, n), nil
}

// mirrored is an operator with its operands exchanged.
var mirrored = map[Op]Op{OpEqual: OpEqual, OpLess: OpGreater, OpLessEqual: OpGreaterEqual, OpGreater: OpLess, OpGreaterEqual: OpLessEqual}

// keyCondition makes one of comparisons of single attributes.
func keyCondition(parts []*Node, hash, rangeKey string) (k KeyCondition, err error) {
	seen := map[string]bool{}
	for _, n := range parts {
		name := n.Args[0].Path.Head()
		if seen[name] {
			return k, invalid("KeyConditionExpressions must only contain one condition per key")
		}
		seen[name] = true
		switch {
		case name == hash && n.Op == OpEqual:
			k.Hash = n.Args[1].Value
		case name == hash:
			return k, invalid("Query key condition not supported")
		case name == rangeKey && rangeKey != "":
			k.Range, k.Low = n.Op, n.Args[1].Value
			if n.Op == OpBetween {
				k.High = n.Args[2].Value
			}
		}
	}
	if !seen[hash] {
		return k, invalid("Query condition missed key schema element: %s", hash)
	}
	for name := range seen {
		if name != hash && (name != rangeKey || rangeKey == "") {
			if rangeKey != "" && !seen[rangeKey] {
				return k, invalid("Query condition missed key schema element: %s", rangeKey)
			}
			return k, invalid("Query key condition not supported")
		}
	}
	return k, nil
}
