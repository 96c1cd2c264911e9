package producer

import (
	"fmt"
	"sync"
	"testing"

	"github.com/weir-stream/weir/internal/record"
)

// Shows that whatever is remembered, and whoever takes whose place meanwhile, the hash key is that of the key.
func TestHashes(t *testing.T) {
	h := newHashes()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 40_000 {
				key := fmt.Sprint("key-", (i*(w+1))%(2*hashPlaces)) // more than there are places
				if got, want := h.of(key), record.HashKeyOfString(key); got != want {
					t.Errorf("%s: %s, want %s", key, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
	for range 16 {
		h.of("often")
	}
	if n := testing.AllocsPerRun(100, func() { h.of("often") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
