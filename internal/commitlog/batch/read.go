package batch

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/weir-stream/weir/internal/fault"
)

// Info is what the header of a batch says.
type Info struct {
	Base          int64 // position of the first record
	Records       int   // how many records; at least 1
	Size          int   // bytes of the whole batch, header included
	BaseTimestamp int64 // of the first record, ms since 1970
	MaxTimestamp  int64 // the highest, ms since 1970
}

// Next is the position behind the batch.
func (i Info) Next() int64 { return i.Base + int64(i.Records) }

// Peek reads the header of the batch that buf begins with. buf may be cut after the header. Corrupt when no batch can begin so.
func Peek(buf []byte) (Info, error) {
	if len(buf) < headerSize {
		return Info{}, fault.New(fault.Corrupt, "batch of %d bytes: a header takes %d", len(buf), headerSize)
	}
	if buf[magicAt] != 2 {
		return Info{}, fault.New(fault.Corrupt, "batch with magic %d: only 2 is known", buf[magicAt])
	}
	length := binary.BigEndian.Uint32(buf[lengthAt:])
	info := Info{
		Base:          int64(binary.BigEndian.Uint64(buf)),
		Records:       int(int32(binary.BigEndian.Uint32(buf[recordsAt:]))),
		Size:          int(length) + lengthEnd,
		BaseTimestamp: int64(binary.BigEndian.Uint64(buf[baseTimestampAt:])),
		MaxTimestamp:  int64(binary.BigEndian.Uint64(buf[maxTimestampAt:])),
	}
	lastDelta := int(int32(binary.BigEndian.Uint32(buf[lastDeltaAt:])))
	if info.Size < headerSize || length > 1<<30 || info.Base < 0 || info.Records < 1 || lastDelta != info.Records-1 {
		return Info{}, fault.New(fault.Corrupt, "batch header: base %d, length %d, %d records, last delta %d", info.Base, length, info.Records, lastDelta)
	}
	return info, nil
}

// Check verifies that buf is exactly one whole batch with the checksum it was written with. Corrupt otherwise.
func Check(buf []byte) error {
	info, err := Peek(buf)
	if err != nil {
		return err
	}
	if info.Size != len(buf) {
		return fault.New(fault.Corrupt, "batch at %d: %d bytes of %d", info.Base, len(buf), info.Size)
	}
	if attributes := binary.BigEndian.Uint16(buf[attributesAt:]); attributes != 0 {
		return fault.New(fault.Corrupt, "batch at %d: attributes %#x are never written", info.Base, attributes)
	}
	want, got := binary.BigEndian.Uint32(buf[crcAt:]), crc32.Checksum(buf[attributesAt:], castagnoli)
	if want != got {
		return fault.New(fault.Corrupt, "batch at %d: checksum %08x, want %08x", info.Base, got, want)
	}
	return nil
}

// Record is one record as read. Its slices point into the chunk and must not be written to.
type Record struct {
	Position  int64
	Timestamp int64 // ms since 1970
	Key       []byte
	Value     []byte
	headers   []byte // encoded, counted by headerCount; structure already verified
	count     int
}

// Headers is how many headers the record has.
func (r *Record) Headers() int { return r.count }

// CopyHeaders appends the record's headers to dst. Their values point into the chunk, as Key and Value do.
func (r *Record) CopyHeaders(dst []Header) []Header {
	rest := r.headers
	for range r.count {
		var k, v []byte
		k, rest, _ = bytesField(rest)
		v, rest, _ = bytesField(rest)
		dst = append(dst, Header{Key: string(k), Value: v})
	}
	return dst
}

// Header is the value of the first header named key, and whether there is one.
func (r *Record) Header(key string) ([]byte, bool) {
	rest := r.headers
	for range r.count {
		var k, v []byte
		k, rest, _ = bytesField(rest)
		v, rest, _ = bytesField(rest)
		if string(k) == key {
			return v, true
		}
	}
	return nil, false
}

// Iterator walks the records of a chunk. It does not verify checksums: stores do, once, before they hand a chunk out.
type Iterator struct {
	rest    []byte // batches not begun
	records []byte // records of the current batch not read
	info    Info
	left    int // records of the current batch not read
	err     error
}

// Iterate begins at the first record of chunk, which is whole batches back to back.
func Iterate(chunk []byte) Iterator { return Iterator{rest: chunk} }

// Next reads the next record into r and says whether there was one. At the end, or at damage, it says false; see Err.
func (it *Iterator) Next(r *Record) bool {
	for it.left == 0 {
		if it.err != nil || len(it.rest) == 0 {
			return false
		}
		info, err := Peek(it.rest)
		if err == nil && info.Size > len(it.rest) {
			err = fault.New(fault.Corrupt, "batch at %d: %d bytes of %d", info.Base, len(it.rest), info.Size)
		}
		if err != nil {
			it.err = err
			return false
		}
		it.info, it.left = info, info.Records
		it.records, it.rest = it.rest[headerSize:info.Size], it.rest[info.Size:]
	}
	rest, ok := it.read(r)
	if !ok {
		it.err = fault.New(fault.Corrupt, "batch at %d: record %d is not well formed", it.info.Base, it.info.Records-it.left)
		it.left, it.rest = 0, nil
		return false
	}
	it.records = rest
	it.left--
	return true
}

// Err is why Next stopped before the end: nil, or Corrupt.
func (it *Iterator) Err() error { return it.err }

// read parses the record at the start of it.records and gives what follows it.
func (it *Iterator) read(r *Record) (rest []byte, ok bool) {
	body, rest, ok := bytesField(it.records)
	if !ok || len(body) < 1 {
		return nil, false
	}
	body = body[1:] // attributes
	timestampDelta, n := binary.Varint(body)
	if n <= 0 {
		return nil, false
	}
	body = body[n:]
	offsetDelta, n := binary.Varint(body)
	if n <= 0 || offsetDelta < 0 || offsetDelta >= int64(it.info.Records) {
		return nil, false
	}
	body = body[n:]
	r.Position, r.Timestamp = it.info.Base+offsetDelta, it.info.BaseTimestamp+timestampDelta
	if r.Key, body, ok = bytesField(body); !ok {
		return nil, false
	}
	if r.Value, body, ok = bytesField(body); !ok {
		return nil, false
	}
	count, n := binary.Varint(body)
	if n <= 0 || count < 0 || count > int64(len(body)) {
		return nil, false
	}
	body = body[n:]
	r.headers, r.count = body, int(count)
	for range 2 * count {
		if _, body, ok = bytesField(body); !ok {
			return nil, false
		}
	}
	return rest, len(body) == 0
}

// bytesField reads a varint length and that many bytes. A length of −1 is null and reads as empty.
func bytesField(buf []byte) (field, rest []byte, ok bool) {
	size, n := binary.Varint(buf)
	if n <= 0 || size > int64(len(buf)-n) || size < -1 {
		return nil, nil, false
	}
	size = max(size, 0)
	return buf[n : n+int(size) : n+int(size)], buf[n+int(size):], true
}
