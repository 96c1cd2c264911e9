package envelope

import (
	"crypto/cipher"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"

	"github.com/weir-stream/weir/internal/fault"
)

// Header is the key of the record header that marks a sealed record. Its value is five bytes: the version of the sealing, and which data key of the
// stream sealed the record.
const Header = "w.e"

const (
	headerSize  = 5
	sealVersion = 1
	sessionMax  = 1 << 32 // records under one derived key: what NIST SP 800-38D grants GCM where nonces are not counted, and ours are
	openersMax  = 64      // derived keys kept for reading. A process that wrote has one, or a few
)

// DataKey seals the records of one stream and opens them. It is safe for concurrent use.
//
// Work per record sealed: AES-GCM over key and data, where they lie in the batch; no copy, no allocation, no randomness. Work per record
// opened: the same, into memory of the caller's.
//
// No nonce comes twice. Its first sixteen bytes are drawn anew by every process that seals under the key, and every 2^32 records, and the other eight are counted.
// A process that was copied as it ran, memory and all, is the exception: do not go on from a snapshot of a running machine's memory.
type DataKey struct {
	xaes   *xaes
	aad    []byte // what a record is bound to: the stream's group and the data key's id
	header [headerSize]byte
	random io.Reader

	session atomic.Pointer[session] // nil before the first record is sealed

	mu      sync.RWMutex // guards everything below
	openers map[[prefixSize]byte]cipher.AEAD
}

// session is what one process seals with.
type session struct {
	fixed [nonceSize - 8]byte // drawn at random
	aead  cipher.AEAD
	used  atomic.Uint64
}

func newDataKey(key []byte, group uint64, id uint32, random io.Reader) (*DataKey, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	k := &DataKey{xaes: x, random: random, openers: make(map[[prefixSize]byte]cipher.AEAD), aad: []byte("weir.record.1")}
	k.aad = binary.BigEndian.AppendUint64(k.aad, group)
	k.aad = binary.BigEndian.AppendUint32(k.aad, id)
	k.header[0] = sealVersion
	binary.BigEndian.PutUint32(k.header[1:], id)
	return k, nil
}

// Mark is the value of Header for records that k seals.
func (k *DataKey) Mark() []byte { return k.header[:] }

// KeyOf reads a mark: the id of the data key. Unsupported when a later version sealed the record, Corrupt when it is no mark.
func KeyOf(mark []byte) (uint32, error) {
	if len(mark) != headerSize {
		return 0, fault.New(fault.Corrupt, "a mark of sealing of %d bytes instead of %d", len(mark), headerSize)
	}
	if mark[0] != sealVersion {
		return 0, fault.New(fault.Unsupported, "a record was sealed by version %d, and this Weir knows %d", mark[0], sealVersion)
	}
	return binary.BigEndian.Uint32(mark[1:]), nil
}

// SealedSize is how many bytes a sealed record takes.
func SealedSize(partitionKey, data int) int {
	return nonceSize + uvarintSize(partitionKey) + partitionKey + data + tagSize
}

func uvarintSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}

// Lay puts a partition key into room, which has SealedSize bytes, and returns where the data goes. Seal then seals room.
func Lay(room, partitionKey []byte) (data []byte) {
	n := nonceSize + binary.PutUvarint(room[nonceSize:], uint64(len(partitionKey)))
	n += copy(room[n:], partitionKey)
	return room[n : len(room)-tagSize : len(room)-tagSize]
}

// Seal seals what lies in room, in place. Unavailable when the source of randomness fails.
func (k *DataKey) Seal(room []byte) error {
	s := k.session.Load()
	for s == nil || s.used.Load() >= sessionMax {
		var err error
		if s, err = k.newSession(s); err != nil {
			return err
		}
	}
	copy(room, s.fixed[:])
	binary.BigEndian.PutUint64(room[len(s.fixed):], s.used.Add(1)) // a few more than sessionMax may get through, each with a number of its own
	s.aead.Seal(room[nonceSize:nonceSize], room[prefixSize:nonceSize], room[nonceSize:len(room)-tagSize], k.aad)
	return nil
}

// newSession takes the place of old, unless another goroutine was first.
func (k *DataKey) newSession(old *session) (*session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.session.Load(); now != old {
		return now, nil
	}
	s := &session{}
	if _, err := io.ReadFull(k.random, s.fixed[:]); err != nil {
		return nil, fault.As(fault.Unavailable, err, "read random bytes")
	}
	var err error
	if s.aead, err = k.xaes.derive((*[prefixSize]byte)(s.fixed[:prefixSize])); err != nil {
		return nil, err
	}
	k.session.Store(s)
	return s, nil
}

// Open opens a sealed record and appends its bytes to dst, of which the parts are slices. PlainSize says how much room it takes there.
// Corrupt when the record is not what was sealed, for this stream under this key.
func (k *DataKey) Open(dst, sealed []byte) (all, partitionKey, data []byte, err error) {
	if len(sealed) < nonceSize+tagSize {
		return dst, nil, nil, fault.New(fault.Corrupt, "a sealed record of %d bytes", len(sealed))
	}
	aead, err := k.opener((*[prefixSize]byte)(sealed))
	if err != nil {
		return dst, nil, nil, err
	}
	before := len(dst)
	all, err = aead.Open(dst, sealed[prefixSize:nonceSize], sealed[nonceSize:], k.aad)
	if err != nil {
		return dst, nil, nil, fault.New(fault.Corrupt, "a sealed record is not what was sealed under data key %d", binary.BigEndian.Uint32(k.header[1:]))
	}
	plain := all[before:]
	size, n := binary.Uvarint(plain)
	if n <= 0 || size > uint64(len(plain)-n) {
		return dst, nil, nil, fault.New(fault.Corrupt, "a sealed record without a partition key")
	}
	end := n + int(size)
	return all, plain[n:end:end], plain[end:len(plain):len(plain)], nil
}

// PlainSize is how many bytes Open appends for a sealed record.
func PlainSize(sealed []byte) int { return max(len(sealed)-nonceSize-tagSize, 0) }

// opener is what opens records with nonces of a prefix.
func (k *DataKey) opener(prefix *[prefixSize]byte) (cipher.AEAD, error) {
	k.mu.RLock()
	aead := k.openers[*prefix]
	k.mu.RUnlock()
	if aead != nil {
		return aead, nil
	}
	aead, err := k.xaes.derive(prefix)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.openers) >= openersMax {
		for old := range k.openers { // any: map order is as good as random
			delete(k.openers, old)
			break
		}
	}
	k.openers[*prefix] = aead
	return aead, nil
}
