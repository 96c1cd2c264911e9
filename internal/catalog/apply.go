package catalog

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/record"
)

// Empty is the state before the first command.
func Empty() *State { return empty }

// Machine is the catalog as a fold drives it, empty.
func Machine() *fold.Published[*State] {
	return fold.Publish(empty, fold.Rules[*State]{Apply: Apply, Encode: (*State).Encode, Decode: Decode})
}

// Apply is the only way in which anything changes: the state after a command that stands at a position of the control log. at is the
// log's time there: UTC, whole milliseconds, never less than before. The result is for commands.DecodeResult; a refused command changes nothing and gives s itself.
//
// An error means that the command cannot be understood (see commands.Set.Decode): nobody may go on behind it.
func Apply(s *State, at time.Time, position commitlog.Position, command []byte) (*State, []byte, error) {
	c, err := known.Decode(command)
	if err != nil {
		return nil, nil, err
	}
	next := *s
	if refusal := c.apply(&next, at, position); refusal != nil {
		return s, commands.EncodeResult(nil, refusal), nil
	}
	if next == *s {
		return s, nil, nil
	}
	next.version = position + 1
	return &next, nil, nil
}

// shardsMax keeps a malformed command from filling the memory: ten times what AWS lets a stream have (API_UpdateShardCount).
const shardsMax = 100_000

func (c CreateStream) apply(s *State, at time.Time, position commitlog.Position) error {
	mode, shards, kib := c.Mode, c.ShardCount, c.MaxRecordKiB
	if mode == "" {
		mode = Provisioned
	}
	if shards == 0 {
		shards = c.Limits.OnDemandShards
	}
	if kib == 0 {
		kib = c.Limits.MaxRecordKiBMin
	}
	if mode != Provisioned && mode != OnDemand {
		return fault.New(fault.Invalid, "stream mode %q is neither %s nor %s", mode, Provisioned, OnDemand)
	}
	if shards < 1 || shards > shardsMax {
		return fault.New(fault.Invalid, "ShardCount must be between 1 and %d. Requested shard count was %d.", shardsMax, shards)
	}
	if err := checkMaxRecordKiB(kib, c.Limits); err != nil {
		return err
	}
	if err := checkRetentionRange(c.Limits.RetentionHoursMin, c.Limits); err != nil {
		return err
	}
	if len(c.Tags) > c.Limits.Tags {
		return tooManyTags(c.Name, c.Account, c.Limits)
	}
	if s.Stream(c.Account, c.Region, c.Name) != nil {
		return fault.New(fault.Exists, "Stream %s under account %s already exists.", c.Name, c.Account)
	}
	usage := s.Usage(c.Account, c.Region)
	if usage.Creating >= c.Limits.StreamsCreating {
		return fault.New(fault.LimitExceeded, "This request would have exceed the limit on the number of streams that can simultaneously be in "+
			"CREATING or DELETING for the account %s. Limit: %d.", c.Account, c.Limits.StreamsCreating)
	}
	if mode == OnDemand && usage.OnDemand >= c.Limits.StreamsOnDemand {
		return tooManyOnDemand(c.Account, c.Region, usage.OnDemand, c.Limits.StreamsOnDemand)
	}
	if mode == Provisioned && usage.Shards+shards > c.Limits.Shards {
		return tooManyShards(c.Account, c.Region, usage.Shards, c.Limits.Shards, shards)
	}

	distribution := c.Distribution
	if distribution == "" {
		distribution = ByPartitionKey
	}
	if err := checkDistribution(distribution, mode, c.Name, c.Account); err != nil {
		return err
	}
	if c.WarmMiBps != 0 {
		if err := s.checkWarm(c.WarmMiBps, c.WarmMax, mode, c.Account, c.Region, c.Name, at); err != nil {
			return err
		}
		shards = max(shards, c.WarmMiBps)
	}

	s.lastGroup++
	stream := &Stream{
		Account: c.Account, Region: c.Region, Name: c.Name, ARN: arn.Stream(c.Region, c.Account, c.Name).String(),
		ID: streamID(nameKey(c.Account, c.Region, c.Name), at, position), Group: s.lastGroup, Created: at, Status: Creating, Mode: mode,
		Shards:         make([]Shard, shards),
		RetentionHours: c.Limits.RetentionHoursMin, MaxRecordKiB: kib, WarmMiBps: c.WarmMiBps, Distribution: distribution, Changed: position + 1,
	}
	if len(c.Tags) > 0 {
		stream.Tags = c.Tags
	}
	created := s.unspent(c.Account, c.Region, c.Name, at)
	for i, keys := range record.UniformRanges(shards) {
		stream.Shards[i] = Shard{Number: uint32(i), Range: keys, Created: created}
	}
	s.with(nil, stream)
	return nil
}

