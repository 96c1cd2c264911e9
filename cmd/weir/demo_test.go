package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// Shows the main job end to end: rotating files, followed into a stream, read back, equal to the oracle; without a fault,
// and under every fault that this version can be put under. The server is a process of its own that is killed for real. Through a
// reshard nothing may be there twice, and a customer's lines keep their order.
func TestDemoCheck(t *testing.T) {
	for _, row := range []struct {
		fault  string
		faults int
	}{{"", 0}, {"F1", 20}, {"F4", 1}, {"F5", 2}, {"F6", 3}, {"F8", 5}, {"F1+F5", 22}} {
		t.Run("fault="+row.fault, func(t *testing.T) {
			stdout, stderr, code := weir(t, nil, "", "demo", "tolls", "--check", "--json", "--seed", "7", "--fault", row.fault)
			var r tolls.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
				t.Fatalf("repeat: weir demo tolls --check --seed 7 --fault %q\nexit %d, %v\n%s%s", row.fault, code, err, stdout, stderr)
			}
			if !r.Passed || r.Lines != 8769 || r.Acked != r.Lines || r.Read < r.Lines || r.Faults < row.faults || r.Rotations < 8 {
				t.Errorf("%s", stdout)
			}
			if (row.fault == "" || row.fault == "F5") && r.Read != r.Lines {
				t.Errorf("%d lines and %d records without a kill", r.Lines, r.Read)
			}
			if resharded := strings.Contains(row.fault, "F5"); resharded != (r.Shards > 4) {
				t.Errorf("read from %d shards", r.Shards)
			}
		})
	}
}

// Shows that the demo a person watches shows every line of the scenario, ends when it is told to, and goes on in the same
// directory without sending anything again.
func TestDemoWatch(t *testing.T) {
	o := tolls.OracleOf(7, tolls.Smoke)
	dir := filepath.Join(t.TempDir(), "demo")
	watch := func() (drawn, last string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		tr := newTrial("")
		tr.outTTY, tr.colours = true, true
		var code int
		var wg sync.WaitGroup
		stop, end := context.WithCancel(ctx)
		wg.Go(func() {
			code = run(stop, tr.terminal, []string{"demo", "tolls", "--data", dir, "--seed", "7", "--scale", "smoke", "--speed", "max", "--listen", "127.0.0.1:0"})
		})
		tr.stdout.until(t, ctx, fmt.Sprintf("%s read, %d duplicates", countText(int64(o.Lines)), len(o.Duplicate)))
		tr.stdout.until(t, ctx, "everything is written")
		end()
		wg.Wait()
		if code != exitOK {
			t.Fatalf("exit %d, %s", code, tr.stderr)
		}
		drawn, last, _ = strings.Cut(tr.stdout.String(), "\x1b[?1049l")
		return drawn, last
	}
	drawn, last := watch()
	for _, text := range []string{"ST-07", "aws kinesis", "fsyncs", "caught up", "4 shards"} {
		if !strings.Contains(drawn, text) {
			t.Errorf("the screen never showed %q", text)
		}
	}
	counted := fmt.Sprintf("%s read back: %s vehicles, %d duplicates", countText(int64(o.Lines)), countText(int64(o.Vehicles)), len(o.Duplicate))
	if !strings.Contains(last, counted) {
		t.Errorf("%q does not say %q", last, counted)
	}
	if _, last = watch(); !strings.Contains(last, counted) || !strings.Contains(last, " 0 put") {
		t.Errorf("the second start: %q", last)
	}
	if _, stderr, code := weir(t, nil, "", "demo", "tolls", "--data", dir, "--seed", "8"); code != exitFailed || !strings.Contains(stderr, "--seed 7") {
		t.Errorf("another seed: exit %d, %s", code, stderr)
	}
}

// Shows that gen writes the files and the oracle that goes with them, prints the same lines, and leaves an earlier run alone.
func TestGen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	args := []string{"gen", "tolls", "--seed", "7", "--json", "--out", "files:" + dir}
	stdout, stderr, code := weir(t, nil, "", args...)
	var totals struct {
		Lines  int
		SHA256 string
	}
	if err := json.Unmarshal([]byte(stdout), &totals); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "oracle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var oracle tolls.Oracle
	if err := json.Unmarshal(text, &oracle); err != nil || oracle.Lines != 8769 || totals.Lines != oracle.Lines {
		t.Errorf("%d lines, %v", oracle.Lines, err)
	}
	stdout, _, _ = weir(t, nil, "", "gen", "tolls", "--seed", "7")
	if sum := sha256.Sum256([]byte(stdout)); hex.EncodeToString(sum[:]) != oracle.SHA256 || totals.SHA256 != oracle.SHA256 {
		t.Error("the printed lines are not those of the oracle")
	}
	if _, stderr, code := weir(t, nil, "", args...); code != exitFailed || !strings.Contains(stderr, "another directory") {
		t.Errorf("again: exit %d, %s", code, stderr)
	}
}
