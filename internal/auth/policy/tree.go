package policy

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/fault"
)

// Bounds of a document. AWS takes 6,144 characters of a managed policy and 10,240 of the inline ones of a role (IAM quotas); the rest
// keeps what one request can cost within reason.
const (
	bytesMax = 20 << 10
	depthMax = 8
)

// node is a JSON value with its members in order, so that one that is there twice is seen. encoding/json's maps and structs hide that.
type node struct {
	kind    byte   // '{', '[', '"', '0' a number, 't' a bool, 'n' null
	text    string // of a string, number or bool
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

// readTree reads one JSON value and nothing behind it. Invalid, with the byte at which it went wrong.
func readTree(text []byte) (node, error) {
	if len(text) > bytesMax {
		return node{}, fault.New(fault.Invalid, "policy of %d bytes: at most %d", len(text), bytesMax)
	}
	if !utf8.Valid(text) {
		return node{}, fault.New(fault.Invalid, "policy is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	root, err := readNode(d, "", 0)
	if err != nil {
		return node{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return node{}, fault.New(fault.Invalid, "policy: something follows the document at byte %d", d.InputOffset())
	}
	return root, nil
}

func readNode(d *json.Decoder, place string, depth int) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, fault.New(fault.Invalid, "policy: no JSON at byte %d%s: %v", d.InputOffset(), within(place), err)
	}
	switch token := token.(type) {
	case string:
		return node{kind: '"', text: token}, nil
	case json.Number:
		return node{kind: '0', text: token.String()}, nil
	case bool:
		return node{kind: 't', text: strconv.FormatBool(token)}, nil
	case nil:
		return node{kind: 'n'}, nil
	case json.Delim:
		if depth == depthMax {
			return node{}, fault.New(fault.Invalid, "policy%s is nested deeper than %d", within(place), depthMax)
		}
		if token == '[' {
			return readList(d, place, depth)
		}
		return readObject(d, place, depth)
	}
	return node{}, fault.New(fault.Internal, "policy: a token of type %T", token)
}

func readList(d *json.Decoder, place string, depth int) (node, error) {
	n := node{kind: '['}
	for d.More() {
		item, err := readNode(d, place+"["+strconv.Itoa(len(n.items))+"]", depth+1)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	return n, closing(d, place)
}

func readObject(d *json.Decoder, place string, depth int) (node, error) {
	n := node{kind: '{'}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return n, fault.New(fault.Invalid, "policy: no JSON at byte %d%s", d.InputOffset(), within(place))
		}
		if n.member(name) != nil {
			return n, fault.New(fault.Invalid, "policy%s has %q twice", within(place), name)
		}
		value, err := readNode(d, join(place, name), depth+1)
		if err != nil {
			return n, err
		}
		n.members = append(n.members, member{name, value})
	}
	return n, closing(d, place)
}

func closing(d *json.Decoder, place string) error {
	if _, err := d.Token(); err != nil {
		return fault.New(fault.Invalid, "policy: no JSON at byte %d%s: %v", d.InputOffset(), within(place), err)
	}
	return nil
}

func (n *node) member(name string) *node {
	for i := range n.members {
		if n.members[i].name == name {
			return &n.members[i].value
		}
	}
	return nil
}

// join is the place of a member within a place.
func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

// within says a place in a sentence, or nothing for the document itself.
func within(place string) string {
	if place == "" {
		return ""
	}
	return ", " + place
}

// list is the texts of a value that may be one or several.
func (n *node) list(place string) ([]string, error) {
	items := []node{*n}
	if n.kind == '[' {
		items = n.items
	}
	if len(items) == 0 {
		return nil, fault.New(fault.Invalid, "policy: %s is empty", place)
	}
	texts := make([]string, len(items))
	for i := range items {
		if items[i].kind != '"' || items[i].text == "" {
			return nil, fault.New(fault.Invalid, "policy: %s must be a text, or a list of texts", place)
		}
		texts[i] = items[i].text
	}
	return texts, nil
}
