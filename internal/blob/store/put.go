package store

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

const (
	// BufferBytes is what a body on its way in or out takes of memory, however large it is.
	BufferBytes = 256 << 10

	// syncEvery is after how many bytes a long file is synced on the way, so that its end does not make everyone else's syncs wait for all of it.
	syncEvery = 64 << 20
)

var buffers = sync.Pool{New: func() any { return new([BufferBytes]byte) }}

// Content is bytes that are durable in a file, which nothing refers to yet. A command that names it makes it part of something; otherwise Discard it.
type Content struct {
	Segment Segment              // File, Size and CRC
	MD5     string               // in hexadecimal
	Sums    map[Algorithm]string // of the algorithms that were asked for, base64
}

// WriteOptions say what a body is.
type WriteOptions struct {
	// Size is how many bytes are expected; negative when nobody knows. Room for them is reserved before the first is read.
	Size int64
	// Algorithms are the checksums to compute besides MD5.
	Algorithms []Algorithm
	// Check, if not nil, looks at the content before it is made durable, when body has ended; its error is Write's.
	Check func(*Content) error
}

// Write makes the bytes of body durable in a new file. It needs BufferBytes of memory, whatever the size. On an error nothing is left.
//
// Full when there is no room; an error of body as it is.
func (s *Store) Write(ctx context.Context, body io.Reader, o WriteOptions) (_ *Content, err error) {
	buffer := buffers.Get().(*[BufferBytes]byte)
	defer buffers.Put(buffer)
	d := newDigests(o.Algorithms)
	n, bodyErr := fill(body, buffer[:])
	whole := errors.Is(bodyErr, io.EOF)
	if bodyErr != nil && !whole {
		return nil, bodyErr
	}
	d.add(buffer[:n])
	if n == 0 { // an object without bytes has no file
		c := d.content(0, 0)
		return c, o.check(c)
	}
	if whole { // a small body can be looked at before anything is written
		if err := o.check(d.content(0, int64(n))); err != nil {
			return nil, err
		}
	}
	file, handle, err := s.files.create()
	if err != nil {
		if file != 0 {
			s.files.doom(file)
		}
		return nil, err
	}
	w := &writer{handle: handle}
	defer func() {
		err = errors.Join(err, handle.Close())
		if err != nil {
			s.files.doom(file)
		}
	}()
	if o.Size > int64(n) {
		if err := handle.Allocate(o.Size); err != nil {
			return nil, err
		}
	}
	if err := w.write(buffer[:n]); err != nil {
		return nil, err
	}
	for ended := whole; !ended; {
		n, bodyErr := fill(body, buffer[:])
		if ended = errors.Is(bodyErr, io.EOF); bodyErr != nil && !ended {
			return nil, bodyErr
		}
		d.add(buffer[:n])
		if err := w.write(buffer[:n]); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, fault.As(fault.Unavailable, err, "write an object")
		}
	}
	c := d.content(file, w.at)
	if !whole {
		if err := o.check(c); err != nil {
			return nil, err
		}
	}
	if err := handle.SyncData(); err != nil {
		return nil, err
	}
	return c, s.files.keep(file)
}

func (o *WriteOptions) check(c *Content) error {
	if o.Check == nil {
		return nil
	}
	return o.Check(c)
}

// Discard has the file of a content removed that no command named.
func (s *Store) Discard(c *Content) {
	if c != nil && c.Segment.File != 0 {
		s.files.doom(c.Segment.File)
	}
}

// writer appends to a file.
type writer struct {
	handle   vfs.File
	at       int64
	unsynced int64
}

func (w *writer) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := w.handle.WriteAt(p, w.at); err != nil {
		return err
	}
	w.at += int64(len(p))
	if w.unsynced += int64(len(p)); w.unsynced >= syncEvery {
		w.unsynced = 0
		return w.handle.SyncData()
	}
	return nil
}

func (d *digests) content(file uint64, size int64) *Content {
	return &Content{Segment: Segment{File: file, Size: size, CRC: d.crc}, MD5: hex.EncodeToString(d.md5.Sum(nil)), Sums: d.sums()}
}

// fill reads until buffer is full. io.EOF comes with the last bytes.
func fill(body io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = body.Read(buffer[n:])
		n += more
	}
	return n, err
}

// PutContent proposes a command that names a content. When it was refused, or certainly did not happen, the content is gone.
func (s *Store) PutContent(ctx context.Context, c *Content, command Command) (Result, error) {
	r, err := s.Propose(ctx, command)
	if err != nil && !fault.IsUnknown(err) {
		s.Discard(c)
	}
	return r, err
}