// streamID makes AWS's StreamId of what no other incarnation shares: 20 and 3 characters of [a-z0-9] (API_StreamDescriptionSummary).
func streamID(key string, at time.Time, position commitlog.Position) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d", key, at.UnixMilli(), position))
	text := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return text[:20] + "-" + text[20:23]
}

func (c StreamReady) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	if stream == nil {
		return fault.New(fault.NotFound, "no stream has the log group %d", c.Group)
	}
	switch stream.Status {
	case Creating:
		s.change(stream, position, func(next *Stream) { next.Status = Active })
		return nil
	case Deleting:
		return stream.mustBe(Creating)
	default: // reported before
		return nil
	}
}

func (c DeleteStream) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if len(stream.Consumers) > 0 && !c.WithConsumers {
		return fault.New(fault.WrongState, "Stream %s under account %s has %d consumers. Deregister them, or set EnforceConsumerDeletion.",
			c.Name, c.Account, len(stream.Consumers))
	}
	s.change(stream, position, func(next *Stream) { next.Status = Deleting })
	return nil
}

func (c StreamGone) apply(s *State, at time.Time, _ commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	switch {
	case stream == nil && c.Group > 0 && c.Group <= s.lastGroup: // reported before
		return nil
	case stream == nil:
		return fault.New(fault.NotFound, "no stream has had the log group %d", c.Group)
	case stream.Status != Deleting:
		return stream.mustBe(Deleting)
	}
	s.without(stream)
	s.spend(stream, at)
	return nil
}

func (c IncreaseRetention) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if err := checkRetentionRange(c.Hours, c.Limits); err != nil {
		return err
	}
	if c.Hours < stream.RetentionHours {
		return fault.New(fault.Invalid, "Requested retention period (%d hours) for stream %s can not be shorter than existing retention period "+
			"(%d hours). Use DecreaseRetentionPeriod API.", c.Hours, c.Name, stream.RetentionHours)
	}
	if c.Hours == stream.RetentionHours {
		return nil
	}
	// What had expired by now stays expired.
	s.change(stream, position, func(next *Stream) {
		next.HorizonFloor = stream.Horizon(at)
		next.RetentionHours = c.Hours
	})
	return nil
}

func (c DecreaseRetention) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if err := checkRetentionRange(c.Hours, c.Limits); err != nil {
		return err
	}
	if c.Hours > stream.RetentionHours {
		return fault.New(fault.Invalid, "Requested retention period (%d hours) for stream %s can not be longer than existing retention period "+
			"(%d hours). Use IncreaseRetentionPeriod API.", c.Hours, c.Name, stream.RetentionHours)
	}
	if c.Hours == stream.RetentionHours {
		return nil
	}
	// What the new retention does not cover expires now, also for a reader whose clock is behind.
	s.change(stream, position, func(next *Stream) {
		next.RetentionHours = c.Hours
		next.HorizonFloor = next.Horizon(at)
	})
	return nil
}

func (c UpdateMaxRecordSize) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if err := checkMaxRecordKiB(c.MaxRecordKiB, c.Limits); err != nil {
		return err
	}
	if c.MaxRecordKiB != stream.MaxRecordKiB {
		s.change(stream, position, func(next *Stream) { next.MaxRecordKiB = c.MaxRecordKiB })
	}
	return nil
}

