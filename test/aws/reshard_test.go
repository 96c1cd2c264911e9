package aws

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// middle is 2^127, where the upper half of the key space begins.
const middle = "170141183460469231731687303715884105728"

func (s *session) shards(stream string) []types.Shard {
	s.t.Helper()
	return must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &stream}))(s).Shards
}

// split splits a shard and waits until the stream is ACTIVE.
func (s *session) split(stream, shard, at string) {
	s.t.Helper()
	must(s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: &shard, NewStartingHashKey: &at}))(s)
	s.active(stream)
}

// open is the open ones among shards, in order of hash key.
func open(shards []types.Shard) (out []types.Shard) {
	for _, shard := range shards {
		if shard.SequenceNumberRange.EndingSequenceNumber == nil {
			out = append(out, shard)
		}
	}
	start := func(shard types.Shard) *big.Int {
		key, _ := new(big.Int).SetString(*shard.HashKeyRange.StartingHashKey, 10)
		return key
	}
	slices.SortFunc(out, func(a, b types.Shard) int { return start(a).Cmp(start(b)) })
	return out
}

// drain is everything in a shard from its beginning, and what the answer at its end said of its children. GetRecords must say them in the answer that
// has no NextShardIterator, and in no other.
func (s *session) drain(stream, shard string) (records []types.Record, children []types.ChildShard) {
	s.t.Helper()
	iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	for {
		answer := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator}))(s)
		records = append(records, answer.Records...)
		if (answer.NextShardIterator == nil) != (len(answer.ChildShards) > 0) {
			s.t.Fatalf("an answer with the next iterator %v and %d children", answer.NextShardIterator, len(answer.ChildShards))
		}
		if answer.NextShardIterator == nil {
			return records, answer.ChildShards
		}
		iterator = *answer.NextShardIterator
	}
}

// TestSplitShard: the parent ends and is still read, its end names its children, they take over its keys, and numbers of a key grow across the split.
func TestSplitShard(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tolls", 1)
		first := s.put("tolls", "customer-7", "before")
		latest := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("tolls"), ShardId: first.ShardId, ShardIteratorType: types.ShardIteratorTypeLatest})
		s.split("tolls", "shardId-000000000000", middle)
		second := s.put("tolls", "customer-7", "after")
		if *second.ShardId == *first.ShardId || len(*second.SequenceNumber) != len(*first.SequenceNumber) || *second.SequenceNumber <= *first.SequenceNumber {
			s.t.Errorf("before: %s %s, after: %s %s", *first.ShardId, *first.SequenceNumber, *second.ShardId, *second.SequenceNumber)
		}
		shards := s.shards("tolls")
		if len(shards) != 3 || shards[0].SequenceNumberRange.EndingSequenceNumber == nil || *shards[1].ParentShardId != *first.ShardId || *shards[2].ParentShardId != *first.ShardId ||
			shards[1].AdjacentParentShardId != nil || *shards[2].HashKeyRange.StartingHashKey != middle {
			s.t.Fatalf("shards %+v", shards)
		}
		wholeRange(s.t, open(shards))
		if *shards[0].SequenceNumberRange.EndingSequenceNumber >= *shards[1].SequenceNumberRange.StartingSequenceNumber {
			s.t.Error("the child begins below the parent's end")
		}
		records, children := s.drain("tolls", *first.ShardId)
		if len(records) != 1 || string(records[0].Data) != "before" || len(children) != 2 {
			s.t.Fatalf("parent: %d records, children %+v", len(records), children)
		}
		for i, child := range children {
			if *child.ShardId != *shards[i+1].ShardId || !slices.Equal(child.ParentShards, []string{*first.ShardId}) || *child.HashKeyRange.StartingHashKey != *shards[i+1].HashKeyRange.StartingHashKey {
				s.t.Errorf("child %+v", child)
			}
		}
		if got := s.read(s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("tolls"), ShardId: second.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})); len(got) != 1 || string(got[0].Data) != "after" {
			s.t.Errorf("child holds %+v", got)
		}
		// An iterator from before the split comes to the end too.
		if answer := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &latest}))(s); answer.NextShardIterator != nil || len(answer.ChildShards) != 2 {
			s.t.Errorf("an iterator at the parent's end: %+v", answer)
		}
		if summary := s.active("tolls"); *summary.OpenShardCount != 2 {
			s.t.Errorf("%d open shards", *summary.OpenShardCount)
		}
		for _, row := range []struct {
			kind types.ShardFilterType
			want []int
		}{
			{types.ShardFilterTypeAtLatest, []int{1, 2}}, {types.ShardFilterTypeAtTrimHorizon, []int{0}}, {types.ShardFilterTypeFromTrimHorizon, []int{0, 1, 2}},
		} {
			input := filtered(types.ShardFilter{Type: row.kind})
			input.StreamName = aws.String("tolls")
			if got := indexes(must(s.ListShards(s.ctx, &input))(s).Shards); !slices.Equal(got, row.want) {
				s.t.Errorf("%s: shards %v, want %v", row.kind, got, row.want)
			}
		}
	})
}

