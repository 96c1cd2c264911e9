package dynamodb

import (
	"encoding/base64"

	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
	streamshapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

func base64Text(bytes string) string { return base64.StdEncoding.EncodeToString([]byte(bytes)) }

// valueOf is a value of a request. Invalid, in DynamoDB's words, when it is none or more than one, or nests too deep.
func valueOf(v *shapes.AttributeValue) (value.Value, error) { return nestedValue(v, 0) }

func nestedValue(v *shapes.AttributeValue, depth int) (out value.Value, err error) {
	if depth >= value.DepthMax && (v.L != nil || v.M != nil) {
		return out, invalid("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
	}
	set := 0
	is := func(present bool) bool {
		if present {
			set++
		}
		return present
	}
	if is(v.S != nil) {
		out = value.String(*v.S)
	}
	if is(v.N != nil) {
		n, err := value.ParseNumber(*v.N)
		if err != nil {
			return out, err
		}
		out = value.Numeric(n)
	}
	if is(v.B != nil) {
		out = value.Binary(v.B)
	}
	if is(v.BOOL != nil) {
		out = value.Bool(*v.BOOL)
	}
	if is(v.NULL != nil) {
		if !*v.NULL {
			return out, invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		out = value.Null()
	}
	if is(v.SS != nil) {
		if out, err = value.NewSet(value.SS, v.SS); err != nil {
			return out, err
		}
	}
	if is(v.NS != nil) {
		elements := make([]string, len(v.NS))
		for i, text := range v.NS {
			n, err := value.ParseNumber(text)
			if err != nil {
				return out, err
			}
			elements[i] = string(n)
		}
		if out, err = value.NewSet(value.NS, elements); err != nil {
			return out, err
		}
	}
	if is(v.BS != nil) {
		elements := make([]string, len(v.BS))
		for i, b := range v.BS {
			elements[i] = string(b)
		}
		if out, err = value.NewSet(value.BS, elements); err != nil {
			return out, err
		}
	}
	if is(v.L != nil) {
		out = value.Value{Kind: value.L, List: make([]value.Value, len(v.L))}
		for i := range v.L {
			if out.List[i], err = nestedValue(&v.L[i], depth+1); err != nil {
				return out, err
			}
		}
	}
	if is(v.M != nil) {
		out = value.Value{Kind: value.M}
		if out.Map, err = nestedItem(v.M, depth+1); err != nil {
			return out, err
		}
	}
	switch {
	case set == 0:
		return out, invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case set > 1:
		return out, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	return out, nil
}

// attributeNameMax is the longest name of an attribute, in bytes (ServiceQuotas: 64 KB).
const attributeNameMax = 1<<16 - 1

// itemOf is an item, or a key, of a request.
func itemOf(m map[string]shapes.AttributeValue) (value.Item, error) { return nestedItem(m, 0) }

func nestedItem(m map[string]shapes.AttributeValue, depth int) (value.Item, error) {
	it := make(value.Item, 0, len(m))
	for name, v := range m {
		switch {
		case name == "":
			return nil, invalid("One or more parameter values are not valid. Supplied attribute name is empty")
		case len(name) > attributeNameMax:
			return nil, invalid("One or more parameter values were invalid: Attribute name is too large, must be less than 65536 bytes")
		}
		converted, err := nestedValue(&v, depth)
		if err != nil {
			return nil, err
		}
		it = append(it, value.Attribute{Name: name, Value: converted})
	}
	it.Sort()
	return it, nil
}

// valuesOf is the values of a request's placeholders; nil stays nil.
func valuesOf(m map[string]shapes.AttributeValue) (map[string]value.Value, error) {
	if m == nil {
		return nil, nil
	}
	out := make(map[string]value.Value, len(m))
	for key, v := range m {
		converted, err := valueOf(&v)
		if err != nil {
			return nil, invalid("ExpressionAttributeValues contains invalid value: %v for key %s", err, key)
		}
		out[key] = converted
	}
	return out, nil
}

// wireItem is an item as answers have it; nil stays nil.
func wireItem(it value.Item) map[string]shapes.AttributeValue {
	if it == nil {
		return nil
	}
	out := make(map[string]shapes.AttributeValue, len(it))
	for i := range it {
		out[it[i].Name] = wireValue(it[i].Value)
	}
	return out
}

func wireValue(v value.Value) (out shapes.AttributeValue) {
	switch v.Kind {
	case value.S:
		out.S = &v.Text
	case value.N:
		out.N = ptr(v.Number().String())
	case value.B:
		out.B = []byte(v.Text)
	case value.BOOL:
		out.BOOL = &v.Bool
	case value.NULL:
		out.NULL = ptr(true)
	case value.SS:
		out.SS = v.Set
	case value.NS:
		out.NS = numbers(v.Set)
	case value.BS:
		out.BS = blobs(v.Set)
	case value.L:
		out.L = make([]shapes.AttributeValue, len(v.List))
		for i := range v.List {
			out.L[i] = wireValue(v.List[i])
		}
	case value.M:
		out.M = make(map[string]shapes.AttributeValue, len(v.Map))
		for _, a := range v.Map {
			out.M[a.Name] = wireValue(a.Value)
		}
	}
	return out
}

func numbers(set []string) []string {
	out := make([]string, len(set))
	for i, e := range set {
		out[i] = value.Number(e).String()
	}
	return out
}

func blobs(set []string) [][]byte {
	out := make([][]byte, len(set))
	for i, e := range set {
		out[i] = []byte(e)
	}
	return out
}

// streamItem is an item as records of change streams have it: the same shape, generated twice.
func streamItem(it value.Item) map[string]streamshapes.AttributeValue {
	if it == nil {
		return nil
	}
	out := make(map[string]streamshapes.AttributeValue, len(it))
	for i := range it {
		out[it[i].Name] = streamValue(it[i].Value)
	}
	return out
}

func streamValue(v value.Value) (out streamshapes.AttributeValue) {
	switch v.Kind {
	case value.L:
		out.L = make([]streamshapes.AttributeValue, len(v.List))
		for i := range v.List {
			out.L[i] = streamValue(v.List[i])
		}
		return out
	case value.M:
		out.M = make(map[string]streamshapes.AttributeValue, len(v.Map))
		for _, a := range v.Map {
			out.M[a.Name] = streamValue(a.Value)
		}
		return out
	}
	flat := wireValue(v)
	return streamshapes.AttributeValue{S: flat.S, N: flat.N, B: flat.B, SS: flat.SS, NS: flat.NS, BS: flat.BS, NULL: flat.NULL, BOOL: flat.BOOL}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ptr[T any](v T) *T { return &v }
