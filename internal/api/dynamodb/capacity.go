package dynamodb

import (
	"slices"

	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// readUnits is what reading bytes costs: one unit for each 4 KiB begun, half of it when the reader did not ask for consistency, and at least that.
func readUnits(bytes int, consistent bool) float64 {
	units := float64(max(1, (bytes+4095)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// usage collects what one table's part of a request has cost.
type usage struct {
	table       *tables.Table
	own         float64
	indexes     map[string]float64
	read, write bool // of a transaction, which tells the two apart
}

func (u *usage) index(name string, units float64) {
	if u.indexes == nil {
		u.indexes = map[string]float64{}
	}
	u.indexes[name] += units
}

// done adds what a write cost.
func (u *usage) done(d tables.Done) {
	u.own += d.Units
	for name, units := range d.Indexes {
		u.index(name, units)
	}
}

// capacity is the answer to ReturnConsumedCapacity: nil unless it was asked for.
func (u *usage) capacity(asked *shapes.ReturnConsumedCapacity) *shapes.ConsumedCapacity {
	level := deref(asked)
	if level == "" || level == "NONE" {
		return nil
	}
	total := u.own
	for _, units := range u.indexes {
		total += units
	}
	out := &shapes.ConsumedCapacity{TableName: &u.table.Name, CapacityUnits: &total}
	switch {
	case u.read:
		out.ReadCapacityUnits = &total
	case u.write:
		out.WriteCapacityUnits = &total
	}
	if level != "INDEXES" {
		return out
	}
	of := func(units float64) shapes.Capacity {
		c := shapes.Capacity{CapacityUnits: &units}
		switch {
		case u.read:
			c.ReadCapacityUnits = &units
		case u.write:
			c.WriteCapacityUnits = &units
		}
		return c
	}
	out.Table = ptr(of(u.own))
	if len(u.indexes) > 0 {
		out.GlobalSecondaryIndexes = map[string]shapes.Capacity{}
		for name, units := range u.indexes {
			out.GlobalSecondaryIndexes[name] = of(units)
		}
	}
	return out
}

// usages is what a request of several tables has cost, by table.
type usages map[string]*usage

func (us usages) of(t *tables.Table) *usage {
	if us[t.Name] == nil {
		us[t.Name] = &usage{table: t}
	}
	return us[t.Name]
}

func (us usages) capacity(asked *shapes.ReturnConsumedCapacity) []shapes.ConsumedCapacity {
	var names []string
	for name := range us {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []shapes.ConsumedCapacity
	for _, name := range names {
		if c := us[name].capacity(asked); c != nil {
			out = append(out, *c)
		}
	}
	return out
}