// TestMergeShards: two parents, one child that names both.
func TestMergeShards(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tolls", 2)
		must(s.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: aws.String("tolls"), ShardToMerge: aws.String("0"), AdjacentShardToMerge: aws.String("shardId-000000000001")}))(s)
		s.active("tolls")
		shards := s.shards("tolls")
		if len(shards) != 3 || *shards[2].ParentShardId != "shardId-000000000000" || *shards[2].AdjacentParentShardId != "shardId-000000000001" {
			s.t.Fatalf("shards %+v", shards)
		}
		wholeRange(s.t, open(shards))
		for _, parent := range []string{"shardId-000000000000", "shardId-000000000001"} {
			_, children := s.drain("tolls", parent)
			if len(children) != 1 || !slices.Equal(children[0].ParentShards, []string{"shardId-000000000000", "shardId-000000000001"}) {
				s.t.Errorf("children of %s: %+v", parent, children)
			}
		}
	})
}

// TestUpdateShardCount: the numbers that AWS answers and ends with.
func TestUpdateShardCount(t *testing.T) {
	s := shared.plain(t)
	s.create("tolls", 4)
	for _, row := range []struct{ target, total int }{{5, 15}, {3, 17}} {
		before := len(open(s.shards("tolls")))
		answer := must(s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: aws.String("tolls"), TargetShardCount: aws.Int32(int32(row.target)), ScalingType: types.ScalingTypeUniformScaling}))(s)
		if int(*answer.CurrentShardCount) != before || int(*answer.TargetShardCount) != row.target || *answer.StreamARN != s.arn("tolls") || *answer.StreamName != "tolls" {
			t.Errorf("answer %+v", answer)
		}
		s.active("tolls")
		shards := s.shards("tolls")
		if len(shards) != row.total || len(open(shards)) != row.target {
			t.Errorf("to %d: %d shards, %d open; want %d in all", row.target, len(shards), len(open(shards)), row.total)
		}
		wholeRange(t, open(shards))
	}
}

