package expr

import (
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/tables/value"
)

// Act is what an update does at a path. The numbers are stored in the log: never change one.
type Act uint8

// The sections of an update expression, and what the older parameter AttributeUpdates does differently.
const (
	ActSet    Act = 1
	ActRemove Act = 2
	ActAdd    Act = 3
	ActDelete Act = 4
	// ActAddOld is ADD of AttributeUpdates: it appends to lists as well.
	ActAddOld Act = 5
	// ActDeleteOld is DELETE of AttributeUpdates with a value.
	ActDeleteOld Act = 6
)

// Action is one part of an update.
type Action struct {
	Act     Act
	Path    Path
	Operand *Node // of ActRemove nil
}

// Update is what an UpdateItem does, in the order of the expression.
type Update []Action

// sections is the words that begin a section, and what stands in it.
var sections = []struct {
	word string
	act  Act
}{{"SET", ActSet}, {"REMOVE", ActRemove}, {"ADD", ActAdd}, {"DELETE", ActDelete}}

// ParseUpdate reads an update expression.
func ParseUpdate(text string, p *Placeholders) (Update, error) {
	u, err := parseUpdate(text, p)
	if err != nil {
		return nil, named("UpdateExpression", err)
	}
	return u, nil
}

func parseUpdate(text string, p *Placeholders) (Update, error) {
	ps, err := newParser(text, p)
	if err != nil {
		return nil, err
	}
	var u Update
	seen := map[Act]bool{}
	for first := true; first || ps.token().kind != tokenEnd; first = false {
		i := slices.IndexFunc(sections, func(s struct {
			word string
			act  Act
		}) bool {
			return ps.isKeyword(s.word)
		})
		if i < 0 {
			return nil, ps.syntax()
		}
		ps.at++
		if act := sections[i].act; seen[act] {
			return nil, invalid("The \"%s\" section can only be used once in an update expression;", sections[i].word)
		}
		seen[sections[i].act] = true
		for more := true; more; more = ps.symbol(",") {
			a, err := ps.action(sections[i].act)
			if err != nil {
				return nil, err
			}
			u = append(u, a)
		}
	}
	paths := make([]Path, len(u))
	for i := range u {
		paths[i] = u[i].Path
	}
	return u, checkPaths(paths)
}

func (ps *parser) action(act Act) (a Action, err error) {
	a.Act = act
	if a.Path, err = ps.path(); err != nil {
		return a, err
	}
	switch act {
	case ActSet:
		if err := ps.want("="); err != nil {
			return a, err
		}
		if err := ps.count(); err != nil {
			return a, err
		}
		a.Operand, err = ps.sum()
		return a, err
	case ActRemove:
		return a, nil
	}
	t := ps.token()
	if t.kind != tokenValue {
		return a, ps.syntax()
	}
	ps.at++
	v, err := ps.p.value(t.text)
	if err != nil {
		return a, err
	}
	a.Operand = Literal(v)
	switch {
	case v.Kind.IsSet(), act == ActAdd && v.Kind == value.N:
		return a, nil
	case act == ActAdd:
		return a, invalid("Incorrect operand type for operator or function; operator: ADD, operand type: %s, typeSet: ALLOWED_FOR_ADD_OPERAND", longName(v.Kind))
	default:
		return a, invalid("Incorrect operand type for operator or function; operator: DELETE, operand type: %s, typeSet: ALLOWED_FOR_DELETE_OPERAND", longName(v.Kind))
	}
}

// longName is a type's name in the texts of ADD and DELETE.
func longName(k value.Kind) string {
	switch k {
	case value.S:
		return "STRING"
	case value.N:
		return "NUMBER"
	case value.B:
		return "BINARY"
	case value.BOOL:
		return "BOOLEAN"
	case value.L:
		return "LIST"
	case value.M:
		return "MAP"
	}
	return k.String()
}

