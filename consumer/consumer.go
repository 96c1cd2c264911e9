// Package consumer reads Kinesis streams with several workers that share the work, the way the Kinesis Client Library does, and together with it: Go and Java
// workers take part in one application.
//
// It owns the lease table of KCL 3.5 (one DynamoDB table per application), who processes which shard, checkpoints, and the calls to a program's Processors.
// What a record's data means belongs to the program; producing belongs to the package producer; reading a stream without an application belongs to client/tail.
// It needs clients of the AWS SDK and nothing of a server: what it does, it does against AWS too.
//
// A program gives New a Factory. For every shard that falls to this worker the factory makes one Processor, which is then called from one goroutine, one call at
// a time: Initialize, ProcessRecords again and again, and one ending: LeaseLost, ShardEnded or ShutdownRequested. Records arrive at least once: those after the
// last checkpoint come again when a worker dies.
//
// Read Processor, then Options, then worker.go. The lease table: lease.go and table.go; who gets which shard: assign.go and leader.go; one shard: shard.go.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sequence numbers that are words. A Position with one of them is no place in a shard, but says where to begin, or that a shard is over.
const (
	TrimHorizon = "TRIM_HORIZON" // the oldest record there is
	Latest      = "LATEST"       // what arrives from now on
	AtTimestamp = "AT_TIMESTAMP" // the first record of a time, which Options.InitialTimestamp says
	ShardEnd    = "SHARD_END"    // everything in the shard has been processed
)

// Position is a place in a shard.
type Position struct {
	// SequenceNumber is that of a record, in decimal, or TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END.
	SequenceNumber string
	// SubSequenceNumber counts the user records inside an aggregated record, from 0. It is 0 for others.
	SubSequenceNumber int64
}

// String is the position for people: the sequence number, and the sub-sequence number behind a slash if it is not 0.
func (p Position) String() string {
	if p.SubSequenceNumber == 0 {
		return p.SequenceNumber
	}
	return fmt.Sprintf("%s/%d", p.SequenceNumber, p.SubSequenceNumber)
}

// Record is one user record: a record of the stream, or a part of one that a producer aggregated.
type Record struct {
	// Data is the customer's bytes. The processor may keep them.
	Data []byte
	// PartitionKey and ExplicitHashKey are as the producer gave them. Kinesis does not hand out the explicit hash key of a record that is not aggregated: it is
	// empty then.
	PartitionKey, ExplicitHashKey string
	// SequenceNumber is that of the record of the stream; all parts of an aggregate share it.
	SequenceNumber string
	// SubSequenceNumber is the place in the aggregate, from 0.
	SubSequenceNumber int64
	// Aggregated says whether the record was a part of an aggregated record.
	Aggregated bool
	// Arrived is when the stream took the record in (ApproximateArrivalTimestamp).
	Arrived time.Time
	// EncryptionType is NONE or KMS, as the stream said; empty if it did not.
	EncryptionType string
}

// Position is where the record is: what CheckpointAt takes.
func (r *Record) Position() Position {
	return Position{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

// Start says with what a processor begins.
type Start struct {
	// Shard is the shard's id.
	Shard string
	// From is the checkpoint. Records behind it follow; if it is a word such as TRIM_HORIZON, from there.
	From Position
	// Pending is a checkpoint that an earlier processor had prepared and not made, if there is one.
	Pending *Position
}

// Batch is what ProcessRecords gets.
type Batch struct {
	// Records are in the order of the shard. They may be none, if Options.CallOnEmpty is set.
	Records []Record
	// BehindLatest is how far the last record read is behind the newest of the shard.
	BehindLatest time.Duration
	// Checkpoint writes down how far the processor has come. It stays valid after the call, until the lease is gone.
	Checkpoint Checkpointer
}

// Checkpointer writes down how far a processor has come. It may be used from any goroutine, also after the call that got it.
type Checkpointer interface {
	// Checkpoint writes that everything handed out so far is done. In ShardEnded it writes SHARD_END.
	// ErrLeaseLost: the shard belongs to another worker by now, and nothing was written. Other errors are those of DynamoDB: the caller may try again.
	Checkpoint(ctx context.Context) error
	// CheckpointAt writes that everything up to and including a position is done.
	// ErrPosition: it is before the last checkpoint or behind the last record that was handed out. ErrLeaseLost and others as in Checkpoint.
	CheckpointAt(ctx context.Context, at Position) error
}

// Processor processes one shard. Its methods are called one at a time.
//
// An error or a panic of Initialize or ProcessRecords is reported (Options.Notice), and the same call is made again after Options.TaskBackoff, then after twice
// as long each time up to Options.TaskBackoffMax; records are never skipped. (The KCL for Java differs: it reports what processRecords throws, skips those records,
// and goes on. Its documentation tells processors to catch everything.)
type Processor interface {
	// Initialize comes first, once, before anything else.
	Initialize(ctx context.Context, start Start) error
	// ProcessRecords gets the records of the shard in order, batch by batch. ctx ends when the lease is lost or the worker stops.
	ProcessRecords(ctx context.Context, batch Batch) error
	// LeaseLost says that another worker has the shard. Nothing can be checkpointed any more. It is the last call.
	LeaseLost(ctx context.Context)
	// ShardEnded says that the shard is closed and all its records have been processed. It must checkpoint: until then the children of the shard are not
	// processed. If it returns without having done so, or with an error, it is called again after a while. It is the last call.
	ShardEnded(ctx context.Context, checkpoint Checkpointer) error
	// ShutdownRequested says that the worker gives the shard up, because Shutdown was called or the leader gives it to another worker. It is the moment to
	// finish and to checkpoint; the next worker begins behind the checkpoint. It is the last call; an error is reported, and the lease given up all the same.
	ShutdownRequested(ctx context.Context, checkpoint Checkpointer) error
}

// Factory makes the processor of a shard that has fallen to this worker. An error is reported, and asked again after a while.
type Factory func(shard string) (Processor, error)

// ErrLeaseLost is what a checkpoint gets when the shard's lease is no longer this worker's: the ShutdownException of the KCL. What was processed since the last
// checkpoint is processed again by the lease's new owner.
var ErrLeaseLost = errors.New("the lease of the shard is lost")

// ErrPosition is what CheckpointAt gets for a position that is before the last checkpoint, behind the last record that was handed out, or no position.
var ErrPosition = errors.New("not a position that can be checkpointed")

// ErrState is what Run gets if the application's tables are in a state that this library does not take part in, such as that of KCL 2.x or half-way through a
// migration. Its text names the state.
var ErrState = errors.New("the application's lease table is not one of KCL 3.5")
