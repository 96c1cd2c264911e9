package catalog

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/record"
)

// Resharding, from here to the stream's logs and back:
//
//	SplitShard, MergeShards,     the stream is UPDATING. Parents are Closing and still take records; children are Opening, with numbers
//	UpdateShardCount, Scale      and ranges of their own, and nobody sees them
//	  streams                    makes the children's logs, then seals the parents' logs. From here on a put to a parent is Sealed and waits
//	ShardsSealed                 with the ends that the seals gave: parents are Closed, children Open, in one step. Who waited puts into a
//	                             child. When the target is not reached, the next round begins here, otherwise the stream is ACTIVE
//	Tick                         when a closed shard's last record has expired: it is Expired, and its log is removed
//	ShardsGone                   it is forgotten
//
// A log that is sealed gives the same end to everyone who asks, so that it does not matter who reports it, or how often. A put is
// acknowledged by a parent only below its end, and by a child only after that end stands here: so per key the parent's records come first. In a cluster
// sealing is where nodes agree (commitlog.Log.Seal); the commands are the same.

// Address names a stream in commands.
type Address struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

// ReshardLimits are the quotas that decide resharding. They travel in the command, as Limits do.
type ReshardLimits struct {
	Shards       int `json:"shards"`       // open shards of provisioned streams, of an account in a region
	StreamShards int `json:"streamShards"` // open shards of one stream
	PerDay       int `json:"perDay"`       // UpdateShardCount of one stream in 24 hours
}

// ReshardLimitsOf takes the limits of resharding from a quota table.
func ReshardLimitsOf(t *quota.Table) ReshardLimits {
	return ReshardLimits{Shards: limitOf(t, quota.Shards), StreamShards: limitOf(t, quota.StreamShards), PerDay: limitOf(t, quota.ShardCountUpdates)}
}

func (c SplitShard) limited(t *quota.Table) Command       { c.Limits = ReshardLimitsOf(t); return c }
func (c UpdateShardCount) limited(t *quota.Table) Command { c.Limits = ReshardLimitsOf(t); return c }
func (c ScaleStream) limited(t *quota.Table) Command {
	c.Max = limitOf(t, quota.StreamShards)
	return c
}

// SplitShard asks that a shard be closed and two take over its hash keys, the upper of which begins at At.
type SplitShard struct {
	Address
	Shard  uint32         `json:"shard"`
	At     record.HashKey `json:"at"`
	Limits ReshardLimits  `json:"limits"`
}

// MergeShards asks that two shards be closed and one take over their hash keys. Adjacent begins where Shard ends.
type MergeShards struct {
	Address
	Shard    uint32 `json:"shard"`
	Adjacent uint32 `json:"adjacent"`
}

// UpdateShardCount asks for another number of open shards of about equal ranges.
type UpdateShardCount struct {
	Address
	Target int           `json:"target"`
	Limits ReshardLimits `json:"limits"`
}

// ScaleStream asks for another number of open shards of an ON_DEMAND stream, for its traffic's sake. It is Weir's own and counts against no
// customer's quota. Asking for what a stream has, or of one that is not ACTIVE, does nothing.
type ScaleStream struct {
	Group  uint64 `json:"group"`
	Target int    `json:"target"`
	Max    int    `json:"max"` // open shards of one stream
}

// ShardEnd is where the log of a shard that was sealed ends: the position in the log behind its last record.
type ShardEnd struct {
	Shard uint32             `json:"shard"`
	End   commitlog.Position `json:"end"`
}

// ShardsSealed reports that the logs of every closing shard of a stream are sealed and those of every opening one are there. Reporting twice is no error.
type ShardsSealed struct {
	Group uint64     `json:"group"`
	Ends  []ShardEnd `json:"ends"`
}

// ShardsGone reports that nothing is left of expired shards. Reporting twice is no error.
type ShardsGone struct {
	Group  uint64   `json:"group"`
	Shards []uint32 `json:"shards"`
}

