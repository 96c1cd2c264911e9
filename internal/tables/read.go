package tables

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
)

// pageBytes is how much a query or scan reads at most, before it filters (ServiceQuotas: 1 MB).
const pageBytes = 1 << 20

// itemKey is the key of an item in the database.
func itemKey(t *Table, key value.Item) []byte {
	return t.Key.suffix(binary.BigEndian.AppendUint64(append(make([]byte, 0, 64), keyItem), t.ID), key)
}

// Get is the item under a key, and its size as DynamoDB counts it; nil when there is none. It has everything that was acknowledged before it began.
func (r *Region) Get(t *Table, key value.Item) (it value.Item, size int, err error) {
	db, done, err := r.machine.reading()
	if err != nil {
		return nil, 0, err
	}
	defer done()
	return getFrom(db.GetString, t, key)
}

func getFrom(get func(key []byte) (string, bool, error), t *Table, key value.Item) (it value.Item, size int, err error) {
	stored, found, err := get(itemKey(t, key))
	if err != nil || !found {
		return nil, 0, err
	}
	size, raw, err := cutStored(stored)
	if err != nil {
		return nil, 0, err
	}
	it, err = value.DecodeItem(raw)
	return it, size, err
}

// KeyOf names an item.
type KeyOf struct {
	Table *Table
	Key   value.Item
}

// GetAll is the items under keys as they were at one moment; nil where there is none.
func (r *Region) GetAll(keys []KeyOf) (items []value.Item, sizes []int, err error) {
	db, done, err := r.machine.reading()
	if err != nil {
		return nil, nil, err
	}
	defer done()
	at := db.Snapshot()
	defer at.Close() // only read
	items, sizes = make([]value.Item, len(keys)), make([]int, len(keys))
	for i, k := range keys {
		if items[i], sizes[i], err = getFrom(at.GetString, k.Table, k.Key); err != nil {
			return nil, nil, err
		}
	}
	return items, sizes, nil
}

// Reading says what a query or scan reads.
type Reading struct {
	Table *Table
	Index *Index // nil for the table itself

	Key *expr.KeyCondition // of a query; nil scans
	// Segment of Segments, of a scan: 0 of 1 is everything.
	Segment, Segments int

	Backward bool
	Start    value.Item // the key behind which to begin; nil begins at the beginning
	Limit    int        // of items read; 0 for none
	Filter   *expr.Node
}

// Page is what was read.
type Page struct {
	Items   []value.Item // those that the filter let through
	Scanned int          // those that were read
	Bytes   int          // of those that were read
	Last    value.Item   // the key of the last item read, when there may be more; nil at the end
}

// bounds is the range of keys that the reading goes through.
func (rd Reading) bounds() (from, to []byte, err error) {
	prefix := itemPrefix(rd.Table.ID)
	if rd.Index != nil {
		prefix = indexPrefix(rd.Table.ID, rd.Index.ID)
	}
	if rd.Key != nil {
		from, to = keyRange(prefix, *rd.Key)
	} else {
		from, to = segment(prefix, rd.Segment, max(rd.Segments, 1))
	}
	if rd.Start == nil {
		return from, to, nil
	}
	at := itemKey(rd.Table, rd.Start)
	if rd.Index != nil {
		at = indexKey(nil, rd.Table, rd.Index, rd.Start)
	}
	if string(at) < string(from) || string(at) >= string(to) {
		if rd.Key != nil {
			return nil, nil, fault.New(fault.Invalid, "The provided starting key is outside query boundaries based on provided conditions")
		}
		return nil, nil, fault.New(fault.Invalid, "The provided starting key is invalid")
	}
	if rd.Backward {
		return from, at, nil
	}
	return append(at, 0), to, nil
}

// Read reads a page: up to Limit items or 1 MB, whichever comes first.
func (r *Region) Read(rd Reading) (p Page, err error) {
	db, done, err := r.machine.reading()
	if err != nil {
		return p, err
	}
	defer done()
	from, to, err := rd.bounds()
	if err != nil {
		return p, err
	}
	it, err := db.Iterate(from, to, rd.Backward)
	if err != nil {
		return p, err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	var last value.Item
	for it.Next() {
		stored, err := it.Value()
		if err != nil {
			return p, err
		}
		size, raw, err := cutStored(string(stored))
		if err != nil {
			return p, err
		}
		if p.Scanned > 0 && p.Bytes+size > pageBytes {
			p.Last = rd.lastKey(last)
			return p, nil
		}
		item, err := value.DecodeItem(raw)
		if err != nil {
			return p, err
		}
		p.Scanned++
		p.Bytes += size
		last = item
		if rd.Filter.True(item) {
			p.Items = append(p.Items, item)
		}
		if p.Scanned == rd.Limit {
			p.Last = rd.lastKey(last)
			return p, nil
		}
	}
	return p, nil
}

// lastKey is what a reading goes on behind: the table's key and the index's.
func (rd Reading) lastKey(it value.Item) value.Item {
	key := rd.Table.Key.Of(it)
	if rd.Index != nil {
		for _, a := range rd.Index.Key.Of(it) {
			key = key.With(a.Name, a.Value)
		}
	}
	return key
}

// Changes reads the changes of a stream from a place, those made before the horizon of 24 hours left out, up to a number and about 1 MB. next is where to go on.
func (r *Region) Changes(s *Stream, from Sequence, limit int) (changes []Change, next Sequence, err error) {
	db, done, err := r.machine.reading()
	if err != nil {
		return nil, from, err
	}
	defer done()
	it, err := db.Iterate(from.key(s.ID), behind(changePrefix(s.ID)), false)
	if err != nil {
		return nil, from, err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	horizon := r.engine.clock.Now().Add(-changesKept)
	next = from
	for bytes := 0; len(changes) < limit && bytes < pageBytes && it.Next(); {
		stored, err := it.Value()
		if err != nil {
			return nil, from, err
		}
		ch, err := decodeChange(it.Key(), stored)
		if err != nil {
			return nil, from, err
		}
		next = ch.Sequence + 1
		if !ch.At.After(horizon) {
			continue
		}
		changes = append(changes, ch)
		bytes += ch.Bytes
	}
	return changes, next, nil
}

// AwaitChange returns once a command has been applied whose changes stand at a place or behind it, or ctx ends: for those who read a stream as it grows. The command may have changed
// other tables, or nothing.
func (r *Region) AwaitChange(ctx context.Context, at Sequence) error {
	return r.fold.WaitApplied(ctx, int64(at)/placesPerCommand)
}

// ChangeBounds is the first change of a stream that is readable, if there is one, and the place behind the last that was made.
func (r *Region) ChangeBounds(s *Stream) (first, end Sequence, err error) {
	end = sequenceOf(r.fold.Applied(), 0)
	if !s.Closed.IsZero() {
		end = sequenceOf(s.End, 0)
	}
	changes, _, err := r.Changes(s, 0, 1)
	if err != nil || len(changes) == 0 {
		return end, end, err
	}
	return changes[0].Sequence, end, nil
}

// ChangeAt is the place of the first readable change that was made at a time or later; where the next goes, when there is none.
func (r *Region) ChangeAt(s *Stream, at time.Time) (Sequence, error) {
	for from := Sequence(0); ; {
		changes, next, err := r.Changes(s, from, 1<<10)
		if err != nil {
			return 0, err
		}
		for i := range changes {
			if !changes[i].At.Before(at) {
				return changes[i].Sequence, nil
			}
		}
		if len(changes) == 0 && next == from {
			_, end, err := r.ChangeBounds(s)
			return end, err
		}
		from = next
	}
}
