package queryproto

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/wire"
)

// Decode binds a form to into, a pointer to a fresh struct generated for shape. Names that the shape does not have, such as Action and Version, are ignored; of a repeated name
// the last wins; elements of a list stand in the order of their numbers, whatever gaps these have. Errors are fault.Invalid and hold an APIError with CodeSerialization.
func Decode(shape *wire.Shape, form []byte, into any) error {
	if shape == nil {
		return nil
	}
	root, err := parse(form)
	if err != nil {
		return err
	}
	return structure(shape, root, reflect.ValueOf(into).Elem())
}

// node is what a form says under one name.
type node struct {
	text  string // what stands at the name itself
	given bool   // something does
	under map[string]*node
}

// parse sorts a form into a tree of names. A name nests wire.DepthMax deep at most, and a form has wire.ItemsMax names at most.
func parse(form []byte) (*node, error) {
	root := new(node)
	for pairs := 0; len(form) > 0; {
		var pair []byte
		pair, form, _ = bytes.Cut(form, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		if pairs++; pairs > wire.ItemsMax {
			return nil, wire.SyntaxError("query: more than %d names", wire.ItemsMax)
		}
		rawName, rawValue, _ := strings.Cut(string(pair), "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, wire.SyntaxError("query: %v", err)
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, wire.SyntaxError("query: %v", err)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, wire.SyntaxError("query: a name or a value is not UTF-8")
		}
		at := root
		for depth, rest, more := 0, name, true; more; depth++ {
			if depth == wire.DepthMax {
				return nil, wire.SyntaxError("query: more than %d levels", wire.DepthMax)
			}
			var part string
			part, rest, more = strings.Cut(rest, ".")
			next := at.under[part]
			if next == nil {
				next = new(node)
				if at.under == nil {
					at.under = make(map[string]*node)
				}
				at.under[part] = next
			}
			at = next
		}
		at.text, at.given = value, true
	}
	return root, nil
}

func structure(shape *wire.Shape, from *node, into reflect.Value) error {
	for i := range shape.Members {
		m := &shape.Members[i]
		at := from.under[m.WireName()]
		if at == nil {
			continue
		}
		field := into.Field(i)
		target := field
		if field.Kind() == reflect.Pointer {
			target = reflect.New(field.Type().Elem()).Elem()
		}
		if err := bind(m.Shape, at, m.Flattened || m.Shape.Flattened, target); err != nil {
			return err
		}
		if field.Kind() == reflect.Pointer {
			field.Set(target.Addr())
		}
	}
	return nil
}

// bind reads what stands at from into a value that is no pointer.
func bind(shape *wire.Shape, from *node, flat bool, into reflect.Value) error {
	switch shape.Type {
	case wire.TypeStructure:
		return structure(shape, from, into)
	case wire.TypeList:
		return list(shape, from, flat, into)
	case wire.TypeMap:
		return mapping(shape, from, flat, into)
	}
	if !from.given {
		return wire.SerializationError("Start of structure or map found where not expected.")
	}
	return scalar(shape, from.text, into)
}

// numbered is the elements under a name in the order of their numbers.
func numbered(from *node) ([]*node, error) {
	type element struct {
		number uint64
		at     *node
	}
	elements := make([]element, 0, len(from.under))
	for name, at := range from.under {
		number, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return nil, wire.SerializationError("Key is not a valid list index: " + wire.Excerpt(name))
		}
		elements = append(elements, element{number, at})
	}
	slices.SortFunc(elements, func(a, b element) int { return int(a.number) - int(b.number) })
	nodes := make([]*node, len(elements))
	for i, e := range elements {
		nodes[i] = e.at
	}
	return nodes, nil
}

// list reads Name.member.1, Name.member.2; a flattened one Name.1, Name.2. Name= alone is an empty list.
func list(shape *wire.Shape, from *node, flat bool, into reflect.Value) error {
	if !flat {
		from = from.child(shape.ElementName, "member")
	}
	elements, err := numbered(from)
	if err != nil {
		return err
	}
	values := reflect.MakeSlice(into.Type(), len(elements), len(elements))
	for i, at := range elements {
		if err := bind(shape.Element, at, shape.Element.Flattened, values.Index(i)); err != nil {
			return err
		}
	}
	into.Set(values)
	return nil
}

// mapping reads Name.entry.1.key and Name.entry.1.value; a flattened one has no entry.
func mapping(shape *wire.Shape, from *node, flat bool, into reflect.Value) error {
	if !flat {
		from = from.child("", "entry")
	}
	elements, err := numbered(from)
	if err != nil {
		return err
	}
	values := reflect.MakeMapWithSize(into.Type(), len(elements))
	for _, at := range elements {
		value := reflect.New(into.Type().Elem()).Elem()
		if err := bind(shape.Value, at.child(shape.ValueName, "value"), shape.Value.Flattened, value); err != nil {
			return err
		}
		values.SetMapIndex(reflect.ValueOf(at.child(shape.KeyName, "key").text).Convert(into.Type().Key()), value)
	}
	into.Set(values)
	return nil
}

// child is what stands under a name, or under the usual one where the model gives none; an empty node when nothing does.
func (n *node) child(name, usual string) *node {
	if name == "" {
		name = usual
	}
	if at := n.under[name]; at != nil {
		return at
	}
	return new(node)
}

func scalar(shape *wire.Shape, text string, into reflect.Value) error {
	switch shape.Type {
	case wire.TypeString:
		into.SetString(text)
	case wire.TypeBlob:
		blob, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to a Blob")
		}
		into.SetBytes(blob)
	case wire.TypeBoolean:
		switch strings.ToLower(text) {
		case "true", "1":
			into.SetBool(true)
		case "false", "0":
			into.SetBool(false)
		default:
			return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to an Boolean")
		}
	case wire.TypeInteger, wire.TypeLong:
		bits := 64
		if shape.Type == wire.TypeInteger {
			bits = 32
		}
		number, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to an " + map[int]string{32: "Integer", 64: "Long"}[bits])
		}
		into.SetInt(number)
	case wire.TypeFloat, wire.TypeDouble:
		number, err := float(text)
		if err != nil || into.OverflowFloat(number) && !math.IsInf(number, 0) {
			return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to an Double")
		}
		into.SetFloat(number)
	case wire.TypeTimestamp:
		at, err := moment(shape.TimestampFormat, text)
		if err != nil {
			return wire.SerializationError("'" + wire.Excerpt(text) + "' can not be converted to milliseconds since epoch")
		}
		into.Set(reflect.ValueOf(at))
	default:
		panic(fmt.Sprintf("queryproto: shape %s has type %s", shape.Name, shape.Type))
	}
	return nil
}

// float reads a number in decimal, or one of the three words that are none.
func float(text string) (float64, error) {
	switch text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if strings.ContainsAny(text, "xXpP_iInN") { // what Go reads and nobody else does
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// moment reads a timestamp: ISO 8601 unless the model says otherwise.
func moment(format, text string) (time.Time, error) {
	if format != wire.TimestampUnix {
		return wire.ParseTime(format, text)
	}
	seconds, err := float(text)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1<<40 {
		return time.Time{}, strconv.ErrSyntax
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}