func (SplitShard) kind() string       { return "SplitShard.1" }
func (MergeShards) kind() string      { return "MergeShards.1" }
func (UpdateShardCount) kind() string { return "UpdateShardCount.1" }
func (ScaleStream) kind() string      { return "ScaleStream.1" }
func (ShardsSealed) kind() string     { return "ShardsSealed.1" }
func (ShardsGone) kind() string       { return "ShardsGone.1" }

func (c SplitShard) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.existing(c.Address)
	if err != nil {
		return err
	}
	shard, err := stream.openShard(c.Shard)
	if err != nil {
		return err
	}
	if least := shard.Range.Start.Next(); c.At.Cmp(least) <= 0 || c.At.Cmp(shard.Range.End) >= 0 {
		return fault.New(fault.Invalid, "NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus "+
			"the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
			c.At, shardID(c.Shard), stream.Name, stream.Account, shard.Range.Start, shard.Range.End)
	}
	if err := stream.mustBe(Active); err != nil {
		return err
	}
	if stream.Mode == OnDemand {
		return inOnDemand(stream)
	}
	open := stream.OpenShards()
	if err := s.roomForShards(stream, 1, c.Limits); err != nil {
		return err
	}
	s.change(stream, position, func(next *Stream) {
		next.beginReshard(open + 1)
		next.split(c.Shard, c.At, at)
	})
	return nil
}

func (c MergeShards) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.existing(c.Address)
	if err != nil {
		return err
	}
	first, err := stream.openShard(c.Shard)
	if err != nil {
		return err
	}
	second, err := stream.openShard(c.Adjacent)
	if err != nil {
		return err
	}
	if _, err := first.Range.Merge(second.Range); err != nil {
		return fault.New(fault.Invalid, "Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
			shardID(c.Shard), shardID(c.Adjacent), stream.Name, stream.Account)
	}
	if err := stream.mustBe(Active); err != nil {
		return err
	}
	if stream.Mode == OnDemand {
		return inOnDemand(stream)
	}
	open := stream.OpenShards()
	s.change(stream, position, func(next *Stream) {
		next.beginReshard(open - 1)
		next.merge(c.Shard, c.Adjacent, at)
	})
	return nil
}

func (c UpdateShardCount) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.existing(c.Address)
	if err != nil {
		return err
	}
	if stream.Mode == OnDemand {
		return inOnDemand(stream)
	}
	if err := stream.mustBe(Active); err != nil {
		return err
	}
	open := stream.OpenShards()
	scaled := lately(stream.Scaled, at)
	refuse := func(kind fault.Kind, format string, args ...any) error {
		return fault.New(kind, "UpdateShardCount cannot change stream %s under account %s from %d to %d shards: "+format,
			append([]any{stream.Name, stream.Account, open, c.Target}, args...)...)
	}
	switch {
	case c.Target < 1:
		return refuse(fault.Invalid, "there must be at least one.")
	case c.Target == open:
		return refuse(fault.Invalid, "it has that many already.")
	case c.Target > 2*open:
		return refuse(fault.LimitExceeded, "it cannot scale up to more than double the current shard count.")
	case 2*c.Target < open:
		return refuse(fault.LimitExceeded, "it cannot scale down below half the current shard count.")
	case c.Target > c.Limits.StreamShards:
		return refuse(fault.LimitExceeded, "a stream cannot scale up to more than %d shards.", c.Limits.StreamShards)
	case len(scaled) >= c.Limits.PerDay:
		return refuse(fault.LimitExceeded, "a stream cannot be scaled more than %d times in a rolling 24-hour period.", c.Limits.PerDay)
	}
	if c.Target > open {
		if err := s.roomForShards(stream, c.Target-open, c.Limits); err != nil {
			return err
		}
	}
	s.change(stream, position, func(next *Stream) {
		next.Scaled = append(scaled, at)
		next.beginReshard(c.Target)
		next.beginRound(at)
	})
	return nil
}

