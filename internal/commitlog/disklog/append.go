package disklog

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// chunkBytes is the unit of memory that blocks are filled into; the first chunks are smaller. Blocks share chunks, so that a store that takes a small put now and
// then holds one chunk and not one for each put. A batch larger than ownChunkBytes gets memory of its own, so that no chunk loses more than that at its end, and so that
// it is copied before the lock is taken.
const (
	chunkBytes      = 1 << 20
	chunkBytesFirst = 64 << 10
	ownChunkBytes   = chunkBytes / 8
)

// block is what one write and one sync make durable: frames of any logs, in the order in which they were placed.
//
// While it fills, it is guarded by Store.mu. Then the writer takes it, and from there on it is the writer's alone, but for done.
type block struct {
	regions [][]byte // the bytes, back to back; the first begins with room for the block's header
	bytes   int      // of all regions
	inChunk bool     // the last region ends where the store's chunk is filled to, and may be continued
	frames  []frame  // what publishing does, in order

	sequence uint64 // the writer's

	done chan struct{} // closed by the writer when err is final
	err  error         // why the frames are not durable; nil when they are
}

// frame is what the writer makes visible when its block is durable.
type frame struct {
	log          *log
	kind         frameKind
	value        int64 // append: the base position; otherwise the payload
	records      int
	maxTimestamp int64
	data         []byte // append: the batch, in the block's memory
}

func newBlock(frames []frame) *block {
	return &block{frames: frames[:0], done: make(chan struct{})}
}

// extend gives n bytes at the end of the filling block, from the chunk. Called with mu held.
func (s *Store) extend(n int) []byte {
	b := s.filling
	if b.bytes == 0 {
		n += blockHeaderSize // the writer fills it in
	}
	if cap(s.chunk)-len(s.chunk) < n {
		s.chunk = make([]byte, 0, max(n, min(chunkBytes, max(chunkBytesFirst, 2*cap(s.chunk)))))
		b.inChunk = false
	}
	at := len(s.chunk)
	s.chunk = s.chunk[:at+n]
	if b.inChunk {
		last := &b.regions[len(b.regions)-1]
		*last = (*last)[:len(*last)+n] // its capacity is the chunk's
	} else {
		b.regions = append(b.regions, s.chunk[at:])
		b.inChunk = true
	}
	room := s.chunk[at : at+n : at+n]
	if b.bytes == 0 {
		room = room[blockHeaderSize:]
	}
	b.bytes += n
	return room
}

// place puts a control frame into the filling block and gives the room for its payload. Called with mu held.
func (s *Store) place(l *log, f frame, length int) []byte {
	p := s.extend(frameHeaderSize + length)
	putFrameHeader(p, f.kind, l.id, length)
	s.placed(l, f)
	return p[frameHeaderSize:]
}

// placeOwn puts a frame into the filling block whose payload, f.data, has memory of its own. Called with mu held.
func (s *Store) placeOwn(l *log, f frame) {
	putFrameHeader(s.extend(frameHeaderSize), f.kind, l.id, len(f.data))
	b := s.filling
	b.regions = append(b.regions, f.data)
	b.inChunk = false
	b.bytes += len(f.data)
	s.placed(l, f)
}

// placeCopy puts an append into the filling block. Called with mu held.
func (s *Store) placeCopy(l *log, f frame, raw []byte) {
	p := s.extend(frameHeaderSize + len(raw))
	putFrameHeader(p, f.kind, l.id, len(raw))
	f.data = p[frameHeaderSize:]
	copy(f.data, raw)
	batch.SetBase(f.data, f.value)
	s.placed(l, f)
}

func (s *Store) placed(l *log, f frame) {
	f.log = l
	s.filling.frames = append(s.filling.frames, f)
	l.block = s.filling
	s.wake.Signal()
}

