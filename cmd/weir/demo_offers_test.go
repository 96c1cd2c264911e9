package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/scenario/offers"
)

// Shows the Internet provider end to end: sign-ups in a stream, a mapping, a function in a process of its own, its offers in a stream and at the app, equal to
// the oracle; without a fault, and under every fault that the scenario has.
func TestDemoOffersCheck(t *testing.T) {
	for _, row := range []struct {
		fault  string
		faults int // at least
	}{{"", 0}, {"F1", 20}, {"F2", 6}, {"F3", 3}, {"F5", 2}} {
		t.Run("fault="+row.fault, func(t *testing.T) {
			t.Parallel() // most of the time is the pauses between retries
			stdout, stderr, code := weir(t, nil, "", "demo", "offers", "--check", "--json", "--seed", "7", "--fault", row.fault)
			var r offers.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
				t.Fatalf("repeat: weir demo offers --check --seed 7 --fault %q\nexit %d, %v\n%s%s", row.fault, code, err, stdout, stderr)
			}
			t.Log(r.Line())
			exact := row.fault == "" || row.fault == "F5"
			if !r.Passed || r.SignUps != offers.SmokeCount || r.Places != 30 || r.Faults < row.faults || exact && (r.Read != r.SignUps || r.Told != r.SignUps) || r.Read < r.SignUps {
				t.Errorf("%s", stdout)
			}
			if resharded := row.fault == "F5"; resharded != (r.Shards > 4) {
				t.Errorf("put to %d shards", r.Shards)
			}
		})
	}
}

// Shows that the demo a person watches shows offers of each plan as they are made, that the app is told, and that it ends when it is told to and leaves nothing.
func TestDemoOffersWatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	stop, end := context.WithCancel(ctx)
	defer end()
	// Not t.TempDir, which nobody else may enter: functions of a server that is root run as nobody.
	temporary, err := os.MkdirTemp("", "weir-offers-watch-")
	if err == nil {
		err = os.Chmod(temporary, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	t.Setenv("TMPDIR", temporary)
	tr := newTrial("")
	tr.outTTY = true
	var code int
	var wg sync.WaitGroup
	wg.Go(func() {
		code = run(stop, tr.terminal, []string{"demo", "offers", "--seed", "7", "--listen", "127.0.0.1:0"})
	})
	for _, text := range []string{"Internet provider", offers.DefaultPlan, "copper-25", "cable-100", "fibre-500", "99 % within"} {
		tr.stdout.until(t, ctx, text)
	}
	end()
	wg.Wait()
	_, last, _ := strings.Cut(tr.stdout.String(), "\x1b[?1049l")
	if code != exitOK || !strings.Contains(last, "told the app.") || strings.HasPrefix(last, "0 ") {
		t.Errorf("exit %d, %q, %s", code, last, tr.stderr)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%v left, %v", left, err)
	}
}

// Shows that a temporary directory that functions cannot enter is refused before anything runs, where the server is root.
func TestDemoOffersRefusesPrivateDirectory(t *testing.T) {
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(private, "demo")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mayEnter(dir); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("%v", err)
	}
}
