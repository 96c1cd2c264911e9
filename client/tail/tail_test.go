package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// shard is one shard of the fake stream.
type shard struct {
	parents  []string
	children []types.ChildShard // of a closed shard
	closed   bool
	records  []string
}

// stream is a fake of Kinesis that pages by two records and fails as told. Record "a" arrived at second 0, "b" at second 1.
type stream struct {
	mu     sync.Mutex // guards everything below
	shards map[string]*shard
	listed []string
	calls  int
	fail   func(call int) error // of GetRecords
	types  []string             // iterator types asked for
	starts map[string]string    // of each shard, the first one
	paged  func(page int)       // after each page of the list
	// failShard makes GetRecords of a shard fail, failList the list. May be nil.
	failShard func(id string) error
	failList  func() error
}

func (s *stream) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failList != nil {
		if err := s.failList(); err != nil {
			return nil, err
		}
	}
	start := 0
	if in.NextToken != nil {
		start, _ = strconv.Atoi(*in.NextToken)
	}
	out := &kinesis.ListShardsOutput{}
	for i := start; i < len(s.listed); i++ {
		if i == start+2 {
			out.NextToken = aws.String(strconv.Itoa(i))
			break
		}
		id := s.listed[i]
		one := types.Shard{ShardId: aws.String(id), SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: aws.String("0")}}
		if s.shards[id].closed {
			one.SequenceNumberRange.EndingSequenceNumber = aws.String("9")
		}
		for n, parent := range s.shards[id].parents {
			if n == 0 {
				one.ParentShardId = aws.String(parent)
			} else {
				one.AdjacentParentShardId = aws.String(parent)
			}
		}
		out.Shards = append(out.Shards, one)
	}
	if s.paged != nil {
		s.paged(start / 2)
	}
	return out, nil
}

func (s *stream) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.types = append(s.types, string(in.ShardIteratorType))
	one := s.shards[*in.ShardId]
	if one == nil {
		return nil, &types.ResourceNotFoundException{Message: aws.String("no such shard")}
	}
	if s.starts == nil {
		s.starts = map[string]string{}
	}
	if s.starts[*in.ShardId] == "" {
		s.starts[*in.ShardId] = string(in.ShardIteratorType)
	}
	at := 0
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeLatest:
		at = len(one.records)
	case types.ShardIteratorTypeAtTimestamp:
		for at < len(one.records) && int64(one.records[at][0]-'a') < in.Timestamp.Unix() {
			at++
		}
	case types.ShardIteratorTypeAfterSequenceNumber:
		at, _ = strconv.Atoi(*in.StartingSequenceNumber)
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprintf("%s/%d", *in.ShardId, at))}, nil
}

func (s *stream) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		if err := s.fail(s.calls); err != nil {
			return nil, err
		}
	}
	id, place, _ := strings.Cut(*in.ShardIterator, "/")
	at, _ := strconv.Atoi(place)
	if s.failShard != nil {
		if err := s.failShard(id); err != nil {
			return nil, err
		}
	}
	one := s.shards[id]
	if one == nil {
		return nil, &types.InvalidArgumentException{Message: aws.String("Invalid ShardIterator.")}
	}
	out := &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0)}
	for ; at < len(one.records) && len(out.Records) < 2; at++ {
		out.Records = append(out.Records, types.Record{Data: []byte(one.records[at]), SequenceNumber: aws.String(strconv.Itoa(at + 1)), PartitionKey: aws.String("k")})
	}
	if left := len(one.records) - at; left > 0 {
		out.MillisBehindLatest = aws.Int64(int64(left) * 1000)
	}
	if one.closed && at == len(one.records) {
		out.ChildShards = one.children
		return out, nil
	}
	out.NextShardIterator = aws.String(fmt.Sprintf("%s/%d", id, at))
	return out, nil
}

func child(id string, parents ...string) types.ChildShard {
	return types.ChildShard{ShardId: aws.String(id), ParentShards: parents}
}

