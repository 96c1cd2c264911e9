// Package readers is the one way in which the server itself consumes a stream.
//
// It owns where a consumer stands: shards in their order (parents before children, through splits and merges), starting positions, durable checkpoints with a little state
// of the consumer's beside each, lag, and what happens when retention was faster. The records belong to whoever keeps them and come through Source: Kinesis streams are one
// (kinesis.go). What is done with them belongs to the consumer, which takes a chunk, commits, and takes the next: nothing is read ahead of it.
//
// Read Source and Consumer below, then reader.go and shard.go for the way through a stream, and checkpoints.go for what is remembered. docs/format/checkpoints.md has
// the bytes.
package readers

import (
	"context"
	"time"
)

// Source is one stream as a reader sees it. It is safe for concurrent use.
//
// Positions are the source's own: they grow in a shard and survive a restart.
type Source interface {
	// Shards are those that may be read now, and a channel that is closed when it may be worth asking again. NotFound when there is no such stream (any more): the channel
	// is there then too.
	Shards(ctx context.Context) ([]ShardInfo, <-chan struct{}, error)
	// Start is where in a shard a start points.
	Start(ctx context.Context, shard string, at Start) (position int64, err error)
	// Read reads up to limit records from a position on, and does not wait. NotFound when the shard is not there (any more).
	Read(ctx context.Context, shard string, from int64, limit int) (Chunk, error)
	// Wait returns nil once a record at or behind a position may be read, or the shard has ended.
	Wait(ctx context.Context, shard string, from int64) error
	// Ready says whether Wait would return now.
	Ready(shard string, from int64) bool
}

// ShardInfo is a shard as a reader needs it.
type ShardInfo struct {
	// ID is the shard's name to customers.
	ID string
	// Key is what its checkpoint is filed under. It differs between shards of one ID in streams of one name, one of which is gone.
	Key string
	// Parents are the keys of the shards that have to be read before. Those that are not among the shards any more have expired.
	Parents []string
	// Opened is when it began to take records.
	Opened time.Time
}

// Start says where a consumer begins that has no checkpoint.
type Start struct {
	Type StartType
	Time time.Time // of AtTimestamp
}

// StartType is one of the three ways to begin (API_CreateEventSourceMapping).
type StartType uint8

// The ways to begin. The numbers are not stored.
const (
	TrimHorizon StartType = iota // with the oldest record
	Latest                       // with what comes now; shards that open later are read from their beginning
	AtTimestamp                  // with the first record that came at a time or later
)

// Record is one record of a stream.
type Record struct {
	Position int64
	Sequence string    // its number, as customers see it
	Key      []byte    // what order is kept by: the partition key, or the key of an item
	Data     []byte    // as its producer put it, aggregated or not
	Arrival  time.Time // milliseconds
}

// Chunk is what a Read gives. Everything in it stays valid.
type Chunk struct {
	Records []Record
	// Next is where to go on. Records and Next are both behind what retention has taken.
	Next int64
	// End says that the shard has ended and that there is nothing at Next or behind it.
	End bool
	// Behind is how old the oldest record is that is still to be read; 0 when there is none.
	Behind time.Duration
	// Lost says that the position was older than the oldest record: what lay between is gone.
	Lost bool
	// Horizon is the time before which records have expired. A consumer that still holds one may give it up. Zero is never.
	Horizon time.Time
}

// Event is something an operator may want to know of a reader.
type Event struct {
	Kind  EventKind
	Shard string
	From  int64         // Lost: where the consumer stood, and
	To    int64         // where it goes on
	Pause time.Duration // Failed: until the next try
	Err   error         // Failed
}

// EventKind is what an Event is about.
type EventKind uint8

// What may happen to a reader.
const (
	Started  EventKind = iota // a shard is being read
	Finished                  // a shard has been read to its end
	Lost                      // records expired before they were read: from is where the consumer stood, to is where it goes on
	Failed                    // a shard could not be read; it is tried again
)
