package tolls

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
)

// resharded is how a reshard under load ended.
type resharded struct {
	what string // for people
	err  error
}

// reshardSoon begins a reshard that goes on while the caller sends. The first of a run makes more shards of the stream, by a split
// somewhere in a shard or to a number that UpdateShardCount is given; the second makes fewer, by a merge or by such a number. Which
// of the two, where, and to how many is drawn here.
func (c *check) reshardSoon(ctx context.Context) error {
	if err := c.waitReshard(); err != nil {
		return err
	}
	r := reshard{api: c.api, up: c.reshards%2 == 0, count: c.random.IntN(2) == 0, which: c.random.Float64(), where: c.random.Float64()}
	c.reshards++
	c.reshardedAt = c.report.Acked
	done := make(chan resharded, 1)
	go func() {
		what, err := r.run(ctx)
		done <- resharded{what, err}
	}()
	c.resharding = done
	return nil
}

// seeReshard tells of a reshard that has ended.
func (c *check) seeReshard() error {
	select {
	case end := <-c.resharding: // never, when there is none
		return c.endReshard(end)
	default:
		return nil
	}
}

// waitReshard waits for the reshard under way.
func (c *check) waitReshard() error {
	if c.resharding == nil {
		return nil
	}
	return c.endReshard(<-c.resharding)
}

func (c *check) endReshard(end resharded) error {
	c.resharding = nil
	if end.err != nil {
		return fmt.Errorf("reshard at %d lines: %w", c.reshardedAt, end.err)
	}
	c.Say("resharded at %d lines: %s, while %d lines were acknowledged", c.reshardedAt, end.what, c.report.Acked-c.reshardedAt)
	return nil
}

// reshard is one reshard, drawn.
type reshard struct {
	api          *kinesis.Client
	up           bool    // to more shards
	count        bool    // by UpdateShardCount
	which, where float64 // from 0 to below 1: of the open shards, or of the possible numbers; of a shard's hash keys
}

// reshardPatience is how long a reshard may take, with kills and restarts on the way. It takes some ten milliseconds.
const reshardPatience = time.Minute

// run asks for the reshard and returns when it is done. An answer may be lost with the server that was to give it, so that what
// happened is seen in the shards: as long as they are the same ones and the stream is ACTIVE, it is asked for again.
func (r *reshard) run(ctx context.Context) (what string, err error) {
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
func (r *reshard) open(ctx context.Context) (open []types.Shard, active bool, err error) {
	summary, err := r.api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(Stream)})
	if err != nil {
		return nil, false, err
	}
	out, err := r.api.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(Stream), ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(out.Shards, func(a, b types.Shard) int { return firstKey(a).Cmp(firstKey(b)) })
	return out.Shards, summary.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive, nil
}

// ask sends the one request that reshards.
func (r *reshard) ask(ctx context.Context, open []types.Shard) (what string, err error) {
	n := len(open)
	switch {
	case r.count:
		// UpdateShardCount at most doubles and at least halves (API_UpdateShardCount).
		target := n + 1 + int(r.which*float64(n))
		if !r.up {
			least := (n + 1) / 2
			target = least + int(r.which*float64(n-least))
		}
		_, err = r.api.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
			StreamName: aws.String(Stream), TargetShardCount: aws.Int32(int32(target)), ScalingType: types.ScalingTypeUniformScaling,
		})
		return "UpdateShardCount", err
	case r.up:
		shard := open[int(r.which*float64(n))]
		_, err = r.api.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String(Stream), ShardToSplit: shard.ShardId, NewStartingHashKey: aws.String(splitKey(shard, r.where))})
		return "split " + aws.ToString(shard.ShardId), err
	default:
		i := int(r.which * float64(n-1))
		_, err = r.api.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: aws.String(Stream), ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId})
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
