package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/test/history"
)

const (
	reshardStream = "tolls"
	reshardOpen   = 8 // open shards: more are merged, fewer are split
)

// TestKillWhileResharding shows that nothing acknowledged over the API is lost, doubled or reordered by kill -9 while shards are split and merged: a server
// process is killed within milliseconds of a SplitShard or MergeShards that it answered, again and again on one directory, under puts. In
// the end everything is read and judged as test/history judges.
func TestKillWhileResharding(t *testing.T) {
	kills, seed := killsAndSeed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	told := &told{}
	for i := range 4 {
		told.writers = append(told.writers, &writer{number: i, rand: rand.New(rand.NewPCG(seed, uint64(100+i)))})
	}
	for range kills {
		s := startServer(t, dir)
		if err := told.live(s, r); err != nil {
			s.kill()
			t.Fatal(err)
		}
		s.kill()
	}
	s := startServer(t, dir)
	defer s.kill()
	h, err := told.history(s)
	if err != nil {
		t.Fatal(err)
	}
	wrong := history.Check(h)
	for _, w := range told.writers {
		wrong = append(wrong, w.surprises...)
	}
	if len(wrong) > 0 {
		t.Errorf("after %d kills:\n  %s", kills, strings.Join(wrong[:min(len(wrong), 20)], "\n  "))
	}
	acked := 0
	for i := range h.Attempts {
		if h.Attempts[i].Outcome == history.Acknowledged {
			acked++
		}
	}
	t.Logf("%d kills, %d shards, %d records put, %d acknowledged", kills, len(h.Final), len(h.Attempts), acked)
	if len(h.Final) < kills || acked == 0 {
		t.Error("the server was not at work")
	}
}

// told is what all servers so far have said.
type told struct {
	writers []*writer
	views   []history.View
}

// live puts and reshards until a moment after the server has answered a few times that it reshards.
func (h *told) live(s *server, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = s.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String(reshardStream), ShardCount: aws.Int32(2)}) // or it is there
	often := func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 20*time.Millisecond
	}
	if err := kinesis.NewStreamExistsWaiter(s, often).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String(reshardStream)}, 30*time.Second); err != nil {
		return fmt.Errorf("the stream does not become ACTIVE after a kill: %w", err)
	}
	var writing sync.WaitGroup
	stop, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	for _, w := range h.writers {
		writing.Go(func() { w.run(stop, s) })
	}
	for left := 1 + r.IntN(5); left > 0; {
		shards, err := list(ctx, s)
		if err != nil {
			return err
		}
		h.views = append(h.views, shards)
		if reshard(ctx, s, shards, r) == nil { // refused while the last one goes on
			left--
		}
	}
	moment := time.NewTimer(time.Duration(r.IntN(8000)) * time.Microsecond)
	<-moment.C
	s.kill()
	stopWriting()
	writing.Wait()
	return nil
}

// reshard splits a shard or merges two.
func reshard(ctx context.Context, s *server, shards history.View, r *rand.Rand) error {
	var open []catalog.Shard
	for _, shard := range shards {
		if shard.Status == catalog.Open {
			open = append(open, shard)
		}
	}
	i := r.IntN(len(open))
	if r.IntN(reshardOpen) < len(open) {
		for j := range open {
			if open[i].Range.End != record.MaxHashKey && open[j].Range.Start == open[i].Range.End.Next() {
				_, err := s.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: aws.String(reshardStream),
					ShardToMerge: aws.String(streams.ShardID(open[i].Number)), AdjacentShardToMerge: aws.String(streams.ShardID(open[j].Number))})
				return err
			}
		}
	}
	_, err := s.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String(reshardStream),
		ShardToSplit: aws.String(streams.ShardID(open[i].Number)), NewStartingHashKey: aws.String(open[i].Range.Middle().String())})
	return err
}

// writer puts records of its own keys, one request after the other.
type writer struct {
	number   int
	rand     *rand.Rand
	attempts []history.Attempt

	surprises []string // answers that no put should get while shards are split and merged
}

