package disklog

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
)

// readHint is where the last read of an extent ended, so that reading on needs no marks: its last batch, into whose middle a reader that took a part of it
// comes back, and the one behind it. It never changes.
type readHint struct {
	segment    *segmentFile
	last, next place
}

// place is where a batch stands in an extent.
type place struct {
	position commitlog.Position
	offset   int64
}

// from is the place to read from position on in the extent of segment, if it is one of the two.
func (h *readHint) from(segment *segmentFile, position commitlog.Position) (place, bool) {
	switch {
	case h == nil || h.segment != segment || position < h.last.position || position > h.next.position:
		return place{}, false
	case position == h.next.position:
		return h.next, true
	default:
		return h.last, true
	}
}

// Read gathers from extents, then from the tail, until about maxBytes. What it has when it meets damage it gives; the next Read, which begins
// there, says so.
func (l *log) Read(ctx context.Context, from commitlog.Position, maxBytes int) (commitlog.Chunk, error) {
	var chunk []byte
	var release func()
	next := from
	for {
		if err := l.store.usable(ctx); err != nil {
			return commitlog.Chunk{}, err
		}
		part, after, now, buffer, err := l.readOnce(chunk, next, maxBytes)
		switch {
		case err != nil && len(chunk) == 0:
			return commitlog.Chunk{}, err
		case err != nil || after == next: // the end; or an error that waits for the next Read
			return commitlog.Chunk{Batches: chunk, Next: next, Bounds: now.bounds(), Release: release}, nil
		}
		if release != nil { // part is a copy of chunk with more behind it
			release()
			release = nil
		}
		chunk, next = part, after
		if buffer != nil {
			release = func() { l.store.buffers.Put(buffer) }
		}
		// A chunk that is at least half full is good enough: looking further would copy it.
		if len(chunk) >= maxBytes/2 || next >= now.next {
			return commitlog.Chunk{Batches: chunk, Next: next, Bounds: now.bounds(), Release: release}, nil
		}
	}
}

// readOnce reads from one place, the extent that holds from or the tail, and gives chunk with that behind it. next is from when there is nothing. What it
// gives lies in buffer, one of the store's, unless that is nil.
func (l *log) readOnce(chunk []byte, from commitlog.Position, maxBytes int) (_ []byte, next commitlog.Position, _ state, buffer *[]byte, _ error) {
	l.mu.RLock()
	now, tail, hint := l.now, l.tail, l.hint
	if err := l.readable(from); err != nil || from == now.next {
		l.mu.RUnlock()
		return chunk, from, now, nil, err
	}
	at := sort.Search(len(l.extents), func(i int) bool { return l.extents[i].next > from })
	if at == len(l.extents) {
		l.mu.RUnlock()
		if next, err := l.hole(from, tail, now); err != nil || next > from {
			return chunk, next, now, nil, err
		}
		gathered, next := readTail(chunk, tailFrom(tail, from), maxBytes)
		if next < 0 {
			next = from // chunk is full
		}
		return gathered, next, now, nil, nil
	}
	e := l.extents[at]
	if e.first > from {
		l.mu.RUnlock()
		next, err := l.pass(from, e.first)
		return chunk, next, now, nil, err
	}
	e.segment.acquire()
	l.mu.RUnlock()
	defer e.segment.release()

	got, hint, buffer, err := l.readExtent(e, hint, from, maxBytes-len(chunk))
	if err != nil {
		return nil, 0, now, nil, err
	}
	l.mu.Lock()
	l.hint = hint
	l.mu.Unlock()
	if len(chunk) > 0 {
		got = append(chunk, got...) // chunk is cut to its length, so this is a copy
		if buffer != nil {
			l.store.buffers.Put(buffer)
			buffer = nil
		}
	}
	return got, hint.next.position, now, buffer, nil
}

// readable is called with mu held.
func (l *log) readable(from commitlog.Position) error {
	switch {
	case l.now.deleted || !l.now.exists:
		return l.notFound()
	case from < l.now.first:
		return fault.New(fault.Trimmed, "log %s: position %d is older than %d, the first that is kept", l.id, from, l.now.first)
	case from > l.now.next:
		return fault.New(fault.Invalid, "log %s: position %d is behind %d, where the log ends", l.id, from, l.now.next)
	}
	return nil
}

