// Package house asks the tree about itself: is every package introduced, do imports point down, do
// the seams hold, do the documents speak of things that exist.
//
// It owns the rules that hold for all code at once, each as data with a reason: the floors
// (floors_test.go), the seams and who may cross them (seams_test.go). What a linter can say about
// one file belongs to .golangci.yml.
//
// Read tree, below, then the test of the rule that failed: its message says what to do.
package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

// module is the path that imports of our own packages begin with.
const module = "github.com/weir-stream/weir"

// source is one Go file.
type source struct {
	path      string // from the root, with slashes
	syntax    *ast.File
	lines     int
	test      bool // ends in _test.go
	generated bool // carries the mark "Code generated … DO NOT EDIT."
}

// pkg is one folder with Go files in it.
type pkg struct {
	dir   string // from the root, with slashes; "." is the root
	name  string // of the package clause, without _test
	files []*source
}

// tree is everything the rules look at.
type tree struct {
	root     string
	fset     *token.FileSet
	packages []*pkg            // by dir
	markdown map[string]string // path from the root → text
	broken   []string          // files that do not parse, with the error
}

// load reads the tree once for all tests of this package.
var load = sync.OnceValues(func() (*tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	return readTree(root)
})

// theTree is the tree that this test stands in.
func theTree(t *testing.T) *tree {
	t.Helper()
	loaded, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range loaded.broken {
		t.Errorf("does not parse: %s", problem)
	}
	return loaded
}

// readTree parses every Go file and reads every Markdown file below root. Hidden folders (caches,
// version control), testdata and node_modules are other people's rooms.
func readTree(root string) (*tree, error) {
	loaded := &tree{root: root, fset: token.NewFileSet(), markdown: map[string]string{}}
	byDir := map[string]*pkg{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		base := entry.Name()
		if entry.IsDir() {
			if rel != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		switch path.Ext(base) {
		case ".md":
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			loaded.markdown[rel] = string(text)
		case ".go":
			return loaded.addSource(byDir, rel)
		}
		return nil
	})
	for _, p := range byDir {
		loaded.packages = append(loaded.packages, p)
	}
	sort.Slice(loaded.packages, func(i, j int) bool { return loaded.packages[i].dir < loaded.packages[j].dir })
	return loaded, err
}

func (loaded *tree) addSource(byDir map[string]*pkg, rel string) error {
	text, err := os.ReadFile(filepath.Join(loaded.root, filepath.FromSlash(rel)))
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(loaded.fset, rel, text, parser.ParseComments)
	if err != nil {
		loaded.broken = append(loaded.broken, err.Error())
		return nil
	}
	dir := path.Dir(rel)
	p := byDir[dir]
	if p == nil {
		p = &pkg{dir: dir}
		byDir[dir] = p
	}
	p.name = strings.TrimSuffix(syntax.Name.Name, "_test")
	p.files = append(p.files, &source{
		path:      rel,
		syntax:    syntax,
		lines:     bytes.Count(text, []byte("\n")),
		test:      strings.HasSuffix(rel, "_test.go"),
		generated: ast.IsGenerated(syntax),
	})
	return nil
}

// at is a position as file:line, for messages.
func (loaded *tree) at(pos token.Pos) string { return loaded.fset.Position(pos).String() }

// exists says whether a path from the root is there; a path with * is a glob.
func (loaded *tree) exists(rel string) bool {
	name := filepath.Join(loaded.root, filepath.FromSlash(rel))
	if strings.Contains(rel, "*") {
		found, err := filepath.Glob(name)
		return err == nil && len(found) > 0
	}
	_, err := os.Stat(name)
	return err == nil
}

// functions is every top-level function without receiver whose name begins with prefix, and where it stands.
func (loaded *tree) functions(prefix string) map[string]string {
	found := map[string]string{}
	for _, p := range loaded.packages {
		for _, f := range p.files {
			for _, decl := range f.syntax.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, prefix) {
					found[fn.Name.Name] = f.path
				}
			}
		}
	}
	return found
}
