package sigv4

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"

	"github.com/weir-stream/weir/internal/fault"
)

// KeyState is what verifying needs of a secret, and all that needs to be kept of it.
//
// Signing begins with an HMAC-SHA256 whose key is "AWS4" and the secret. HMAC (RFC 2104) hashes two blocks that are made of its key, and goes
// on from the two states that SHA-256 is in behind them. Those states are here: the inner, then the outer. The secret cannot be computed
// from them. They are no less than the secret for signing: who has them can sign as its owner.
type KeyState [2 * sha256.Size]byte

// NewKeyState is the state of a secret.
func NewKeyState(secret string) (k KeyState) {
	key := []byte("AWS4" + secret)
	if len(key) > sha256.BlockSize {
		short := sha256.Sum256(key)
		key = short[:]
	}
	for i, pad := range [...]byte{0x36, 0x5c} {
		var block [sha256.BlockSize]byte
		copy(block[:], key)
		for j := range block {
			block[j] ^= pad
		}
		h := sha256.New()
		h.Write(block[:])
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil || len(state) != stateSize || string(state[:len(stateMagic)]) != stateMagic {
			panic("sigv4: crypto/sha256 writes its state in another form") // of a Go release that state_test.go was not run with
		}
		copy(k[i*sha256.Size:], state[len(stateMagic):])
	}
	return k
}

// The form in which crypto/sha256 writes and reads its state: magic, state, the block that is not full yet, the bytes hashed so far.
const (
	stateMagic = "sha\x03"
	stateSize  = len(stateMagic) + sha256.Size + sha256.BlockSize + 8
)

// mac is HMAC-SHA256 of a message under "AWS4" and the secret.
func (k *KeyState) mac(message string) [sha256.Size]byte {
	inner := resume(k[:sha256.Size], []byte(message))
	return resume(k[sha256.Size:], inner[:])
}

// resume hashes more behind the one block that led to state.
func resume(state, more []byte) (digest [sha256.Size]byte) {
	var form [stateSize]byte
	copy(form[:], stateMagic)
	copy(form[len(stateMagic):], state)
	binary.BigEndian.PutUint64(form[stateSize-8:], sha256.BlockSize)
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(form[:]); err != nil {
		panic(fault.As(fault.Internal, err, "sigv4: crypto/sha256 reads its state in another form"))
	}
	h.Write(more)
	h.Sum(digest[:0])
	return digest
}
