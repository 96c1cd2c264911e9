package secretfile_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// What Replace has returned from survives a crash that loses everything not synced.
func TestReplaceIsDurable(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("tls"); err != nil {
		t.Fatal(err)
	}
	if err := mem.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	if _, err := secretfile.Read(mem, "tls/ca.key", 100); !fault.Is(err, fault.NotFound) {
		t.Errorf("absent: %v", err)
	}
	for seed, text := range []string{"first, and longer", "second"} {
		if err := secretfile.Replace(mem, "tls/ca.key", []byte(text)); err != nil {
			t.Fatal(err)
		}
		after := mem.CrashClone(rand.New(rand.NewPCG(uint64(seed), 0)))
		if got, err := secretfile.Read(after, "tls/ca.key", 100); string(got) != text || err != nil {
			t.Errorf("seed %d: after the crash %q, %v", seed, got, err)
		}
	}
	if _, err := secretfile.Read(mem, "tls/ca.key", 5); !fault.Is(err, fault.Corrupt) {
		t.Errorf("too large: %v", err)
	}
}
