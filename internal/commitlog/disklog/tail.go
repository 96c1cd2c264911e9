package disklog

import (
	"sort"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// tailEntry is a batch that the journal holds. Its bytes are those that the append copied into a block, or that recovery read: the
// tail holds no copy of its own, and keeps a chunk of memory alive as long as an entry points into it.
type tailEntry struct {
	base         commitlog.Position
	maxTimestamp int64 // ms since 1970
	data         []byte
	journal      uint64 // number of the file it was written to
	records      int
}

func (e tailEntry) next() commitlog.Position { return e.base + int64(e.records) }

func (e tailEntry) info() (batch.Info, error) { return batch.Peek(e.data) }

// tailFrom is the part of tail from the batch that holds from, or the first behind it.
func tailFrom(tail []tailEntry, from commitlog.Position) []tailEntry {
	return tail[sort.Search(len(tail), func(i int) bool { return tail[i].next() > from }):]
}

// tailBehind is the part of tail that is in files younger than journal.
func tailBehind(tail []tailEntry, journal uint64) []tailEntry {
	return tail[sort.Search(len(tail), func(i int) bool { return tail[i].journal > journal }):]
}

// copyBelow is the size from which a batch of the tail is handed out as it is, alone, rather than copied together with its
// neighbours: a reader of small batches wants many of them in one chunk, and copying 128 KiB takes about 10 µs.
const copyBelow = 128 << 10

// readTail gathers batches up to about maxBytes behind what chunk holds already. A tail of which one batch is wanted is not copied.
func readTail(chunk []byte, tail []tailEntry, maxBytes int) ([]byte, commitlog.Position) {
	count, size := 0, len(chunk)
	for _, e := range tail {
		if size > 0 && size+len(e.data) > maxBytes {
			break
		}
		if count > 0 && len(chunk) == 0 && len(tail[0].data) >= copyBelow {
			break
		}
		size += len(e.data)
		count++
	}
	if count == 0 {
		return chunk, -1
	}
	next := tail[count-1].next()
	if count == 1 && len(chunk) == 0 {
		return tail[0].data[:len(tail[0].data):len(tail[0].data)], next
	}
	gathered := make([]byte, 0, size)
	gathered = append(gathered, chunk...)
	for _, e := range tail[:count] {
		gathered = append(gathered, e.data...)
	}
	return gathered, next
}

// positionInTail is the first record at or behind from with a timestamp at or after t; -1 when there is none.
func positionInTail(tail []tailEntry, from commitlog.Position, t int64) (commitlog.Position, error) {
	for _, e := range tail {
		if e.maxTimestamp < t {
			continue
		}
		p, err := positionInBatch(e.data, from, t)
		if err != nil || p >= 0 {
			return p, err
		}
	}
	return -1, nil
}

func positionInBatch(raw []byte, from commitlog.Position, t int64) (commitlog.Position, error) {
	var r batch.Record
	it := batch.Iterate(raw)
	for it.Next(&r) {
		if r.Position >= from && r.Timestamp >= t {
			return r.Position, nil
		}
	}
	return -1, fault.Wrap(it.Err(), "batch")
}
