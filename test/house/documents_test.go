package house

import (
	"path"
	"regexp"
	"sort"
	"strings"
	"testing"
)

var (
	linkPattern    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	spanPattern    = regexp.MustCompile("`([^`\n]+)`")
	headingPattern = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	testPattern    = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark|Example)[A-Z][A-Za-z0-9_]*\b`)
	pathPattern    = regexp.MustCompile(`^[A-Za-z0-9_.*/-]+$`)
	commentPath    = regexp.MustCompile(`\b(?:docs|test|tools|internal|cmd|examples)/[A-Za-z0-9_/.-]+\.(?:md|go|txt|json|sql)\b`)
)

// TestLinksResolve follows every relative link of every document, to the heading where it names one.
func TestLinksResolve(t *testing.T) {
	loaded := theTree(t)
	for _, document := range documents(loaded) {
		for _, match := range linkPattern.FindAllStringSubmatch(prose(loaded.markdown[document]), -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			at := document
			if file != "" {
				at = path.Join(path.Dir(document), file)
			}
			if strings.HasPrefix(at, "..") || !loaded.exists(at) {
				t.Errorf("%s links to %s, which is not there", document, target)
				continue
			}
			if text, ok := loaded.markdown[at]; ok && anchor != "" && !anchors(text)[anchor] {
				t.Errorf("%s links to %s, and %s has no such heading", document, target, at)
			}
		}
	}
}

// TestDocumentsNameWhatExists looks at everything between backquotes, and at commands in code
// blocks, that reads like a path of this tree or a test of it.
func TestDocumentsNameWhatExists(t *testing.T) {
	loaded := theTree(t)
	tests := map[string]string{}
	for _, prefix := range []string{"Test", "Fuzz", "Benchmark", "Example"} {
		for name, where := range loaded.functions(prefix) {
			tests[name] = where
		}
	}
	for _, document := range documents(loaded) {
		text := loaded.markdown[document]
		for _, name := range mentionedPaths(text) {
			beside := path.Join(path.Dir(document), name)
			if !loaded.exists(name) && !loaded.exists(beside) {
				t.Errorf("%s mentions %s, which is not there", document, name)
			}
		}
		for _, span := range spanPattern.FindAllStringSubmatch(text, -1) {
			for _, name := range testPattern.FindAllString(span[1], -1) {
				if tests[name] == "" {
					t.Errorf("%s mentions %s, which is no test of this tree", document, name)
				}
			}
		}
	}
}

// TestCommentsNameWhatExists does the same for paths in comments of Go files.
func TestCommentsNameWhatExists(t *testing.T) {
	loaded := theTree(t)
	for _, p := range loaded.packages {
		for _, f := range p.files {
			if f.generated {
				continue
			}
			for _, group := range f.syntax.Comments {
				for _, name := range commentPath.FindAllString(group.Text(), -1) {
					if !loaded.exists(name) && !loaded.exists(path.Join(p.dir, name)) {
						t.Errorf("%s mentions %s, which is not there", loaded.at(group.Pos()), name)
					}
				}
			}
		}
	}
}

// TestMentionedPaths shows what counts as a mention.
func TestMentionedPaths(t *testing.T) {
	text := "See `internal/node/node.go`, `docs/*.md` and `cmd/weir/`, not `a/b`, `PutRecords/x` or `internal/<name>`.\n" +
		"Read `internal/commitlog/{segment,disklog}` and `README.md`.\n" +
		"```\ngo run ./cmd/weir demo tolls --out ./elsewhere\n./test/x/run.sh\n```\n"
	got := strings.Join(mentionedPaths(text), " ")
	want := "README.md cmd/weir docs/*.md internal/commitlog/disklog internal/commitlog/segment internal/node/node.go test/x/run.sh"
	if got != want {
		t.Errorf("mentioned paths are\n%s, want\n%s", got, want)
	}
}

// TestAnchors shows how a heading becomes an anchor.
func TestAnchors(t *testing.T) {
	got := anchors("# One log, many folds!\n## `weir dev`\n```\n# not a heading\n```\n## Again\n## Again\n")
	for _, want := range []string{"one-log-many-folds", "weir-dev", "again", "again-1"} {
		if !got[want] {
			t.Errorf("no anchor %q in %v", want, got)
		}
	}
	if got["not-a-heading"] {
		t.Error("a comment in a code block became an anchor")
	}
}

// documents is every Markdown file, in order.
func documents(loaded *tree) []string {
	var names []string
	for name := range loaded.markdown {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// rooms is the folders a mention may begin with; anything else between backquotes is somebody else's path.
var rooms = map[string]bool{
	"cmd": true, "internal": true, "client": true, "producer": true, "consumer": true, "web": true,
	"examples": true, "test": true, "tools": true, "docs": true, ".ci": true,
}

// mentionedPaths is the paths of this tree that a document speaks of, sorted, each once.
func mentionedPaths(text string) []string {
	found := map[string]bool{}
	add := func(word string, mustBegin string) {
		word = strings.TrimRight(word, ".,;:)")
		if !strings.HasPrefix(word, mustBegin) {
			return
		}
		for _, name := range expandBraces(strings.TrimPrefix(word, "./")) {
			name = strings.TrimSuffix(name, "/...")
			name = strings.TrimSuffix(name, "/")
			first, _, nested := strings.Cut(name, "/")
			if pathPattern.MatchString(name) && (nested && rooms[first] || !nested && path.Ext(name) == ".md" && name != ".md") {
				found[name] = true
			}
		}
	}
	for _, span := range spanPattern.FindAllStringSubmatch(prose(text), -1) {
		words := strings.Fields(span[1])
		for _, word := range words {
			if len(words) == 1 {
				add(word, "")
			} else {
				add(word, "./")
			}
		}
	}
	for _, line := range codeLines(text) {
		for _, word := range strings.Fields(line) {
			add(word, "./")
		}
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// expandBraces turns a{b,c}d into abd and acd; braces do not nest.
func expandBraces(word string) []string {
	before, rest, ok := strings.Cut(word, "{")
	if !ok {
		return []string{word}
	}
	inside, after, ok := strings.Cut(rest, "}")
	if !ok {
		return []string{word}
	}
	var words []string
	for _, choice := range strings.Split(inside, ",") {
		words = append(words, expandBraces(before+choice+after)...)
	}
	return words
}

// prose is a document without its fenced code blocks; codeLines is the lines inside them.
func prose(text string) string {
	outside, _ := splitFences(text)
	return strings.Join(outside, "\n")
}

func codeLines(text string) []string {
	_, inside := splitFences(text)
	return inside
}

func splitFences(text string) (outside, inside []string) {
	fenced := false
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced:
			inside = append(inside, line)
		default:
			outside = append(outside, line)
		}
	}
	return outside, inside
}

// anchors is what a link may name after # in a document, by the rule that Git hosts use.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	seen := map[string]int{}
	outside, _ := splitFences(text)
	for _, line := range outside {
		match := headingPattern.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				return r
			}
			return -1
		}, strings.ToLower(match[1]))
		if n := seen[slug]; n > 0 {
			found[slug+"-"+string(rune('0'+n))] = true
		} else {
			found[slug] = true
		}
		seen[slug]++
	}
	return found
}
