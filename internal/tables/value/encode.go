package value

import (
	"encoding/binary"

	"github.com/weir-stream/weir/internal/fault"
)

// Items are stored and logged in these bytes; docs/format/tables.md draws them. What DecodeItem gives shares its string.

// codeTrue is a BOOL that is true; BOOL itself is one that is false.
const codeTrue = 0x40 | byte(BOOL)

// AppendItem appends the bytes of an item: how many attributes, then each name and value, in the order of names.
func AppendItem(b []byte, it Item) []byte {
	b = binary.AppendUvarint(b, uint64(len(it)))
	for i := range it {
		b = appendText(b, it[i].Name)
		b = AppendValue(b, it[i].Value)
	}
	return b
}

// AppendValue appends the bytes of a value: its type, then what that type has.
func AppendValue(b []byte, v Value) []byte {
	switch v.Kind {
	case S, N, B:
		return appendText(append(b, byte(v.Kind)), v.Text)
	case BOOL:
		if v.Bool {
			return append(b, codeTrue)
		}
		return append(b, byte(BOOL))
	case SS, NS, BS:
		b = binary.AppendUvarint(append(b, byte(v.Kind)), uint64(len(v.Set)))
		for _, e := range v.Set {
			b = appendText(b, e)
		}
		return b
	case L:
		b = binary.AppendUvarint(append(b, byte(L)), uint64(len(v.List)))
		for i := range v.List {
			b = AppendValue(b, v.List[i])
		}
		return b
	case M:
		return AppendItem(append(b, byte(M)), v.Map)
	}
	return append(b, byte(v.Kind))
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// DecodeItem reads what AppendItem wrote. Corrupt when it did not.
func DecodeItem(s string) (Item, error) {
	it, rest, err := CutItem(s)
	if err == nil && rest != "" {
		err = fault.New(fault.Corrupt, "%d bytes behind an item", len(rest))
	}
	return it, err
}

// CutItem reads an item from the front of s.
func CutItem(s string) (it Item, rest string, err error) {
	d := decoder{rest: s}
	it = d.item(0)
	return it, d.rest, d.err()
}

// CutValue reads a value from the front of s.
func CutValue(s string) (v Value, rest string, err error) {
	d := decoder{rest: s}
	v = d.value(0)
	return v, d.rest, d.err()
}

// decoder takes values off a string; once something is wrong it has failed and gives nothing.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) err() error {
	if d.failed {
		return fault.New(fault.Corrupt, "bytes that are no item")
	}
	return nil
}

func (d *decoder) fail() {
	d.failed = true
	d.rest = ""
}

// count reads a number of things that take a byte each at least, so that it bounds memory.
func (d *decoder) count() int {
	var n uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		if c < 0x80 {
			n |= uint64(c) << (7 * i)
			d.rest = d.rest[i+1:]
			if n > uint64(len(d.rest)) {
				d.fail()
				return 0
			}
			return int(n)
		}
		n |= uint64(c&0x7f) << (7 * i)
	}
	d.fail()
	return 0
}

func (d *decoder) text() string {
	n := d.count()
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) item(depth int) Item {
	n := d.count()
	if depth > decodeDepthMax {
		d.fail()
	}
	if d.failed {
		return nil
	}
	it := make(Item, 0, min(n, 1+len(d.rest)/2))
	for range n {
		name := d.text()
		v := d.value(depth)
		if d.failed || len(it) > 0 && it[len(it)-1].Name >= name {
			d.fail()
			return nil
		}
		it = append(it, Attribute{name, v})
	}
	return it
}

// decodeDepthMax is beyond what any request can make.
const decodeDepthMax = 2 * DepthMax

func (d *decoder) value(depth int) Value {
	if d.rest == "" || depth > decodeDepthMax {
		d.fail()
		return Value{}
	}
	code := d.rest[0]
	d.rest = d.rest[1:]
	switch kind := Kind(code); kind {
	case S, N, B:
		return Value{Kind: kind, Text: d.text()}
	case BOOL, NULL:
		return Value{Kind: kind}
	case Kind(codeTrue):
		return Value{Kind: BOOL, Bool: true}
	case SS, NS, BS:
		n := d.count()
		set := make([]string, 0, n)
		for range n {
			set = append(set, d.text())
		}
		return Value{Kind: kind, Set: set}
	case L:
		n := d.count()
		list := make([]Value, 0, min(n, 1<<10))
		for range n {
			if d.failed {
				break
			}
			list = append(list, d.value(depth+1))
		}
		return Value{Kind: L, List: list}
	case M:
		return Value{Kind: M, Map: d.item(depth + 1)}
	}
	d.fail()
	return Value{}
}
