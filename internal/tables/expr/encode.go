package expr

import (
	"encoding/binary"
	"math"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// Conditions and updates travel in these bytes; docs/format/tables.md draws them. What is decoded shares the string it came in.

// AppendNode appends a condition or operand; nil is a 0.
func AppendNode(b []byte, n *Node) []byte {
	if n == nil {
		return append(b, 0)
	}
	b = append(b, byte(n.Op))
	switch n.Op {
	case OpPath:
		return appendPath(b, n.Path)
	case OpLiteral:
		return value.AppendValue(b, n.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(n.Args)))
	for _, arg := range n.Args {
		b = AppendNode(b, arg)
	}
	return b
}

// appendPath writes each step as its index and one, or as 0 and its name.
func appendPath(b []byte, path Path) []byte {
	b = binary.AppendUvarint(b, uint64(len(path)))
	for _, s := range path {
		if s.IsIndex {
			b = binary.AppendUvarint(b, uint64(s.Index)+1)
			continue
		}
		b = binary.AppendUvarint(append(b, 0), uint64(len(s.Name)))
		b = append(b, s.Name...)
	}
	return b
}

// AppendUpdate appends an update.
func AppendUpdate(b []byte, u Update) []byte {
	b = binary.AppendUvarint(b, uint64(len(u)))
	for _, a := range u {
		b = appendPath(append(b, byte(a.Act)), a.Path)
		b = AppendNode(b, a.Operand)
	}
	return b
}

// CutNode reads what AppendNode wrote from the front of s. Corrupt when it did not.
func CutNode(s string) (n *Node, rest string, err error) {
	d := decoder{rest: s}
	n = d.node(0)
	return n, d.rest, d.err()
}

// CutUpdate reads what AppendUpdate wrote from the front of s. Corrupt when it did not.
func CutUpdate(s string) (u Update, rest string, err error) {
	d := decoder{rest: s}
	for range d.count() {
		a := Action{Act: Act(d.byte())}
		a.Path = d.path()
		a.Operand = d.node(0)
		if a.Act < ActSet || a.Act > ActDeleteOld || (a.Operand == nil) != (a.Act == ActRemove) || a.Act > ActRemove && !d.failed && a.Operand.Op != OpLiteral {
			d.fail()
		}
		if d.failed {
			break
		}
		u = append(u, a)
	}
	return u, d.rest, d.err()
}

type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) err() error {
	if d.failed {
		return fault.New(fault.Corrupt, "bytes that are no expression")
	}
	return nil
}

func (d *decoder) fail() {
	d.failed, d.rest = true, ""
}

func (d *decoder) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) uvarint() (n uint64) {
	for shift := 0; shift < 63; shift += 7 {
		c := d.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	d.fail()
	return 0
}

// count reads a number of things that take a byte each at least.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) path() (path Path) {
	n := d.count()
	if n == 0 {
		d.fail()
	}
	for i := range n {
		step := d.uvarint()
		if step > 0 {
			if i == 0 || step-1 > indexMax {
				d.fail()
				return nil
			}
			path = append(path, Step{Index: int(step - 1), IsIndex: true})
			continue
		}
		length := d.count()
		path = append(path, Step{Name: d.rest[:length]})
		d.rest = d.rest[length:]
		if d.failed {
			return nil
		}
	}
	return path
}

// nodeDepthMax is beyond what 4 KB of text can nest.
const nodeDepthMax = textMax

// argsOf is how many arguments an operator has: at least and at most.
func argsOf(op Op) (least, most int) {
	switch op {
	case OpSize, OpNot, OpAttributeExists, OpAttributeAbsent:
		return 1, 1
	case OpBetween:
		return 3, 3
	case OpAnd, OpOr, OpIn: // Expected may have as many entries as a request has room for
		return 1, math.MaxInt
	}
	return 2, 2
}

func (d *decoder) node(depth int) *Node {
	op := Op(d.byte())
	if d.failed || op == 0 {
		return nil
	}
	n := &Node{Op: op}
	switch {
	case op == OpPath:
		n.Path = d.path()
		return n
	case op == OpLiteral:
		v, rest, err := value.CutValue(d.rest)
		if err != nil {
			d.fail()
			return nil
		}
		n.Value, d.rest = v, rest
		return n
	case opNames[op] == "" || depth > nodeDepthMax:
		d.fail()
		return nil
	}
	count := d.count()
	if least, most := argsOf(op); count < least || count > most {
		d.fail()
		return nil
	}
	for range count {
		arg := d.node(depth + 1)
		if arg == nil || op == OpIfNotExists && len(n.Args) == 0 && arg.Op != OpPath {
			d.fail()
			return nil
		}
		n.Args = append(n.Args, arg)
	}
	return n
}
