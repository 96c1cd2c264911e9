package kinesis

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/quota"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DescribeLimits says what the caller's account uses in the region, and how much it may.
//
// Source: API_DescribeLimits (read 2026-11). Shown by: TestDescribeLimits in test/aws.
// The shards are those that the limit counts: the open ones of streams in mode PROVISIONED, those of a stream in DELETING among them.
// Channels: none, and none can be made in this version.
func (a *API) describeLimits(c *edge.Call, _ *shapes.DescribeLimitsInput) (*shapes.DescribeLimitsOutput, error) {
	usage := a.control.State().Usage(c.Account, c.Region)
	limit := func(name quota.Name) *int32 { return ptr(int32(min(a.quota.Get(name), 1_000_000))) } // the model's range
	return &shapes.DescribeLimitsOutput{
		ShardLimit:               limit(quota.Shards),
		OpenShardCount:           ptr(int32(usage.Shards)),
		OnDemandStreamCount:      ptr(int32(usage.OnDemand)),
		OnDemandStreamCountLimit: limit(quota.StreamsOnDemand),
		ChannelCount:             ptr(int32(0)),
		ChannelCountLimit:        ptr(int32(0)),
	}, nil
}
