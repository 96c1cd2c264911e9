package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The seams: what comes in as a value below node, so that a test can stand in for it. Each line is
// an import path, the names that reach past the seam, and what to use in their place.
var seams = []struct {
	importPath string
	names      []string // empty with allBut: every name but those
	allBut     []string
	instead    string
}{
	{
		importPath: "time",
		names:      []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"},
		instead:    "a clock.Clock passed in",
	},
	{
		importPath: "os",
		names: []string{"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Create", "CreateTemp", "MkdirTemp", "Mkdir", "MkdirAll", "ReadFile", "WriteFile",
			"ReadDir", "Remove", "RemoveAll", "Rename", "Truncate", "Link", "Symlink", "Stat", "Lstat", "DirFS", "Chmod", "Chtimes"},
		instead: "a vfs.FS passed in",
	},
	{
		importPath: "math/rand",
		allBut:     []string{"New", "NewSource", "NewZipf", "Rand", "Source", "Source64", "Zipf"},
		instead:    "a rand.Source passed in",
	},
	{
		importPath: "math/rand/v2",
		allBut:     []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"},
		instead:    "a rand.Source passed in",
	},
}

// crossings is who may reach past a seam, and why. A line that nobody needs any more is an error.
var crossings = []struct{ path, importPath, reason string }{
	{"internal/clock", "time", "the real clock is where time comes from"},
	{"internal/vfs", "os", "the file system of the machine is where files come from"},
	{"internal/fold/commands/commandtest", "os", "a suite of tests, whose golden bytes lie in the tree"},
	{"internal/sandbox", "os", "functions are processes of the machine: their code lies where processes find it"},
}

// TestSeamsHold scans everything below the roof. Tests are exempt: they may use the machine's disk
// and a seeded or real clock to wait with a deadline (never Sleep, see TestTestsWaitForConditions).
func TestSeamsHold(t *testing.T) {
	loaded := theTree(t)
	used := make([]bool, len(crossings))
	for _, p := range loaded.packages {
		if at, _, known := floorOf(p.dir); !known || at >= roof {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, cross := range crossingsOf(f.syntax) {
				if i := allowed(f.path, cross.importPath); i >= 0 {
					used[i] = true
					continue
				}
				t.Errorf("%s: %s: use %s", loaded.at(cross.node.Pos()), cross.name, cross.instead)
			}
		}
	}
	for i, line := range crossings {
		if !used[i] && loaded.exists(line.path) {
			t.Errorf("crossings lets %s use %s, and it does not: drop the line", line.path, line.importPath)
		}
	}
}

// TestTestsWaitForConditions finds tests that sleep (they are slow when the machine is quick and
// wrong when it is slow) and tests that skip themselves (nobody notices when they stop running).
func TestTestsWaitForConditions(t *testing.T) {
	loaded := theTree(t)
	for _, p := range loaded.packages {
		for _, f := range p.files {
			if !f.test {
				continue
			}
			timeName := localName(f.syntax, "time")
			ast.Inspect(f.syntax, func(node ast.Node) bool {
				sel, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				switch {
				case timeName != "" && x.Name == timeName && sel.Sel.Name == "Sleep":
					t.Errorf("%s: wait for a condition, or move the manual clock, in place of time.Sleep", loaded.at(node.Pos()))
				case (x.Name == "t" || x.Name == "b" || x.Name == "f") && strings.HasPrefix(sel.Sel.Name, "Skip"):
					t.Errorf("%s: a test that skips itself shows nothing; make it run, or make it a program of its own", loaded.at(node.Pos()))
				}
				return true
			})
		}
	}
}

// crossing is one use of a name behind a seam.
type crossing struct {
	node       ast.Node
	name       string // as written, such as time.Now
	importPath string
	instead    string
}

func crossingsOf(syntax *ast.File) []crossing {
	var found []crossing
	for _, seam := range seams {
		local := localName(syntax, seam.importPath)
		if local == "" {
			continue
		}
		ast.Inspect(syntax, func(node ast.Node) bool {
			sel, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok || x.Name != local || x.Obj != nil {
				return true // x.Obj: a local variable that hides the import
			}
			behind := slices.Contains(seam.names, sel.Sel.Name)
			if seam.allBut != nil {
				behind = !slices.Contains(seam.allBut, sel.Sel.Name)
			}
			if behind {
				found = append(found, crossing{node, local + "." + sel.Sel.Name, seam.importPath, seam.instead})
			}
			return true
		})
	}
	return found
}

// allowed is the line of crossings that lets file use importPath, or -1.
func allowed(file, importPath string) int {
	for i, line := range crossings {
		if line.importPath == importPath && (file == line.path || strings.HasPrefix(file, line.path+"/")) {
			return i
		}
	}
	return -1
}

// localName is what a file calls an imported package, or "" when it does not import it.
func localName(syntax *ast.File, importPath string) string {
	for _, spec := range syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil || name != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		if importPath == "math/rand/v2" {
			return "rand"
		}
		return name[strings.LastIndex(name, "/")+1:]
	}
	return ""
}

// TestCrossingsOf keeps the rule honest: it must see a renamed import, and not a variable of the same name.
func TestCrossingsOf(t *testing.T) {
	syntax, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import ("math/rand/v2"; "os"; wall "time")
func f(fs interface{ Open(string) }) {
	_, _ = wall.Now(), wall.Second
	_, _ = rand.New(rand.NewPCG(1, 2)), rand.IntN(3)
	_ = os.Args
	os := fs
	os.Open("not ours")
}`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cross := range crossingsOf(syntax) {
		got = append(got, cross.name)
	}
	if want := []string{"wall.Now", "rand.IntN"}; !slices.Equal(got, want) {
		t.Errorf("crossings are %v, want %v", got, want)
	}
}