// sum is one operand of SET, or two with + or − between them.
func (ps *parser) sum() (*Node, error) {
	left, err := ps.setOperand()
	if err != nil {
		return nil, err
	}
	n := &Node{Op: OpPlus}
	switch {
	case ps.symbol("+"):
	case ps.symbol("-"):
		n.Op = OpMinus
	default:
		return left, nil
	}
	right, err := ps.setOperand()
	if err != nil {
		return nil, err
	}
	n.Args = []*Node{left, right}
	for _, arg := range n.Args {
		if k := typeOf(arg); k != value.None && k != value.N {
			return nil, badType(n, k)
		}
	}
	return n, ps.count()
}

func (ps *parser) setOperand() (*Node, error) {
	if ps.symbol("(") {
		n, err := ps.sum()
		if err != nil {
			return nil, err
		}
		return n, ps.want(")")
	}
	t := ps.token()
	if t.kind != tokenWord || ps.next().text != "(" {
		return ps.simple()
	}
	n := &Node{Op: OpIfNotExists}
	switch t.text {
	case "if_not_exists":
	case "list_append":
		n.Op = OpListAppend
	default:
		if _, known := conditionFunctions[t.text]; known {
			return nil, invalid("The function is not allowed in an update expression; function: %s", t.text)
		}
		return nil, invalid("Invalid function name; function: %s", t.text)
	}
	ps.at += 2
	for more := true; more; more = ps.symbol(",") {
		arg, err := ps.sum()
		if err != nil {
			return nil, err
		}
		n.Args = append(n.Args, arg)
	}
	if err := ps.want(")"); err != nil {
		return nil, err
	}
	if len(n.Args) != 2 {
		return nil, invalid("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", t.text, len(n.Args))
	}
	if n.Op == OpIfNotExists && n.Args[0].Op != OpPath {
		return nil, invalid("Operator or function requires a document path; operator or function: %s", t.text)
	}
	if n.Op == OpListAppend {
		for _, arg := range n.Args {
			if k := typeOf(arg); k != value.None && k != value.L {
				return nil, badType(n, k)
			}
		}
	}
	return n, ps.count()
}