func (w *writer) run(ctx context.Context, s *server) {
	for ctx.Err() == nil {
		first := len(w.attempts)
		var entries []types.PutRecordsRequestEntry
		for range 1 + w.rand.IntN(10) {
			key := fmt.Sprintf("%d-%d", w.number, w.rand.IntN(6))
			id := fmt.Sprintf("%s#%d", key, len(w.attempts))
			w.attempts = append(w.attempts, history.Attempt{ID: id, Key: key, Hash: record.HashKeyOf([]byte(key))})
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: &key, Data: []byte(id)})
		}
		answer, err := s.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(reshardStream), Records: entries}, once)
		if err != nil {
			var refused smithy.APIError
			if errors.As(err, &refused) { // it was not killed: it answered
				w.surprises = append(w.surprises, err.Error())
			}
			return
		}
		for i, result := range answer.Records {
			if a := &w.attempts[first+i]; result.ErrorCode == nil {
				a.Outcome = history.Acknowledged
				a.Shard, _ = streams.ParseShardID(*result.ShardId)
				a.Sequence, _ = record.ParseSequenceNumber(*result.SequenceNumber)
			} else {
				w.surprises = append(w.surprises, *result.ErrorCode+": "+*result.ErrorMessage)
			}
		}
	}
}

// list is every shard that the server lists, as the catalog has it but for where a closed one ends, which it does not tell.
func list(ctx context.Context, s *server) (history.View, error) {
	var view history.View
	in := &kinesis.ListShardsInput{StreamName: aws.String(reshardStream)}
	for {
		page, err := s.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		for i := range page.Shards {
			shard, err := described(&page.Shards[i])
			if err != nil {
				return nil, err
			}
			view = append(view, shard)
		}
		if page.NextToken == nil {
			return view, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

func described(shard *types.Shard) (catalog.Shard, error) {
	number, _ := streams.ParseShardID(*shard.ShardId)
	first, err := record.ParseSequenceNumber(*shard.SequenceNumberRange.StartingSequenceNumber)
	if err != nil {
		return catalog.Shard{}, err
	}
	out := catalog.Shard{Number: number, Created: time.Unix(first.ShardCreated, 0).UTC(), Parent: parent(shard.ParentShardId), AdjacentParent: parent(shard.AdjacentParentShardId)}
	if out.Range.Start, err = record.ParseHashKey(*shard.HashKeyRange.StartingHashKey); err != nil {
		return catalog.Shard{}, err
	}
	if out.Range.End, err = record.ParseHashKey(*shard.HashKeyRange.EndingHashKey); err != nil {
		return catalog.Shard{}, err
	}
	if text := shard.SequenceNumberRange.EndingSequenceNumber; text != nil {
		last, err := record.ParseSequenceNumber(*text)
		if err != nil {
			return catalog.Shard{}, err
		}
		out.Status, out.End, out.ClosedAt = catalog.Closed, last.Position, time.Unix(last.ArrivalSecond, 0).UTC()
	}
	return out, nil
}

func parent(id *string) *uint32 {
	if id == nil {
		return nil
	}
	number, _ := streams.ParseShardID(*id)
	return &number
}

// history is all that was said, and what is there in the end.
func (h *told) history(s *server) (history.History, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := kinesis.NewStreamExistsWaiter(s).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: aws.String(reshardStream)}, time.Minute); err != nil {
		return history.History{}, err
	}
	shards, err := list(ctx, s)
	if err != nil {
		return history.History{}, err
	}
	out := history.History{Views: append(h.views, shards), Final: make(map[uint32][]history.Sighting)}
	for _, w := range h.writers {
		out.Attempts = append(out.Attempts, w.attempts...)
	}
	for _, shard := range shards {
		if out.Final[shard.Number], err = drain(ctx, s, shard.Number); err != nil {
			return out, err
		}
	}
	return out, nil
}

// drain is everything in a shard.
func drain(ctx context.Context, s *server, shard uint32) ([]history.Sighting, error) {
	seen := []history.Sighting{}
	start, err := s.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: aws.String(reshardStream), ShardId: aws.String(streams.ShardID(shard)), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		return nil, err
	}
	for iterator := start.ShardIterator; iterator != nil; {
		got, err := s.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return nil, err
		}
		for _, r := range got.Records {
			number, err := record.ParseSequenceNumber(*r.SequenceNumber)
			if err != nil {
				return nil, err
			}
			seen = append(seen, history.Sighting{ID: string(r.Data), Key: *r.PartitionKey, Sequence: number})
		}
		if iterator = got.NextShardIterator; len(got.Records) == 0 && *got.MillisBehindLatest == 0 {
			break
		}
	}
	return seen, nil
}
