package functions

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Power is lost at every change that keeping a code makes to the disk: a code that was kept is whole afterwards, one that was not yet is no obstacle, and what is left of it
// goes with the next sweep.
func TestCodesSurvivePowerLoss(t *testing.T) {
	r := random(t)
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	c, err := openCodes(faulty, "functions/code")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	check := func(when string) {
		t.Helper()
		clone := mem.CrashClone(r)
		after, err := openCodes(clone, "functions/code")
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for sha, zip := range kept {
			if got, err := after.get(sha); err != nil || !bytes.Equal(got, zip) {
				t.Errorf("%s: %s: %v", when, sha, err)
			}
		}
		if err := after.sweep(func(sha string) bool { return kept[sha] != nil }); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if names, err := clone.List("functions/code"); err != nil || len(names) != len(kept) {
			t.Errorf("%s: %v, %v; want %d", when, names, err, len(kept))
		}
	}
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation != 0 {
			check(fmt.Sprintf("at %v of %s", op, name))
		}
	})
	for i := range 5 {
		zip := zipOf(t, fmt.Sprint("code ", i))
		code, release, err := c.put(zip)
		if err != nil {
			t.Fatal(err)
		}
		kept[code.SHA256] = zip
		release()
		check("after")
	}
}

// A full disk keeps nothing, and a file that is not what was written is not run.
func TestCodesOnABadDisk(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	c, err := openCodes(fs, "functions/code")
	if err != nil {
		t.Fatal(err)
	}
	fs.Quota(0)
	if _, _, err := c.put(zipOf(t, "x")); !fault.Is(err, fault.Full) {
		t.Errorf("on a full disk: %v", err)
	}
	fs.Quota(-1)
	code, release, err := c.put(zipOf(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	f, err := fs.Open(c.name(code.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("?"), 5); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.get(code.SHA256); !fault.Is(err, fault.Corrupt) {
		t.Errorf("damaged: %v", err)
	}
}
