package producer

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/weir-stream/weir/internal/record"
)

// hashes remembers the hash keys of partition keys that were used lately. An MD5 takes longer than everything else that Put does, and most producers have few keys, again and again.
// A key has one place; who comes later takes it over. Of keys that are not there every sixteenth is remembered, so that keys which come once cost little more than their MD5.
//
// tags[i] is a hash of the key that places[i] is for, or was a moment ago: it keeps a key that is not there from a walk through memory, and the key itself is compared after it.
type hashes struct {
	seed   maphash.Seed
	missed atomic.Uint32
	tags   [hashPlaces]atomic.Uint64
	places [hashPlaces]atomic.Pointer[hashed]
}

// hashPlaces is how many keys are remembered at most: with keys of 20 bytes, 2 MiB. A power of two.
const hashPlaces = 1 << 14

type hashed struct {
	key  string
	hash record.HashKey
}

func newHashes() *hashes { return &hashes{seed: maphash.MakeSeed()} }

// of is the hash key of a partition key.
func (h *hashes) of(key string) record.HashKey {
	tag := maphash.String(h.seed, key)
	i := tag % hashPlaces
	if h.tags[i].Load() == tag {
		if there := h.places[i].Load(); there != nil && there.key == key {
			return there.hash
		}
	}
	hash := record.HashKeyOfString(key)
	if h.missed.Add(1)%16 == 0 {
		h.places[i].Store(&hashed{key, hash})
		h.tags[i].Store(tag)
	}
	return hash
}