// Apply gives the item that an update makes of one; the item itself stays as it is. Every operand is taken from the item as it was. Invalid, in DynamoDB's words, when
// a value has not the type that is needed, or a path leads nowhere.
func (u Update) Apply(it value.Item) (value.Item, error) {
	var whole value.Item // attributes as they will be, without a value those that go; merged at once, because there may be thousands
	var removals []Path
	var nested, sets []Action // sets are of list elements, which are put in order of index
	for _, a := range u {
		v, err := a.result(it)
		switch {
		case err != nil:
			return nil, err
		case len(a.Path) == 1:
			whole = append(whole, value.Attribute{Name: a.Path.Head(), Value: v})
		case a.Act == ActRemove || !v.Exists():
			removals = append(removals, a.Path)
		case a.Path[len(a.Path)-1].IsIndex:
			sets = append(sets, Action{Path: a.Path, Operand: Literal(v)})
		default:
			nested = append(nested, Action{Path: a.Path, Operand: Literal(v)})
		}
	}
	out := it.Merged(whole)
	for _, a := range nested {
		var err error
		if out, err = put(out, a.Path, a.Operand.Value); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(sets, func(a, b Action) int { return a.last() - b.last() })
	for _, a := range sets {
		var err error
		if out, err = put(out, a.Path, a.Operand.Value); err != nil {
			return nil, err
		}
	}
	// The last element of a list goes first, so that indexes mean what they meant.
	slices.SortStableFunc(removals, func(a, b Path) int { return b[len(b)-1].Index - a[len(a)-1].Index })
	for _, path := range removals {
		var err error
		if out, err = put(out, path, value.Value{}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a Action) last() int { return a.Path[len(a.Path)-1].Index }

var (
	errOperandType = invalid("An operand in the update expression has an incorrect data type")
	errNoAttribute = invalid("The provided expression refers to an attribute that does not exist in the item")
	errPath        = invalid("The document path provided in the update expression is invalid for update")
	errMismatch    = invalid("Type mismatch for attribute to update")
)

// result is the value that an action leaves at its path; none when nothing is left there.
func (a Action) result(it value.Item) (value.Value, error) {
	switch a.Act {
	case ActRemove:
		return value.Value{}, nil
	case ActSet:
		return a.Operand.computed(it)
	}
	old, v := a.Path.In(it), a.Operand.Value
	mismatch := errOperandType
	if a.Act == ActAddOld || a.Act == ActDeleteOld {
		mismatch = errMismatch
	}
	if a.Act == ActDelete || a.Act == ActDeleteOld {
		switch {
		case !old.Exists():
			return old, nil
		case old.Kind != v.Kind:
			return old, mismatch
		}
		return value.Minus(old, v), nil
	}
	switch {
	case !old.Exists():
		return v, nil
	case old.Kind != v.Kind:
		return old, mismatch
	case v.Kind == value.N:
		sum, err := value.Add(old.Number(), v.Number(), false)
		return value.Numeric(sum), err
	case v.Kind == value.L:
		return value.Value{Kind: value.L, List: slices.Concat(old.List, v.List)}, nil
	case v.Kind.IsSet():
		return value.Union(old, v), nil
	}
	return old, mismatch
}

// computed is the value of an operand of SET.
func (n *Node) computed(it value.Item) (value.Value, error) {
	switch n.Op {
	case OpLiteral:
		return n.Value, nil
	case OpPath:
		v := n.Path.In(it)
		if !v.Exists() {
			return v, errNoAttribute
		}
		return v, nil
	case OpIfNotExists:
		if v := n.Args[0].Path.In(it); v.Exists() {
			return v, nil
		}
		return n.Args[1].computed(it)
	}
	a, err := n.Args[0].computed(it)
	if err != nil {
		return a, err
	}
	b, err := n.Args[1].computed(it)
	if err != nil {
		return b, err
	}
	switch {
	case n.Op == OpListAppend && a.Kind == value.L && b.Kind == value.L:
		return value.Value{Kind: value.L, List: slices.Concat(a.List, b.List)}, nil
	case n.Op != OpListAppend && a.Kind == value.N && b.Kind == value.N:
		sum, err := value.Add(a.Number(), b.Number(), n.Op == OpMinus)
		return value.Numeric(sum), err
	}
	return value.Value{}, errOperandType
}

// put is the item with a value at a path, or without what is there when v is none. Only what lies on the path is copied.
func put(it value.Item, path Path, v value.Value) (value.Item, error) {
	name := path[0].Name
	if len(path) == 1 {
		if !v.Exists() {
			return it.Without(name), nil
		}
		return it.With(name, v), nil
	}
	inner, err := putInside(it.Get(name), path[1:], v)
	if err != nil {
		return nil, err
	}
	return it.With(name, inner), nil
}

func putInside(in value.Value, path Path, v value.Value) (value.Value, error) {
	s := path[0]
	switch {
	case !s.IsIndex && in.Kind == value.M:
		m, err := put(in.Map, path, v)
		return value.Value{Kind: value.M, Map: m}, err
	case !s.IsIndex || in.Kind != value.L:
		return in, errPath
	}
	list := slices.Clone(in.List)
	switch last := len(path) == 1; {
	case s.Index >= len(list) && !last:
		return in, errPath
	case s.Index >= len(list) && v.Exists():
		list = append(list, v)
	case s.Index >= len(list): // nothing to remove
	case last && !v.Exists():
		list = slices.Delete(list, s.Index, s.Index+1)
	case last:
		list[s.Index] = v
	default:
		inner, err := putInside(list[s.Index], path[1:], v)
		if err != nil {
			return in, err
		}
		list[s.Index] = inner
	}
	return value.Value{Kind: value.L, List: list}, nil
}

// CheckKeys refuses an update of an attribute that is part of the key.
func (u Update) CheckKeys(keys ...string) error {
	for _, a := range u {
		if slices.Contains(keys, a.Path.Head()) {
			return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", a.Path.Head())
		}
	}
	return nil
}

// Touched is what an update names, as a projection: what UPDATED_OLD and UPDATED_NEW answer.
func (u Update) Touched() Projection {
	paths := make([]Path, len(u))
	for i := range u {
		paths[i] = u[i].Path
	}
	slices.SortFunc(paths, func(a, b Path) int { return strings.Compare(a.String(), b.String()) })
	return newProjection(paths)
}
