package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Shows what weir doctor says of a sound directory, of one that a server has, of one that is damaged, and of none; and that a repair is said before it is done.
func TestDoctor(t *testing.T) {
	env := serverFor(t)
	data := env["DATA"]
	if _, stderr, code := weir(t, env, "first\nsecond\n", "put", "-c", "-q", "orders"); code != exitOK {
		t.Fatal(stderr)
	}
	if _, stderr, code := weir(t, nil, "", "doctor", "--data", data); code != exitUsage || !strings.Contains(stderr, "a server runs") {
		t.Errorf("beside a server: exit %d, %s", code, stderr)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := weir(t, nil, "", "doctor", "--data", copied, "--snapshot")
	if code != exitOK || !strings.Contains(stdout, "sound") || !strings.Contains(stdout, "1 stream") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}

	journals, err := filepath.Glob(filepath.Join(copied, "log", "journal-*"))
	if err != nil || len(journals) != 1 {
		t.Fatal(journals, err)
	}
	content, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/4] ^= 1
	if err := os.WriteFile(journals[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(copied, "log", "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--repair"}} {
		stdout, _, code = weir(t, nil, "", append([]string{"doctor", "--data", copied}, args...)...)
		if code != exitFailed || !strings.Contains(stdout, filepath.Base(journals[0])) {
			t.Errorf("%v: exit %d, %s", args, code, stdout)
		}
	}
	if after, err := os.ReadFile(filepath.Join(copied, "log", "MANIFEST")); err != nil || !bytes.Equal(after, before) {
		t.Error("looking changed something")
	}
	stdout, _, code = weir(t, nil, "", "doctor", "--data", copied, "--repair", "--yes", "--json")
	var report doctorReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	// A quarter into the journal stand the commands that made the stream: without them there is nothing to repair it with.
	if report.Repaired != (code == exitOK) || report.Repaired == (len(report.Repair.Refused) > 0) || report.Sound {
		t.Errorf("exit %d: %+v", code, report)
	}

	if _, stderr, code := weir(t, nil, "", "doctor", "--data", filepath.Join(copied, "nothing")); code != exitUsage || !strings.Contains(stderr, "there is no data directory") {
		t.Errorf("nothing: exit %d, %s", code, stderr)
	}
	if _, stderr, code := weir(t, nil, "", "doctor", "--data", t.TempDir()); code != exitUsage || !strings.Contains(stderr, "this is no data directory") {
		t.Errorf("an empty directory: exit %d, %s", code, stderr)
	}
}
