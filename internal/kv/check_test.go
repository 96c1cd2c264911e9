package kv_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/kv"
	"github.com/weir-stream/weir/internal/vfs"
)

// A checkpoint gives all its keys and stays as it is. A file that is gone, or a changed byte, is Corrupt or makes no difference to what is read; but that a damaged list of files may
// hide the last commits, with the newest key.
func TestCheck(t *testing.T) {
	fs := vfs.NewMem()
	db, err := kv.Open(kv.Options{FS: fs, Dir: "live"})
	must(t, err)
	for i := range 200 {
		b := db.NewBatch()
		b.Set(fmt.Appendf(nil, "key %d", i), []byte(strings.Repeat(fmt.Sprint(i), 50)))
		must(t, db.Commit(b))
	}
	must(t, db.Checkpoint("state"))
	must(t, db.Close())
	newest := false
	look := func() (keys int, err error) {
		newest = false
		err = kv.Check(fs, "state", func(key, value []byte) {
			if strings.Repeat(strings.TrimPrefix(string(key), "key "), 50) != string(value) {
				t.Errorf("%s is %q", key, value)
			}
			keys++
			newest = newest || string(key) == "key 199"
		})
		return keys, err
	}
	before, err := fs.List("state")
	must(t, err)
	if keys, err := look(); err != nil || keys != 200 {
		t.Fatal(keys, err)
	}
	after, err := fs.List("state")
	must(t, err)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%v became %v", before, after)
	}
	found := 0
	for _, name := range before {
		name = path.Join("state", name)
		whole, err := vfs.ReadFile(fs, name)
		must(t, err)
		for at := 0; at < len(whole); at += 11 {
			changed := append([]byte(nil), whole...)
			changed[at] ^= 0x10
			must(t, vfs.WriteFile(fs, name, changed))
			keys, err := look()
			if err != nil && !fault.Is(err, fault.Corrupt) || err == nil && keys != 200 && (newest || !strings.Contains(name, "MANIFEST")) {
				t.Errorf("%s, byte %d: %d keys, %v", name, at, keys, err)
			}
			if err != nil {
				found++
			}
		}
		must(t, fs.Remove(name))
		if keys, err := look(); !fault.Is(err, fault.Corrupt) && keys != 200 {
			t.Errorf("%s is gone: %d keys, %v", name, keys, err)
		}
		must(t, vfs.WriteFile(fs, name, whole))
	}
	if found == 0 {
		t.Error("no changed byte was found")
	}
	if err := kv.Check(fs, "nowhere", nil); !fault.Is(err, fault.Corrupt) {
		t.Errorf("nowhere: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