func (c ScaleStream) apply(s *State, at time.Time, position commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	if stream == nil {
		return fault.New(fault.NotFound, "no stream has the log group %d", c.Group)
	}
	if c.Target < 1 || c.Target > min(c.Max, shardsMax) {
		return fault.New(fault.Invalid, "a stream cannot be scaled to %d shards", c.Target)
	}
	if stream.Mode != OnDemand || stream.Status != Active || c.Target == stream.OpenShards() {
		return nil
	}
	s.change(stream, position, func(next *Stream) {
		next.beginReshard(c.Target)
		next.beginRound(at)
	})
	return nil
}

func (c ShardsSealed) apply(s *State, at time.Time, position commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	if stream == nil {
		return fault.New(fault.NotFound, "no stream has the log group %d", c.Group)
	}
	if stream.Status != Updating {
		return nil // reported before, or it is being deleted
	}
	ends := map[uint32]commitlog.Position{}
	for _, e := range c.Ends {
		ends[e.Shard] = e.End
	}
	for i := range stream.Shards {
		if shard := &stream.Shards[i]; shard.Closing {
			end, told := ends[shard.Number]
			if !told {
				return nil // of an earlier round
			}
			if end < 0 {
				return fault.New(fault.Invalid, "shard %d of stream %s cannot end at %d", shard.Number, stream.Name, end)
			}
		}
	}
	s.change(stream, position, func(next *Stream) {
		next.Shards = slices.Clone(next.Shards)
		for i := range next.Shards {
			switch shard := &next.Shards[i]; {
			case shard.Closing:
				shard.Closing, shard.Status, shard.ClosedAt, shard.End = false, Closed, at, ends[shard.Number]+shard.Base
			case shard.Status == Opening:
				shard.Status, shard.OpenedAt = Open, at
			}
		}
		if next.OpenShards() == next.TargetShards {
			next.Status, next.TargetShards = Active, 0
			return
		}
		next.beginRound(at)
	})
	return nil
}

func (c ShardsGone) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	if stream == nil {
		return fault.New(fault.NotFound, "no stream has the log group %d", c.Group)
	}
	gone := func(shard Shard) bool { return shard.Status == Expired && slices.Contains(c.Shards, shard.Number) }
	if !slices.ContainsFunc(stream.Shards, gone) {
		return nil // reported before
	}
	s.change(stream, position, func(next *Stream) { next.Shards = slices.DeleteFunc(slices.Clone(next.Shards), gone) })
	return nil
}

// beginReshard makes the stream UPDATING until it has target open shards. s is a private copy, as for all that follow.
func (s *Stream) beginReshard(target int) {
	s.Status, s.TargetShards = Updating, target
	s.Shards = slices.Clone(s.Shards)
}

// beginRound closes and opens shards towards TargetShards: on the way up it halves every open shard, which may be more than asked for, and on the
// way down it merges neighbours. So the shards that a stream has been through come to the same number as AWS's: from 4 to 5, for example, 8
// halves and 3 merged ones.
func (s *Stream) beginRound(at time.Time) {
	open := s.openInOrder()
	if len(open) < s.TargetShards {
		for _, shard := range open {
			if shard.Range.Width() != (record.HashKey{}) { // a customer's splits may have left one hash key alone
				s.split(shard.Number, shard.Range.Middle(), at)
			}
		}
	}
	for _, i := range mergePairs(open, len(open)-s.TargetShards) {
		s.merge(open[i].Number, open[i+1].Number, at)
	}
	if !slices.ContainsFunc(s.Shards, func(shard Shard) bool { return shard.Closing }) { // nothing is left to split
		s.Status, s.TargetShards = Active, 0
	}
}

