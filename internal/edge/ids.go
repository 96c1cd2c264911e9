package edge

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	mathrand "math/rand/v2"

	"github.com/weir-stream/weir/internal/fault"
)

var defaultRandom io.Reader = rand.Reader

const (
	idBytes  = 36                  // a UUID in text
	id2Bytes = 72                  // random bytes in x-amz-id-2, as AWS sends between 64 and 80
	id2Text  = id2Bytes / 3 * 4    // in base64, which needs no padding
	idsText  = idBytes + id2Text   // both in one string: one allocation
	idsWords = (16 + id2Bytes) / 8 // 64-bit random words in both
)

// ids makes request ids: unique, not secret. Each pooled Call has its own generator, so requests do not wait for one another.
type ids struct{ generator mathrand.ChaCha8 }

func (s *ids) seed(random io.Reader) error {
	var seed [32]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return fault.As(fault.Unavailable, err, "read random bytes")
	}
	s.generator.Seed(seed)
	return nil
}

// next gives a request id (a version 4 UUID) and an x-amz-id-2.
func (s *ids) next() (id, id2 string) {
	var raw [idsWords * 8]byte
	s.generator.Read(raw[:])
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var text [idsText]byte
	at := 0
	for _, part := range [...][]byte{raw[0:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16]} {
		if at > 0 {
			text[at] = '-'
			at++
		}
		at += hex.Encode(text[at:], part)
	}
	base64.StdEncoding.Encode(text[idBytes:], raw[16:])
	both := string(text[:])
	return both[:idBytes], both[idBytes:]
}
