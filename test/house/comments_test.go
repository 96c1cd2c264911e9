package house

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// linesMax is the length at which a file stops being a page. Generated files are not read top to bottom.
const linesMax = 900

// TestPackagesIntroduceThemselves: the comment stands where a reader looks first, in the file named
// after the package (main.go or doc.go will do; for a folder of tests alone, its _test.go namesake).
func TestPackagesIntroduceThemselves(t *testing.T) {
	loaded := theTree(t)
	for _, p := range loaded.packages {
		base := path.Base(p.dir)
		wanted := []string{p.name + ".go", base + ".go", "doc.go", "main.go"}
		if slices.IndexFunc(p.files, func(f *source) bool { return !f.test }) < 0 {
			wanted = append(wanted, p.name+"_test.go", base+"_test.go")
		}
		found := false
		for _, f := range p.files {
			if f.syntax.Doc != nil && slices.Contains(wanted, path.Base(f.path)) {
				found = true
				if opening := f.syntax.Doc.Text(); p.name != "main" && !strings.HasPrefix(opening, "Package "+p.name+" ") {
					t.Errorf("%s: the package comment begins with \"Package %s\"", f.path, p.name)
				}
			}
		}
		if !found {
			t.Errorf("%s: no package comment in %s: say what it is, what it owns, what it leaves to others, where to start", p.dir, wanted[0])
		}
	}
}

// TestExportedNamesAreExplained: every exported function, method, type, constant and variable of a
// package that others may import has a comment. A group of constants may share one, or carry one each at the line's end.
func TestExportedNamesAreExplained(t *testing.T) {
	loaded := theTree(t)
	for _, p := range loaded.packages {
		if p.name == "main" {
			continue
		}
		for _, f := range p.files {
			if f.test || f.generated {
				continue
			}
			for _, decl := range f.syntax.Decls {
				for _, bare := range bareNames(decl) {
					t.Errorf("%s: %s has no comment", loaded.at(bare.Pos()), bare.Name)
				}
			}
		}
	}
}

// bareNames is the exported names of a declaration that no comment explains.
func bareNames(decl ast.Decl) []*ast.Ident {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Doc == nil && decl.Name.IsExported() && exportedReceiver(decl) {
			return []*ast.Ident{decl.Name}
		}
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT || decl.Doc != nil && decl.Tok != token.TYPE {
			return nil
		}
		var bare []*ast.Ident
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Doc == nil && (decl.Doc == nil || len(decl.Specs) > 1) && spec.Comment == nil && spec.Name.IsExported() {
					bare = append(bare, spec.Name)
				}
			case *ast.ValueSpec:
				if spec.Doc != nil || spec.Comment != nil {
					continue
				}
				for _, name := range spec.Names {
					if name.IsExported() {
						bare = append(bare, name)
					}
				}
			}
		}
		return bare
	}
	return nil
}

// exportedReceiver says whether a function is one, or a method that a caller outside can reach by its type's name.
func exportedReceiver(decl *ast.FuncDecl) bool {
	if decl.Recv == nil || len(decl.Recv.List) == 0 {
		return true
	}
	kind := decl.Recv.List[0].Type
	for {
		switch inner := kind.(type) {
		case *ast.StarExpr:
			kind = inner.X
		case *ast.IndexExpr:
			kind = inner.X
		case *ast.IndexListExpr:
			kind = inner.X
		case *ast.Ident:
			return inner.IsExported()
		default:
			return true
		}
	}
}

// TestBareNames keeps the rule honest: it must see what it claims to see.
func TestBareNames(t *testing.T) {
	loaded, err := readTree(path.Join("testdata", "comments"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range loaded.packages {
		for _, f := range p.files {
			for _, decl := range f.syntax.Decls {
				for _, bare := range bareNames(decl) {
					got = append(got, bare.Name)
				}
			}
		}
	}
	want := []string{"BareFunc", "BareMethod", "BareType", "BareInGroup", "BareConst", "BareVar"}
	if !slices.Equal(got, want) {
		t.Errorf("bare names are %v, want %v", got, want)
	}
}

// TestFilesArePages finds a file too long to read in one sitting.
func TestFilesArePages(t *testing.T) {
	for _, p := range theTree(t).packages {
		for _, f := range p.files {
			if !f.generated && f.lines > linesMax {
				t.Errorf("%s has %d lines, more than %d: one idea, one file", f.path, f.lines, linesMax)
			}
		}
	}
}