// hole is the damage when from stands behind all extents and is not in the tail either, and where to go on when it was given up.
func (l *log) hole(from commitlog.Position, tail []tailEntry, now state) (commitlog.Position, error) {
	to := now.next
	if len(tail) > 0 {
		to = tail[0].base
	}
	if from >= to {
		return from, nil
	}
	return l.pass(from, to)
}

// readExtent reads batches from the one that holds from, up to about maxBytes, and says where it ended. The batches lie in buffer.
func (l *log) readExtent(e extent, hint *readHint, from commitlog.Position, maxBytes int) (_ []byte, ended *readHint, buffer *[]byte, _ error) {
	scan := l.scan(e, maxBytes)
	scan.pool = &l.store.buffers
	if at, known := hint.from(e.segment, from); known && at.offset < e.end() {
		scan.position, scan.offset = at.position, at.offset
	} else if m, err := l.markFor(e, from); err != nil {
		return nil, nil, nil, err
	} else {
		scan.position, scan.offset = m.Position, m.Offset
		scan.window += segment.MarkBytes // what lies before from is read in vain
	}

	var chunk []byte
	var last place
	for scan.position < e.next {
		if len(chunk) > 0 && !scan.buffered(maxBytes-len(chunk)) {
			break
		}
		at := place{scan.position, scan.offset}
		raw, info, err := scan.next()
		if d, damaged := DamageOf(err); damaged && d.To <= from {
			scan.skip(d)
			continue
		}
		if err != nil && len(chunk) > 0 {
			break // the next Read begins here
		}
		if err != nil {
			return nil, nil, nil, err
		}
		last = at
		if info.Next() <= from {
			continue
		}
		if chunk == nil {
			chunk = raw
		} else {
			chunk = chunk[:len(chunk)+len(raw)] // raw lies behind it in the same buffer
		}
	}
	// A chunk stands in the last buffer that was filled: it ends where that does at the latest.
	return chunk[:len(chunk):len(chunk)], &readHint{e.segment, last, place{scan.position, scan.offset}}, scan.owner, nil
}

// markFor is the last mark at or before from. Damaged marks cost time, not records: then reading starts at the extent's beginning.
func (l *log) markFor(e extent, from commitlog.Position) (segment.Mark, error) {
	start := segment.Mark{Position: e.first, Offset: e.offset}
	if e.marks == 1 || from == e.first {
		return start, nil
	}
	marks, err := e.loadMarks(l.id)
	if fault.Is(err, fault.Corrupt) {
		return start, nil
	}
	if err != nil {
		return start, err
	}
	return marks[sort.Search(len(marks), func(i int) bool { return marks[i].Position > from })-1], nil
}

// PositionAt looks through extents and tail in order of position, skipping those whose highest timestamp is too low. A place that cannot be read and
// may hold the answer is Corrupt.
func (l *log) PositionAt(ctx context.Context, t time.Time) (commitlog.Position, error) {
	if err := l.store.usable(ctx); err != nil {
		return 0, err
	}
	l.mu.RLock()
	now, tail, extents := l.now, l.tail, l.extents
	if now.deleted || !now.exists {
		l.mu.RUnlock()
		return 0, l.notFound()
	}
	for _, e := range extents {
		e.segment.acquire()
	}
	l.mu.RUnlock()
	defer func() {
		for _, e := range extents {
			e.segment.release()
		}
	}()

	millis := ceilMillis(t)
	reached := now.first // everything before it is too old
	var err error
	for _, e := range extents {
		for reached < e.first {
			if reached, err = l.pass(reached, e.first); err != nil {
				return 0, err
			}
		}
		if e.maxTimestamp >= millis {
			if p, err := l.positionInExtent(e, now.first, millis); err != nil || p >= 0 {
				return p, err
			}
		}
		reached = max(reached, e.next)
	}
	for {
		next, err := l.hole(reached, tail, now)
		if err != nil {
			return 0, err
		}
		if next == reached {
			break
		}
		reached = next
	}
	p, err := positionInTail(tail, now.first, millis)
	if err == nil && p < 0 {
		p = now.next
	}
	return p, err
}

