package expr

import (
	"slices"

	"github.com/weir-stream/weir/internal/tables/value"
)

// Projection is the parts of an item that are asked for: a tree of paths. A nil one is everything.
type Projection []branch

// branch is a step that some paths share, and how they go on; a leaf is taken whole.
type branch struct {
	step  Step
	below Projection // empty for a leaf
}

// ParseProjection reads a projection expression.
func ParseProjection(text string, p *Placeholders) (Projection, error) {
	ps, err := newParser(text, p)
	if err != nil {
		return nil, named("ProjectionExpression", err)
	}
	var paths []Path
	for more := true; more; more = ps.symbol(",") {
		path, err := ps.path()
		if err != nil {
			return nil, named("ProjectionExpression", err)
		}
		paths = append(paths, path)
	}
	if err := ps.end(); err != nil {
		return nil, named("ProjectionExpression", err)
	}
	if err := checkPaths(paths); err != nil {
		return nil, named("ProjectionExpression", err)
	}
	return newProjection(paths), nil
}

// Attributes is the projection of whole top-level attributes.
func Attributes(names []string) Projection {
	paths := make([]Path, len(names))
	for i, name := range names {
		paths[i] = Path{{Name: name}}
	}
	return newProjection(paths)
}

func newProjection(paths []Path) Projection {
	out := Projection{}
	at := map[Step]int{}
	below := [][]Path{}
	for _, path := range paths {
		i, known := at[path[0]]
		if !known {
			i = len(out)
			at[path[0]] = i
			out, below = append(out, branch{step: path[0]}), append(below, nil)
		}
		if len(path) > 1 {
			below[i] = append(below[i], path[1:])
		}
	}
	for i := range out {
		if below[i] != nil {
			out[i].below = newProjection(below[i])
		}
	}
	return out
}

// Names is the top-level attributes that are asked for.
func (pr Projection) Names() []string {
	names := make([]string, len(pr))
	for i := range pr {
		names[i] = pr[i].step.Name
	}
	return names
}

// Of is the part of an item that is asked for. Elements of lists move together.
func (pr Projection) Of(it value.Item) value.Item {
	if pr == nil {
		return it
	}
	out := value.Item{}
	for _, b := range pr {
		if v := b.of(it.Get(b.step.Name)); v.Exists() {
			out = append(out, value.Attribute{Name: b.step.Name, Value: v})
		}
	}
	out.Sort()
	return out
}

func (b branch) of(v value.Value) value.Value {
	if len(b.below) == 0 {
		return v
	}
	switch v.Kind {
	case value.M:
		var maps Projection
		for _, inner := range b.below {
			if !inner.step.IsIndex {
				maps = append(maps, inner)
			}
		}
		if m := maps.Of(v.Map); maps != nil && len(m) > 0 {
			return value.Value{Kind: value.M, Map: m}
		}
	case value.L:
		inner := slices.Clone(b.below)
		slices.SortFunc(inner, func(a, b branch) int { return a.step.Index - b.step.Index })
		var list []value.Value
		for _, each := range inner {
			if !each.step.IsIndex || each.step.Index >= len(v.List) {
				continue
			}
			if e := each.of(v.List[each.step.Index]); e.Exists() {
				list = append(list, e)
			}
		}
		if list != nil {
			return value.Value{Kind: value.L, List: list}
		}
	}
	return value.Value{}
}
