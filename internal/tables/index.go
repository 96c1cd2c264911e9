package tables

import (
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// indexKey appends the key of an item's entry in an index: the index's own key, then the table's.
func indexKey(b []byte, t *Table, ix *Index, it value.Item) []byte {
	b = append(b, indexPrefix(t.ID, ix.ID)...)
	b = ix.Key.suffix(b, it)
	b = value.AppendKey(b, it.Get(t.Key.Hash.Name))
	if t.Key.Range.Name != "" {
		b = value.AppendKey(b, it.Get(t.Key.Range.Name))
	}
	return b
}

// index brings an index's entry of an item to what the item will be, and says how many write units that costs: none when the entry stays as it is.
func (c *change) index(ix *Index, d *done) (cost int, err error) {
	t, keys := d.table, &c.m.keys
	var oldKey string
	var oldSize, newSize int
	if d.found && ix.Key.holds(d.old) {
		keys.index = indexKey(keys.index[:0], t, ix, d.old)
		oldKey, oldSize = string(keys.index), ix.project(t, d.old).Size()
		if ix.Status == Creating { // the item may not have been reached yet
			if _, indexed, err := c.m.db.GetString(keys.index); err != nil {
				return 0, err
			} else if !indexed {
				oldKey = ""
			}
		}
	}
	has := d.has && ix.Key.holds(d.new)
	var entry value.Item
	if has {
		keys.index = indexKey(keys.index[:0], t, ix, d.new)
		entry = ix.project(t, d.new)
		newSize = entry.Size()
	}
	if oldKey != "" && (!has || oldKey != string(keys.index)) {
		c.batch.Delete([]byte(oldKey))
		c.add(ix.stats, -1, -oldSize)
		cost, oldKey = units(oldSize), ""
	}
	if !has || oldKey != "" && value.EqualItems(ix.project(t, d.old), entry) {
		return cost, nil
	}
	keys.value = appendStored(keys.value[:0], newSize, string(value.AppendItem(keys.other[:0], entry)))
	c.batch.Set(keys.index, keys.value)
	if oldKey == "" {
		c.add(ix.stats, 1, newSize)
		oldSize = 0
	} else {
		c.add(ix.stats, 0, newSize-oldSize)
	}
	return cost + units(max(oldSize, newSize)), nil
}

// Pieces of work that a command may do at most, so that those behind it do not wait long.
const (
	pieceItems = 500
	pieceBytes = 1 << 20
)

// walk calls do for the items of a table behind a cursor, up to a piece of work, and gives the cursor behind the last; nil at the end of the table.
func (c *change) walk(t *Table, cursor []byte, do func(key []byte, it value.Item) error) (next []byte, err error) {
	prefix := itemPrefix(t.ID)
	from := prefix
	if cursor != nil {
		from = cursor
	}
	it, err := c.m.db.Iterate(from, behind(prefix), false)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	items, bytes := 0, 0
	for it.Next() {
		if items == pieceItems || bytes >= pieceBytes {
			return append([]byte(nil), it.Key()...), nil
		}
		stored, err := it.Value()
		if err != nil {
			return nil, err
		}
		size, raw, err := cutStored(string(stored))
		if err != nil {
			return nil, err
		}
		item, err := value.DecodeItem(raw)
		if err != nil {
			return nil, err
		}
		if err := do(it.Key(), item); err != nil {
			return nil, err
		}
		items++
		bytes += size
	}
	return nil, nil
}

// backfill indexes a piece of a table, and makes the index ACTIVE behind the last. Writes keep the index from the moment it exists, so that an item that is there already
// is left alone. An item whose value an index cannot have as a key is not indexed.
func (c *change) backfill(t *Table, at int) error {
	ix := t.indexAt(at)
	next, err := c.walk(t, ix.Cursor, func(_ []byte, it value.Item) error {
		d := done{table: t, has: true, new: it}
		if !ix.Key.holds(it) || only(t, ix, &d).checkIndexKeys() != nil {
			return nil
		}
		key := indexKey(nil, t, ix, it)
		_, indexed, err := c.m.db.GetString(key)
		if err != nil || indexed {
			return err
		}
		entry := ix.project(t, it)
		c.batch.Set(key, appendStored(nil, entry.Size(), string(value.AppendItem(nil, entry))))
		c.add(ix.stats, 1, entry.Size())
		return nil
	})
	if err != nil {
		return err
	}
	if ix.Cursor = next; next == nil {
		ix.Status = Active
	}
	return nil
}

// only is d in a table with one index.
func only(t *Table, ix *Index, d *done) *done {
	one := *t
	one.Indexes = []*Index{ix}
	d.table = &one
	return d
}

// settle does the next piece of what a table waits for.
func (c *change) settle(cmd settle) error {
	old := c.state.byID[cmd.ID]
	if old == nil || !old.unsettled() {
		return nil // somebody else was first
	}
	t := old.clone()
	if t.Status == Deleting {
		c.remove(t)
		return nil
	}
	if err := c.settleTTL(t); err != nil {
		return err
	}
	working, err := c.settleIndexes(t)
	if err != nil {
		return err
	}
	if !working {
		t.Status = Active
	}
	c.state = c.state.with(t)
	return nil
}

// settleIndexes does a piece of the first index that is being made or removed, and says whether there was one.
func (c *change) settleIndexes(t *Table) (working bool, err error) {
	for i := range t.Indexes {
		switch t.Indexes[i].Status {
		case Updating:
			t.indexAt(i).Status = Active
		case Deleting:
			prefix := indexPrefix(t.ID, t.Indexes[i].ID)
			c.batch.DeleteRange(prefix, behind(prefix))
			t.Indexes = append(t.Indexes[:i:i], t.Indexes[i+1:]...)
			return true, nil
		case Creating:
			return true, c.backfill(t, i)
		}
	}
	return false, nil
}

// remove takes a table and everything in it away. Its change stream stays readable until its changes have expired.
func (c *change) remove(t *Table) {
	table := indexPrefix(t.ID, 0)
	table = table[:len(table)-4] // of every index
	for _, prefix := range [][]byte{itemPrefix(t.ID), table, expiryPrefix(t.ID)} {
		c.batch.DeleteRange(prefix, behind(prefix))
	}
	c.state = c.state.without(t)
	c.closeStream(t)
}

// closeStream ends a table's change stream, if it is open.
func (c *change) closeStream(t *Table) {
	if s := c.state.Stream(t.Stream); s != nil && s.Closed.IsZero() {
		closed := *s
		closed.Closed, closed.End = c.at, c.position+1
		c.state = c.state.withStream(&closed)
	}
	t.View = ""
}

// errMissing is the refusal of commands about a table that is not there.
func errMissing(name string) error {
	return refuse(fault.NotFound, "Requested resource not found: Table: %s not found", sizeText(name))
}