// ceilMillis is the first whole millisecond at or after t, since 1970.
func ceilMillis(t time.Time) int64 {
	millis := t.UnixMilli()
	if t.After(time.UnixMilli(millis)) {
		millis++
	}
	return millis
}

// positionInExtent is the first position at or behind from with a timestamp at or after t; -1 when e has none.
func (l *log) positionInExtent(e extent, from commitlog.Position, t int64) (commitlog.Position, error) {
	marks, err := e.loadMarks(l.id)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return 0, err
	}
	scan := l.scan(e, segment.MarkBytes)
	if err == nil {
		at := sort.Search(len(marks), func(i int) bool { return marks[i].MaxTimestamp >= t })
		if at == len(marks) {
			return -1, nil
		}
		// What lies before from may be what raised the timestamp: then it is not the answer, and the search starts at from.
		if behind := sort.Search(len(marks), func(i int) bool { return marks[i].Position > from }) - 1; behind > at {
			at = behind
		}
		scan.position, scan.offset = marks[at].Position, marks[at].Offset
	}
	for scan.position < e.next {
		raw, info, err := scan.next()
		if d, damaged := DamageOf(err); damaged && d.To <= from {
			scan.skip(d)
			continue
		}
		if err != nil {
			return 0, err
		}
		if info.Next() <= from || info.MaxTimestamp < t {
			continue
		}
		if p, err := positionInBatch(raw, from, t); err != nil || p >= 0 {
			return p, err
		}
	}
	return -1, nil
}

// extentScan steps through the batches of an extent, checking each. A buffer is never written again once read, so a batch may be handed out.
type extentScan struct {
	log      *log
	extent   extent
	window   int                // how much is read at once, bytes
	position commitlog.Position // of the next batch
	offset   int64              // of the next batch in the file

	buffer   []byte
	bufferAt int64 // where in the file buffer begins
	resume   int64 // offset behind the last damage

	pool  *sync.Pool // of *[]byte, where buffers come from; nil makes new ones
	owner *[]byte    // what buffer is the beginning of, with a pool
}

// scan starts at the beginning of e. The caller holds e's segment.
func (l *log) scan(e extent, window int) *extentScan {
	return &extentScan{log: l, extent: e, window: max(window, 4<<10), position: e.first, offset: e.offset, bufferAt: e.offset}
}

// peekBytes is enough for the header of a batch.
const peekBytes = 61

// bytes gives n bytes from offset on, or what is left of the extent.
func (x *extentScan) bytes(n int) ([]byte, error) {
	n = int(min(int64(n), x.extent.end()-x.offset))
	if from := x.offset - x.bufferAt; from >= 0 && from+int64(n) <= int64(len(x.buffer)) {
		return x.buffer[from : from+int64(n)], nil
	}
	x.buffer = x.room(int(min(int64(max(n, x.window)), x.extent.end()-x.offset)))
	x.bufferAt = x.offset
	err := readFull(x.extent.segment.file, x.buffer, x.offset)
	if err != nil && len(x.buffer) > n { // what cannot be read may lie behind what is asked for
		x.buffer = x.buffer[:n]
		err = readFull(x.extent.segment.file, x.buffer, x.offset)
	}
	if err != nil {
		x.buffer = nil
	}
	return x.buffer[:min(n, len(x.buffer))], err
}

// pooledBytes is the least that a buffer of the pool has room for, so that nearly every one serves every reader. A read of less than pooledFrom takes
// memory of its own size: it must not hold, nor make somebody clear, a buffer many times as large.
const (
	pooledBytes = 1 << 20
	pooledFrom  = pooledBytes / 4
)

// room is a buffer of n bytes. An earlier one is left alone: batches of it may have been handed out.
func (x *extentScan) room(n int) []byte {
	if x.pool == nil || n < pooledFrom {
		x.owner = nil
		return make([]byte, n)
	}
	x.owner, _ = x.pool.Get().(*[]byte)
	if x.owner == nil || cap(*x.owner) < n {
		fresh := make([]byte, max(n, pooledBytes))
		x.owner = &fresh
	}
	return (*x.owner)[:n]
}

