package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Shows the life of a restricted key: made with a policy, seen in lists, given another, rotated, freed only when that is said; and that no
// secret is in the file or printed twice.
func TestKeysWithPolicies(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := file("write-tolls.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesis:Put*","Resource":"*"}]}`)
	strange := file("strange.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o"}}}]}`)
	broken := file("broken.json", `{"Statement":[{"Effect":"Perhaps"}]}`)
	keys := func(want int, args string) (stdout, stderr string) {
		t.Helper()
		words := append(append([]string{"keys"}, strings.Fields(args)...), "--data", data)
		stdout, stderr, code := weir(t, nil, "", words...)
		if code != want {
			t.Fatalf("keys %s: exit %d, %s%s", args, code, stdout, stderr)
		}
		return stdout, stderr
	}
	made := func(args string) (row keyRow) {
		t.Helper()
		stdout, _ := keys(exitOK, args+" --json")
		if err := json.Unmarshal([]byte(stdout), &row); err != nil || len(row.Secret) != 40 {
			t.Fatalf("%v: %s", err, stdout)
		}
		return row
	}
	first := made("create loader --policy " + write)
	if first.User != "loader" || !first.Policies {
		t.Errorf("made %+v", first)
	}
	second := made("rotate " + first.ID + " --expire-after 1h")
	if second.User != "loader" || !second.Policies || second.ID == first.ID {
		t.Errorf("rotated %+v", second)
	}
	if _, stderr := keys(exitOK, "policy attach "+second.ID+" "+strange+" --name odd"); !strings.Contains(stderr, "aws:PrincipalOrgID is not known") {
		t.Errorf("attach says %q", stderr)
	}
	if stdout, _ := keys(exitOK, "policy list "+first.ID); !strings.Contains(stdout, "odd\n") || !strings.Contains(stdout, "write-tolls\n") {
		t.Errorf("policies: %s", stdout)
	}
	if stdout, _ := keys(exitOK, "list"); !strings.Contains(stdout, "until ") || !strings.Contains(stdout, "as its policies say") || strings.Contains(stdout, first.Secret) {
		t.Errorf("list: %s", stdout)
	}
	keys(exitOK, "policy remove "+first.ID+" odd")
	if _, stderr := keys(exitUsage, "policy remove "+first.ID+" write-tolls"); !strings.Contains(stderr, "--all") {
		t.Errorf("the last one: %s", stderr)
	}
	keys(exitOK, "policy remove --all "+first.ID+" write-tolls")
	if _, stderr := keys(exitOK, "create free"); !strings.Contains(stderr, "may do everything in account 000000000000") {
		t.Errorf("a key without policies says %q", stderr)
	}
	for _, row := range []struct {
		want       int
		args, says string
	}{
		{exitUsage, "create x --policy " + broken, "Statement[0].Effect"},
		{exitUsage, "create --policy " + write, "root"},
		{exitFailed, "create x --policy " + filepath.Join(dir, "absent.json"), "absent.json"},
		{exitFailed, "rotate AKIANONE", "AKIANONE"},
		{exitFailed, "policy remove " + first.ID + " absent", "absent"},
		{exitFailed, "policy list AKIANONE", "AKIANONE"},
	} {
		if _, stderr := keys(row.want, row.args); !strings.Contains(stderr, row.says) {
			t.Errorf("%s: %s", row.args, stderr)
		}
	}
	raw, err := os.ReadFile(filepath.Join(data, "keys.json"))
	if err != nil || strings.Contains(string(raw), first.Secret) || strings.Contains(string(raw), second.Secret) {
		t.Errorf("keys.json: %v, %s", err, raw)
	}
}
