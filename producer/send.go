package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/report"
)

// The partition key of everything that is packed: where it goes is said by its explicit hash key. Source: the KPL.
var packedKey = aws.String("a")

// throttled is the code of a shard's limits (API_PutRecords).
const throttled = "ProvisionedThroughputExceededException"

// dispatch sends entries, on a goroutine of their own. The caller has a connection.
func (s *stream) dispatch(entries []*entry, now instant) {
	s.p.running.Add(1)
	go func() {
		defer s.p.running.Done()
		s.send(entries, now)
	}()
}

// send makes one PutRecords and acts on the answer.
func (s *stream) send(entries []*entry, began instant) {
	in := &kinesis.PutRecordsInput{Records: make([]types.PutRecordsRequestEntry, len(entries))}
	in.StreamName, in.StreamARN = nameOrARN(s.name)
	for i, e := range entries {
		in.Records[i] = e.wire()
	}
	ctx, cancel := s.p.withTimeout()
	body := bodies.Get().(*body)
	out, err := s.p.opts.API.PutRecords(ctx, in, body.asWeSend)
	if err == nil {
		bodies.Put(body)
	}
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = errTimeout
	}
	cancel()
	s.p.disconnect()
	for _, e := range entries {
		e.answered()
	}
	ended := s.p.now()
	if err == nil && len(out.Records) != len(entries) {
		err = &smithy.GenericAPIError{Code: "Record Count Mismatch", Message: fmt.Sprintf("%d records were sent and %d answered", len(entries), len(out.Records)), Fault: smithy.FaultServer}
	}
	s.measureRequest(entries, ended-began)
	if err != nil {
		s.refused(entries, err, began, ended)
		return
	}
	if s.recovered() {
		s.wake()
	}
	for i, e := range entries {
		answer := &out.Records[i]
		attempt := Attempt{Began: s.p.at(began), Ended: s.p.at(ended)}
		if aws.ToString(answer.SequenceNumber) == "" {
			attempt.ErrorCode, attempt.ErrorMessage = aws.ToString(answer.ErrorCode), aws.ToString(answer.ErrorMessage)
			// A service that failed inside does not know what it did.
			uncertain := attempt.ErrorCode == "InternalFailure"
			e.lane.meter.put(kinesisRecordsPut, one(0))
			e.lane.meter.failed(attempt.ErrorCode)
			s.retry(e, attempt, s.p.opts.FailIfThrottled && attempt.ErrorCode == throttled, uncertain, ended)
			continue
		}
		attempt.ShardID, attempt.SequenceNumber = aws.ToString(answer.ShardId), aws.ToString(answer.SequenceNumber)
		e.lane.meter.put(kinesisRecordsPut, one(1))
		e.lane.meter.put(kinesisRecordsDataPut, one(float64(e.bytes)))
		e.lane.meter.put(allErrors, one(0))
		s.judge(&landed{entry: e, attempt: attempt, shard: attempt.ShardID, ended: ended}, false)
	}
}

// wire is the entry as it is sent.
func (e *entry) wire() types.PutRecordsRequestEntry {
	f := e.futures[0]
	hash := aws.String(f.hash.String())
	if e.packed == nil {
		data := f.data
		if data == nil {
			data = []byte{}
		}
		return types.PutRecordsRequestEntry{Data: data, PartitionKey: &f.key, ExplicitHashKey: hash}
	}
	e.data, _ = buffers.Get().(*[]byte)
	if e.data == nil {
		e.data = new([]byte)
	}
	*e.data = e.packed.AppendTo((*e.data)[:0])
	e.discard()
	return types.PutRecordsRequestEntry{Data: *e.data, PartitionKey: packedKey, ExplicitHashKey: hash}
}

// buffers are for the data of packed entries, from the making of a request to its answer.
var buffers sync.Pool // of *[]byte

// answered gives an entry's buffer back.
func (e *entry) answered() {
	if e.data != nil {
		buffers.Put(e.data)
		e.data = nil
	}
}

// landed is an entry that some shard has taken.
type landed struct {
	entry   *entry
	attempt Attempt
	shard   string
	ended   instant
	sought  bool // its shard was looked for
}

// judge ends the records of an entry that was taken. If the shard does not have the hash key of each of them, all go again: the KCL, and the consumer of this module, drop a packed record
// of which any part does not belong to its shard. When the shard's range is not known, the entry waits until it was learnt; last says that this was tried.
func (s *stream) judge(one *landed, last bool) {
	e := one.entry
	if one.shard == e.lane.shard && !s.p.opts.Ordered {
		s.succeed(e.futures, one)
		return
	}
	belongs := one.shard == e.lane.shard || len(e.futures) == 1 // the hash key of a record alone is where it went, so it is right in any shard
	s.mu.Lock()
	s.surprise(one)
	if !belongs {
		known, ok := s.learner.known[one.shard]
		if !ok && !last && s.table.Load() != nil {
			s.unjudged = append(s.unjudged, one)
			s.mu.Unlock()
			s.wake()
			return
		}
		belongs = ok && !slices.ContainsFunc(e.futures, func(f *Future) bool { return !known.hash.Contains(f.hash) })
	}
	s.mu.Unlock()
	if !belongs {
		attempt := one.attempt
		attempt.ErrorCode, attempt.ErrorMessage = CodeWrongShard, "it was packed with others, and "+one.shard+" does not have the hash keys of all"
		s.retry(e, attempt, false, false, one.ended)
		return
	}
	s.succeed(e.futures, one) // before others of the same keys may go, so that Done is called in order
	s.mu.Lock()
	s.land(e)
	s.mu.Unlock()
	s.wake()
}

