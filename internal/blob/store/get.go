package store

import (
	"errors"
	"hash/crc32"
	"io"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Reader is an object that is being read. It gives the object as it was when it was opened, also when the key is put or deleted meanwhile. Close it.
type Reader struct {
	Object *Object

	store *Store
	// Of the segment under way: its place in Object.Segments, its file, and where reading goes on in it.
	segment int
	file    vfs.File
	at      int64
	crc     uint32 // of its bytes so far; only meaningful when whole
	whole   bool   // it was read from its beginning
	left    int64  // bytes to give; 0 is the end
	closed  bool
}

// Open finds the object of a key, and gives all of it until Range says otherwise. Refusals: NoSuchBucket, NoSuchKey.
func (s *Store) Open(bucket, key string) (*Reader, error) {
	o, err := s.pin(bucket, key)
	if err != nil {
		return nil, err
	}
	return &Reader{Object: o, store: s, left: o.Size, whole: true}, nil
}

// Range has the reader give length bytes from an offset, which must lie within the object. It must come before the first Read.
func (r *Reader) Range(offset, length int64) {
	r.left = length
	for r.segment < len(r.Object.Segments) && offset >= r.Object.Segments[r.segment].Size {
		offset -= r.Object.Segments[r.segment].Size
		r.segment++
	}
	r.at, r.whole = offset, offset == 0
}

// Read gives the next bytes. Corrupt when the disk does not have what was written: a file read from its beginning to its end is held
// against its checksum, and its last bytes are given only if it fits.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.closed:
		return 0, errClosedBody
	case r.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	g := &r.Object.Segments[r.segment]
	if r.file == nil {
		var err error
		if r.file, err = r.store.files.fs.Open(r.store.files.name(g.File)); err != nil {
			if fault.Is(err, fault.NotFound) {
				err = fault.As(fault.Corrupt, err, "a file of the object is gone")
			}
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), g.Size-r.at, r.left)]
	n, err := r.file.ReadAt(p, r.at)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = fault.New(fault.Corrupt, "%s ends at %d instead of %d", r.store.files.name(g.File), r.at+int64(n), g.Size)
		}
		return 0, err
	}
	r.crc = crc32.Update(r.crc, castagnoli, p)
	r.at += int64(n)
	if r.at == g.Size {
		if r.whole && r.crc != g.CRC {
			return 0, fault.New(fault.Corrupt, "%s has checksum %08x instead of %08x", r.store.files.name(g.File), r.crc, g.CRC)
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	r.left -= int64(n)
	return n, nil
}

// next goes on to the segment behind.
func (r *Reader) next() error {
	err := r.file.Close()
	r.file, r.at, r.crc, r.whole = nil, 0, 0, true
	r.segment++
	for r.segment < len(r.Object.Segments) && r.Object.Segments[r.segment].Size == 0 {
		r.segment++
	}
	return err
}

// Close ends reading. Closing twice is no error.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	defer r.store.unpin(r.Object)
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
