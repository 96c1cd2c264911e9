package house

import (
	"regexp"
	"strings"
	"testing"
)

var (
	changelogHeading = regexp.MustCompile(`^## (Unreleased|\d+\.\d+\.\d+ / \d{4}-\d{2}-\d{2})$`)
	changelogLine    = regexp.MustCompile(`^\* \[(CHANGE|FEATURE|ENHANCEMENT|PERF|BUGFIX|SECURITY)\] [A-Z][A-Za-z ]*: .+\.$`)
)

// TestChangelogHasItsForm: newest first, one line per change, its kind and its area before it.
func TestChangelogHasItsForm(t *testing.T) {
	text, ok := theTree(t).markdown["CHANGELOG.md"]
	if !ok {
		t.Fatal("there is no CHANGELOG.md")
	}
	headings := 0
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "# ") && i == 0 || headings == 0 && !strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "#"):
			headings++
			if !changelogHeading.MatchString(line) {
				t.Errorf("CHANGELOG.md:%d: a heading reads \"## Unreleased\" or \"## 1.2.3 / 2026-01-31\": %s", i+1, line)
			}
			if line == "## Unreleased" && headings > 1 {
				t.Errorf("CHANGELOG.md:%d: Unreleased comes first", i+1)
			}
		case !changelogLine.MatchString(line):
			t.Errorf("CHANGELOG.md:%d: a line reads \"* [KIND] Area: sentence.\": %s", i+1, line)
		}
	}
	if headings == 0 {
		t.Error("CHANGELOG.md has no releases and nothing unreleased")
	}
}
