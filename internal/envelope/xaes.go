package envelope

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/weir-stream/weir/internal/fault"
)

// Sizes in bytes.
const (
	keySize    = 32
	prefixSize = 12 // the half of a nonce that chooses the derived key
	nonceSize  = 24
	tagSize    = 16
)

// xaes is a key of XAES-256-GCM (C2SP, XAES-256-GCM.md, read 2026-11): AES-256-GCM with nonces of 24 bytes. The first twelve bytes of a nonce
// derive a key from the key, by CMAC in counter mode (NIST SP 800-108r1), and the last twelve are the nonce of AES-256-GCM under it.
//
// AES-GCM alone would not do: its nonces have twelve bytes, and a nonce that is used twice gives the plaintexts away and lets records be
// forged. A counter would have to survive crashes and restored backups, and chance repeats itself among so few bytes.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the CMAC subkey for whole blocks
}

func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil || len(key) != keySize {
		return nil, fault.New(fault.Corrupt, "a key of %d bytes instead of %d", len(key), keySize)
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	carry := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[len(x.k1)-1] ^= carry * 0x87
	return x, nil
}

// derive is AES-256-GCM under the key of a prefix. It takes two blocks of AES, a key schedule and GCM's tables: some microsecond, so
// those who use a prefix again keep what they got.
func (x *xaes) derive(prefix *[prefixSize]byte) (cipher.AEAD, error) {
	var key [keySize]byte
	for i := range 2 {
		m := key[i*aes.BlockSize:][:aes.BlockSize]
		m[1], m[2] = byte(i+1), 'X'
		copy(m[4:], prefix[:])
		for j := range m {
			m[j] ^= x.k1[j]
		}
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fault.As(fault.Internal, err, "derive a key")
	}
	aead, err := cipher.NewGCM(block)
	return aead, fault.As(fault.Internal, err, "derive a key")
}
