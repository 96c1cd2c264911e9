package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/help anew")

// Shows what `weir help` and the help of every command print. After a change on purpose: go test ./cmd/weir -run Help -rewrite.
func TestHelp(t *testing.T) {
	parser, err := newParser(newTrial("").terminal)
	if err != nil {
		t.Fatal(err)
	}
	pages := [][]string{{}}
	for _, leaf := range parser.Model.Leaves(true) {
		pages = append(pages, strings.Fields(strings.TrimPrefix(leaf.Path(), "weir ")))
	}
	for _, words := range pages {
		name := strings.Join(append([]string{"weir"}, words...), "-")
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := weir(t, nil, "", append([]string{"help"}, words...)...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit %d, stderr %q", code, stderr)
			}
			if flagged, _, _ := weir(t, nil, "", append(words, "--help")...); flagged != stdout {
				t.Error("--help prints something else")
			}
			file := filepath.Join("testdata", "help", name+".txt")
			if *rewrite {
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(stdout), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if stdout != string(want) {
				t.Errorf("prints\n%s\nwant\n%s", stdout, want)
			}
		})
	}
}

// Shows the exit codes of what is not understood, and that the message says where help is.
func TestNotUnderstood(t *testing.T) {
	for _, row := range []struct{ args, says string }{
		{"frob", "frob"},
		{"put", "weir help put"},
		{"put s --key a --key-field b", "--key"},
		{"put s --follow", "needs the files"},
		{"put s --at-end", "--follow"},
		{"put s --shards 0", "at least one shard"},
		{"put s --endpoint localhost", "is not a URL"},
		{"tail s --from yesterday", "trim-horizon"},
		{"tail s --count=-1", "less than nothing"},
		{"reshard s", "--shards"},
		{"reshard s --shards 0", "at least one shard"},
		{"bench --batch 501", "1 to 500"},
		{"bench --size 2000000", "--batch 5 "},
		{"dev --test-clock=noon", "RFC 3339"},
		{"dev --durability sometimes --listen nowhere", "durability"},
		{"serve --config /does/not/exist.toml", "weir init"},
		{"demo tolls --fault F1", "--check"},
		{"demo tolls --check --fault F9", "F9 is none of this scenario's"},
		{"demo tolls --check --fault F3", "F1, F4"},
		{"demo offers --fault F1", "--check"},
		{"demo offers --check --fault F4", "F1, F2, F3, F5, F9"},
		{"demo offers --check --fault F1+F4", "F4 is none of this scenario's"},
		{"demo offers --mapping window", "--check"},
		{"demo offers --pace real", "--check"},
		{"demo offers --scale full", "--check"},
		{"demo offers --check --mapping window --pace real", "pace test"},
		{"demo offers --check --mapping window --fault F9", "without a fault"},
		{"demo offers --check --mapping window --scale full", "2000 sign-ups"},
		{"demo tolls --speed fast", "real"},
		{"demo tolls --scale large", "scale"},
		{"gen tolls --out kinesis:x", "weir put"},
		{"keys create --account 12 --data " + t.TempDir(), "twelve digits"},
		{"completion tcsh", "bash"},
		{"multilang", "properties file"},
		{"multilang -l logback.xml a.properties", "Java's logging"},
		{"help nothing", "nothing"},
		{"config", "check"},
		{"doctor --yes", "--repair"},
		{"doctor --repair --snapshot", "without its lock"},
	} {
		stdout, stderr, code := weir(t, nil, "", strings.Fields(row.args)...)
		if code != exitUsage || !strings.Contains(stderr, row.says) || stdout != "" {
			t.Errorf("weir %s: exit %d, stdout %q, stderr %q; want one that says %q", row.args, code, stdout, stderr, row.says)
		}
	}
}

// Shows what the shells are told at each place of a command line.
func TestCompletion(t *testing.T) {
	for _, row := range []struct {
		words []string
		want  string
	}{
		{[]string{"de"}, "delivery demo dev"},
		{[]string{"keys", ""}, "create delete disable list master policy rotate"},
		{[]string{"put", "s", "--key"}, "--key --key-field"},
		{[]string{"completion", ""}, "bash fish zsh"},
		{[]string{"help", "se"}, "serve"},
		{[]string{"demo", "tolls", "--ch"}, "--check"},
		{[]string{"nothing", ""}, "agent audit backup bench completion config delivery demo dev doctor env gen help init keys ls multilang put reshard restore serve status tail version"},
	} {
		stdout, _, code := weir(t, nil, "", append([]string{"__complete", "--"}, row.words...)...)
		if got := strings.Join(strings.Fields(stdout), " "); got != row.want || code != exitOK {
			t.Errorf("%q: %q, want %q (exit %d)", row.words, got, row.want, code)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if stdout, _, code := weir(t, nil, "", "completion", shell); code != exitOK || !strings.Contains(stdout, "weir __complete --") {
			t.Errorf("%s: exit %d, %q", shell, code, stdout)
		}
	}
}
