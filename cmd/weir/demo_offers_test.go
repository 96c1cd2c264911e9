package main

import (
	"encoding/json"
	"testing"

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
