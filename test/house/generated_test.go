package house

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedCodeIsCurrent runs the generator into an empty folder and compares, so that neither a
// hand's edit nor a forgotten "make generate" stays unnoticed. Twice the same input giving twice the
// same bytes is shown on the way.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	loaded := theTree(t)
	const shapes = "internal/wire/shapes"
	out := t.TempDir()
	generate := exec.CommandContext(t.Context(), "go", "run", "./tools/awsmodel", "generate", "-models", "tools/models", "-out", out)
	generate.Dir = loaded.root
	if said, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	committed, fresh := generatedFiles(t, filepath.Join(loaded.root, filepath.FromSlash(shapes))), generatedFiles(t, out)
	if len(fresh) == 0 {
		t.Fatal("the generator wrote nothing")
	}
	for name, text := range fresh {
		if !bytes.Equal(committed[name], text) {
			t.Errorf("%s is not what the generator writes: make generate", path.Join(shapes, name))
		}
	}
	for name := range committed {
		if fresh[name] == nil {
			t.Errorf("%s is written by no generator: delete it", path.Join(shapes, name))
		}
	}
}

// TestGeneratedCodeSaysSo: a file whose name ends in _gen.go carries the mark that tools look for, and no other does.
func TestGeneratedCodeSaysSo(t *testing.T) {
	for _, p := range theTree(t).packages {
		for _, f := range p.files {
			if named := strings.HasSuffix(f.path, "_gen.go"); named != f.generated {
				t.Errorf("%s: ends in _gen.go: %v; says \"Code generated\": %v", f.path, named, f.generated)
			}
		}
	}
}

// generatedFiles is the text of every _gen.go below dir, by its path from there.
func generatedFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, "_gen.go") {
			return err
		}
		found[name], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
