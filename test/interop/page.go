package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// row is a line of docs/compatibility.md, which a script prints once what it says has been checked:
//
//	= CLIENT | VERSION | WHAT | SENT | RECEIVED | FAULTS
//
// SENT and RECEIVED are counts with their unit, of what is the same in every run; FAULTS is what was done to
// client, server or stream on the way, or none.
type row struct {
	client, version, what, sent, received, faults string
	language                                      language // whose script printed it
}

const (
	rowMark    = "= "
	rowColumns = 6
)

// parseRow refuses a line with a column missing or empty: a client that does not say what it did proves nothing.
func parseRow(line string) (row, error) {
	columns := strings.Split(strings.TrimPrefix(line, rowMark), "|")
	for i := range columns {
		if columns[i] = strings.TrimSpace(columns[i]); columns[i] == "" {
			return row{}, fmt.Errorf("column %d of %q is empty", i+1, line)
		}
	}
	if len(columns) != rowColumns {
		return row{}, fmt.Errorf("%q has %d columns, and a row has %d", line, len(columns), rowColumns)
	}
	return row{client: columns[0], version: columns[1], what: columns[2], sent: columns[3], received: columns[4], faults: columns[5]}, nil
}

// accounts holds the rows of a language's scripts against the clients that it is to have, and says whose they are.
func (l language) accounts(rows []row) error {
	var wrong []error
	for i := range rows {
		rows[i].language = l
		if !slices.Contains(l.clients, rows[i].client) {
			wrong = append(wrong, fmt.Errorf("a row of %q, which the driver does not know", rows[i].client))
		}
	}
	for _, client := range l.clients {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.client == client }) {
			wrong = append(wrong, fmt.Errorf("no row of %q", client))
		}
	}
	return errors.Join(wrong...)
}

func (l language) home() string {
	if l.folder != "" {
		return l.folder
	}
	return l.name
}

// writePage writes what a run has shown. What the page has of languages that did not run stays as it is.
func writePage(file string, ran []language, rows []row) error {
	lines := map[string][]string{} // of the table, by language
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(old)) {
		if name := languageOf(line); name != "" {
			lines[name] = append(lines[name], line)
		}
	}
	for _, one := range ran {
		lines[one.name] = nil
	}
	for _, r := range rows {
		lines[r.language.name] = append(lines[r.language.name], r.line())
	}
	var out bytes.Buffer
	out.WriteString(pageHead)
	out.WriteString("| Client | Version | What it did | Sent | Received | Faults survived | Proof |\n|---|---|---|---|---|---|---|\n")
	for _, one := range languages {
		for _, line := range lines[one.name] {
			out.WriteString(line)
		}
	}
	out.WriteString(absentHead)
	for _, one := range absents {
		out.WriteString(one.line())
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// line is the row as the page has it; its last column names the language, and links to the folder of its scripts.
func (r row) line() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | [%s](../test/interop/%s) |\n",
		r.client, r.version, r.what, r.sent, r.received, r.faults, r.language.name, r.language.home())
}

// languageOf is the language of a line of the page that is a row, or empty.
func languageOf(line string) string {
	columns := strings.Split(strings.TrimSuffix(line, " |\n"), " | ")
	if len(columns) != rowColumns+1 {
		return ""
	}
	name, _, found := strings.Cut(columns[rowColumns], "](../test/interop/")
	if !found {
		return ""
	}
	return strings.TrimPrefix(name, "[")
}

const pageHead = `# Compatibility

Clients that other people make, unmodified, against a running Weir. This page is written by runs of them, ` + "`go run ./test/interop -o docs/compatibility.md`" + `;
` + "`make interop`" + ` runs the same without writing it, and a change lands only when all pass. Nothing is set in a client but its endpoint, its region and any access key; where a client
needs more than that, its script says what. Times are left out, because they are the machine's.

A record counts as received once everything its client reports of it fits: its bytes, its place, its order where there is one.

`

const absentHead = `
## What could not be had

These were looked for and are not in the table, each for the reason that stands beside it.

| Client | Tried | Why it is not there |
|---|---|---|
`

func (a absent) line() string {
	return fmt.Sprintf("| %s | %s | %s |\n", a.client, a.tried, a.why)
}
