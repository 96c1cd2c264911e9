package producer

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/weir-stream/weir/internal/record"
)

// hashes remembers the hash keys of partition keys that were used lately. An MD5 takes longer than everything else that Put does, and most producers have few keys, again and again.
// A key has two places, side by side; who comes later takes over one of them. Of keys that are not there every sixteenth is remembered, so that keys which come once cost little more than
// their MD5.
type hashes struct {
	seed   maphash.Seed
	missed atomic.Uint32
	places [hashPlaces]hashPlace
}

// hashPlaces is how many keys are remembered at most: with keys of 20 bytes, 2 MiB. A power of two.
const hashPlaces = 1 << 14

// hashPlace is for a key whose hash, by seed, is tag or was a moment ago: it keeps a key that is not there from a walk through memory. The key itself is compared after it.
type hashPlace struct {
	tag atomic.Uint64
	key atomic.Pointer[hashed]
}

type hashed struct {
	key  string
	hash record.HashKey
}

func newHashes() *hashes { return &hashes{seed: maphash.MakeSeed()} }

// of is the hash key of a partition key.
func (h *hashes) of(key string) record.HashKey {
	tag := maphash.String(h.seed, key)
	first := tag % hashPlaces &^ 1
	for _, i := range [2]uint64{first, first + 1} {
		if h.places[i].tag.Load() != tag {
			continue
		}
		if there := h.places[i].key.Load(); there != nil && there.key == key {
			return there.hash
		}
	}
	hash := record.HashKeyOfString(key)
	if n := h.missed.Add(1); n%16 == 0 {
		place := &h.places[first+uint64(n/16%2)]
		place.key.Store(&hashed{key, hash})
		place.tag.Store(tag)
	}
	return hash
}