// mergePairs chooses up to n neighbours among shards in order of range, by the place of the first, no shard in two pairs: those that are
// narrowest together, so that ranges stay about equal.
func mergePairs(shards []Shard, n int) []int {
	pairs := make([]int, 0, len(shards))
	for i := range len(shards) - 1 {
		pairs = append(pairs, i)
	}
	width := func(i int) record.HashKey { return shards[i+1].Range.End.Sub(shards[i].Range.Start) }
	slices.SortFunc(pairs, func(a, b int) int { return cmp.Or(width(a).Cmp(width(b)), cmp.Compare(a, b)) })
	taken := make([]bool, len(shards))
	var chosen []int
	for _, i := range pairs {
		if len(chosen) < n && !taken[i] && !taken[i+1] {
			taken[i], taken[i+1] = true, true
			chosen = append(chosen, i)
		}
	}
	slices.Sort(chosen)
	return chosen
}

// openInOrder is the open shards in order of range.
func (s *Stream) openInOrder() []Shard {
	var open []Shard
	for i := range s.Shards {
		if s.Shards[i].Status == Open {
			open = append(open, s.Shards[i])
		}
	}
	slices.SortFunc(open, func(a, b Shard) int { return a.Range.Start.Cmp(b.Range.Start) })
	return open
}

// split begins to replace a shard by two.
func (s *Stream) split(number uint32, at record.HashKey, now time.Time) {
	parent := s.closing(number)
	lower, upper, err := parent.Range.Split(at)
	if err != nil {
		panic("catalog: " + err.Error()) // whoever calls has looked
	}
	created := childSecond(now, parent)
	for _, keys := range []record.HashRange{lower, upper} {
		s.Shards = append(s.Shards, Shard{Number: s.nextShard(), Range: keys, Parent: &number, Created: created, Status: Opening})
	}
}

// merge begins to replace two shards by one.
func (s *Stream) merge(first, second uint32, now time.Time) {
	a, b := s.closing(first), s.closing(second)
	keys, err := a.Range.Merge(b.Range)
	if err != nil {
		panic("catalog: " + err.Error()) // whoever calls has looked
	}
	s.Shards = append(s.Shards, Shard{Number: s.nextShard(), Range: keys, Parent: &first, AdjacentParent: &second, Created: childSecond(now, a, b), Status: Opening})
}

// closing marks a shard as one that a reshard closes, and gives it.
func (s *Stream) closing(number uint32) Shard {
	shard := s.Shard(number)
	shard.Closing = true
	return *shard
}

// nextShard is the number of the next shard: the last one is never Expired, because who has the highest number is open or has younger children.
func (s *Stream) nextShard() uint32 { return s.Shards[len(s.Shards)-1].Number + 1 }

// childSecond is a second later than that in which any parent was made.
func childSecond(now time.Time, parents ...Shard) time.Time {
	second := now.Truncate(time.Second)
	for i := range parents {
		if least := parents[i].Created.Add(time.Second); second.Before(least) {
			second = least
		}
	}
	return second
}

// openShard finds a shard that may be split or merged.
func (s *Stream) openShard(number uint32) (*Shard, error) {
	shard := s.Shard(number)
	if shard == nil || !shard.Status.Listed() {
		return nil, fault.New(fault.NotFound, "Could not find shard %s in stream %s under account %s.", shardID(number), s.Name, s.Account)
	}
	if shard.Status != Open {
		return nil, fault.New(fault.Invalid, "Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.",
			shardID(number), s.Name, s.Account)
	}
	return shard, nil
}

// roomForShards says whether the account may have more shards open.
func (s *State) roomForShards(stream *Stream, more int, l ReshardLimits) error {
	if used := s.Usage(stream.Account, stream.Region).Shards; used+more > l.Shards {
		return tooManyShards(stream.Account, stream.Region, used, l.Shards, more)
	}
	return nil
}

func inOnDemand(stream *Stream) error {
	return fault.New(fault.Unsupported, "Request is invalid. Stream %s under account %s is in On-Demand mode.", stream.Name, stream.Account)
}

// lately is those of times that are less than 24 hours before now, and its backing array is nobody else's.
func lately(times []time.Time, now time.Time) []time.Time {
	var kept []time.Time
	for _, t := range times {
		if now.Sub(t) < 24*time.Hour {
			kept = append(kept, t)
		}
	}
	return kept
}
