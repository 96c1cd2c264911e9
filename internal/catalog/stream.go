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
	// Consumers are registered for enhanced fan-out, in order of name.
	Consumers []Consumer
	// Policy is the stream's resource policy as its owner wrote it, JSON; empty when there is none.
	Policy string
	// Encryption is what records that come are sealed under; nil when they are not. DataKeys are in order of id, and stay as long as there may be
	// records under them.
	Encryption *Encryption
	DataKeys   []DataKey
	// ShardMetrics are the shard-level metrics that enhanced monitoring was switched on for, sorted. The values are AWS's words.
	ShardMetrics []string
	// WarmMiBps is the write throughput in MiB a second that an ON_DEMAND stream is never scaled below; 0 is none.
	WarmMiBps int
	// Distribution is how records are given to shards.
	Distribution Distribution
	// TargetShards is how many open shards the reshard under way ends with; 0 when the stream is not UPDATING.
	TargetShards int
	// Scaled, ModeChanged and KeyChanged are when, within the last 24 hours, UpdateShardCount, UpdateStreamMode and StartStreamEncryption were
	// granted: their quotas count over such a window.
	Scaled, ModeChanged, KeyChanged []time.Time
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
	// OpenedAt is when a shard that has parents began to take records: when they closed. It may be before Created, which has to differ from
	// theirs. Zero for shards that came with the stream, which opened at Created.
	OpenedAt time.Time
	// Base is added to a record's position in its log to make its position in the shard, so that numbers survive a move to another log.
	Base   commitlog.Position
	Status ShardStatus
	// Closing says of an open shard that a reshard is closing it: its children are there and wait for its end.
	Closing bool
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

// The states of a shard: Opening → Open → Closed → Expired → gone. Those that came with the stream begin at Open.
const (
	Open    ShardStatus = iota // takes records
	Closed                     // a reshard ended it; its records are read until they expire
	Opening                    // a child whose log is being made and whose parents are being closed. Nobody sees it yet
	Expired                    // closed for longer than the retention: its log is being removed. Nobody sees it any more
)

// Listed says whether customers see the shard.
func (s ShardStatus) Listed() bool { return s == Open || s == Closed }

// Distribution is how records are given to shards. The values are AWS's words.
type Distribution string

// The record distribution strategies.
const (
	ByPartitionKey Distribution = "USER_PARTITION_KEY" // by the partition key's hash
	Auto           Distribution = "AUTO"               // evenly; ON_DEMAND only
)

// Consumer is registered to be pushed the records of a stream.
type Consumer struct {
	Name    string
	ARN     string
	Created time.Time // UTC, milliseconds
	Policy  string    // its resource policy, JSON; empty when there is none
	Tags    map[string]string
}

// Encryption says how the records that come are sealed.
type Encryption struct {
	KeyID   string `json:"keyId"`   // as the customer named the master key
	DataKey uint32 `json:"dataKey"` // id of the data key in use
}

// DataKey is a key that records are sealed under, itself wrapped under a master key.
type DataKey struct {
	ID      uint32 `json:"id"`     // counts up in a stream from 1, never used twice
	Master  string `json:"master"` // which master key, and which version of it, wrapped it
	Wrapped []byte `json:"wrapped"`
}

// Opened is when the shard began to take records.
func (s *Shard) Opened() time.Time {
	if s.OpenedAt.IsZero() {
		return s.Created
	}
	return s.OpenedAt
}

// Consumer finds a consumer by name, or gives nil.
func (s *Stream) Consumer(name string) *Consumer {
	for i := range s.Consumers {
		if s.Consumers[i].Name == name {
			return &s.Consumers[i]
		}
	}
	return nil
}

// DataKey finds a data key by id, or gives nil.
func (s *Stream) DataKey(id uint32) *DataKey {
	for i := range s.DataKeys {
		if s.DataKeys[i].ID == id {
			return &s.DataKeys[i]
		}
	}
	return nil
}

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
