package catalog

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/ordered"
)

// State is everything that exists, as of one place in the control log. It is immutable and safe for anyone to keep: a change makes
// another State, which shares what did not change.
type State struct {
	version   int64     // 1 + the position of the last command that changed something; 0 before the first
	lastGroup uint64    // groups up to here have been given out
	testClock time.Time // where the test clock stands; zero when there is none

	// spent is, for the names of streams that went within the second in which they were made, that second: another stream of the name gets a later
	// one, so that the sequence numbers of the two differ. By nameKey; forgotten once the log's time is past it.
	spent ordered.Map[string, int64]

	settings ordered.Map[string, AccountSettings] // by account and region; those that differ from the zero value

	streams ordered.Map[string, *Stream] // by nameKey; everything below is made from it

	byID      ordered.Map[string, *Stream]
	byGroup   ordered.Map[uint64, *Stream]
	byChange  ordered.Map[string, *Stream] // by changeKey
	usage     ordered.Map[string, Usage]   // by account and region; none is zero
	deadlines ordered.Map[string, uint64]  // by deadlineKey: the group of a stream to look at then
}

// Usage is what the streams of one account in one region come to, for the quotas. DELETING streams count until they are gone.
type Usage struct {
	Streams   int // all
	Creating  int // in CREATING
	OnDemand  int // in mode ON_DEMAND
	Shards    int // open shards of PROVISIONED streams, which the shard quota counts
	AllShards int // open shards
}

// empty is where every control log begins.
var empty = &State{}

// Version grows with every change; two States of one node with the same Version are the same.
func (s *State) Version() int64 { return s.version }

// TestClock is where the test clock stands, and whether this control log has one.
func (s *State) TestClock() (time.Time, bool) { return s.testClock, !s.testClock.IsZero() }

// Stream finds the stream of a name, in whatever status, or nil.
func (s *State) Stream(account, region, name string) *Stream {
	found, _ := s.streams.Get(nameKey(account, region, name))
	return found
}

// StreamByARN finds the stream that an ARN names, or nil: also when the ARN is not one of a stream.
func (s *State) StreamByARN(text string) *Stream {
	parsed, err := arn.Parse(text)
	if err != nil {
		return nil
	}
	name, err := parsed.StreamName()
	if err != nil {
		return nil
	}
	if found := s.Stream(parsed.Account, parsed.Region, name); found != nil && found.ARN == text {
		return found
	}
	return nil
}

// StreamByID finds the stream with a StreamId, or nil.
func (s *State) StreamByID(id string) *Stream {
	found, _ := s.byID.Get(id)
	return found
}

// StreamByGroup finds the stream whose logs are of a group, or nil when it is gone or was never there.
func (s *State) StreamByGroup(group uint64) *Stream {
	found, _ := s.byGroup.Get(group)
	return found
}

// Streams visits the streams of an account in a region whose names come after a name, in order of name. After "" gives all.
func (s *State) Streams(account, region, after string) iter.Seq[*Stream] {
	prefix := nameKey(account, region, "")
	return func(yield func(*Stream) bool) {
		for key, stream := range s.streams.From(prefix + after) {
			if !strings.HasPrefix(key, prefix) {
				return
			}
			if stream.Name > after && !yield(stream) {
				return
			}
		}
	}
}

// All visits every stream, ordered by account, region and name.
func (s *State) All() iter.Seq[*Stream] {
	return func(yield func(*Stream) bool) {
		for _, stream := range s.streams.All() {
			if !yield(stream) {
				return
			}
		}
	}
}

// Since visits the streams that changed after a version, oldest change first. Streams that are gone are not among them: they were
// DELETING before.
func (s *State) Since(version int64) iter.Seq[*Stream] {
	return func(yield func(*Stream) bool) {
		for _, stream := range s.byChange.From(changeKey(version+1, 0)) {
			if !yield(stream) {
				return
			}
		}
	}
}

// Len is how many streams there are.
func (s *State) Len() int { return s.streams.Len() }

// Usage is what an account uses in a region.
func (s *State) Usage(account, region string) Usage {
	u, _ := s.usage.Get(account + "/" + region)
	return u
}

// Settings are those of an account in a region.
func (s *State) Settings(account, region string) AccountSettings {
	settings, _ := s.settings.Get(account + "/" + region)
	return settings
}

// NextDeadline is when time alone changes something, and whether it ever does. A Tick at or after it brings the change.
func (s *State) NextDeadline() (time.Time, bool) {
	for _, group := range s.deadlines.All() {
		stream, _ := s.byGroup.Get(group)
		return stream.deadline(), true
	}
	return time.Time{}, false
}

// floorSlack is how long a HorizonFloor is kept after the retention alone says as much, so that a node whose clock is behind the
// control log's time, or which has yet to apply the Tick, still holds to it.
const floorSlack = time.Hour

