package sigv4

import (
	"crypto/sha256"
	"strings"
	"sync"
)

// keysMax bounds the derived keys that are remembered. A caller uses a handful a day (one per region and service), so this is room
// for some hundred callers in 100 KB; beyond it an old one is derived again, which takes four short hashes.
const keysMax = 1024

// scope names a derived key.
type scope struct{ accessKeyID, date, region, service string }

// keyCache remembers signing keys of signatures that matched. The zero value is empty and ready. Safe for concurrent use.
type keyCache struct {
	mu   sync.RWMutex
	keys map[scope]derived
}

type derived struct {
	from KeyState // of which the key was derived; another secret under the same id must not find it
	key  [sha256.Size]byte
}

func (c *keyCache) get(s scope, from *KeyState) ([sha256.Size]byte, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	d, ok := c.keys[s]
	return d.key, ok && d.from == *from
}

func (c *keyCache) put(s scope, from *KeyState, key [sha256.Size]byte) {
	// The strings are slices of a request's header, which they must not keep alive.
	s = scope{strings.Clone(s.accessKeyID), strings.Clone(s.date), strings.Clone(s.region), strings.Clone(s.service)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[scope]derived)
	}
	if len(c.keys) >= keysMax {
		for old := range c.keys { // any: map order is as good as random
			delete(c.keys, old)
			break
		}
	}
	c.keys[s] = derived{*from, key}
}

// deriveKey is the signing key of a scope: HMACs of date, region, service and terminator, each keyed by the one before.
func deriveKey(from *KeyState, s scope) [sha256.Size]byte {
	key := from.mac(s.date)
	key = hmacSHA256(key[:], []byte(s.region))
	key = hmacSHA256(key[:], []byte(s.service))
	return hmacSHA256(key[:], []byte(terminator))
}

// hmacSHA256 is HMAC (RFC 2104) without crypto/hmac's allocations, for messages as short as a string to sign.
func hmacSHA256(key, message []byte) [sha256.Size]byte {
	if len(key) > sha256.BlockSize {
		short := sha256.Sum256(key)
		key = short[:]
	}
	var room [sha256.BlockSize + 512]byte
	inner := append(room[:0], key...)
	inner = inner[:sha256.BlockSize]
	for i := range inner {
		inner[i] ^= 0x36
	}
	digest := sha256.Sum256(append(inner, message...))

	var outer [sha256.BlockSize + sha256.Size]byte
	copy(outer[:], key)
	for i := range outer[:sha256.BlockSize] {
		outer[i] ^= 0x5c
	}
	copy(outer[sha256.BlockSize:], digest[:])
	return sha256.Sum256(outer[:])
}
