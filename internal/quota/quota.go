// Package quota holds the limits of the services as data: each with its value, what it counts, and where AWS says so.
//
// It owns the numbers and how a configuration overrides them. Enforcing a limit belongs to whoever can count; so does the sentence that
// refuses. What decides inside the control log must not ask here, because a number that changes would change history on replay: such a
// limit travels in the command (see catalog.Limits).
//
// Read limits.go and rates.go, the table, then Table below.
package quota

import (
	"errors"
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/fault"
)

// Name names a limit, also in configuration files: lower-case words with the unit or the thing counted.
type Name string

// Scope is what a limit is counted over.
type Scope string

// The scopes.
const (
	PerRegion   Scope = "account and region"
	PerStream   Scope = "stream"
	PerShard    Scope = "shard"
	PerConsumer Scope = "consumer and shard"
	PerRequest  Scope = "request"
	PerRecord   Scope = "record"
)

// Limit is one row of the table.
type Limit struct {
	Name  Name
	Value int64
	Unit  string // what Value counts
	Scope Scope
	// Fixed limits are part of the protocol that clients were built against; the others are what AWS raises on request,
	// and may be overridden here.
	Fixed  bool
	Source string // AWS page or API action
	Read   string // year and month in which the source said so
}

// rows is the whole table.
var rows = slices.Concat(limits, rates)

// Table is a set of limits, immutable and safe for anyone. Make one with Default or New.
type Table struct {
	values map[Name]int64
}

// Default is AWS's table, as of us-east-1.
func Default() *Table {
	values := make(map[Name]int64, len(rows))
	for _, l := range rows {
		values[l.Name] = l.Value
	}
	return &Table{values}
}

// New is AWS's table with overrides. Invalid, saying all that is wrong at once, when a name is not in the table, its limit is fixed,
// or a value is negative.
func New(overrides map[Name]int64) (*Table, error) {
	t := Default()
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		value := overrides[name]
		i := slices.IndexFunc(rows, func(l Limit) bool { return l.Name == name })
		switch {
		case i < 0:
			wrong = append(wrong, fault.New(fault.Invalid, "limit %q is not one that Weir knows", name))
		case rows[i].Fixed:
			wrong = append(wrong, fault.New(fault.Invalid, "limit %q is %d for every client and cannot be changed", name, rows[i].Value))
		case value < 0:
			wrong = append(wrong, fault.New(fault.Invalid, "limit %q is %d: it cannot be negative", name, value))
		default:
			t.values[name] = value
		}
	}
	if len(wrong) > 0 {
		return nil, fault.As(fault.Invalid, errors.Join(wrong...), "limits")
	}
	return t, nil
}

// Get is the value of a limit. Asking for a name that the table does not have is a mistake in the program, and panics.
func (t *Table) Get(name Name) int64 {
	value, known := t.values[name]
	if !known {
		panic("quota: no limit is called " + string(name))
	}
	return value
}

// All is AWS's table, row by row, for documents and consoles.
func All() []Limit { return slices.Clone(rows) }
