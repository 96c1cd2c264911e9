package tables

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/kv"
	"github.com/weir-stream/weir/internal/tables/value"
)

const (
	// changesKept is how long changes are readable (Streams: "24 hours").
	changesKept = 24 * time.Hour
	// expiryMax is how long ago an item may have expired to be removed (HowTtlWorks: not more than five years).
	expiryMax = 5 * 365 * 24 * time.Hour
)

// expiresAt is the second at which an item expires, if it does: the attribute must be a number.
func (ttl TTL) expiresAt(it value.Item) (second int64, does bool) {
	v := it.Get(ttl.Attribute)
	if ttl.Attribute == "" || v.Kind != value.N {
		return 0, false
	}
	second, fits := v.Number().Int64()
	return second, fits && second > 0
}

func expiryKey(table uint64, second int64, itemKey string) []byte {
	return append(binary.BigEndian.AppendUint64(expiryPrefix(table), uint64(second)), itemKey...)
}

// expiry keeps the table's list of what expires when.
func (c *change) expiry(d *done) {
	ttl := d.table.TTL
	if ttl.Attribute == "" || ttl.Status == Disabling {
		return
	}
	before, did := ttl.expiresAt(d.old)
	after, does := ttl.expiresAt(d.new)
	if did && d.found && (!does || before != after) {
		c.batch.Delete(expiryKey(d.table.ID, before, d.key))
	}
	if does && d.has && (!did || !d.found || before != after) {
		c.batch.Set(expiryKey(d.table.ID, after, d.key), nil)
	}
}

// settleTTL does a piece of switching expiry on or off.
func (c *change) settleTTL(t *Table) error {
	switch t.TTL.Status {
	case Disabling:
		prefix := expiryPrefix(t.ID)
		c.batch.DeleteRange(prefix, behind(prefix))
		t.TTL = TTL{Status: Disabled, Changed: t.TTL.Changed}
	case Enabling:
		next, err := c.walk(t, t.TTL.Cursor, func(key []byte, it value.Item) error {
			if second, does := t.TTL.expiresAt(it); does {
				c.batch.Set(expiryKey(t.ID, second, string(key)), nil)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if t.TTL.Cursor = next; next == nil {
			t.TTL.Status = Enabled
		}
	}
	return nil
}

// tick lets expire what is due at the log's time: items, changes, tokens.
func (c *change) tick() error {
	if err := c.expireItems(); err != nil {
		return err
	}
	if err := c.expireChanges(); err != nil {
		return err
	}
	return c.forgetTokens()
}

// tablesByID is the tables in an order that every node has.
func (s *State) tablesByID() []*Table {
	all := make([]*Table, 0, len(s.byID))
	for _, t := range s.byID {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *Table) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// dueExpiries is the range of a table's list of what has expired at a time.
func dueExpiries(t *Table, at time.Time) (from, to []byte) {
	return expiryKey(t.ID, max(0, seconds(at.Add(-expiryMax))), ""), expiryKey(t.ID, seconds(at), "")
}

func (c *change) expireItems() error {
	left := pieceItems
	for _, t := range c.state.tablesByID() {
		if t.TTL.Status != Enabled || !t.takesWrites() || left == 0 {
			continue
		}
		from, to := dueExpiries(t, c.at)
		it, err := c.m.db.Iterate(from, to, false)
		if err != nil {
			return err
		}
		var due []string
		for ; left > 0 && it.Next(); left-- {
			due = append(due, string(it.Key()))
		}
		if err := it.Close(); err != nil {
			return err
		}
		for _, key := range due {
			if err := c.expireItem(t, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// expireItem removes an item as the service does.
func (c *change) expireItem(t *Table, expiry string) error {
	d := &done{table: t, write: &loggedWrite{verb: VerbDelete}, key: expiry[len(expiryPrefix(t.ID))+8:], found: true}
	stored, found, err := c.m.db.GetString([]byte(d.key))
	if err != nil {
		return err
	}
	if !found { // which no write leaves behind; if one did, the list is what is wrong
		c.batch.Delete([]byte(expiry))
		return nil
	}
	if d.oldSize, d.oldRaw, err = cutStored(stored); err != nil {
		return err
	}
	silent := *t
	silent.View = "" // put writes no change as if a customer had asked
	d.table = &silent
	if err := c.put(d); err != nil {
		return err
	}
	if d.table = t; t.View != "" {
		c.record(d, true)
	}
	return nil
}

// expireChanges removes the changes that are no longer readable, and the streams that have none left.
func (c *change) expireChanges() error {
	horizon := c.at.Add(-changesKept)
	for _, s := range c.state.Streams {
		prefix := changePrefix(s.ID)
		if !s.Closed.IsZero() && !s.Closed.After(horizon) {
			c.batch.DeleteRange(prefix, behind(prefix))
			c.state = c.state.withoutStream(s.ID)
			if t := c.state.byID[s.TableID]; t != nil && t.Stream == s.ID {
				t = t.clone()
				t.Stream, t.StreamLabel = 0, ""
				c.state = c.state.with(t)
			}
			continue
		}
		it, err := c.m.db.Iterate(prefix, behind(prefix), false)
		if err != nil {
			return err
		}
		var last []byte
		for n := 0; n < 20*pieceItems && it.Next(); n++ {
			stored, err := it.Value()
			if err != nil {
				_ = it.Close() // the first error says more
				return err
			}
			if changeTime(stored).After(horizon) {
				break
			}
			last = append(last[:0], it.Key()...)
		}
		if err := it.Close(); err != nil {
			return err
		}
		if last != nil {
			c.batch.DeleteRange(prefix, append(last, 0))
			trimmed := *s
			trimmed.Trimmed = Sequence(binary.BigEndian.Uint64(last[len(prefix):])) + 1
			c.state = c.state.withStream(&trimmed)
		}
	}
	return nil
}

// due says whether a tick at a time would find something to do. It only looks.
func (m *machine) due(now time.Time) (bool, error) {
	db, done, err := m.reading()
	if err != nil {
		return false, err
	}
	defer done()
	s, _ := m.watch()
	for _, t := range s.byID {
		if t.TTL.Status != Enabled || !t.takesWrites() {
			continue
		}
		from, to := dueExpiries(t, now)
		if some, err := first(db, from, to, anything); some || err != nil {
			return some, err
		}
	}
	horizon := now.Add(-changesKept)
	for _, stream := range s.Streams {
		if !stream.Closed.IsZero() && !stream.Closed.After(horizon) {
			return true, nil
		}
		prefix := changePrefix(stream.ID)
		old, err := first(db, prefix, behind(prefix), func(stored []byte) bool { return !changeTime(stored).After(horizon) })
		if old || err != nil {
			return old, err
		}
	}
	return first(db, []byte{keyTokenAt}, tokenAtKey(max(0, seconds(now.Add(-tokenLife))), ""), anything)
}

func anything([]byte) bool { return true }

// first says whether the first value of a range is there, and is as is says.
func first(db *kv.DB, from, to []byte, is func(stored []byte) bool) (bool, error) {
	it, err := db.Iterate(from, to, false)
	if err != nil || !it.Next() {
		if err == nil {
			err = it.Close()
		}
		return false, err
	}
	stored, err := it.Value()
	found := err == nil && is(stored)
	return found, errors.Join(err, it.Close())
}
