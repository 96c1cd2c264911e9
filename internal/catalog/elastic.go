package catalog

import (
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// UpdateStreamMode asks that somebody else choose the number of shards. Asking for the mode that is does nothing.
type UpdateStreamMode struct {
	Address
	Mode      Mode `json:"mode"`
	WarmMiBps int  `json:"warmMiBps,omitempty"` // 0 is none
	WarmMax   int  `json:"warmMax"`
	PerDay    int  `json:"perDay"`   // changes of one stream in 24 hours
	OnDemand  int  `json:"onDemand"` // streams in ON_DEMAND, of an account in a region
	Shards    int  `json:"shards"`   // open shards of provisioned streams, of an account in a region
}

// UpdateWarmThroughput asks that an ON_DEMAND stream be ready for a write throughput in MiB a second, now and from now on; 0 takes that back. The
// shards for it are made at once. Shards above it go at once too, down to Keep: asking for what is there releases what traffic has left behind
// (developer guide, Update a stream: down to the request or the peak of the last hour, whichever is higher).
type UpdateWarmThroughput struct {
	Address
	WarmMiBps int `json:"warmMiBps"`
	Keep      int `json:"keep"` // shards that the traffic of the last hour needs; 0 keeps all
	WarmMax   int `json:"warmMax"`
}

// UpdateDistribution asks that records be given to shards in another way.
type UpdateDistribution struct {
	Address
	Distribution Distribution `json:"distribution"`
}

// SetShardMetrics says which shard-level metrics are kept, all of them.
type SetShardMetrics struct {
	Address
	Metrics []string `json:"metrics,omitempty"` // sorted
}

// UpdateAccountSettings begins or ends the account's minimum throughput billing commitment.
type UpdateAccountSettings struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Commit  bool   `json:"commit"`
}

func (UpdateStreamMode) kind() string      { return "UpdateStreamMode.1" }
func (UpdateWarmThroughput) kind() string  { return "UpdateWarmThroughput.1" }
func (UpdateDistribution) kind() string    { return "UpdateDistribution.1" }
func (SetShardMetrics) kind() string       { return "SetShardMetrics.1" }
func (UpdateAccountSettings) kind() string { return "UpdateAccountSettings.1" }

// limited fills in the quotas that decide the command.
func (c UpdateStreamMode) limited(t *quota.Table) Command {
	c.WarmMax, c.PerDay = limitOf(t, quota.WarmMiBps), limitOf(t, quota.ModeChanges)
	c.OnDemand, c.Shards = limitOf(t, quota.StreamsOnDemand), limitOf(t, quota.Shards)
	return c
}

func (c UpdateWarmThroughput) limited(t *quota.Table) Command {
	c.WarmMax = limitOf(t, quota.WarmMiBps)
	return c
}

// commitmentMin is how long a billing commitment lasts at least (API_MinimumThroughputBillingCommitmentInput: 24 hours).
const commitmentMin = 24 * time.Hour

// AccountSettings are what an account has chosen for all its streams in a region. The zero value is what it begins with.
type AccountSettings struct {
	// Started is when the minimum throughput billing commitment began; zero when there never was one. Ends is when it ended or will; zero while it
	// goes on.
	Started, Ends time.Time
}

// Committed says whether the billing commitment is in force at a time.
func (a AccountSettings) Committed(at time.Time) bool {
	return !a.Started.IsZero() && (a.Ends.IsZero() || at.Before(a.Ends))
}

// EarliestEnd is when the commitment may end at the earliest.
func (a AccountSettings) EarliestEnd() time.Time { return a.Started.Add(commitmentMin) }

func (c UpdateAccountSettings) apply(s *State, at time.Time, position commitlog.Position) error {
	was := s.Settings(c.Account, c.Region)
	now := was
	switch {
	case c.Commit && !was.Committed(at):
		now = AccountSettings{Started: at}
	case c.Commit: // an end that was coming is called off
		now.Ends = time.Time{}
	case was.Committed(at) && was.Ends.IsZero():
		for stream := range s.Streams(c.Account, c.Region, "") {
			if stream.WarmMiBps > 0 {
				return fault.New(fault.Invalid, "The MinimumThroughputBillingCommitment of account %s cannot be DISABLED while stream %s has a warm throughput of %d MiB/s.",
					c.Account, stream.Name, stream.WarmMiBps)
			}
		}
		now.Ends = at
		if least := was.EarliestEnd(); least.After(at) {
			now.Ends = least
		}
	}
	if now != was {
		s.settings = s.settings.Put(c.Account+"/"+c.Region, now)
	}
	return nil
}

