package tables

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
)

// What a key in the database begins with; docs/format/tables.md draws what follows. The bytes are stored: never change one.
const (
	keyMeta    = 'm' // the position that was applied last
	keyItem    = 'i' // table, hash of the hash key, hash key, range key → size, item
	keyIndex   = 'x' // table, index, hash of the hash key, hash key, range key, the item's own key → size, projected item
	keyChange  = 'c' // stream, position, place in the command → a change
	keyExpiry  = 'e' // table, second, the item's own key → nothing
	keyToken   = 't' // token → second, digest, result
	keyTokenAt = 'T' // second, token → nothing
)

var metaApplied = []byte{keyMeta, 'a'}

// hashBytes is how much of the hash stands before a hash key, so that segments of a scan are ranges of keys and of about one size.
const hashBytes = 4

// KeyAttribute is a part of a primary key.
type KeyAttribute struct {
	Name string
	Kind value.Kind // S, N or B
}

// KeySchema is the primary key of a table or index: a hash key and, unless its Name is "", a range key.
type KeySchema struct {
	Hash, Range KeyAttribute
}

// Names is the names of the key's attributes.
func (k KeySchema) Names() []string {
	if k.Range.Name == "" {
		return []string{k.Hash.Name}
	}
	return []string{k.Hash.Name, k.Range.Name}
}

// Of is the part of an item that is its key.
func (k KeySchema) Of(it value.Item) value.Item {
	key := value.Item{{Name: k.Hash.Name, Value: it.Get(k.Hash.Name)}}
	if k.Range.Name != "" {
		key = append(key, value.Attribute{Name: k.Range.Name, Value: it.Get(k.Range.Name)})
	}
	key.Sort()
	return key
}

// holds says whether an item has a value of the right type for every part of the key.
func (k KeySchema) holds(it value.Item) bool {
	return it.Get(k.Hash.Name).Kind == k.Hash.Kind && (k.Range.Name == "" || it.Get(k.Range.Name).Kind == k.Range.Kind)
}

// suffix appends the key's bytes: hash, hash key, range key.
func (k KeySchema) suffix(b []byte, it value.Item) []byte {
	b = hashed(b, it.Get(k.Hash.Name))
	if k.Range.Name != "" {
		b = value.AppendKey(b, it.Get(k.Range.Name))
	}
	return b
}

// hashed appends a hash key with its hash before it.
func hashed(b []byte, v value.Value) []byte {
	at := len(b)
	b = append(b, make([]byte, hashBytes)...)
	b = value.AppendKey(b, v)
	binary.BigEndian.PutUint32(b[at:], uint32(xxhash.Sum64(b[at+hashBytes:])>>32))
	return b
}

// itemPrefix is what the keys of a table's items begin with.
func itemPrefix(table uint64) []byte { return binary.BigEndian.AppendUint64([]byte{keyItem}, table) }

// indexPrefix is what the keys of an index begin with.
func indexPrefix(table uint64, index uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{keyIndex}, table), index)
}

func expiryPrefix(table uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyExpiry}, table)
}

func changePrefix(stream uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyChange}, stream)
}

// behind is the first key behind all that begin with prefix.
func behind(prefix []byte) []byte {
	out := append([]byte(nil), prefix...)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] != math.MaxUint8 {
			out[i]++
			return out[:i+1]
		}
	}
	return nil
}

// segment is the range of keys behind prefix that is one of total parts of a scan.
func segment(prefix []byte, number, total int) (from, to []byte) {
	bound := func(i int) []byte {
		if i == total {
			return behind(prefix)
		}
		at := uint64(i) << 32 / uint64(total)
		return binary.BigEndian.AppendUint32(append([]byte(nil), prefix...), uint32(at))
	}
	return bound(number), bound(number + 1)
}

// keyRange is the range of keys behind prefix that a key condition reads.
func keyRange(prefix []byte, k expr.KeyCondition) (from, to []byte) {
	all := hashed(append([]byte(nil), prefix...), k.Hash)
	at := func(v value.Value) []byte { return value.AppendKey(append([]byte(nil), all...), v) }
	from, to = all, behind(all)
	switch k.Range {
	case expr.OpEqual:
		from = at(k.Low)
		to = behind(from)
	case expr.OpLess:
		to = at(k.Low)
	case expr.OpLessEqual:
		to = behind(at(k.Low))
	case expr.OpGreater:
		from = behind(at(k.Low))
	case expr.OpGreaterEqual:
		from = at(k.Low)
	case expr.OpBetween:
		from, to = at(k.Low), behind(at(k.High))
	case expr.OpBeginsWith:
		from = value.AppendKeyPrefix(append([]byte(nil), all...), k.Low.Text)
		to = behind(from)
	}
	return from, to
}
