package house

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shownByMark begins the part of a comment that names the tests of what it stands above.
const shownByMark = "Shown by:"

// shownByForm is the whole of it: one test or several, and the folder they are in.
var shownByForm = regexp.MustCompile(`^\s+(Test\w+(?:(?:,|\s+and)\s+Test\w+)*)\s+in\s+([a-z0-9/]+)\.(?:\s|$)`)

// readShownBy is the tests that the text after a mark names, and their folder; no tests when the text has another form.
func readShownBy(text string) (tests []string, dir string) {
	match := shownByForm.FindStringSubmatch(text)
	if match == nil {
		return nil, ""
	}
	return testPattern.FindAllString(match[1], -1), match[2]
}

// TestCommentsNameTheTestsThatShowThem follows each such comment to its tests, in the folder that it names.
func TestCommentsNameTheTestsThatShowThem(t *testing.T) {
	loaded := theTree(t)
	seen := 0
	for _, p := range loaded.packages {
		for _, f := range p.files {
			for _, group := range f.syntax.Comments {
				for i, text := range strings.Split(group.Text(), shownByMark) {
					if i == 0 {
						continue // what stands before the first mark
					}
					seen++
					tests, dir := readShownBy(text)
					if len(tests) == 0 {
						t.Errorf("%s: reads \"%s TestA and TestB in test/aws.\"", loaded.at(group.Pos()), shownByMark)
					}
					for _, name := range tests {
						if !loaded.hasTest(dir, name) {
							t.Errorf("%s is shown by %s, which is no test in %s", loaded.at(group.Pos()), name, dir)
						}
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Errorf("no comment says %q: either the form has changed or this test looks in the wrong place", shownByMark)
	}
}

// hasTest says whether a folder has a test function of a name. The same name in another folder is another test.
func (loaded *tree) hasTest(dir, name string) bool {
	for _, p := range loaded.packages {
		if p.dir != dir {
			continue
		}
		for _, f := range p.files {
			if f.test && slices.ContainsFunc(f.syntax.Decls, func(decl ast.Decl) bool {
				fn, ok := decl.(*ast.FuncDecl)
				return ok && fn.Recv == nil && fn.Name.Name == name
			}) {
				return true
			}
		}
	}
	return false
}

// TestReadShownBy shows the form, and that a test counts only where it stands.
func TestReadShownBy(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{" TestA in test/aws.", "TestA in test/aws"},
		{" TestA in test/aws.\nMore.", "TestA in test/aws"},
		{" TestA and TestB in\ntest/aws. More.", "TestA TestB in test/aws"},
		{" TestA, TestB and TestC in test/aws.", "TestA TestB TestC in test/aws"},
		{" TestA.", ""},
		{" nobody in test/aws.", ""},
		{" TestA in test/aws", ""},
	} {
		tests, dir := readShownBy(row.text)
		got := strings.Join(tests, " ")
		if dir != "" {
			got += " in " + dir
		}
		if got != row.want {
			t.Errorf("%q reads as %q, want %q", row.text, got, row.want)
		}
	}
	loaded := theTree(t)
	if !loaded.hasTest("test/house", "TestReadShownBy") || loaded.hasTest("test/aws", "TestReadShownBy") || loaded.hasTest("test/house", "TestNobody") {
		t.Error("tests are not found where they are, or found where they are not")
	}
}