// admit waits until a frame of n bytes may be placed, and returns with mu held when the error is nil. An empty block takes a frame of any size.
// Frames that make room (all but append and create) are not held back by a full journal.
//
// The queue behind a slow disk is one block of blockBytesMax, plus these waiters: each the caller's own goroutine with its own batch.
func (s *Store) admit(ctx context.Context, n int, makesRoom bool) error {
	var timer clock.Timer // only when there is something to wait for
	s.mu.Lock()
	for {
		if s.closed {
			s.mu.Unlock()
			return errClosed()
		}
		blockFull := s.filling.bytes > 0 && s.filling.bytes+n > blockBytesMax
		// With one file there is nothing to lay out, and only a block brings the next file; see rotate.
		journalFull := !makesRoom && len(s.journals) > 1 && s.journalBytes+s.taken+int64(s.filling.bytes) >= s.journalBytesMax
		if !blockFull && !journalFull {
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if timer == nil {
			timer = s.options.DeviceClock.NewTimer(s.options.ThrottleWait)
			defer timer.Stop()
		}
		select {
		case <-changed:
		case <-timer.C():
			if journalFull {
				return fault.New(fault.Throttled, "the journal is full (%d bytes): laying it out into segments is behind", s.journalBytesMax)
			}
			return fault.New(fault.Throttled, "the disk does not keep up: %d bytes are waiting to be written", blockBytesMax)
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
	}
}

// signalChange wakes those in admit. Called with mu held.
func (s *Store) signalChange() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Append copies the batch into the filling block and waits for the writer.
func (l *log) Append(ctx context.Context, b *batch.Batch) (commitlog.Position, error) {
	s := l.store
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	incarnation, err := commitlog.BeginUnder(s.options.Lease)
	if err != nil {
		return 0, err
	}
	raw := b.Bytes()
	info, err := batch.Peek(raw)
	switch {
	case err != nil || info.Size != len(raw):
		return 0, fault.New(fault.Invalid, "append to log %s: not a batch: %v", l.id, err)
	case len(raw) > BatchBytesMax:
		return 0, fault.New(fault.Invalid, "append to log %s: a batch of %d bytes; at most %d", l.id, len(raw), BatchBytesMax)
	}
	f := frame{kind: frameAppend, records: info.Records, maxTimestamp: info.MaxTimestamp}
	if len(raw) > ownChunkBytes {
		f.data = bytes.Clone(raw)
	}
	if err := s.admit(ctx, frameHeaderSize+len(raw), false); err != nil {
		return 0, err
	}
	if err := l.appendable(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	base := l.ahead.next
	l.ahead.next += int64(info.Records)
	f.value = base
	if f.data != nil {
		batch.SetBase(f.data, base)
		s.placeOwn(l, f)
	} else {
		s.placeCopy(l, f, raw)
	}
	block := s.filling
	s.mu.Unlock()

	if err := block.wait(ctx); err != nil {
		return 0, fault.Wrap(err, "append to log %s", l.id)
	}
	if err := commitlog.AckUnder(s.options.Lease, incarnation); err != nil {
		return 0, err
	}
	return base, nil
}

// appendable is called with store.mu held.
func (l *log) appendable() error {
	switch {
	case l.ahead.deleted || !l.ahead.exists:
		return l.notFound()
	case l.ahead.sealed:
		return fault.New(fault.Sealed, "log %s is sealed at %d", l.id, l.ahead.next)
	}
	return nil
}

// control places a frame with a value of 8 bytes and waits until it is durable. decide runs with store.mu held; it changes l.ahead and gives the value, or
// says that there is nothing to do, or refuses. Nothing to do still waits for what is on its way, since the reason may be there.
func (l *log) control(ctx context.Context, kind frameKind, decide func() (value int64, change bool, err error)) error {
	s := l.store
	if err := s.admit(ctx, frameHeaderSize+8, kind != frameCreate); err != nil {
		return err
	}
	if l.ahead.deleted || !l.ahead.exists {
		s.mu.Unlock()
		return l.notFound()
	}
	value, change, err := decide()
	if err != nil {
		s.mu.Unlock()
		return err
	}
	if change {
		binary.LittleEndian.PutUint64(s.place(l, frame{kind: kind, value: value}, 8), uint64(value))
	}
	block := l.block
	s.mu.Unlock()
	if block == nil {
		return nil
	}
	return block.wait(ctx)
}

// wait waits until the block is done. Its context's end leaves the outcome unknown.
func (b *block) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fault.Unknown(fault.Unavailable, ctx.Err(), "waiting for the disk")
	}
}

// retentionOf is the duration of a payload. What is on the disk was checked when it was written.
func retentionOf(value int64) time.Duration { return time.Duration(value) }
