package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// Shows what weir status says of a server that has taken records and was backed up, to people and to programs, and of none.
func TestStatus(t *testing.T) {
	env := serverFor(t)
	base := []string{"status", "--console", env["CONSOLE"], "--window", "1ms"}
	if stdout, stderr, code := weir(t, nil, "", base...); code != exitOK || !strings.Contains(stdout, "no streams") || !strings.Contains(stdout, "backup    none") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if _, stderr, code := weir(t, env, "first\nsecond\n", "put", "-c", "-q", "--shards", "2", "orders"); code != exitOK {
		t.Fatal(stderr)
	}
	if _, stderr, code := weir(t, nil, "", "backup", "--to", filepath.Join(t.TempDir(), "place"), "--data", env["DATA"], "--console", env["CONSOLE"]); code != exitOK {
		t.Fatal(stderr)
	}
	stdout, stderr, code := weir(t, nil, "", append(base, "--json")...)
	var report statusReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitOK {
		t.Fatal(err, stderr)
	}
	if len(report.Streams) != 1 || len(report.Rates) != 1 || report.LastBackup == nil || report.Disk == nil || report.Disk.Free <= 0 || report.Journal.Most < report.Journal.Bytes || report.Journal.Bytes == 0 {
		t.Errorf("%+v", report)
	}
	if s := report.Streams[0]; s.Name != "orders" || s.Status != "ACTIVE" || s.Shards.Open != 2 || s.IncomingRecords != 2 || s.IncomingBytes <= 11 || s.IteratorAgeMillis != nil {
		t.Errorf("%+v", s)
	}
	stdout, _, code = weir(t, nil, "", base...)
	for _, text := range []string{"ok", "1st start of", "any key is believed", "durability sync", "limits off", "functions ", "free of", " ago, ", "STREAM", "orders", "ACTIVE"} {
		if !strings.Contains(stdout, text) {
			t.Errorf("%q is not in\n%s", text, stdout)
		}
	}
	if code != exitOK {
		t.Errorf("exit %d", code)
	}
	if _, stderr, code := weir(t, nil, "", "status", "--console", "127.0.0.1:1"); code != exitUsage || !strings.Contains(stderr, "nobody answers") {
		t.Errorf("nobody: exit %d, %s", code, stderr)
	}
}
