package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// UpdateMaxRecordSize changes how large a record of a stream may be, 1 to 10 MiB.
//
// Source: API_UpdateMaxRecordSize (read 2026-11). Shown by: TestRecordSize in test/aws.
func (a *API) updateMaxRecordSize(c *edge.Call, in *shapes.UpdateMaxRecordSizeInput) (*nothing, error) {
	stream, err := a.stream(c, nil, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.UpdateMaxRecordSize{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, MaxRecordKiB: int(deref(in.MaxRecordSizeInKiB)),
	})
}
