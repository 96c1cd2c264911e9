package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// IncreaseStreamRetentionPeriod makes records live longer. What has expired before does not come back.
//
// Source: API_IncreaseStreamRetentionPeriod (read 2026-11). Shown by: TestRetention in test/aws.
func (a *API) increaseRetention(c *edge.Call, in *shapes.IncreaseStreamRetentionPeriodInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if err := a.control.Propose(c.Ctx, catalog.IncreaseRetention{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, Hours: int(deref(in.RetentionPeriodHours)),
	}); err != nil {
		return nil, err
	}
	if stream, err = a.stream(c, in.StreamName, in.StreamARN, in.StreamId); err != nil {
		return nil, err
	}
	return nil, a.streams.Keep(c.Ctx, stream) // or a crash now could cost records that the answer says are kept
}

// DecreaseStreamRetentionPeriod makes records live shorter, at once and for good.
//
// Source: API_DecreaseStreamRetentionPeriod (read 2026-11). Shown by: TestRetention in test/aws.
func (a *API) decreaseRetention(c *edge.Call, in *shapes.DecreaseStreamRetentionPeriodInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.DecreaseRetention{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, Hours: int(deref(in.RetentionPeriodHours)),
	})
}
