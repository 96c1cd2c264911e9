package streams

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"io"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// tokens seals small facts that a client carries for us: iterators and the tokens of paged lists. A token cannot be read or made
// by anyone without the secret, differs from every other one, and says when it was made.
//
// Before base64 a token is
//
//	 8  00 00 00 00 00 00 00 01, so that tokens begin with AAAAAAAAAAE, as AWS's do
//	12  nonce
//	 …  AES-256-GCM of: 1 byte purpose, 8 bytes time of making (ms), the fact; with its 16-byte tag
type tokens struct {
	seal   cipher.AEAD
	random io.Reader
}

// purpose keeps a token of one kind from being taken for another.
type purpose byte

const (
	shardIterator purpose = 1
	listShards    purpose = 2
	listStreams   purpose = 3
	listConsumers purpose = 4
)

const tokenPrefix = "\x00\x00\x00\x00\x00\x00\x00\x01"

func newTokens(secret []byte, random io.Reader) (*tokens, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fault.As(fault.Invalid, err, "token secret")
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fault.As(fault.Internal, err, "token secret")
	}
	return &tokens{seal: seal, random: random}, nil
}

// make seals fact, made at a time.
func (t *tokens) make(p purpose, at time.Time, fact []byte) (string, error) {
	plain := make([]byte, 0, 64)
	plain = append(plain, byte(p))
	plain = binary.BigEndian.AppendUint64(plain, uint64(at.UnixMilli()))
	plain = append(plain, fact...)
	out := make([]byte, len(tokenPrefix)+t.seal.NonceSize(), 128)
	copy(out, tokenPrefix)
	nonce := out[len(tokenPrefix):]
	if _, err := io.ReadFull(t.random, nonce); err != nil {
		return "", fault.As(fault.Internal, err, "token nonce")
	}
	return base64.StdEncoding.EncodeToString(t.seal.Seal(out, nonce, plain, nil)), nil
}

// open gives the fact and the time of making. Invalid, without a message for customers, when we did not make the token for p.
func (t *tokens) open(p purpose, token string) (fact []byte, at time.Time, err error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	head := len(tokenPrefix) + t.seal.NonceSize()
	if err != nil || len(raw) < head || string(raw[:len(tokenPrefix)]) != tokenPrefix {
		return nil, time.Time{}, fault.New(fault.Invalid, "not a token")
	}
	plain, err := t.seal.Open(nil, raw[len(tokenPrefix):head], raw[head:], nil)
	if err != nil || len(plain) < 9 || plain[0] != byte(p) {
		return nil, time.Time{}, fault.New(fault.Invalid, "not a token of this kind")
	}
	return plain[9:], time.UnixMilli(int64(binary.BigEndian.Uint64(plain[1:]))), nil
}