// surprise asks for another table when a record went where none was expected. The caller holds s.mu.
func (s *stream) surprise(one *landed) {
	t := s.table.Load()
	if one.shard != one.entry.lane.shard && one.entry.lane.shard != "" && t != nil && t.of(one.shard) == nil {
		s.doubt()
	}
}

// succeed ends records that are where they belong.
func (s *stream) succeed(futures []*Future, one *landed) {
	shared := &attempts{Attempt: one.attempt}
	began := s.p.since(one.attempt.Began)
	var gone departure
	var buffered, retries, put, data report.Set
	for i, f := range futures {
		f.sub = int32(i)
		if s.meter != nil {
			buffered.Include(milliseconds(began - s.p.sentBefore(f)))
			retries.Include(float64(f.attempts.count()))
			put.Include(1)
			data.Include(float64(len(f.data)))
		}
		f.attempted(shared)
		gone.add(f)
		f.end()
	}
	m := s.meterOf(one)
	m.put(bufferingTime, buffered)
	m.put(retriesPerRecord, retries)
	m.put(userRecordsPut, put)
	m.put(userRecordsDataPut, data)
	s.p.depart(futures, &gone)
}

// refused acts on a request that failed as a whole.
func (s *stream) refused(entries []*entry, err error, began, ended instant) {
	attempt := Attempt{Began: s.p.at(began), Ended: s.p.at(ended), ErrorCode: CodeNoAnswer, ErrorMessage: err.Error()}
	var api smithy.APIError
	uncertain := !errors.Is(err, syscall.ECONNREFUSED)
	if errors.As(err, &api) {
		attempt.ErrorCode, attempt.ErrorMessage = api.ErrorCode(), api.ErrorMessage()
		uncertain = api.ErrorFault() != smithy.FaultClient
	}
	s.meter.failed(attempt.ErrorCode)
	final := !client.Retriable(err) && !errors.Is(err, errTimeout) && !errors.Is(err, context.Canceled) || s.p.opts.FailIfThrottled && attempt.ErrorCode == throttled
	if !final {
		s.mu.Lock()
		s.pause = min(max(pauseFirst, 2*s.pause), pauseMost)
		s.pausedTo = ended + s.pause
		s.mu.Unlock()
	}
	for _, e := range entries {
		s.retry(e, attempt, final, uncertain, ended)
	}
}

// recovered ends the pause after failures, and says whether there was one.
func (s *stream) recovered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.pause != 0
	s.pause, s.pausedTo = 0, 0
	return was
}

// retry gives the records of an entry back to their lanes, or ends them when that is final or their time is over.
func (s *stream) retry(e *entry, attempt Attempt, final, uncertain bool, now instant) {
	var back, expired []*Future
	var buffered report.Set
	shared := &attempts{Attempt: attempt}
	for _, f := range e.futures {
		f.uncertain = f.uncertain || uncertain
		buffered.Include(milliseconds(s.p.since(attempt.Began) - s.p.sentBefore(f)))
		if final {
			continue // its attempt is the failure's
		}
		f.attempted(shared)
		if f.arrived+s.p.opts.RecordTtl <= now {
			expired = append(expired, f)
		} else {
			back = append(back, f)
		}
	}
	e.lane.meter.put(bufferingTime, buffered)
	if final {
		s.end(e.futures, &Failure{Code: attempt.ErrorCode, Message: attempt.ErrorMessage, Attempts: []Attempt{attempt}})
	}
	s.fail(expired, CodeExpired, "not acknowledged within RecordTtl", now)
	s.mu.Lock()
	var left []*Future
	if s.p.isAborted() {
		left = back
	} else {
		left = s.again(back, now)
	}
	s.land(e)
	s.mu.Unlock()
	s.fail(left, CodeClosed, "the producer was closed", now)
	s.wake()
}

// fail ends records that nobody has taken, for a reason of ours.
func (s *stream) fail(futures []*Future, code, message string, now instant) {
	if len(futures) > 0 {
		at := s.p.at(now)
		s.end(futures, &Failure{Code: code, Message: message, Attempts: []Attempt{{Began: at, Ended: at, ErrorCode: code, ErrorMessage: message}}})
	}
}

// end ends records without success.
func (s *stream) end(futures []*Future, failure *Failure) {
	var gone departure
	var retries, put, expired report.Set
	for _, f := range futures {
		f.failure = failure
		if failure.Code == CodeClosed {
			s.p.abandoned(f.uncertain)
		}
		retries.Include(float64(f.attempts.count()))
		put.Include(0)
		expired.Include(1)
		gone.add(f)
		f.end()
	}
	s.meter.put(retriesPerRecord, retries)
	s.meter.put(userRecordsPut, put)
	if failure.Code == CodeExpired {
		s.meter.put(userRecordExpired, expired)
	}
	s.p.depart(futures, &gone)
}
