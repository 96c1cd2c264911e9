package value

import (
	"encoding/base64"
	"unicode/utf8"
)

const (
	// ItemBytesMax is the largest item, names included (ServiceQuotas: 400 KB).
	ItemBytesMax = 400 << 10
	// DepthMax is how deep lists and maps may nest, the item itself not counted (ServiceQuotas: 32 levels).
	DepthMax = 32
)

// Size is the size of an item as DynamoDB counts it: names and values (CapacityUnitCalculations, read 2026-11).
func (it Item) Size() int {
	n := 0
	for i := range it {
		n += len(it[i].Name) + it[i].Value.Size()
	}
	return n
}

// Size is a value's share of an item's size, in bytes: a number one for two digits and one more; a list or map three, and one for each element; null and
// booleans one.
func (v Value) Size() int {
	switch v.Kind {
	case S, B:
		return len(v.Text)
	case N:
		return v.Number().size()
	case SS, BS:
		n := 0
		for _, e := range v.Set {
			n += len(e)
		}
		return n
	case NS:
		n := 0
		for _, e := range v.Set {
			n += Number(e).size()
		}
		return n
	case L:
		n := 3
		for i := range v.List {
			n += 1 + v.List[i].Size()
		}
		return n
	case M:
		return 3 + len(v.Map) + v.Map.Size()
	}
	return 1
}

// Length is what size() gives of a value: characters of a string, bytes, elements. ok is false for types that have none.
func (v Value) Length() (n int, ok bool) {
	switch v.Kind {
	case S:
		return utf8.RuneCountInString(v.Text), true
	case B:
		return len(v.Text), true
	case SS, NS, BS:
		return len(v.Set), true
	case L:
		return len(v.List), true
	case M:
		return len(v.Map), true
	}
	return 0, false
}

// Depth is how many lists and maps lie around the innermost value: 0 for a scalar.
func (v Value) Depth() int {
	deepest := 0
	switch v.Kind {
	case L:
		for i := range v.List {
			deepest = max(deepest, v.List[i].Depth())
		}
	case M:
		for i := range v.Map {
			deepest = max(deepest, v.Map[i].Value.Depth())
		}
	default:
		return 0
	}
	return deepest + 1
}

func base64Text(bytes string) string { return base64.StdEncoding.EncodeToString([]byte(bytes)) }
