package scenario

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
)

// ShardChange is one reshard of a stream under load, drawn.
type ShardChange struct {
	API    *kinesis.Client
	Stream string
	Up     bool // to more shards
	Count  bool // by UpdateShardCount; else by a split or a merge
	// Which and Where are from 0 to below 1: of the open shards, or of the possible numbers; of a shard's hash keys.
	Which, Where float64
}

// DrawShardChange draws a reshard, to more shards or to fewer.
func DrawShardChange(random *rand.Rand, api *kinesis.Client, stream string, up bool) *ShardChange {
	return &ShardChange{API: api, Stream: stream, Up: up, Count: random.IntN(2) == 0, Which: random.Float64(), Where: random.Float64()}
}

// reshardPatience is how long a reshard may take, with kills and restarts on the way. It takes some ten milliseconds.
const reshardPatience = time.Minute

// Run asks for the reshard and returns when it is done. An answer may be lost with the server that was to give it, so that what
// happened is seen in the shards: as long as they are the same ones and the stream is ACTIVE, it is asked for again.
func (r *ShardChange) Run(ctx context.Context) (what string, err error) {
	backoff := client.Backoff{Patience: reshardPatience}
	var before []string // shards that were open when it was asked for
	for {
		open, active, err := r.open(ctx)
		if err == nil && active {
			now := shardIDs(open)
			if before != nil && !slices.Equal(before, now) {
				return fmt.Sprintf("%s, %d shards to %d", what, len(before), len(now)), nil
			}
			before = now
			what, err = r.ask(ctx, open)
		}
		if err != nil && !client.Retriable(err) {
			return what, err
		}
		if err == nil {
			err = fmt.Errorf("%s: the stream is not ACTIVE with other shards after %s", what, reshardPatience)
		}
		if err := backoff.Wait(ctx, err); err != nil {
			return what, err
		}
	}
}

// open gives the open shards in order of hash key, and whether the stream is ACTIVE.
func (r *ShardChange) open(ctx context.Context) (open []types.Shard, active bool, err error) {
	summary, err := r.API.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(r.Stream)})
	if err != nil {
		return nil, false, err
	}
	out, err := r.API.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(r.Stream), ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(out.Shards, func(a, b types.Shard) int { return firstKey(a).Cmp(firstKey(b)) })
	return out.Shards, summary.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive, nil
}

// ask sends the one request that reshards.
func (r *ShardChange) ask(ctx context.Context, open []types.Shard) (what string, err error) {
	n := len(open)
	switch {
	case r.Count:
		// UpdateShardCount at most doubles and at least halves (API_UpdateShardCount).
		target := n + 1 + int(r.Which*float64(n))
		if !r.Up {
			least := (n + 1) / 2
			target = least + int(r.Which*float64(n-least))
		}
		_, err = r.API.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
			StreamName: aws.String(r.Stream), TargetShardCount: aws.Int32(int32(target)), ScalingType: types.ScalingTypeUniformScaling,
		})
		return "UpdateShardCount", err
	case r.Up:
		shard := open[int(r.Which*float64(n))]
		_, err = r.API.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String(r.Stream), ShardToSplit: shard.ShardId, NewStartingHashKey: aws.String(splitKey(shard, r.Where))})
		return "split " + aws.ToString(shard.ShardId), err
	default:
		i := int(r.Which * float64(n-1))
		_, err = r.API.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: aws.String(r.Stream), ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId})
		return "merged " + aws.ToString(open[i].ShardId) + " and " + aws.ToString(open[i+1].ShardId), err
	}
}

// splitKey is a key of a shard at a part of its width where it may be split: above its second key and below its last (API_SplitShard).
func splitKey(shard types.Shard, part float64) string {
	start, end := firstKey(shard), hashKey(shard.HashKeyRange.EndingHashKey)
	const grain = 1 << 32
	at := new(big.Int).Sub(end, start)
	at.Mul(at, big.NewInt(int64(part*grain))).Div(at, big.NewInt(grain)).Add(at, start)
	if least := new(big.Int).Add(start, big.NewInt(2)); at.Cmp(least) < 0 {
		at = least
	}
	return at.String()
}

func firstKey(shard types.Shard) *big.Int { return hashKey(shard.HashKeyRange.StartingHashKey) }

// hashKey reads a hash key; one that is none is nought.
func hashKey(text *string) *big.Int {
	key, ok := new(big.Int).SetString(aws.ToString(text), 10)
	if !ok {
		return new(big.Int)
	}
	return key
}

func shardIDs(shards []types.Shard) []string {
	ids := make([]string, len(shards))
	for i := range shards {
		ids[i] = aws.ToString(shards[i].ShardId)
	}
	return ids
}
