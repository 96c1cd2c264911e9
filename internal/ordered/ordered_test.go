package ordered

import (
	"cmp"
	"flag"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// A Map does what a map does, stays shallow, and no map changes another: every version of it is compared again at the end.
func TestMapNeverChanges(t *testing.T) {
	chosen := *seed
	if chosen == 0 {
		chosen = rand.Uint64()
	}
	r := rand.New(rand.NewPCG(chosen, 0))
	defer func() {
		if t.Failed() {
			t.Logf("go test ./internal/ordered -seed %d", chosen)
		}
	}()
	type version struct {
		tree  Map[int, int]
		model map[int]int
	}
	var versions []version
	now, model := Map[int, int]{}, map[int]int{}
	for i := range 4_000 {
		key := r.IntN(600)
		if i%1000 < 600 || r.IntN(3) == 0 {
			now = now.Put(key, i)
			model[key] = i
		} else {
			now = now.Remove(key)
			delete(model, key)
		}
		if r.IntN(100) == 0 {
			versions = append(versions, version{now, maps.Clone(model)})
		}
		if most := 1 + 3*bits.Len(uint(now.size))/2; int(now.root.deep()) > most {
			t.Fatalf("%d keys at a depth of %d", now.size, now.root.deep())
		}
	}
	for _, v := range append(versions, version{now, model}) {
		keys := slices.Sorted(maps.Keys(v.model))
		var got []int
		for key, value := range v.tree.All() {
			if found, ok := v.tree.Get(key); !ok || found != value || v.model[key] != value {
				t.Fatalf("key %d is %d, found %d, want %d", key, value, found, v.model[key])
			}
			got = append(got, key)
		}
		if !slices.Equal(got, keys) || v.tree.size != len(keys) {
			t.Fatalf("keys %v, want %v", got, keys)
		}
		from := r.IntN(600)
		got = nil
		for key := range v.tree.From(from) {
			if got = append(got, key); len(got) == 20 {
				break
			}
		}
		place, _ := slices.BinarySearchFunc(keys, from, cmp.Compare[int])
		if want := keys[place:min(place+20, len(keys))]; !slices.Equal(got, want) {
			t.Fatalf("from %d: %v, want %v", from, got, want)
		}
	}
}
