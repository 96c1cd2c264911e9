package kinesis

import (
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams/elastic"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// releaseLooksBack is the traffic that a stream keeps shards for when it is told to release some (developer guide, Update a stream: "peak data ingest
// usage observed within the last hour").
const releaseLooksBack = time.Hour

// UpdateStreamWarmThroughput makes an ON_DEMAND stream ready for a write throughput, a shard for each MiB a second, and keeps it from shrinking below.
//
// Source: API_UpdateStreamWarmThroughput, and the developer guide, Update a stream (read 2026-11). Shown by: TestWarmThroughput in test/aws.
// Asking for the same or less releases shards: down to the request, or to twice the peak of the last hour, or to four, whichever is most. A server that began
// within the hour does not know the peak, and releases none.
// Needs an account whose MinimumThroughputBillingCommitment is ENABLED, but for 0, which takes the warm throughput away.
func (a *API) updateStreamWarmThroughput(c *edge.Call, in *shapes.UpdateStreamWarmThroughputInput) (*shapes.UpdateStreamWarmThroughputOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	command := catalog.UpdateWarmThroughput{Address: address(stream), WarmMiBps: int(deref(in.WarmThroughputMiBps))}
	if from := a.clock.Now().Add(-releaseLooksBack); a.streams.Recalls(stream, from) {
		command.Keep = elastic.Needed(a.streams.Traffic(stream, from), a.quota)
	}
	if err := a.control.Propose(c.Ctx, command); err != nil {
		return nil, err
	}
	out := &shapes.UpdateStreamWarmThroughputOutput{StreamName: ptr(stream.Name), StreamARN: ptr(stream.ARN)}
	if now := a.control.State().StreamByGroup(stream.Group); now != nil {
		out.WarmThroughput = a.warmThroughput(now)
	}
	return out, nil
}

// warmThroughput is what a stream is scaled for and what it should be; nil but for ON_DEMAND streams of accounts with a billing commitment
// (API_WarmThroughputObject).
func (a *API) warmThroughput(stream *catalog.Stream) *shapes.WarmThroughputObject {
	settings := a.control.State().Settings(stream.Account, stream.Region)
	if stream.Mode != catalog.OnDemand || !settings.Committed(a.clock.Now()) {
		return nil
	}
	return &shapes.WarmThroughputObject{CurrentMiBps: ptr(int32(stream.OpenShards())), TargetMiBps: ptr(int32(stream.WarmMiBps))}
}
