//go:build unix

package vfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-stream/weir/internal/vfs"
)

// Keys and customers' records are in these files: nobody but their owner may read them.
func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data")
	fs, err := vfs.NewOS(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.MkdirAll("tls"); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create("tls/server.key")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{".", "tls", "tls/server.key"} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}