// buffered says whether the next batch lies in the buffer that the last one came from, and takes no more than room.
func (x *extentScan) buffered(room int) bool {
	from := x.offset - x.bufferAt
	if from < 0 || from+peekBytes > int64(len(x.buffer)) {
		return false
	}
	info, err := batch.Peek(x.buffer[from:])
	return err == nil && info.Size <= room && from+int64(info.Size) <= int64(len(x.buffer))
}

// next gives the batch at position and steps behind it. Damage comes with its extent in the error; the scan stays where it is, see skip.
func (x *extentScan) next() ([]byte, batch.Info, error) {
	raw, info, err := x.at(x.position)
	if fault.Is(err, fault.Corrupt) {
		return nil, info, x.damage()
	}
	if err != nil {
		return nil, info, fault.Wrap(err, "%s", x.extent.segment.name())
	}
	x.position = info.Next()
	x.offset += int64(len(raw))
	return raw, info, nil
}

// at checks that a whole batch of the extent stands at offset and begins at position.
func (x *extentScan) at(position commitlog.Position) ([]byte, batch.Info, error) {
	head, err := x.bytes(peekBytes)
	if err != nil {
		return nil, batch.Info{}, err
	}
	info, err := batch.Peek(head)
	if err != nil {
		return nil, info, err
	}
	if info.Base != position || info.Next() > x.extent.next || int64(info.Size) > x.extent.end()-x.offset {
		return nil, info, fault.New(fault.Corrupt, "another batch: %d to %d", info.Base, info.Next())
	}
	raw, err := x.bytes(info.Size)
	if err != nil {
		return nil, info, err
	}
	return raw, info, batch.Check(raw)
}

// damage finds where good batches go on behind the one at offset. A customer's value may hold what looks like a batch, so nothing that merely looks like
// one is believed: from it, checked batches have to follow on each other up to a mark, which has a checksum of its own, or to the extent's end.
func (x *extentScan) damage() error {
	d := Damage{Log: x.log.id, From: x.position, To: x.extent.next, File: x.extent.segment.name(), At: x.offset}
	x.resume = x.extent.end()
	marks, err := x.extent.loadMarks(x.log.id)
	if err != nil {
		marks = nil // then only the end proves a batch
	}
	probe := *x
	if head, err := probe.bytes(peekBytes); err == nil {
		// If its header still tells its size, the next one is there.
		if info, err := batch.Peek(head); err == nil && info.Base == x.position && probe.leads(info.Next(), x.offset+int64(info.Size), marks) {
			d.To, x.resume = info.Next(), x.offset+int64(info.Size)
			return x.log.store.damaged(d)
		}
	}
	for at := x.offset + 1; at < x.extent.end(); at++ {
		probe.offset = at
		if m := markAt(marks, at); m != nil && m.Position > x.position {
			d.To, x.resume = m.Position, at
			break
		}
		head, err := probe.bytes(peekBytes)
		if err != nil || len(head) < peekBytes {
			continue
		}
		if info, err := batch.Peek(head); err == nil && info.Base > x.position && info.Base < x.extent.next && probe.leads(info.Base, at, marks) {
			d.To, x.resume = info.Base, at
			break
		}
	}
	return x.log.store.damaged(d)
}

// leads says whether good batches stand back to back from position at offset on, up to a mark or the end of the extent. It moves x.
func (x *extentScan) leads(position commitlog.Position, offset int64, marks []segment.Mark) bool {
	for x.offset = offset; x.offset < x.extent.end(); {
		if m := markAt(marks, x.offset); m != nil {
			return m.Position == position
		}
		raw, info, err := x.at(position)
		if err != nil {
			return false
		}
		position = info.Next()
		x.offset += int64(len(raw))
	}
	return x.offset == x.extent.end() && position == x.extent.next
}

// markAt is the mark of the batch at offset, or nil when that has none.
func markAt(marks []segment.Mark, offset int64) *segment.Mark {
	i := sort.Search(len(marks), func(i int) bool { return marks[i].Offset >= offset })
	if i == len(marks) || marks[i].Offset != offset {
		return nil
	}
	return &marks[i]
}

// skip steps behind the damage that the last next reported.
func (x *extentScan) skip(d Damage) {
	x.position, x.offset = d.To, x.resume
}
