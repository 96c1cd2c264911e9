package producer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/producer"
)

// fake is a stream in memory: shards that split and merge, and what they hold. A test says what it refuses.
type fake struct {
	mu       sync.Mutex
	shards   []*fakeShard // by id
	sequence int
	requests [][]types.PutRecordsRequestEntry
	lists    int
	inFlight map[string]int // by shard: entries in requests that are not answered

	// Hooks, called without mu. All may be nil.
	before  func(call int, in *kinesis.PutRecordsInput) error // fails the request; nothing is taken
	after   func(call int) error                              // fails the answer; everything is taken
	refuse  func(call, i int) string                          // the code with which an entry is refused
	listing func(call int) error                              // fails ListShards
	stale   func(call int) bool                               // ListShards tells what it told before
	told    []types.Shard
}

type fakeShard struct {
	id     string
	hash   record.HashRange
	closed bool
	stored []stored
}

// stored is a record of the stream.
type stored struct {
	sequence      string
	key, explicit string
	data          []byte
}

func newFake(shards int) *fake {
	f := &fake{inFlight: map[string]int{}}
	for _, r := range record.UniformRanges(shards) {
		f.grow(r)
	}
	return f
}

// grow adds a shard. The caller holds mu, or is alone.
func (f *fake) grow(r record.HashRange) {
	f.shards = append(f.shards, &fakeShard{id: fmt.Sprintf("shardId-%012d", len(f.shards)), hash: r})
}

func (f *fake) open() (open []*fakeShard) {
	for _, s := range f.shards {
		if !s.closed {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(a, b *fakeShard) int { return a.hash.Start.Cmp(b.hash.Start) })
	return open
}

// split halves the i-th open shard; merge joins it with the next.
func (f *fake) split(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.open()[i]
	width := s.hash.End.Sub(s.hash.Start)
	middle := s.hash.Start.Add(record.HashKey{Hi: width.Hi / 2, Lo: width.Lo / 2})
	s.closed = true
	f.grow(record.HashRange{Start: s.hash.Start, End: middle})
	f.grow(record.HashRange{Start: middle.Next(), End: s.hash.End})
}

func (f *fake) merge(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, b := f.open()[i], f.open()[i+1]
	a.closed, b.closed = true, true
	f.grow(record.HashRange{Start: a.hash.Start, End: b.hash.End})
}

func (f *fake) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	f.mu.Lock()
	call := len(f.requests)
	kept := slices.Clone(in.Records)
	for i := range kept {
		kept[i].Data = slices.Clone(kept[i].Data)
	}
	f.requests = append(f.requests, kept)
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(call, in); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := &kinesis.PutRecordsOutput{}
	f.mu.Lock()
	for i, r := range in.Records {
		hash, err := record.ParseHashKey(aws.ToString(r.ExplicitHashKey))
		if err != nil {
			f.mu.Unlock()
			return nil, err
		}
		if f.refuse != nil {
			if code := f.refuse(call, i); code != "" {
				out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: &code, ErrorMessage: aws.String("refused by the test")})
				continue
			}
		}
		for _, s := range f.open() {
			if s.hash.Contains(hash) {
				f.sequence++
				sequence := strconv.Itoa(f.sequence)
				s.stored = append(s.stored, stored{sequence, *r.PartitionKey, *r.ExplicitHashKey, slices.Clone(r.Data)})
				out.Records = append(out.Records, types.PutRecordsResultEntry{ShardId: aws.String(s.id), SequenceNumber: &sequence})
			}
		}
	}
	f.mu.Unlock()
	if f.after != nil {
		if err := f.after(call); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fake) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	f.mu.Lock()
	call := f.lists
	f.lists++
	f.mu.Unlock()
	if f.listing != nil {
		if err := f.listing(call); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale != nil && f.stale(call) {
		return &kinesis.ListShardsOutput{Shards: f.told}, nil
	}
	out := &kinesis.ListShardsOutput{}
	for _, s := range f.shards {
		if s.closed && in.ShardFilter != nil && in.ShardFilter.Type == types.ShardFilterTypeAtLatest {
			continue
		}
		out.Shards = append(out.Shards, types.Shard{ShardId: aws.String(s.id), HashKeyRange: &types.HashKeyRange{
			StartingHashKey: aws.String(s.hash.Start.String()), EndingHashKey: aws.String(s.hash.End.String())}})
	}
	f.told = out.Shards
	return out, nil
}

func (f *fake) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// place is where a user record is.
type place struct {
	shard, sequence string
	sub             int64
}

// found is a user record as a consumer sees it.
type found struct {
	record.UserRecord
	place
}

// read is what a consumer sees of all shards, parents before children: what is packed with a record whose hash key is outside the shard's range is passed over, and counted.
func (f *fake) read(t testing.TB) (all []found, astray int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.shards {
		for _, one := range s.stored {
			records, packed, err := record.Deaggregate(one.key, one.data)
			if err != nil {
				t.Fatal(err)
			}
			var here []found
			for _, r := range records {
				if !packed {
					r.ExplicitHashKey = one.explicit
				}
				hash, err := r.HashKey()
				if err != nil {
					t.Fatal(err)
				}
				if s.hash.Contains(hash) {
					here = append(here, found{r, place{s.id, one.sequence, int64(r.SubSequence)}})
				}
			}
			if len(here) < len(records) {
				astray++
				continue
			}
			all = append(all, here...)
		}
	}
	return all, astray
}

// begin makes a Producer for a test and closes it at the end.
func begin(t testing.TB, o producer.Options) *producer.Producer {
	t.Helper()
	p, err := producer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // a test that wants its records sent has seen to it
		_ = p.Close(ctx)
	})
	return p
}

func put(t testing.TB, p *producer.Producer, key, data string) *producer.Future {
	t.Helper()
	f, err := p.Put(context.Background(), producer.UserRecord{Stream: "s", PartitionKey: key, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// patience is long, so that a busy machine fails no test.
const patience = 30 * time.Second

// until waits for a condition of goroutines that no channel tells about.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// done waits for a Future.
func done(t testing.TB, f *producer.Future) (producer.Result, *producer.Failure) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := f.Wait(ctx)
	var failure *producer.Failure
	if err != nil && !errors.As(err, &failure) {
		t.Fatal(err)
	}
	return r, failure
}

// fast is a clock that goes twenty times as fast as the machine's, so that back-offs of seconds do not make a test slow.
type fast struct{ began time.Time }

const faster = 20

func (f fast) Now() time.Time { return f.began.Add(faster * time.Since(f.began)) }

func (f fast) NewTimer(d time.Duration) clock.Timer { return clock.Real.NewTimer(d / faster) }
