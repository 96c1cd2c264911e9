package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestPageHasTheDriversClients holds docs/compatibility.md against the driver: a client that is added, renamed or taken away needs a new
// run, and so does a reason that changes.
func TestPageHasTheDriversClients(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	var has []string // "client by language" of each row
	for line := range strings.Lines(string(text)) {
		if language := languageOf(line); language != "" {
			client, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			has = append(has, client+" by "+language)
		}
	}
	var want []string
	for _, language := range languages {
		for _, client := range language.clients {
			want = append(want, client+" by "+language.name)
		}
	}
	slices.Sort(has)
	slices.Sort(want)
	has, want = slices.Compact(has), slices.Compact(want)
	if !slices.Equal(has, want) {
		t.Errorf("docs/compatibility.md has rows of\n  %s\nand the driver has\n  %s\nrun it: go run ./test/interop -o docs/compatibility.md",
			strings.Join(has, "\n  "), strings.Join(want, "\n  "))
	}
	for _, one := range absents {
		if !strings.Contains(string(text), one.line()) {
			t.Errorf("docs/compatibility.md does not say of %s what the driver does", one.client)
		}
	}
}

// TestEveryLanguageAccountsForItsClients: a language without a client to show would pass with nothing said.
func TestEveryLanguageAccountsForItsClients(t *testing.T) {
	for _, language := range languages {
		if language.name == objectsPeer.name { // a server, which no row is about
			continue
		}
		if len(language.clients) == 0 {
			t.Errorf("%s has no clients", language.name)
			continue
		}
		var rows []row
		for _, client := range language.clients {
			rows = append(rows, row{client: client})
		}
		if err := language.accounts(rows); err != nil {
			t.Errorf("%s with a row of each client: %v", language.name, err)
		}
		if err := language.accounts(rows[1:]); err == nil {
			t.Errorf("%s may leave out %s", language.name, language.clients[0])
		}
		if err := language.accounts(append(rows, row{client: "somebody"})); err == nil {
			t.Errorf("%s may have a row of a client that is not its own", language.name)
		}
	}
}

// TestPageKeepsWhatDidNotRun: a page written by a run of one language has its rows anew, and those of the others as they were.
func TestPageKeepsWhatDidNotRun(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	rowOf := func(l language, version string) row {
		return row{client: l.clients[0], version: version, what: "puts", sent: "1", received: "1", faults: "none", language: l}
	}
	first, second := languages[0], languages[1]
	if err := writePage(page, languages, []row{rowOf(first, "1"), rowOf(second, "1"), rowOf(second, "2")}); err != nil {
		t.Fatal(err)
	}
	if err := writePage(page, []language{second}, []row{rowOf(second, "3")}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if languageOf(line) != "" {
			got = append(got, line)
		}
	}
	if want := []string{rowOf(first, "1").line(), rowOf(second, "3").line()}; !slices.Equal(got, want) {
		t.Errorf("rows are\n%q\nwant\n%q", got, want)
	}
}

func TestParseRow(t *testing.T) {
	for _, test := range []struct {
		line string
		want row // its client is empty where the line is refused
	}{
		{"= a | 1 | puts | 2 records | 3 records | none", row{client: "a", version: "1", what: "puts", sent: "2 records", received: "3 records", faults: "none"}},
		{"= a|1|puts|2|3|none", row{client: "a", version: "1", what: "puts", sent: "2", received: "3", faults: "none"}},
		{"= a | 1 | puts | 2 records | 3 records", row{}},
		{"= a | 1 | puts | 2 records |  | none", row{}},
		{"= a | 1 | puts | 2 records | 3 records | none | more", row{}},
		{"= ", row{}},
	} {
		got, err := parseRow(test.line)
		if (err == nil) != (test.want.client != "") || !reflect.DeepEqual(got, test.want) {
			t.Errorf("parseRow(%q) = %+v, %v; want %+v", test.line, got, err, test.want)
		}
	}
}
