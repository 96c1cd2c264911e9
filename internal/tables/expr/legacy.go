package expr

import (
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/tables/value"
)

// What requests had before expressions (Expected, ScanFilter, QueryFilter, KeyConditions, AttributeUpdates; "Legacy conditional parameters" in the developer guide, read
// 2026-11) becomes the same nodes and actions, so that there is one evaluator. The KCL still speaks it.

// Comparison is an old condition on one attribute: ComparisonOperator and AttributeValueList.
type Comparison struct {
	Operator string
	Values   []value.Value
}

// Expectation is one entry of Expected: a Comparison, or Exists and Value.
type Expectation struct {
	Comparison
	HasList bool        // AttributeValueList was given
	Exists  *bool       // nil when absent
	Value   value.Value // none when absent
}

// comparison is what an old operator takes.
type comparison struct {
	op          Op
	negate      bool
	least, most int
	kinds       []value.Kind // of its values; nil for all
}

var (
	scalars       = []value.Kind{value.S, value.N, value.B}
	scalarsOrSets = []value.Kind{value.S, value.N, value.B, value.SS, value.NS, value.BS}
)

var comparisons = map[string]comparison{
	"EQ": {op: OpEqual, least: 1, most: 1}, "NE": {op: OpNotEqual, least: 1, most: 1},
	"LE": {op: OpLessEqual, least: 1, most: 1, kinds: scalars}, "LT": {op: OpLess, least: 1, most: 1, kinds: scalars},
	"GE": {op: OpGreaterEqual, least: 1, most: 1, kinds: scalars}, "GT": {op: OpGreater, least: 1, most: 1, kinds: scalars},
	"NOT_NULL": {op: OpAttributeExists}, "NULL": {op: OpAttributeAbsent},
	"CONTAINS": {op: OpContains, least: 1, most: 1, kinds: scalars}, "NOT_CONTAINS": {op: OpContains, negate: true, least: 1, most: 1, kinds: scalars},
	"BEGINS_WITH": {op: OpBeginsWith, least: 1, most: 1, kinds: []value.Kind{value.S, value.B}},
	"IN":          {op: OpIn, least: 1, most: inMax, kinds: scalarsOrSets}, "BETWEEN": {op: OpBetween, least: 2, most: 2, kinds: scalars},
}

var errEmptyName = invalid("One or more parameter values are not valid. Supplied attribute name is empty")

const badParameters = "One or more parameter values were invalid: "