func (c UpdateStreamMode) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if c.Mode != Provisioned && c.Mode != OnDemand {
		return fault.New(fault.Invalid, "stream mode %q is neither %s nor %s", c.Mode, Provisioned, OnDemand)
	}
	if c.WarmMiBps != 0 {
		if err := s.checkWarm(c.WarmMiBps, c.WarmMax, c.Mode, c.Account, c.Region, c.Name, at); err != nil {
			return err
		}
	}
	if c.Mode == stream.Mode && c.WarmMiBps == stream.WarmMiBps {
		return nil
	}
	if c.Mode == stream.Mode {
		return fault.New(fault.Invalid, "Stream %s under account %s is in mode %s already. Use UpdateStreamWarmThroughput to change its warm throughput.",
			c.Name, c.Account, c.Mode)
	}
	changed := lately(stream.ModeChanged, at)
	usage := s.Usage(c.Account, c.Region)
	switch {
	case len(changed) >= c.PerDay:
		return fault.New(fault.LimitExceeded, "The mode of stream %s under account %s cannot be changed more than %d times in a rolling 24-hour period.",
			c.Name, c.Account, c.PerDay)
	case c.Mode == OnDemand && usage.OnDemand >= c.OnDemand:
		return tooManyOnDemand(c.Account, c.Region, usage.OnDemand, c.OnDemand)
	case c.Mode == Provisioned && usage.Shards+stream.OpenShards() > c.Shards:
		return tooManyShards(c.Account, c.Region, usage.Shards, c.Shards, stream.OpenShards())
	case c.Mode == Provisioned && stream.Distribution == Auto:
		return checkDistribution(Auto, Provisioned, c.Name, c.Account)
	}
	s.change(stream, position, func(next *Stream) {
		next.Mode, next.WarmMiBps, next.ModeChanged = c.Mode, c.WarmMiBps, append(changed, at)
		next.warmUp(at)
	})
	return nil
}

func (c UpdateWarmThroughput) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if err := s.checkWarm(c.WarmMiBps, c.WarmMax, stream.Mode, c.Account, c.Region, c.Name, at); err != nil {
		return err
	}
	least := max(c.WarmMiBps, c.Keep)
	release := c.Keep > 0 && stream.OpenShards() > least
	if c.WarmMiBps == stream.WarmMiBps && !release {
		return nil
	}
	s.change(stream, position, func(next *Stream) {
		next.WarmMiBps = c.WarmMiBps
		next.warmUp(at)
		if release {
			next.beginReshard(least)
			next.beginRound(at)
		}
	})
	return nil
}

// warmUp begins a reshard to the shards that the warm throughput needs, one for each MiB a second, when there are fewer. s is a private copy.
func (s *Stream) warmUp(at time.Time) {
	if s.WarmMiBps > s.OpenShards() {
		s.beginReshard(s.WarmMiBps)
		s.beginRound(at)
	}
}

func (c UpdateDistribution) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if err := checkDistribution(c.Distribution, stream.Mode, c.Name, c.Account); err != nil {
		return err
	}
	if c.Distribution != stream.Distribution {
		s.change(stream, position, func(next *Stream) { next.Distribution = c.Distribution })
	}
	return nil
}

func (c SetShardMetrics) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if !slices.Equal(c.Metrics, stream.ShardMetrics) {
		s.change(stream, position, func(next *Stream) { next.ShardMetrics = c.Metrics })
	}
	return nil
}

// checkWarm says why a stream cannot have a warm throughput, or nothing.
func (s *State) checkWarm(mibps, most int, mode Mode, account, region, name string, at time.Time) error {
	switch {
	case mode != OnDemand:
		return fault.New(fault.Invalid, "Stream %s under account %s is in mode %s: warm throughput is for streams in mode %s.", name, account, mode, OnDemand)
	case mibps != 0 && !s.Settings(account, region).Committed(at):
		return fault.New(fault.Invalid, "Stream %s under account %s cannot have a warm throughput: the account's MinimumThroughputBillingCommitment is not ENABLED.", name, account)
	case mibps < 0 || mibps > min(most, shardsMax):
		return fault.New(fault.LimitExceeded, "The warm throughput of stream %s under account %s must be between 0 and %d MiB/s. Requested were %d.", name, account, most, mibps)
	}
	return nil
}

// checkDistribution says why a stream cannot distribute records in a way, or nothing.
func checkDistribution(d Distribution, mode Mode, name, account string) error {
	switch {
	case d != ByPartitionKey && d != Auto:
		return fault.New(fault.Invalid, "record distribution strategy %q is neither %s nor %s", d, ByPartitionKey, Auto)
	case d == Auto && mode != OnDemand:
		return fault.New(fault.Invalid, "Stream %s under account %s is in mode %s: the record distribution strategy %s is for streams in mode %s.", name, account, mode, Auto, OnDemand)
	}
	return nil
}
