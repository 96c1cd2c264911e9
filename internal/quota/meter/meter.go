// Package meter counts what shards take and give, and says when that is more than they may.
//
// It owns the buckets: how a rate and a burst become yes or no, and what is counted on the way. The figures are quota's, the words of a
// refusal belong to whoever refuses, and what is done about a busy stream is decided where streams scale.
//
// Nothing here has a clock, a goroutine or a map that grows with what customers send: the time is an argument, and its monotonic reading, when
// it has one, is what counts.
//
// Read Shard, then bucket.go.
package meter

import (
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/quota"
)

// Limits is how much a shard takes and gives in a second, in either mode of its stream.
type Limits struct {
	WriteBytes    int64 // of data and partition keys
	WriteRecords  int64
	ReadBytes     int64 // by GetRecords, data and partition keys
	ReadCalls     int64 // of GetRecords
	IteratorCalls int64 // of GetShardIterator
	FanOutBytes   int64 // by SubscribeToShard to one consumer, data and partition keys
}

// LimitsOf takes the limits of a shard from a quota table.
func LimitsOf(t *quota.Table) *Limits {
	return &Limits{
		WriteBytes:    t.Get(quota.ShardWriteBytes),
		WriteRecords:  t.Get(quota.ShardWriteRecords),
		ReadBytes:     t.Get(quota.ShardReadBytes),
		ReadCalls:     t.Get(quota.ShardReadCalls),
		IteratorCalls: t.Get(quota.IteratorCalls),
		FanOutBytes:   t.Get(quota.FanOutBytes),
	}
}

// Counts is what a shard has taken and given since its meter was made.
type Counts struct {
	InBytes, InRecords   int64 // written: data and partition keys
	InRefused            int64 // records that were over the limit
	OutBytes, OutRecords int64 // read by GetRecords
	OutRefused           int64 // GetRecords calls that were over the limit
}

// Shard is the meter of one shard. The zero value has full buckets. It is safe for concurrent use.
//
// A request takes one lock for all its records in the shard, not one for each: at 250,000 records a second in requests of 500 over four shards
// that is 2,000 locks a second.
type Shard struct {
	writes struct {
		mu             sync.Mutex // guards the rest
		bytes, records bucket
		counts         Counts // the In… ones
	}
	reads struct {
		mu               sync.Mutex // guards the rest
		bytes            bucket
		owing            bool // more was given than a second's worth: nothing until all of it is paid off
		calls, iterators bucket
		counts           Counts // the Out… ones
	}
}

// Write takes room for records of bytes together, all of them or none, and says which. largest is the size of the largest record that the stream
// allows, in bytes. With no limits everything is taken, and counted.
//
// The burst is one second's worth; in a stream of large records it is the largest one (Kinesis developer guide, Handle large records: "burst up to
// 10 MiB while averaging out to 1 MiB per second"), so that such a record finds its room after as many quiet seconds as it has MiB.
func (s *Shard) Write(now time.Time, l *Limits, records int, bytes, largest int64) bool {
	w := &s.writes
	w.mu.Lock()
	defer w.mu.Unlock()
	if l != nil {
		if !w.records.fits(now, l.WriteRecords, l.WriteRecords, int64(records)) || !w.bytes.fits(now, l.WriteBytes, max(l.WriteBytes, largest), bytes) {
			return false
		}
		w.records.take(now, l.WriteRecords, int64(records))
		w.bytes.take(now, l.WriteBytes, bytes)
	}
	w.counts.InRecords += int64(records)
	w.counts.InBytes += bytes
	return true
}

// Refused counts records that Write had no room for, and that the caller will not try again.
func (s *Shard) Refused(records int) {
	s.writes.mu.Lock()
	defer s.writes.mu.Unlock()
	s.writes.counts.InRefused += int64(records)
}

// Read says whether a GetRecords call may read now, and counts it when it may. Follow it with Gave.
//
// A second's worth may be given in one go. Who was given more waits until all of it is paid off: five seconds after 10 MiB (API_GetRecords).
func (s *Shard) Read(now time.Time, l *Limits) bool {
	if l == nil {
		return true
	}
	r := &s.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owing = r.owing && r.bytes.ahead(now) > 0
	if r.owing || l.ReadBytes <= 0 || r.bytes.ahead(now) >= time.Second || !r.calls.fits(now, l.ReadCalls, l.ReadCalls, 1) {
		r.counts.OutRefused++
		return false
	}
	r.calls.take(now, l.ReadCalls, 1)
	return true
}

// Gave charges what a GetRecords call was answered with.
func (s *Shard) Gave(now time.Time, l *Limits, records int, bytes int64) {
	r := &s.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.OutRecords += int64(records)
	r.counts.OutBytes += bytes
	if l == nil {
		return
	}
	r.bytes.take(now, l.ReadBytes, bytes)
	r.owing = r.owing || r.bytes.ahead(now) > time.Second+slack
}

// Iterator says whether a GetShardIterator call may be served now, and counts it when it may.
func (s *Shard) Iterator(now time.Time, l *Limits) bool {
	if l == nil {
		return true
	}
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	if !s.reads.iterators.fits(now, l.IteratorCalls, l.IteratorCalls, 1) {
		return false
	}
	s.reads.iterators.take(now, l.IteratorCalls, 1)
	return true
}

// Counts is what the shard has taken and given so far.
func (s *Shard) Counts() Counts {
	s.writes.mu.Lock()
	counts := s.writes.counts
	s.writes.mu.Unlock()
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	counts.OutBytes, counts.OutRecords, counts.OutRefused = s.reads.counts.OutBytes, s.reads.counts.OutRecords, s.reads.counts.OutRefused
	return counts
}