// resharded is a stream whose shard 0 was split into 1 and 2, which were merged to 3.
func resharded(listed ...string) *stream {
	return &stream{listed: listed, shards: map[string]*shard{
		"0": {closed: true, records: []string{"a", "b", "c"}, children: []types.ChildShard{child("1", "0"), child("2", "0")}},
		"1": {closed: true, parents: []string{"0"}, records: []string{"d", "e"}, children: []types.ChildShard{child("3", "1", "2")}},
		"2": {closed: true, parents: []string{"0"}, records: []string{"f"}, children: []types.ChildShard{child("3", "1", "2")}},
		"3": {parents: []string{"1", "2"}, records: []string{"g", "h", "i"}},
	}}
}

func collect(t *testing.T, s *stream, opts Options) []string {
	t.Helper()
	opts.Sleep = func(context.Context, time.Duration) error { return nil }
	var got []string
	err := New(s, "x", opts).Run(context.Background(), func(b Batch) error {
		for _, r := range b.Records {
			got = append(got, string(r.Data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Shows that every record of a resharded stream comes once, children after all their parents, also when the children were
// not listed at the beginning.
func TestReshard(t *testing.T) {
	for _, listed := range [][]string{{"0", "1", "2", "3"}, {"0"}, {"3", "2", "1", "0"}, {"1", "2"}} {
		got := collect(t, resharded(listed...), Options{UntilEnd: true})
		want := "abcdefghi"
		if len(listed) == 2 {
			want = "defghi" // the parent expired
		}
		sorted := slices.Sorted(slices.Values(got))
		if strings.Join(sorted, "") != want {
			t.Errorf("listed %v: read %v", listed, got)
		}
		at := func(x string) int { return slices.Index(got, x) }
		if at("g") < at("e") || at("g") < at("f") || at("d") < at("c") || at("f") < at("c") {
			t.Errorf("listed %v: a child before its parent: %v", listed, got)
		}
	}
}

// Shows that from the latest record on only open shards are read, and from a time on the children are read from that time too.
func TestFrom(t *testing.T) {
	s := resharded("0", "1", "2", "3")
	if got := collect(t, s, Options{UntilEnd: true, From: types.ShardIteratorTypeLatest}); len(got) != 0 || len(s.types) != 1 {
		t.Errorf("read %v by %v", got, s.types)
	}
	s = resharded("0")
	if got := collect(t, s, Options{UntilEnd: true, From: types.ShardIteratorTypeAtTimestamp, At: time.Unix(5, 0)}); strings.Join(got, "") != "fghi" {
		t.Errorf("read %v", got)
	}
	if want := strings.Repeat("AT_TIMESTAMP ", 4); strings.Join(s.types, " ")+" " != want {
		t.Errorf("iterators %v", s.types)
	}
}

// Shows that after an expired iterator, a refused read or a lost answer the reading goes on where it was.
func TestGoesOn(t *testing.T) {
	for _, cause := range []error{&types.ExpiredIteratorException{}, &types.ProvisionedThroughputExceededException{}, errors.New("reset by peer")} {
		s := resharded("0", "1", "2", "3")
		s.fail = func(call int) error {
			if call%2 == 0 {
				return cause
			}
			return nil
		}
		if got := collect(t, s, Options{UntilEnd: true}); len(got) != 9 {
			t.Errorf("after %T: read %v", cause, got)
		}
	}
}

// Shows what ends a reading: an error that asking again does not help, the caller's error, ErrStop, and the context.
func TestEnds(t *testing.T) {
	s := resharded("3")
	s.fail = func(int) error { return &types.ResourceNotFoundException{} }
	if err := New(s, "x", Options{}).Run(context.Background(), func(Batch) error { return nil }); err == nil {
		t.Error("a stream that is gone is read on")
	}
	own := errors.New("own")
	if err := New(resharded("0"), "x", Options{}).Run(context.Background(), func(Batch) error { return own }); !errors.Is(err, own) {
		t.Errorf("error %v", err)
	}
	if err := New(resharded("0"), "x", Options{}).Run(context.Background(), func(Batch) error { return ErrStop }); err != nil {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := New(resharded("3"), "x", Options{}).Run(ctx, func(b Batch) error {
		if b.Behind == 0 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
