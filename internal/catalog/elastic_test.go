package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// onDemand is a stream "s" in ON_DEMAND with its four shards, of an account that may have warm throughput.
func onDemand(t *testing.T) (*history, Address) {
	t.Helper()
	h := begin()
	c := create("s", 0)
	c.Mode = OnDemand
	h.must(t, 0, c, StreamReady{1}, UpdateAccountSettings{Account: account, Region: region, Commit: true})
	return h, Address{account, region, "s"}
}

// limit is a command with AWS's quotas.
func limit(c Command) Command { return Limited(c, quota.Default()) }

// Warm throughput makes its shards at once, and asking for what is there releases those that neither it nor the last hour's traffic needs.
func TestWarmThroughput(t *testing.T) {
	h, a := onDemand(t)
	for _, row := range []struct {
		warm, keep int
		open       int // afterwards
	}{
		{10, 0, 10}, {10, 10, 10}, {3, 0, 10}, {3, 12, 10}, {3, 7, 7}, {6, 4, 6}, {0, 4, 4}, {0, 4, 4}, {1, 5, 4},
	} {
		h.must(t, time.Hour, limit(UpdateWarmThroughput{Address: a, WarmMiBps: row.warm, Keep: row.keep}))
		if s := h.settle(t, "s"); s.OpenShards() != row.open || s.WarmMiBps != row.warm || s.TargetShards != 0 {
			t.Errorf("warm %d, keep %d: %d open, warm %d", row.warm, row.keep, s.OpenShards(), s.WarmMiBps)
		}
	}
	before := h.state
	h.must(t, time.Hour, limit(UpdateWarmThroughput{Address: a, WarmMiBps: 1, Keep: 4}))
	if h.state != before {
		t.Error("asking for what is there, with nothing to release, changed something")
	}
}

// A commitment lasts a day at least, its end can be called off, and it goes on while a stream has warm throughput; without one there is none.
func TestCommitment(t *testing.T) {
	h, a := onDemand(t)
	settings := func(commit bool) Command {
		return UpdateAccountSettings{Account: account, Region: region, Commit: commit}
	}
	began := h.at
	h.must(t, time.Hour, limit(UpdateWarmThroughput{Address: a, WarmMiBps: 2}))
	if err := h.do(t, time.Hour, settings(false)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "stream s has a warm throughput of 2 MiB/s") {
		t.Errorf("ending it with warm throughput: %v", err)
	}
	h.must(t, 0, limit(UpdateWarmThroughput{Address: a}), settings(false))
	if now := h.state.Settings(account, region); !now.Ends.Equal(began.Add(24*time.Hour)) || !now.Committed(h.at) {
		t.Errorf("ended early: %+v", now)
	}
	h.must(t, time.Hour, settings(true))
	if now := h.state.Settings(account, region); !now.Ends.IsZero() || !now.Started.Equal(began) {
		t.Errorf("called off: %+v", now)
	}
	h.must(t, 48*time.Hour, settings(false))
	if now := h.state.Settings(account, region); now.Committed(h.at) || !now.Ends.Equal(h.at) {
		t.Errorf("ended: %+v", now)
	}
	if err := h.do(t, 0, limit(UpdateWarmThroughput{Address: a, WarmMiBps: 2})); !fault.Is(err, fault.Invalid) {
		t.Errorf("warm throughput without a commitment: %v", err)
	}
	h.must(t, 0, limit(UpdateWarmThroughput{Address: a})) // taking none away is allowed
	h.must(t, time.Hour, settings(true))
	if now := h.state.Settings(account, region); !now.Started.Equal(h.at) {
		t.Errorf("another: %+v", now)
	}
}

// The mode of a stream changes twice in a day, keeps the shards, and is held to the quotas of the mode it changes to.
func TestModeChanges(t *testing.T) {
	h, a := onDemand(t)
	to := func(mode Mode) Command { return limit(UpdateStreamMode{Address: a, Mode: mode}) }
	h.must(t, time.Hour, to(Provisioned), to(Provisioned), to(OnDemand))
	if err := h.do(t, time.Hour, to(Provisioned)); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("a third change: %v", err)
	}
	h.must(t, 24*time.Hour, to(Provisioned))
	if s := h.stream("s"); s.Mode != Provisioned || s.OpenShards() != 4 || h.state.Usage(account, region).Shards != 4 {
		t.Errorf("%+v", s)
	}
	h.must(t, 24*time.Hour, to(OnDemand), limit(UpdateDistribution{Address: a, Distribution: Auto}))
	if err := h.do(t, 24*time.Hour, to(Provisioned)); !fault.Is(err, fault.Invalid) {
		t.Errorf("with AUTO: %v", err)
	}
	tight, err := quota.New(map[quota.Name]int64{quota.Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	h.must(t, 0, limit(UpdateDistribution{Address: a, Distribution: ByPartitionKey}))
	if err := h.do(t, 0, Limited(UpdateStreamMode{Address: a, Mode: Provisioned}, tight)); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("over the shard quota: %v", err)
	}
}
