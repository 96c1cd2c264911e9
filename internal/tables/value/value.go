// Package value is what attributes of items hold: strings, numbers of 38 digits, bytes, booleans, null, lists, maps and sets.
//
// It owns their order, their arithmetic, their size as DynamoDB counts it, and their bytes, both inside an item and inside a key. What operations do with
// them belongs to tables, conditions and updates to tables/expr.
//
// Read Value and Item, then number.go, then encode.go and key.go.
package value

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

// Kind is the type of a value. The numbers are stored: never change one.
type Kind uint8

// The types, by the names that requests give them.
const (
	None Kind = iota // no value: what a path leads to that is not there
	S
	N
	B
	BOOL
	NULL
	M
	L
	SS
	NS
	BS
)

var kindNames = [...]string{"", "S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}

// String is the type's name in requests.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "?"
}

// KindNamed is the type of a name, or None.
func KindNamed(name string) Kind {
	if i := slices.Index(kindNames[:], name); i > 0 {
		return Kind(i)
	}
	return None
}

// IsSet says whether k is one of SS, NS and BS.
func (k Kind) IsSet() bool { return k == SS || k == NS || k == BS }

// Member is the type of a set's elements.
func (k Kind) Member() Kind { return k - SS + S }

// Value is one attribute value. The zero Value is no value at all. Values are never changed once they are shared.
type Value struct {
	Kind Kind
	Bool bool     // of BOOL
	Text string   // of S its text, of B its bytes, of N its Number
	Set  []string // of SS, NS and BS: the elements as Text has them, sorted, each once
	List []Value  // of L
	Map  Item     // of M
}

// Item is attributes, sorted by name, each name once.
type Item []Attribute

// Attribute is a name and its value.
type Attribute struct {
	Name  string
	Value Value
}

// String makes an S.
func String(text string) Value { return Value{Kind: S, Text: text} }

// Binary makes a B.
func Binary(b []byte) Value { return Value{Kind: B, Text: string(b)} }

// Bool makes a BOOL.
func Bool(b bool) Value { return Value{Kind: BOOL, Bool: b} }

// Null makes a NULL.
func Null() Value { return Value{Kind: NULL} }

// Numeric makes an N of a Number.
func Numeric(n Number) Value { return Value{Kind: N, Text: string(n)} }

// Number is the number that an N holds.
func (v Value) Number() Number { return Number(v.Text) }

// Exists says whether there is a value.
func (v Value) Exists() bool { return v.Kind != None }

// Get is the value of a name, or no value.
func (it Item) Get(name string) Value {
	if i, found := it.find(name); found {
		return it[i].Value
	}
	return Value{}
}

// Has says whether there is an attribute of a name.
func (it Item) Has(name string) bool {
	_, found := it.find(name)
	return found
}

func (it Item) find(name string) (int, bool) {
	if len(it) <= 8 { // quicker than halving
		for i := range it {
			if it[i].Name >= name {
				return i, it[i].Name == name
			}
		}
		return len(it), false
	}
	return slices.BinarySearchFunc(it, name, func(a Attribute, name string) int { return strings.Compare(a.Name, name) })
}

// With is the item with a value under a name; the item itself stays as it is.
func (it Item) With(name string, v Value) Item {
	i, found := it.find(name)
	if found {
		out := slices.Clone(it)
		out[i].Value = v
		return out
	}
	out := make(Item, 0, len(it)+1)
	out = append(out, it[:i]...)
	out = append(out, Attribute{name, v})
	return append(out, it[i:]...)
}

// Without is the item without a name; the item itself stays as it is.
func (it Item) Without(name string) Item {
	i, found := it.find(name)
	if !found {
		return it
	}
	out := make(Item, 0, len(it)-1)
	out = append(out, it[:i]...)
	return append(out, it[i+1:]...)
}

// Merged is the item with attributes put in place, or taken away where they have no value; the item itself stays as it is. changes may have any order, each name once.
func (it Item) Merged(changes Item) Item {
	if len(changes) == 0 {
		return it
	}
	changes = slices.Clone(changes)
	changes.Sort()
	out := make(Item, 0, len(it)+len(changes))
	i := 0
	for _, c := range changes {
		for ; i < len(it) && it[i].Name < c.Name; i++ {
			out = append(out, it[i])
		}
		if i < len(it) && it[i].Name == c.Name {
			i++
		}
		if c.Value.Exists() {
			out = append(out, c)
		}
	}
	return append(out, it[i:]...)
}

// Sort orders the attributes by name, for those who collect them in another order. Names must differ.
func (it Item) Sort() {
	slices.SortFunc(it, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
}

// Equal says whether two values are the same: of one type, numbers as numbers, sets without order.
func Equal(a, b Value) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case S, N, B:
		return a.Text == b.Text
	case BOOL:
		return a.Bool == b.Bool
	case SS, NS, BS:
		return slices.Equal(a.Set, b.Set)
	case L:
		return slices.EqualFunc(a.List, b.List, Equal)
	case M:
		return EqualItems(a.Map, b.Map)
	}
	return true // NULL, None
}

// EqualItems says whether two items have the same names with the same values.
func EqualItems(a, b Item) bool {
	return slices.EqualFunc(a, b, func(a, b Attribute) bool { return a.Name == b.Name && Equal(a.Value, b.Value) })
}

// Compare orders two values of one type that has an order: S, N, B. comparable is false for any other pair.
func Compare(a, b Value) (order int, comparable bool) {
	if a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case S, N, B:
		return cmp.Compare(a.Text, b.Text), true // a Number's bytes are in the order of numbers
	}
	return 0, false
}

// NewSet makes a set of elements as Value.Text has them. Invalid, in DynamoDB's words, when it is empty or an element stands in it twice.
func NewSet(kind Kind, elements []string) (Value, error) {
	if len(elements) == 0 {
		switch kind {
		case SS:
			return Value{}, invalid("One or more parameter values were invalid: An string set  may not be empty")
		case NS:
			return Value{}, invalid("One or more parameter values were invalid: An number set  may not be empty")
		default:
			return Value{}, invalid("One or more parameter values were invalid: Binary sets should not be empty")
		}
	}
	sorted := slices.Clone(elements)
	slices.Sort(sorted)
	for i := range sorted[1:] {
		if sorted[i] == sorted[i+1] {
			return Value{}, duplicates(kind, elements)
		}
	}
	return Value{Kind: kind, Set: sorted}, nil
}

func duplicates(kind Kind, elements []string) error {
	switch kind {
	case NS:
		return invalid("Input collection contains duplicates")
	case BS:
		shown := make([]string, len(elements))
		for i, e := range elements {
			shown[i] = base64Text(e)
		}
		return invalid("One or more parameter values were invalid: Input collection [%s]of type BS contains duplicates.", strings.Join(shown, ", "))
	}
	return invalid("One or more parameter values were invalid: Input collection [%s] contains duplicates.", strings.Join(elements, ", "))
}

// Union is the set of what is in a or in b, of one type.
func Union(a, b Value) Value {
	all := slices.Concat(a.Set, b.Set)
	slices.Sort(all)
	return Value{Kind: a.Kind, Set: slices.Compact(all)}
}

// Minus is the set of what is in a and not in b, of one type; no value when nothing is left, because there are no empty sets.
func Minus(a, b Value) Value {
	var left []string
	for _, e := range a.Set {
		if _, in := slices.BinarySearch(b.Set, e); !in {
			left = append(left, e)
		}
	}
	if len(left) == 0 {
		return Value{}
	}
	return Value{Kind: a.Kind, Set: left}
}

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }
