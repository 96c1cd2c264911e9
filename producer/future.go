package producer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/record"
)

// Future is a record that was put and what becomes of it. It is safe for concurrent use.
type Future struct {
	// Set once, before anybody else sees it.
	key, explicit string
	data          []byte
	hash          record.HashKey
	arrived       instant
	callback      func(*Future)
	epoch         *epoch

	// Owned by whoever holds the record at the moment: a lane, then a request.
	attempts  *attempts
	uncertain bool // an attempt may have reached the stream though no answer said so

	// Written before ended becomes &over; read only after that was seen.
	sub     int32 // place in its aggregate
	failure *Failure

	// ended is nil at first, then perhaps a channel that somebody waits for, and &over at the end.
	ended atomic.Pointer[chan struct{}]
}

// attempts is a list, the newest first. The records of an aggregate share theirs as long as they have the same history.
type attempts struct {
	Attempt
	before *attempts
}

// over is the channel of everything that has ended.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Attempt is one sending of a record.
type Attempt struct {
	// Began and Ended are when the request was sent and answered, by the Producer's clock.
	Began, Ended time.Time
	// ErrorCode is empty when the record was taken. It is AWS's code, or one of the KPL's: "Expired", "Wrong Shard"; or "Closed", or "No Answer".
	ErrorCode, ErrorMessage string
	// ShardID and SequenceNumber are where the record of the stream is, if it was taken.
	ShardID, SequenceNumber string
}

// Result is where a record is.
type Result struct {
	// ShardID and SequenceNumber name the record of the stream that holds it.
	ShardID, SequenceNumber string
	// SubSequenceNumber is its place in there, from 0. It is 0 for a record that went alone.
	SubSequenceNumber int64
	// Attempts are all sendings, the last of which succeeded.
	Attempts []Attempt
}

// The codes of a Failure that no service gives.
const (
	CodeExpired    = "Expired"     // not acknowledged within RecordTtl
	CodeClosed     = "Closed"      // Close ended before it was acknowledged
	CodeWrongShard = "Wrong Shard" // packed with a record that does not belong to the shard which took them, where consumers pass over them all; it is sent again
	CodeNoAnswer   = "No Answer"   // the request failed on its way; ErrorMessage says how
)

// Failure is why a record was not acknowledged. It is the error of Wait and Result.
type Failure struct {
	// Code is AWS's, or one of the codes above.
	Code, Message string
	// Unknown says that the record may be in the stream all the same: an answer was lost.
	Unknown bool
	// Attempts are all sendings, and as the last one what ended them.
	Attempts []Attempt
}

// Error names the code, and the last error of a service for a record that expired.
func (f *Failure) Error() string {
	sent := len(f.Attempts) - 1
	cause := ""
	if sent > 0 && f.Attempts[sent-1].ErrorCode != "" && (f.Code == CodeExpired || f.Code == CodeClosed) {
		cause = fmt.Sprintf("; the last attempt: %s: %s", f.Attempts[sent-1].ErrorCode, f.Attempts[sent-1].ErrorMessage)
	}
	return fmt.Sprintf("%s: %s%s", f.Code, f.Message, cause)
}

// Done is closed when the record is acknowledged or has failed.
func (f *Future) Done() <-chan struct{} {
	if c := f.ended.Load(); c != nil {
		return *c
	}
	c := make(chan struct{})
	if f.ended.CompareAndSwap(nil, &c) {
		return c
	}
	return *f.ended.Load()
}

// end makes the outcome visible and wakes whoever waits. It happens once.
func (f *Future) end() {
	if c := f.ended.Swap(&over); c != nil {
		close(*c)
	}
}

// Wait waits for the outcome, or until ctx ends, whose error it then returns. A record that failed is a *Failure.
func (f *Future) Wait(ctx context.Context) (Result, error) {
	if f.ended.Load() != &over {
		select {
		case <-f.Done():
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
	return f.Result()
}

// Result is the outcome of a record that is done, and ErrPending for another. A record that failed is a *Failure.
func (f *Future) Result() (Result, error) {
	if f.ended.Load() != &over {
		return Result{}, ErrPending
	}
	if f.failure != nil {
		failure := *f.failure
		failure.Unknown = f.uncertain
		failure.Attempts = append(f.attempts.all(), failure.Attempts...)
		return Result{}, &failure
	}
	last := f.attempts
	return Result{ShardID: last.ShardID, SequenceNumber: last.SequenceNumber, SubSequenceNumber: int64(f.sub), Attempts: last.all()}, nil
}

// Err is nil for a record that is acknowledged, ErrPending for one that is not done, and the *Failure of another. It costs less than Result.
func (f *Future) Err() error {
	if f.ended.Load() == &over && f.failure == nil {
		return nil
	}
	_, err := f.Result()
	return err
}

// Record is what was put.
func (f *Future) Record() (partitionKey, explicitHashKey string, data []byte) {
	return f.key, f.explicit, f.data
}

// size is what the record counts for: data and key, in bytes.
func (f *Future) size() int { return len(f.data) + len(f.key) }

// attempted notes one more sending. Records with the same history share it.
func (f *Future) attempted(last *attempts) {
	if f.attempts == nil {
		f.attempts = last
		return
	}
	f.attempts = &attempts{last.Attempt, f.attempts}
}

func (a *attempts) count() int {
	n := 0
	for one := a; one != nil; one = one.before {
		n++
	}
	return n
}

// all is the attempts from the first on.
func (a *attempts) all() []Attempt {
	n := a.count()
	list := make([]Attempt, n)
	for one := a; one != nil; one = one.before {
		n--
		list[n] = one.Attempt
	}
	return list
}
