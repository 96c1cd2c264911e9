package kv

import "github.com/cockroachdb/pebble/v2"

// Batch is changes that happen together or not at all. It is for one goroutine.
type Batch struct{ pebble *pebble.Batch }

// NewBatch begins a batch. Commit or Discard ends it.
func (d *DB) NewBatch() *Batch { return &Batch{d.pebble.NewBatch()} }

// Set puts a value under a key, replacing what is there. Both are copied.
func (b *Batch) Set(key, value []byte) {
	_ = b.pebble.Set(key, value, nil) // fails only for batches that are committed already
}

// Delete removes a key, if it is there.
func (b *Batch) Delete(key []byte) { _ = b.pebble.Delete(key, nil) }

// DeleteRange removes the keys k with from ≤ k < to.
func (b *Batch) DeleteRange(from, to []byte) { _ = b.pebble.DeleteRange(from, to, nil) }

// Empty says whether there is nothing to do.
func (b *Batch) Empty() bool { return b.pebble.Empty() }

// Discard forgets the batch.
func (b *Batch) Discard() { _ = b.pebble.Close() }

// Commit makes the batch visible to every read that begins later. It is durable with the next checkpoint.
func (d *DB) Commit(b *Batch) error {
	if err := d.pebble.Apply(b.pebble, pebble.NoSync); err != nil {
		return kindOf(err)
	}
	return kindOf(b.pebble.Close())
}
