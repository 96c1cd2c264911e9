package quota_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/quota"
)

var rewrite = flag.Bool("rewrite", false, "write the table of docs/operate/limits.md anew")

// Shows that the page about limits has every row of the table, as it is. After a change: go test ./internal/quota -run Page -rewrite.
func TestPageHasTheTable(t *testing.T) {
	const file, heading = "../../docs/operate/limits.md", "## The table\n"
	var table strings.Builder
	table.WriteString("| name | value | what | by | adjustable |\n|---|---|---|---|---|\n")
	for _, l := range quota.All() {
		adjustable := "yes"
		if l.Fixed {
			adjustable = ""
		}
		fmt.Fprintf(&table, "| `%s` | %d | %s | %s | %s |\n", l.Name, l.Value, l.Unit, l.Scope, adjustable)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, end, found := strings.Cut(string(page), heading)
	if !found {
		t.Fatalf("%s has no heading %q", file, heading)
	}
	words, _, _ := strings.Cut(end, "| name |")
	want := text + heading + words + table.String()
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s does not have the table as it is; go test ./internal/quota -run Page -rewrite", file)
	}
}
