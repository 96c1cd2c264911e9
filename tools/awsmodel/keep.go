package main

import (
	"fmt"
	"slices"
)

// keepOnly takes input, output and errors from every operation but the named ones, and with them the shapes that no operation reaches any more.
func (m *model) keepOnly(operations []string) error {
	for _, name := range operations {
		if _, has := m.Operations.values[name]; !has {
			return fmt.Errorf("no operation %s to keep", name)
		}
	}
	reached := map[string]bool{}
	for _, name := range m.Operations.names {
		op := m.Operations.values[name]
		if !slices.Contains(operations, name) {
			op.Input, op.Output, op.Errors = nil, nil, nil
			m.Operations.values[name] = op
			continue
		}
		for _, b := range append([]body{}, op.Errors...) {
			m.reach(b.Shape, reached)
		}
		for _, b := range []*body{op.Input, op.Output} {
			if b != nil {
				m.reach(b.Shape, reached)
			}
		}
	}
	m.Shapes.names = slices.DeleteFunc(m.Shapes.names, func(name string) bool {
		if !reached[name] {
			delete(m.Shapes.values, name)
		}
		return !reached[name]
	})
	return nil
}

// reach notes a shape and every shape inside it.
func (m *model) reach(name string, reached map[string]bool) {
	if reached[name] {
		return
	}
	reached[name] = true
	s := m.Shapes.values[name]
	for _, inner := range []*member{s.Member, s.Key, s.Value} {
		if inner != nil {
			m.reach(inner.Shape, reached)
		}
	}
	for _, each := range s.Members.names {
		m.reach(s.Members.values[each].Shape, reached)
	}
}
