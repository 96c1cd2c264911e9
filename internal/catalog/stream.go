package catalog

import (
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/record"
)

// Stream is one incarnation of a data stream. It is immutable: what changes it makes another. Nobody may write to its slices and maps.
type Stream struct {
	Account string // twelve digits
	Region  string
	Name    string
	ARN     string
	// ID is AWS's StreamId, [a-z0-9]{20}-[a-z0-9]{3}: it differs between incarnations of one name.
	ID string
	// Group is the group of the stream's logs. It is never used again, also not by a stream of the same name: it is the incarnation.
	Group   uint64
	Created time.Time // UTC, milliseconds
	Status  Status
	Mode    Mode
	// Shards are in the order of their numbers, open and closed ones alike.
	Shards []Shard
	// RetentionHours is how long a record may be read. HorizonFloor is older than nothing that may be read: records that arrived before
	// it have expired for good, because retention was shorter once. Zero when it says nothing that RetentionHours does not.
	RetentionHours int
	HorizonFloor   time.Time
	// MaxRecordKiB bounds a record's data and partition key together.
	MaxRecordKiB int
	Tags         map[string]string
	// Changed is the State.Version that brought this description.
	Changed int64
}

// Shard is one interval of hash keys and the log that holds its records, (Stream.Group, Number).
type Shard struct {
	Number uint32 // counts up in a stream, never used twice
	Range  record.HashRange
	// Parent and AdjacentParent are the shards that this one came from: none, one after a split, two after a merge.
	Parent, AdjacentParent *uint32
	// Created is a whole second, UTC, later than that of the parents. Sequence numbers are made of it.
	Created time.Time
	// Base is added to a record's position in its log to make its position in the shard, so that numbers survive a move to another log.
	Base   commitlog.Position
	Status ShardStatus
	// End, of a closed shard, is the shard position behind its last record. ClosedAt is when it closed.
	End      commitlog.Position
	ClosedAt time.Time
}

// Status is what a stream is going through. The values are AWS's words.
type Status string

// The states of a stream: CREATING → ACTIVE → (UPDATING → ACTIVE)* → DELETING → gone.
const (
	Creating Status = "CREATING" // its logs are being made
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING" // its shards are changing; records flow
	Deleting Status = "DELETING" // its logs are being removed
)

// Mode is who chooses the number of shards. The values are AWS's words.
type Mode string

// The modes of a stream.
const (
	Provisioned Mode = "PROVISIONED" // the customer does
	OnDemand    Mode = "ON_DEMAND"   // Weir does
)

// ShardStatus is whether a shard takes records.
type ShardStatus uint8

// The states of a shard.
const (
	Open ShardStatus = iota
	Closed
)

// Retention is RetentionHours as a duration.
func (s *Stream) Retention() time.Duration { return time.Duration(s.RetentionHours) * time.Hour }

// Horizon is the oldest arrival time that may be read at now: what arrived before it has expired. It never moves back as now grows,
// whatever happens to the retention.
func (s *Stream) Horizon(now time.Time) time.Time {
	horizon := now.Add(-s.Retention())
	if horizon.Before(s.HorizonFloor) {
		return s.HorizonFloor
	}
	return horizon
}

// Shard is the shard of a number, or nil when the stream has none.
func (s *Stream) Shard(number uint32) *Shard {
	// Shards are numbered from 0 and in order, so that the place is the number until old ones have gone.
	if i := int(number); i < len(s.Shards) && s.Shards[i].Number == number {
		return &s.Shards[i]
	}
	for i := range s.Shards {
		if s.Shards[i].Number == number {
			return &s.Shards[i]
		}
	}
	return nil
}

// OpenShards is how many shards take records.
func (s *Stream) OpenShards() int {
	open := 0
	for i := range s.Shards {
		if s.Shards[i].Status == Open {
			open++
		}
	}
	return open
}
