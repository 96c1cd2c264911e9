package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
)

// reshardCommand is `weir reshard`.
type reshardCommand struct {
	endpointFlags
	Stream string `arg:"" help:"Name of the stream."`
	Shards int    `required:"" help:"How many open shards it is to have." placeholder:"N"`
	JSON   bool   `name:"json" help:"Print what was done as JSON."`
}

// Help is what `weir help reshard` adds.
func (c *reshardCommand) Help() string {
	return "Shards are halved and neighbours are merged (UpdateShardCount) until there are so many of about the same size. Writers and readers go on meanwhile; weir ls " +
		"shows which shards were closed and which took over. One step at most doubles the number, and at least halves it, so that there may be several; " +
		"AWS allows a stream ten in 24 hours, and so does Weir. aws kinesis split-shard and merge-shards choose the shard and the hash key."
}

// reshardSummary is what was done.
type reshardSummary struct {
	Stream  string  `json:"stream"`
	From    int     `json:"from"` // open shards
	To      int     `json:"to"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
}

// Run takes the steps.
func (c *reshardCommand) Run(ctx context.Context, t *terminal) error {
	if c.Shards < 1 {
		return usagef("a stream has at least one shard, not %d", c.Shards)
	}
	api, err := c.api(t, 3)
	if err != nil {
		return err
	}
	begun := time.Now()
	summary := reshardSummary{Stream: c.Stream}
	open, err := openShards(ctx, api, c.Stream)
	summary.From = open
	for err == nil && open != c.Shards {
		step := min(max(c.Shards, (open+1)/2), 2*open) // at most double, at least half (API_UpdateShardCount)
		_, err = api.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{StreamName: aws.String(c.Stream), TargetShardCount: aws.Int32(int32(step)), ScalingType: types.ScalingTypeUniformScaling})
		if err == nil {
			summary.Steps++
			open, err = openShards(ctx, api, c.Stream)
		}
	}
	if err != nil {
		return c.explain(t, err, c.Stream)
	}
	summary.To, summary.Seconds = open, time.Since(begun).Seconds()
	if c.JSON {
		return t.json(summary)
	}
	fmt.Fprintf(t.err, "%s: %s, now %d, in %.1f s\n", c.Stream, counted(summary.From, "open shard"), summary.To, summary.Seconds)
	return nil
}

// openShards waits until a stream is ACTIVE and gives the number of its open shards.
func openShards(ctx context.Context, api *kinesis.Client, stream string) (int, error) {
	var backoff client.Backoff
	for {
		out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(stream)})
		if err != nil {
			return 0, err
		}
		if d := out.StreamDescriptionSummary; d.StreamStatus == types.StreamStatusActive {
			return int(aws.ToInt32(d.OpenShardCount)), nil
		} else if d.StreamStatus == types.StreamStatusDeleting {
			return 0, errors.New("the stream is being deleted")
		}
		if err := backoff.Wait(ctx, fmt.Errorf("stream %q has not become ACTIVE", stream)); err != nil {
			return 0, err
		}
	}
}
