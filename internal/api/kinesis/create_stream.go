package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// CreateStream makes a stream. It answers at once; the stream is CREATING until its logs are on disk.
//
// Source: API_CreateStream (read 2026-11). Shown by: TestStreamLife in test/aws.
// Without ShardCount a stream gets four shards in either mode.
// WarmThroughputMiBps makes a shard for each MiB a second.
// Permissions: kinesis:CreateStream on the stream to be, and with Tags kinesis:AddTagsToStream too.
func (a *API) createStream(c *edge.Call, in *shapes.CreateStreamInput) (*nothing, error) {
	on := noStream(c.Account, c.Region, deref(in.StreamName))
	if err := a.authorize(c, c.Operation, on); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := a.authorize(c, "AddTagsToStream", on); err != nil {
			return nil, err
		}
	}
	mode := catalog.Provisioned
	if in.StreamModeDetails != nil {
		mode = catalog.Mode(deref(in.StreamModeDetails.StreamMode))
	}
	if mode == catalog.OnDemand && in.ShardCount != nil {
		return nil, fault.New(fault.Invalid, "ShardCount must not be set for a stream in ON_DEMAND mode.")
	}
	return nil, a.control.Propose(c.Ctx, catalog.CreateStream{
		Account:      c.Account,
		Region:       c.Region,
		Name:         deref(in.StreamName),
		Mode:         mode,
		ShardCount:   int(deref(in.ShardCount)),
		MaxRecordKiB: int(deref(in.MaxRecordSizeInKiB)),
		WarmMiBps:    int(deref(in.WarmThroughputMiBps)),
		Distribution: catalog.Distribution(deref(in.RecordDistributionStrategy)),
		Tags:         in.Tags,
	})
}
