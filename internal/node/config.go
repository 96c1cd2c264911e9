package node

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// Config says what one node runs. The zero value of a field is off, or what its comment says.
type Config struct {
	// DataDir is the directory of everything durable. It is made if absent, and locked while the node runs.
	DataDir string
	// Listen, TLSListen and ConsoleListen are host:port; port 0 takes a free one. Empty is off.
	Listen, TLSListen, ConsoleListen string
	// Dev accepts any key, on loopback only.
	Dev bool
	// TestClock stands the clock still: "now" or an RFC 3339 time, unless the data directory has a test time already. Empty is real time. Dev only.
	TestClock string
	// Durability is what an acknowledgement means: "sync" (the default), fdatasync returned; "interval=50ms", one will within that time; "os", the
	// operating system has the bytes.
	Durability string
	// Limits is whether shards and operations are held to AWS's rates: "aws", or "off", and then as much is taken and given as the machine can. Empty is
	// "off" with Dev and "aws" without. Quotas replaces adjustable rows of the quota table by name, rates and counts. The counts (such as streams in CREATING) hold either way.
	Limits string
	Quotas map[quota.Name]int64
	// MasterKeyFile is the file of the master keys that streams are encrypted under. Empty is master-keys.json in DataDir; elsewhere, who has a copy of DataDir
	// alone cannot read what is encrypted.
	MasterKeyFile string
	// Audit writes every control call to audit/ in DataDir.
	Audit bool
	// ConnectionsMax is how many connections the API may have, on both listeners together. 0 is edge.ConnectionsMaxDefault. It is lowered when the process
	// may not open as many files.
	ConnectionsMax int
	// DeliveryS3 is where delivery streams deliver to, when Endpoint is not empty: another S3, of which it says who asks. Region is what requests are signed for, that of the delivery
	// stream when it is empty. Otherwise they deliver to this server's own buckets, as the account that they are of.
	DeliveryS3 blob.Options
	// Launcher is the command that becomes the process of a function: this program with an argument behind which it calls sandbox.Launch. Without one the node runs
	// remote functions only.
	Launcher []string
	// Faults breaks the disk on purpose, for tests: "disk-full" refuses every write once the node is up. Dev only.
	Faults string
	// Logger receives what an operator should know. Nil is slog.Default.
	Logger *slog.Logger

	// SnapshotEvery is how many commands tables and objects apply between snapshots, for tests; 0 leaves it to them.
	SnapshotEvery int
}

// The values of Config.Limits.
const (
	limitsAWS = "aws"
	limitsOff = "off"
)

// diskFull is the one value of Config.Faults.
const diskFull = "disk-full"

// Validate says all that is wrong with c at once, or nil.
func (c Config) Validate() error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fault.New(fault.Invalid, format, args...))
		}
	}
	check(c.DataDir != "", "the data directory is missing")
	check(c.Listen != "" || c.TLSListen != "", "there is no address to listen on")
	check(c.TestClock == "" || c.Dev, "a test clock is for weir dev")
	check(c.Faults == "" || c.Dev, "faults on purpose are for weir dev")
	check(c.Faults == "" || c.Faults == diskFull, "fault %q is not known; %q is", c.Faults, diskFull)
	if c.TestClock != "" && c.TestClock != "now" {
		at, err := time.Parse(time.RFC3339, c.TestClock)
		check(err == nil, "test clock %q is neither \"now\" nor a time like 2026-11-18T13:00:00Z", c.TestClock)
		check(err != nil || console.ClockRange(at) == nil, "test clock %s: %v", c.TestClock, console.ClockRange(at))
	}
	check(c.Limits == "" || c.Limits == limitsAWS || c.Limits == limitsOff, "limits %q is neither aws nor off", c.Limits)
	if c.DeliveryS3.Endpoint != "" {
		_, err := blob.New(c.DeliveryS3)
		check(err == nil, "S3 of delivery streams: %v", err)
	}
	check(c.ConnectionsMax >= 0, "%d connections at most: cannot be negative", c.ConnectionsMax)
	if _, err := quota.New(c.Quotas); err != nil {
		wrong = append(wrong, err)
	}
	if _, err := c.durability(); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return fault.As(fault.Invalid, errors.Join(wrong...), "configuration")
	}
	return nil
}

// limited says whether shards and operations are held to their rates.
func (c Config) limited() bool { return c.Limits == limitsAWS || c.Limits == "" && !c.Dev }

// checkListen refuses addresses that are open to more than should come in. The console answers without keys, so keys are not asked for it.
func (c Config) checkListen(hasKeys bool) error {
	for _, addr := range []string{c.Listen, c.TLSListen} {
		if err := edge.CheckListen(addr, hasKeys, c.Dev); err != nil {
			return err
		}
	}
	return edge.CheckListen(c.ConsoleListen, true, c.Dev)
}

// durability reads Durability.
func (c Config) durability() (disklog.Durability, error) {
	switch text, interval := strings.CutPrefix(c.Durability, "interval="); {
	case c.Durability == "" || c.Durability == "sync":
		return disklog.Sync, nil
	case c.Durability == "os":
		return disklog.OS, nil
	case interval:
		if d, err := time.ParseDuration(text); err == nil && d > 0 {
			return disklog.Interval(d), nil
		}
	}
	return disklog.Durability{}, fault.New(fault.Invalid, "durability %q is none of sync, interval=DURATION (such as interval=50ms), os", c.Durability)
}
