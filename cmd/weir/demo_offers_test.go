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

	"github.com/weir-stream/weir/internal/scenario"
	"github.com/weir-stream/weir/internal/scenario/offers"
)

// Shows the Internet provider end to end: sign-ups in a stream, a mapping, a function in a process of its own, its offers in a stream and at the app, equal to
// the oracle; without a fault, under every fault that the scenario has and under two at once, with a consumer, and in windows on a test clock. How long an offer takes is judged with --pace real,
// which is not here: it would judge the machine that the tests run on. `make long` has it, and ten minutes on the test clock a second at a time.
func TestDemoOffersCheck(t *testing.T) {
	for _, row := range []struct {
		flags  string
		faults int  // at least
		exact  bool // nothing comes twice
	}{
		{"", 0, true}, {"--mapping fan-out", 0, true}, {"--mapping window", 0, true},
		{"--fault F1", 20, false}, {"--fault F2", 6, false}, {"--fault F3", 3, false}, {"--fault F5", 2, true}, {"--fault F9", 1, true}, {"--fault F5+F1", 24, false},
	} {
		t.Run(row.flags, func(t *testing.T) {
			t.Parallel() // most of the time is the pauses between retries
			args := append([]string{"demo", "offers", "--check", "--json", "--seed", "7"}, strings.Fields(row.flags)...)
			stdout, stderr, code := weir(t, nil, "", args...)
			var r offers.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
				t.Fatalf("repeat: weir %s\nexit %d, %v\n%s%s", strings.Join(args, " "), code, err, stdout, stderr)
			}
			t.Log(r.Line())
			if !r.Passed || r.SignUps != offers.SmokeCount || r.Places != 30 || r.Faults < row.faults || row.exact && (r.Read != r.SignUps || r.Told != r.SignUps) || r.Read < r.SignUps {
				t.Errorf("%s", stdout)
			}
			if resharded := r.Fault.Has(scenario.Reshard); resharded != (r.Shards > 4) {
				t.Errorf("put to %d shards", r.Shards)
			}
			if r.Mapping == offers.Windowed && r.Invocations != 8 {
				t.Errorf("%d invocations; two windows of four shards have one each", r.Invocations)
			}
			if stepped := r.Pace == offers.Stepped; stepped != (r.ClockSeconds >= 600) || stepped != (r.P99Millis == 0) {
				t.Errorf("pace %s: %d seconds of the clock, p99 %d ms", r.Pace, r.ClockSeconds, r.P99Millis)
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