func (Tick) apply(s *State, at time.Time, position commitlog.Position) error {
	for {
		due, some := s.NextDeadline()
		if !some || due.After(at) {
			return nil
		}
		for _, group := range s.deadlines.All() {
			s.change(s.StreamByGroup(group), position, func(next *Stream) { next.pass(at) })
			break
		}
	}
}

func (c SetTestClock) apply(s *State, _ time.Time, _ commitlog.Position) error {
	if c.Now.Before(s.testClock) {
		return fault.New(fault.Invalid, "the test clock stands at %s and does not go back to %s",
			s.testClock.Format(time.RFC3339Nano), c.Now.Format(time.RFC3339Nano))
	}
	if now := c.Now.UTC(); now.Year() < 1970 || !sayable(now) {
		return fault.New(fault.Invalid, "the test clock cannot stand at %v: it goes from 1970 to 9999", now)
	}
	s.testClock = c.Now.UTC()
	return nil
}

// activeStream finds a stream that administration may change.
func (s *State) activeStream(account, region, name string) (*Stream, error) {
	stream, err := s.existing(Address{account, region, name})
	if err != nil {
		return nil, err
	}
	return stream, stream.mustBe(Active)
}

// existing finds a stream in whatever status.
func (s *State) existing(a Address) (*Stream, error) {
	stream := s.Stream(a.Account, a.Region, a.Name)
	if stream == nil {
		return nil, fault.New(fault.NotFound, "Stream %s under account %s not found.", a.Name, a.Account)
	}
	return stream, nil
}

// mustBe refuses what needs the stream in a status that it is not in.
func (s *Stream) mustBe(status Status) error {
	if s.Status != status {
		return fault.New(fault.WrongState, "Stream %s under account %s not %s, instead in state %s", s.Name, s.Account, status, s.Status)
	}
	return nil
}

// change replaces a stream by a copy that edit has written to. Slices and maps are shared: edit replaces them, it does not write into them.
func (s *State) change(stream *Stream, position commitlog.Position, edit func(next *Stream)) {
	next := *stream
	edit(&next)
	next.Changed = position + 1
	s.with(stream, &next)
}

// retentionHoursMax keeps arithmetic on times within bounds, whatever limits a command brings: a century.
const retentionHoursMax = 100 * 366 * 24

func checkRetentionRange(hours int, l Limits) error {
	if hours < max(l.RetentionHoursMin, 1) {
		return fault.New(fault.Invalid, "Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.",
			max(l.RetentionHoursMin, 1), hours)
	}
	if most := min(l.RetentionHoursMax, retentionHoursMax); hours > most {
		return fault.New(fault.Invalid, "Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", most, hours)
	}
	return nil
}

func tooManyOnDemand(account, region string, used, limit int) error {
	return fault.New(fault.LimitExceeded, "This request would exceed the limit on the number of streams in On-Demand mode for the account %s in %s. "+
		"Current stream count for the account: %d. Limit: %d.", account, region, used, limit)
}

func tooManyShards(account, region string, used, limit, more int) error {
	return fault.New(fault.LimitExceeded, "This request would exceed the shard limit for the account %s in %s. "+
		"Current shard count for the account: %d. Limit: %d. Number of additional shards that would have resulted from this request: %d. "+
		"Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits "+
		"and how to request higher limits.", account, region, used, limit, more)
}

// shardID is a shard's name in texts (API_Shard).
func shardID(number uint32) string { return fmt.Sprintf("shardId-%012d", number) }

func checkMaxRecordKiB(kib int, l Limits) error {
	if kib < max(l.MaxRecordKiBMin, 1) || kib > l.MaxRecordKiBMax {
		return fault.New(fault.Invalid, "MaxRecordSizeInKiB must be between %d and %d. Requested value was %d.", l.MaxRecordKiBMin, l.MaxRecordKiBMax, kib)
	}
	return nil
}
