package kv

import "github.com/cockroachdb/pebble/v2"

// Iterator walks the keys of a range as they were when it was made. It is for one goroutine, and must be closed.
type Iterator struct {
	pebble  *pebble.Iterator
	reverse bool
	begun   bool
}

// Iterate makes an iterator over the keys k with from ≤ k < to, from the last to the first when reverse. A nil bound is none.
func (d *DB) Iterate(from, to []byte, reverse bool) (*Iterator, error) {
	it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, kindOf(err)
	}
	return &Iterator{pebble: it, reverse: reverse}, nil
}

// Next steps to the next key, or says that there is none: see Close for why.
func (it *Iterator) Next() bool {
	switch {
	case !it.begun && it.reverse:
		it.begun = true
		return it.pebble.Last()
	case !it.begun:
		it.begun = true
		return it.pebble.First()
	case it.reverse:
		return it.pebble.Prev()
	default:
		return it.pebble.Next()
	}
}

// Key is the key here, valid until the next step.
func (it *Iterator) Key() []byte { return it.pebble.Key() }

// Value is the value here, valid until the next step.
func (it *Iterator) Value() ([]byte, error) {
	v, err := it.pebble.ValueAndErr()
	return v, kindOf(err)
}

// Close ends the iterator and says what stopped it, if it was not the end of the range.
func (it *Iterator) Close() error { return kindOf(it.pebble.Close()) }
