package consumer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// reshard changes the number of shards, and waits until that is done.
func (w *world) reshard(shards int32) {
	w.t.Helper()
	_, err := w.kinesis.UpdateShardCount(w.ctx, &kinesis.UpdateShardCountInput{StreamName: &w.name, TargetShardCount: aws.Int32(shards), ScalingType: types.ScalingTypeUniformScaling})
	if err != nil {
		w.t.Fatal(err)
	}
	w.active()
}

// TestReshard shows workers that read through splits and merges, polling and pushed to: children after parents, every record in order, and finished leases deleted
// once their children have begun.
func TestReshard(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"polling", "fan-out", "polling without a word of children"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := begin(t, 2)
			fanOut := how == "fan-out"
			names := []string{"a", "b"}
			if fanOut {
				names = names[:1] // a shard that was handed over cannot be subscribed to for five seconds, as at AWS
			}
			for _, name := range names {
				options := w.options(name, w.record(name))
				options.FanOut = fanOut
				if how == "polling without a word of children" {
					options.Kinesis = childless{w.kinesis}
				}
				w.start(options)
			}
			w.put(20, 10)
			w.eventually("every worker has a shard", func() bool { return len(w.spread()) == len(names) })
			w.reshard(4)
			w.put(20, 10)
			w.reshard(3)
			w.put(20, 10)
			w.eventually("every record is seen", w.complete)
			w.eventually("the three open shards are held", func() bool { return len(w.holders()) == 3 })
			// A child that has no records keeps its parents' leases: it has not begun, by its checkpoint.
			w.eventually("only leases of open shards are left", func() bool {
				w.put(20, 1)
				return len(w.leases()) == 3
			})
			w.eventually("every record is seen", w.complete)
			if again := w.verify(); again > 0 {
				t.Errorf("%d records came again", again)
			}
		})
	}
}

// childless does not say what came of a shard that has ended.
type childless struct{ kinesisClient }

// GetRecords leaves the children out.
func (c childless) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, o ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	out, err := c.kinesisClient.GetRecords(ctx, in, o...)
	if out != nil {
		out.ChildShards = nil
	}
	return out, err
}

// leases is the keys of the table that are leases.
func (w *world) leases() (keys []string) {
	for key := range w.table() {
		if strings.HasPrefix(key, "shardId-") {
			keys = append(keys, key)
		}
	}
	return keys
}

// reshardIfNew is reshard, unless the stream has as many shards.
func (w *world) reshardIfNew(shards int32) {
	w.t.Helper()
	out, err := w.kinesis.DescribeStreamSummary(w.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &w.name})
	if err != nil {
		w.t.Fatal(err)
	}
	if open := *out.StreamDescriptionSummary.OpenShardCount; open != shards && shards <= 2*open && 2*shards >= open {
		w.reshard(shards)
	}
}
