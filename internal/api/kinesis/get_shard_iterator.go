package kinesis

import (
	"time"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// GetShardIterator says where GetRecords begins, in one of five ways. The iterator lives five minutes.
//
// Source: API_GetShardIterator (read 2026-11); texts as AWS sends them. Shown by: TestIteratorTypes in test/aws.
func (a *API) getShardIterator(c *edge.Call, in *shapes.GetShardIteratorInput) (*shapes.GetShardIteratorOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	start, err := startOf(deref(in.ShardIteratorType), in.StartingSequenceNumber, in.Timestamp)
	if err != nil {
		return nil, err
	}
	token, err := a.streams.Iterator(c.Ctx, stream, deref(in.ShardId), start)
	if err != nil {
		return nil, err
	}
	if deref(in.DryRun) {
		return nil, errDryRun
	}
	return &shapes.GetShardIteratorOutput{ShardIterator: &token}, nil
}

// startOf reads the type of a start and the member that it wants.
func startOf(iteratorType shapes.ShardIteratorType, sequence *string, timestamp *time.Time) (streams.Start, error) {
	kind := string(iteratorType)
	bySequence := kind == "AT_SEQUENCE_NUMBER" || kind == "AFTER_SEQUENCE_NUMBER"
	if bySequence != (sequence != nil) {
		return streams.Start{}, fault.New(fault.Invalid, "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "+
			"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %s and %s.", kind, said(sequence))
	}
	if kind == "AT_TIMESTAMP" && timestamp == nil {
		return streams.Start{}, fault.New(fault.Invalid, "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
	}
	start := streams.Start{Sequence: deref(sequence)}
	switch kind {
	case "AT_SEQUENCE_NUMBER":
		start.Type = streams.AtSequence
	case "AFTER_SEQUENCE_NUMBER":
		start.Type = streams.AfterSequence
	case "LATEST":
		start.Type = streams.Latest
	case "AT_TIMESTAMP":
		start.Type, start.Timestamp = streams.AtTimestamp, *timestamp
	default:
		start.Type = streams.TrimHorizon
	}
	return start, nil
}

// said is how AWS's texts tell whether a request had a sequence number.
func said(sequence *string) string {
	if sequence == nil {
		return "no StartingSequenceNumber"
	}
	return "also a StartingSequenceNumber"
}
