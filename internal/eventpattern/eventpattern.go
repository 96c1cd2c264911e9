// Package eventpattern matches JSON events against the patterns of EventBridge, in which event source mappings write their filters.
//
// It owns the language: what a pattern may say and what it means. Which part of an event a pattern is about belongs to those who use it.
//
// Source: EventBridge user guide, "Comparison operators" and Lambda developer guide, "Control which events Lambda sends to your function" (read 2026-11). wildcard is
// refused, as Lambda refuses it.
//
// Read Pattern, then compile.go for what may be said and match.go for what it means.
package eventpattern

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/weir-stream/weir/internal/fault"
)

// Pattern is a compiled pattern. It is immutable.
type Pattern struct {
	fields []field
	or     [][]Pattern // each a list of which one must match
}

// field is what must be true of one key of an object.
type field struct {
	name  string
	under *Pattern // what the object under name must match; nil when rules say what the value must be
	rules []rule   // of which one must hold
}

// Has says whether the pattern asks something of a key of the event itself, in whatever way.
func (p *Pattern) Has(name string) bool {
	if slices.ContainsFunc(p.fields, func(f field) bool { return f.name == name }) {
		return true
	}
	for _, alternatives := range p.or {
		if slices.ContainsFunc(alternatives, func(q Pattern) bool { return q.Has(name) }) {
			return true
		}
	}
	return false
}

// Decode reads one JSON value as Match wants it: numbers as they are written. Invalid when it is none, or something follows.
func Decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fault.As(fault.Invalid, err, "no JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "something follows the JSON value")
	}
	return v, nil
}
