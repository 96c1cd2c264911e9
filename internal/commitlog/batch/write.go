package batch

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// Offsets of the header's fields, and its length, in bytes. See the package comment.
const (
	lengthAt        = 8
	epochAt         = 12
	magicAt         = 16
	crcAt           = 17
	attributesAt    = 21
	lastDeltaAt     = 23
	baseTimestampAt = 27
	maxTimestampAt  = 35
	producerAt      = 43
	producerEpochAt = 51
	baseSequenceAt  = 53
	recordsAt       = 57
	headerSize      = 61

	lengthEnd = lengthAt + 4 // what the length field does not count
)

// HeaderSize is the overhead of a batch before its first record, in bytes.
const HeaderSize = headerSize

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is a named value that travels with a record, outside its key and value.
type Header struct {
	Key   string
	Value []byte
}

// Batch collects records and gives their bytes. The zero value is ready; Reset makes it ready again and keeps its memory.
// It is for one goroutine at a time.
type Batch struct {
	buf     []byte // buf[:headerSize] is the header, filled by Bytes; records follow
	records int
	base    int64 // timestamp of the first record, ms
	max     int64 // highest timestamp, ms
	sealed  bool  // Bytes was called since the last change
}

// Reset empties the batch.
func (b *Batch) Reset() { *b = Batch{buf: b.buf[:0]} }

// Grow makes room for n more bytes of records at once.
func (b *Batch) Grow(n int) {
	if need := len(b.buf) + n + headerSize; need > cap(b.buf) {
		grown := make([]byte, len(b.buf), need)
		copy(grown, b.buf)
		b.buf = grown
	}
}

// Len is how many records the batch holds.
func (b *Batch) Len() int { return b.records }

// Size is how many bytes the batch takes, or 0 when it is empty.
func (b *Batch) Size() int { return len(b.buf) }

// Cap is how much memory the batch holds, for those who pool batches and let the large ones go.
func (b *Batch) Cap() int { return cap(b.buf) }

// BaseTimestamp and MaxTimestamp are those of the first and of the youngest record, in milliseconds since 1970.
func (b *Batch) BaseTimestamp() int64 { return b.base }

// MaxTimestamp is the highest timestamp in the batch, in milliseconds since 1970.
func (b *Batch) MaxTimestamp() int64 { return b.max }

// Append adds a record, copying key, value and headers. timestamp is in milliseconds since 1970.
func (b *Batch) Append(timestamp int64, key, value []byte, headers ...Header) {
	copy(b.AppendRoom(timestamp, key, len(value), headers...), value)
}

// AppendRoom adds a record whose value the caller writes: into the returned slice of valueSize bytes, before the next call on b.
// So a decoder can decode straight into the batch.
func (b *Batch) AppendRoom(timestamp int64, key []byte, valueSize int, headers ...Header) []byte {
	if b.records == 0 {
		b.Grow(headerSize)
		b.buf = b.buf[:headerSize]
		b.base, b.max = timestamp, timestamp
	}
	b.sealed = false
	b.max = max(b.max, timestamp)

	timestampDelta, offsetDelta := timestamp-b.base, int64(b.records)
	size := 1 + varintSize(timestampDelta) + varintSize(offsetDelta) +
		varintSize(int64(len(key))) + len(key) +
		varintSize(int64(valueSize)) + valueSize +
		varintSize(int64(len(headers)))
	for _, h := range headers {
		size += varintSize(int64(len(h.Key))) + len(h.Key) + varintSize(int64(len(h.Value))) + len(h.Value)
	}

	b.buf = binary.AppendVarint(b.buf, int64(size))
	b.buf = append(b.buf, 0) // record attributes: none are defined
	b.buf = binary.AppendVarint(b.buf, timestampDelta)
	b.buf = binary.AppendVarint(b.buf, offsetDelta)
	b.buf = binary.AppendVarint(b.buf, int64(len(key)))
	b.buf = append(b.buf, key...)
	b.buf = binary.AppendVarint(b.buf, int64(valueSize))
	from := len(b.buf)
	b.buf = extend(b.buf, valueSize)
	to := len(b.buf)
	b.buf = binary.AppendVarint(b.buf, int64(len(headers)))
	for _, h := range headers {
		b.buf = binary.AppendVarint(b.buf, int64(len(h.Key)))
		b.buf = append(b.buf, h.Key...)
		b.buf = binary.AppendVarint(b.buf, int64(len(h.Value)))
		b.buf = append(b.buf, h.Value...)
	}
	b.records++
	return b.buf[from:to:to]
}

// Bytes is the finished batch with base offset 0. Valid until the next call on b. An empty batch has no bytes.
func (b *Batch) Bytes() []byte {
	if b.records == 0 || b.sealed {
		return b.buf
	}
	h := b.buf[:headerSize]
	clear(h)
	binary.BigEndian.PutUint32(h[lengthAt:], uint32(len(b.buf)-lengthEnd))
	h[magicAt] = 2
	binary.BigEndian.PutUint32(h[lastDeltaAt:], uint32(b.records-1))
	binary.BigEndian.PutUint64(h[baseTimestampAt:], uint64(b.base))
	binary.BigEndian.PutUint64(h[maxTimestampAt:], uint64(b.max))
	for i := producerAt; i < recordsAt; i++ {
		h[i] = 0xff // producer id, its epoch and the base sequence are all −1: nobody's
	}
	binary.BigEndian.PutUint32(h[recordsAt:], uint32(b.records))
	binary.BigEndian.PutUint32(h[crcAt:], crc32.Checksum(b.buf[attributesAt:], castagnoli))
	b.sealed = true
	return b.buf
}

// SetBase writes the position of the first record into a finished batch. The CRC does not cover it.
func SetBase(buf []byte, base int64) { binary.BigEndian.PutUint64(buf, uint64(base)) }

// varintSize is the length of v as a zigzag varint: seven bits a byte.
func varintSize(v int64) int {
	zigzag := uint64(v<<1) ^ uint64(v>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}

// extend lengthens buf by n bytes without clearing what it already had room for.
func extend(buf []byte, n int) []byte {
	if len(buf)+n <= cap(buf) {
		return buf[:len(buf)+n]
	}
	return append(buf, make([]byte, n)...)
}
