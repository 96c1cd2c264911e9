package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// source reads one shard, from a position on.
type source interface {
	// next waits for what comes next, which may be no records. After an error it may be called again, and goes on where it was: errGone says that the shard is no more.
	next(ctx context.Context) (fetched, error)
	// close ends what is under way. It may be called more than once.
	close()
}

// fetched is one answer.
type fetched struct {
	records  []types.Record
	behind   time.Duration
	ended    bool               // the shard is closed, and these were its last records
	children []types.ChildShard // with ended
}

// errGone is what a source gets when there is no such shard: the stream was deleted, or its records have passed the retention period and the shard with them.
var errGone = errors.New("the shard does not exist any more")

// origin is where a source begins. What LATEST means is fixed when it is first asked for, so that what arrives while a read is tried again is not passed over.
type origin struct {
	from    Position
	time    time.Time // for AT_TIMESTAMP
	latest  time.Time // when LATEST was first asked for
	reached string    // the last sequence number that was read
}

// resolve says what to ask for: a type, and a sequence number or a time.
func (o *origin) resolve(now time.Time) (kind types.ShardIteratorType, sequence string, at time.Time) {
	switch {
	case o.reached != "":
		return types.ShardIteratorTypeAfterSequenceNumber, o.reached, time.Time{}
	case o.from.SequenceNumber == TrimHorizon, o.from.SequenceNumber == AtTimestamp && o.time.IsZero(): // a lease of another worker, with a time that this one was not told
		return types.ShardIteratorTypeTrimHorizon, "", time.Time{}
	case o.from.SequenceNumber == AtTimestamp:
		return types.ShardIteratorTypeAtTimestamp, "", o.time
	case o.from.SequenceNumber == Latest && o.latest.IsZero():
		o.latest = now
		return types.ShardIteratorTypeLatest, "", time.Time{}
	case o.from.SequenceNumber == Latest:
		return types.ShardIteratorTypeAtTimestamp, "", o.latest
	default: // from the record itself: parts of it may not have been processed
		return types.ShardIteratorTypeAtSequenceNumber, o.from.SequenceNumber, time.Time{}
	}
}

// gone turns ResourceNotFound into errGone.
func gone(err error) error {
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return errors.Join(errGone, err)
	}
	return err
}