// TestReshardErrors: a row is a request that AWS refuses.
func TestReshardErrors(t *testing.T) {
	s := shared.plain(t)
	s.create("tolls", 3)
	s.split("tolls", "shardId-000000000000", "4611686018427387904")
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("demand"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}}))(s)
	s.active("demand")
	split := func(stream, shard, at string) error {
		_, err := s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: &shard, NewStartingHashKey: &at})
		return err
	}
	merge := func(stream, shard, adjacent string) error {
		_, err := s.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: &stream, ShardToMerge: &shard, AdjacentShardToMerge: &adjacent})
		return err
	}
	count := func(stream string, target int32) error {
		_, err := s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: &stream, TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling})
		return err
	}
	for _, row := range []struct {
		name, code, pattern string
		err                 error
	}{
		{"split of no stream", "ResourceNotFoundException", `Stream none under account {account} not found\.`, split("none", "0", "9")},
		{"split of no shard", "ResourceNotFoundException", `Could not find shard shardId-000000000009 in stream tolls under account {account}\.`, split("tolls", "9", "9")},
		{"split of no id", "ResourceNotFoundException", `Could not find shard nine in stream tolls under account {account}\.`, split("tolls", "nine", "9")},
		{"split of a closed shard", "InvalidArgumentException", `Shard shardId-000000000000 in stream tolls under account {account} has already been merged or split, and thus is not eligible for merging or splitting\.`, split("tolls", "0", "9")},
		{"split outside", "InvalidArgumentException", `NewStartingHashKey 9 used in SplitShard\(\) on shard shardId-000000000001 .* is not both greater than one plus .*`, split("tolls", "1", "9")},
		{"split beyond the keys", "InvalidArgumentException", `Invalid NewStartingHashKey.*`, split("tolls", "1", "340282366920938463463374607431768211456")},
		{"split on demand", "ValidationException", `Request is invalid\. Stream demand under account {account} is in On-Demand mode\.`, split("demand", "0", "99999")},
		{"merge of strangers", "InvalidArgumentException", `Shards shardId-000000000003 and shardId-000000000002 .* are not an adjacent pair of shards eligible for merging`, merge("tolls", "3", "2")},
		{"merge of no shard", "ResourceNotFoundException", `Could not find shard shardId-000000000007 .*`, merge("tolls", "7", "2")},
		{"merge of a closed shard", "InvalidArgumentException", `.*has already been merged or split.*`, merge("tolls", "0", "1")},
		{"more than double", "LimitExceededException", `.*from 4 to 9 shards: it cannot scale up to more than double.*`, count("tolls", 9)},
		{"less than half", "LimitExceededException", `.*below half.*`, count("tolls", 1)},
		{"what it has", "InvalidArgumentException", `.*it has that many already\.`, count("tolls", 4)},
		{"count on demand", "ValidationException", `Request is invalid\. Stream demand under account {account} is in On-Demand mode\.`, count("demand", 8)},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := *s
			in.t = t
			in.refused(row.err, row.code, row.pattern)
		})
	}
}

// TestPutsDuringReshard: writers who never stop see no failure, and what they were told is where they were told, once, in order per key.
func TestPutsDuringReshard(t *testing.T) {
	s := shared.plain(t)
	s.create("tolls", 1)
	const writers = 4
	type ack struct{ shard, number, data string }
	acked := make([][]ack, writers)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	var failed sync.Map
	for w := range writers {
		writing.Go(func() {
			key := fmt.Sprintf("customer-%d", w)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				data := fmt.Sprintf("%s/%06d", key, i)
				answer, err := s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("tolls"), Records: []types.PutRecordsRequestEntry{{PartitionKey: &key, Data: []byte(data)}}})
				if err == nil && answer.Records[0].ErrorCode != nil {
					err = errors.New(*answer.Records[0].ErrorCode)
				}
				if err != nil {
					failed.Store(data, err)
					return
				}
				acked[w] = append(acked[w], ack{*answer.Records[0].ShardId, *answer.Records[0].SequenceNumber, data})
			}
		})
	}
	for _, target := range []int32{2, 4, 3, 2, 1, 2} {
		must(s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: aws.String("tolls"), TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling}))(s)
		s.active("tolls")
	}
	close(stop)
	writing.Wait()
	failed.Range(func(data, err any) bool {
		t.Errorf("%s: %v", data, err)
		return true
	})
	found := map[string]ack{}
	for _, shard := range s.shards("tolls") {
		for _, r := range s.readAll("tolls", *shard.ShardId) {
			data := string(r.Data)
			if _, twice := found[data]; twice {
				t.Fatalf("%s is there twice", data)
			}
			found[data] = ack{*shard.ShardId, *r.SequenceNumber, data}
		}
	}
	total := 0
	for w := range writers {
		last := new(big.Int)
		for _, a := range acked[w] {
			if found[a.data] != a {
				t.Fatalf("acknowledged %+v, found %+v", a, found[a.data])
			}
			number, _ := new(big.Int).SetString(a.number, 10)
			if number.Cmp(last) <= 0 {
				t.Fatalf("%s has the number %s, which is not above that of the record before", a.data, a.number)
			}
			last = number
			total++
		}
	}
	if len(found) != total || total == 0 {
		t.Errorf("%d found, %d acknowledged", len(found), total)
	}
}