// node is the condition that an old one says of an attribute.
func (c Comparison) node(name string) (*Node, error) {
	if name == "" {
		return nil, errEmptyName
	}
	known, is := comparisons[c.Operator]
	if !is {
		return nil, invalid(badParameters+"ComparisonOperator %s is not valid", c.Operator)
	}
	if len(c.Values) < known.least || len(c.Values) > known.most {
		return nil, invalid(badParameters+"Invalid number of argument(s) for the %s ComparisonOperator", c.Operator)
	}
	n := &Node{Op: known.op, Args: []*Node{Attribute(name)}}
	for _, v := range c.Values {
		switch {
		case v.Kind != c.Values[0].Kind:
			return nil, invalid(badParameters + "AttributeValues inside AttributeValueList must be of same type")
		case known.kinds != nil && !slices.Contains(known.kinds, v.Kind):
			return nil, invalid(badParameters+"ComparisonOperator %s is not valid for %s AttributeValue type", c.Operator, v.Kind)
		}
		n.Args = append(n.Args, Literal(v))
	}
	if known.op == OpBetween {
		if order, _ := value.Compare(c.Values[0], c.Values[1]); order > 0 {
			return nil, invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	if known.negate {
		n = &Node{Op: OpNot, Args: []*Node{n}}
	}
	return n, nil
}

// FromExpected is the condition of Expected and ConditionalOperator; nil when there is none.
func FromExpected(expected map[string]Expectation, operator string) (*Node, error) {
	var parts []*Node
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		n, err := expected[name].node(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	return joined(parts, operator)
}

func (e Expectation) node(name string) (*Node, error) {
	hasValue := e.Value.Exists()
	switch {
	case name == "":
		return nil, errEmptyName
	case e.HasList && hasValue:
		return nil, invalid(badParameters+"Value and AttributeValueList cannot be used together for Attribute: %s", name)
	case e.Operator != "" && e.Exists != nil:
		return nil, invalid(badParameters+"Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case e.Operator != "" && e.Operator != "NULL" && e.Operator != "NOT_NULL" && !e.HasList && !hasValue:
		return nil, invalid(badParameters+"Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", e.Operator, name)
	case e.Operator != "":
		c := e.Comparison
		if hasValue {
			c.Values = []value.Value{e.Value}
		}
		return c.node(name)
	case e.HasList:
		return nil, invalid(badParameters+"AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case e.Exists != nil && !*e.Exists && hasValue:
		return nil, invalid(badParameters+"Value cannot be used when Exists is false for Attribute: %s", name)
	case e.Exists != nil && !*e.Exists:
		return &Node{Op: OpAttributeAbsent, Args: []*Node{Attribute(name)}}, nil
	case !hasValue && e.Exists == nil:
		return nil, invalid(badParameters+"Value must be provided when Exists is null for Attribute: %s", name)
	case !hasValue:
		return nil, invalid(badParameters+"Value must be provided when Exists is true for Attribute: %s", name)
	}
	return &Node{Op: OpEqual, Args: []*Node{Attribute(name), Literal(e.Value)}}, nil
}

// FromFilter is the condition of ScanFilter or QueryFilter and ConditionalOperator; nil when there is none.
func FromFilter(filter map[string]Comparison, operator string) (*Node, error) {
	var parts []*Node
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		n, err := filter[name].node(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	return joined(parts, operator)
}

// joined is all parts with AND, or with OR when operator says so.
func joined(parts []*Node, operator string) (*Node, error) {
	switch {
	case operator != "" && len(parts) == 0:
		return nil, invalid(badParameters + "ConditionalOperator cannot be used without Filter or Expected")
	case operator != "" && len(parts) == 1:
		return nil, invalid(badParameters + "ConditionalOperator can only be used when Filter or Expected has two or more elements")
	case len(parts) == 0:
		return nil, nil
	case len(parts) == 1:
		return parts[0], nil
	case operator == "OR":
		return &Node{Op: OpOr, Args: parts}, nil
	}
	return &Node{Op: OpAnd, Args: parts}, nil
}

// FromKeyConditions is the key condition of KeyConditions.
func FromKeyConditions(conditions map[string]Comparison, hash, rangeKey string) (KeyCondition, error) {
	if len(conditions) == 0 || len(conditions) > 2 {
		return KeyCondition{}, invalid("Conditions can be of length 1 or 2 only")
	}
	var parts []*Node
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		n, err := conditions[name].node(name)
		if err != nil {
			return KeyCondition{}, err
		}
		switch n.Op {
		case OpEqual, OpLess, OpLessEqual, OpGreater, OpGreaterEqual, OpBetween, OpBeginsWith:
		default:
			return KeyCondition{}, invalid("Attempted conditional constraint is not an indexable operation")
		}
		parts = append(parts, n)
	}
	return keyCondition(parts, hash, rangeKey)
}

// Put is one entry of AttributeUpdates; Value is none when absent.
type Put struct {
	Action string // PUT, ADD or DELETE; "" is PUT
	Value  value.Value
}

// FromAttributeUpdates is the update of AttributeUpdates.
func FromAttributeUpdates(updates map[string]Put) (Update, error) {
	var u Update
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		a := Action{Path: Path{{Name: name}}}
		v := updates[name].Value
		switch action := updates[name].Action; {
		case name == "":
			return nil, errEmptyName
		case action == "DELETE" && !v.Exists():
			a.Act = ActRemove
			u = append(u, a)
			continue
		case !v.Exists():
			return nil, invalid(badParameters + "Only DELETE action is allowed when no attribute value is specified")
		case action == "PUT", action == "":
			a.Act = ActSet
		case action == "DELETE":
			if !v.Kind.IsSet() {
				return nil, invalid(badParameters+"DELETE action with value is not supported for the type %s", v.Kind)
			}
			a.Act = ActDeleteOld
		case action == "ADD":
			if !v.Kind.IsSet() && v.Kind != value.N && v.Kind != value.L {
				return nil, invalid(badParameters+"ADD action is not supported for the type %s", v.Kind)
			}
			a.Act = ActAddOld
		default:
			return nil, invalid(badParameters+"Action %s is not valid", action)
		}
		a.Operand = Literal(v)
		u = append(u, a)
	}
	return u, nil
}
