// Package mapping is event source mappings: functions that are invoked with the records of a stream.
//
// It owns which mappings exist (a machine of its own in fold), what becomes a batch, in which order batches go to a function, what its answer means, when a
// batch is tried again, cut or given up, windows with state, and filters. How a stream is followed and where a mapping stands in it belongs to readers; how a function runs to
// functions, through Invoker; where discarded batches are told to Objects.
//
// Delivery is at least once: a batch that was invoked and not yet checkpointed when the server died is given to the function again, and with a ParallelizationFactor above
// one so are those that were done behind it. Nothing else comes twice but what a retry gives again. Order is kept for each partition key: of two records with one key the later is not given to a
// function before the earlier is done, which is to say succeeded, discarded or filtered out.
//
// Read config.go for what may be said, work.go and verdict.go for the life of a batch, shard.go and worker.go for how a shard is driven, engine.go for the mappings
// of a node.
package mapping

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/readers"
)

// Invoker runs functions.
type Invoker interface {
	// Invoke runs a function on a payload and waits for what comes of it. A failure of the function is a Result, not an error.
	//
	// Faults: LimitExceeded when the payload is too large. With every other one the function was not reached, or nobody knows: it is invoked again.
	Invoke(ctx context.Context, r Request) (Result, error)
}

// Request asks for one invocation.
type Request struct {
	Function string // ARN, with or without a qualifier
	Payload  []byte // JSON
	Source   string // ARN of the mapping, for the operator's log
}

// Result is what came of an invocation that reached the function.
type Result struct {
	RequestID     string
	Version       string // that ran
	Payload       []byte // the function's answer, or its error as JSON
	FunctionError string // "Unhandled" when the function failed; empty when it answered
}

// Functions is where mappings find functions.
type Functions interface {
	Invoker
	// Role is the role of a function, which its events name. NotFound when there is no such function.
	Role(functionARN string) (string, error)
}

// Kind is what a stream's records are.
type Kind uint8

// The kinds of streams.
const (
	Kinesis Kind = iota
	Table        // changes of a table: Data is a JSON object, an element of the event's Records but for eventSourceARN
)

// Source is a stream as mappings see it.
type Source struct {
	readers.Source
	Kind   Kind
	Stream string // ARN of the stream: not of a consumer
	Region string
}

// Sources finds streams.
type Sources interface {
	// Source gives the stream, or the consumer of one, that an ARN names, whether it exists now or not. Invalid when the ARN names nothing that can be a source.
	Source(arn string) (Source, error)
}

// The pauses before a batch is given to a function again: double each time. AWS publishes no figures.
const (
	pauseMin = time.Second
	pauseMax = time.Minute
)

// pauseAfter is the pause after a number of tries.
func pauseAfter(tries int) time.Duration {
	pause := pauseMin
	for range min(tries-1, 10) {
		pause = min(2*pause, pauseMax)
	}
	return pause
}
