package producer

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/record"
)

// taker takes everything and keeps nothing.
type taker struct{ shards []types.Shard }

func newTaker(n int) *taker {
	t := &taker{}
	for i, r := range record.UniformRanges(n) {
		t.shards = append(t.shards, types.Shard{ShardId: aws.String(fmt.Sprintf("shardId-%012d", i)), HashKeyRange: &types.HashKeyRange{
			StartingHashKey: aws.String(r.Start.String()), EndingHashKey: aws.String(r.End.String())}})
	}
	return t
}

func (t *taker) ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	return &kinesis.ListShardsOutput{Shards: t.shards}, nil
}

func (t *taker) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	out := &kinesis.PutRecordsOutput{Records: make([]types.PutRecordsResultEntry, len(in.Records))}
	for i, r := range in.Records {
		hash, _ := record.ParseHashKey(*r.ExplicitHashKey)
		for j, u := range record.UniformRanges(len(t.shards)) {
			if u.Contains(hash) {
				out.Records[i] = types.PutRecordsResultEntry{ShardId: t.shards[j].ShardId, SequenceNumber: aws.String("1")}
			}
		}
	}
	return out, nil
}

// BenchmarkPut is what a record of 100 bytes costs the producer itself, without the SDK and the network.
//
// Sketch: one allocation of 144 bytes, the Future; 16 bytes of key hashed and about 125 bytes of the aggregate (MD5, 1.5 ns a byte), 125 bytes copied twice, a map access.
func BenchmarkPut(b *testing.B) {
	for _, keys := range []int{1000, 1_000_000} {
		for _, ordered := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/ordered=%v", keys, ordered), func(b *testing.B) {
				p, err := New(Options{API: newTaker(4), RateLimit: 1 << 40, Ordered: ordered})
				if err != nil {
					b.Fatal(err)
				}
				data := make([]byte, 100)
				names := make([]string, keys)
				for i := range names {
					names[i] = fmt.Sprintf("customer-%d", i)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					if _, err := p.Put(context.Background(), UserRecord{Stream: "s", PartitionKey: names[i%keys], Data: data}); err != nil {
						b.Fatal(err)
					}
				}
				if err := p.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkHash is what a partition key's hash key costs, for keys that come again and keys that do not.
func BenchmarkHash(b *testing.B) {
	for _, keys := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			h := newHashes()
			names := make([]string, keys)
			for i := range names {
				names[i] = fmt.Sprintf("customer-%d", i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				h.of(names[i%keys])
			}
		})
	}
}
