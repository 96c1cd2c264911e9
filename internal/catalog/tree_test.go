package catalog

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"testing"
)

// A tree does what a map does, stays shallow, and no tree changes another: every version of it is compared again at the end.
func TestTreeIsAnImmutableMap(t *testing.T) {
	r := random(t)
	type version struct {
		tree  tree[int, int]
		model map[int]int
	}
	var versions []version
	now, model := tree[int, int]{}, map[int]int{}
	for i := range 4_000 {
		key := r.IntN(600)
		if i%1000 < 600 || r.IntN(3) == 0 {
			now = now.put(key, i)
			model[key] = i
		} else {
			now = now.remove(key)
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
		for key, value := range v.tree.all() {
			if found, ok := v.tree.get(key); !ok || found != value || v.model[key] != value {
				t.Fatalf("key %d is %d, found %d, want %d", key, value, found, v.model[key])
			}
			got = append(got, key)
		}
		if !slices.Equal(got, keys) || v.tree.size != len(keys) {
			t.Fatalf("keys %v, want %v", got, keys)
		}
		from := r.IntN(600)
		got = nil
		for key := range v.tree.from(from) {
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