// deadline is when time alone changes the stream: its HorizonFloor may be forgotten, or a closed shard has expired. Zero is never.
func (s *Stream) deadline() time.Time {
	due := s.floorDeadline()
	for i := range s.Shards {
		if next := s.shardDeadline(&s.Shards[i]); !next.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
	}
	return due
}

// floorDeadline is when the HorizonFloor says nothing any more that the retention does not. Zero is never.
func (s *Stream) floorDeadline() time.Time {
	if s.HorizonFloor.IsZero() {
		return time.Time{}
	}
	return s.HorizonFloor.Add(s.Retention()).Add(floorSlack)
}

// shardDeadline is when the last record of a closed shard has expired everywhere. Zero is never: it is open.
func (s *Stream) shardDeadline(shard *Shard) time.Time {
	if shard.Status != Closed {
		return time.Time{}
	}
	return shard.ClosedAt.Add(s.Retention()).Add(floorSlack)
}

// pass changes what is due by at. s is a private copy.
func (s *Stream) pass(at time.Time) {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(at) }
	if due(s.floorDeadline()) {
		s.HorizonFloor = time.Time{}
	}
	shards := slices.Clone(s.Shards)
	for i := range shards {
		if due(s.shardDeadline(&shards[i])) {
			shards[i].Status = Expired
		}
	}
	s.Shards = shards
}

// with is the state with a stream added or replaced; was is what it replaces, or nil. s is a private copy, not yet published.
func (s *State) with(was, stream *Stream) {
	s.forget(was)
	s.streams = s.streams.Put(stream.nameKey(), stream)
	s.byID = s.byID.Put(stream.ID, stream)
	s.byGroup = s.byGroup.Put(stream.Group, stream)
	s.byChange = s.byChange.Put(changeKey(stream.Changed, stream.Group), stream)
	s.count(stream, 1)
	if due := stream.deadline(); !due.IsZero() {
		s.deadlines = s.deadlines.Put(deadlineKey(due, stream.Group), stream.Group)
	}
}

// without is the state with a stream gone. s is a private copy, not yet published.
func (s *State) without(stream *Stream) {
	s.forget(stream)
	s.streams = s.streams.Remove(stream.nameKey())
	s.byID = s.byID.Remove(stream.ID)
	s.byGroup = s.byGroup.Remove(stream.Group)
}

// spend notes the second that a stream's shards were made in, if another stream of its name could get the same, and forgets those of which none can. s is
// a private copy, not yet published.
func (s *State) spend(stream *Stream, at time.Time) {
	for key, second := range s.spent.All() {
		if second < at.Unix() {
			s.spent = s.spent.Remove(key)
		}
	}
	last := stream.Shards[0].Created.Unix()
	for i := range stream.Shards {
		last = max(last, stream.Shards[i].Created.Unix())
	}
	if last >= at.Unix() {
		s.spent = s.spent.Put(stream.nameKey(), last)
	}
}

// unspent is the second, from at on, that the shards of a new stream of a name may be made in.
func (s *State) unspent(account, region, name string, at time.Time) time.Time {
	second := at.Truncate(time.Second)
	if last, known := s.spent.Get(nameKey(account, region, name)); known && last >= second.Unix() {
		return time.Unix(last+1, 0).UTC()
	}
	return second
}

// forget takes a stream out of what is keyed by things that change.
func (s *State) forget(stream *Stream) {
	if stream == nil {
		return
	}
	s.byChange = s.byChange.Remove(changeKey(stream.Changed, stream.Group))
	s.count(stream, -1)
	if due := stream.deadline(); !due.IsZero() {
		s.deadlines = s.deadlines.Remove(deadlineKey(due, stream.Group))
	}
}

// count adds a stream to the usage of its account, sign times.
func (s *State) count(stream *Stream, sign int) {
	key := stream.Account + "/" + stream.Region
	u, _ := s.usage.Get(key)
	open := sign * stream.OpenShards()
	u.Streams += sign
	u.AllShards += open
	if stream.Status == Creating {
		u.Creating += sign
	}
	if stream.Mode == OnDemand {
		u.OnDemand += sign
	} else {
		u.Shards += open
	}
	if u == (Usage{}) {
		s.usage = s.usage.Remove(key)
		return
	}
	s.usage = s.usage.Put(key, u)
}

// The keys of the trees. Account, region and name hold no slash, and numbers have a fixed width, so that order is the order of the parts.

func nameKey(account, region, name string) string { return account + "/" + region + "/" + name }

func (s *Stream) nameKey() string { return nameKey(s.Account, s.Region, s.Name) }

func changeKey(version int64, group uint64) string { return fmt.Sprintf("%016x/%016x", version, group) }

func deadlineKey(due time.Time, group uint64) string {
	return fmt.Sprintf("%016x/%016x", due.UnixMilli(), group)
}
