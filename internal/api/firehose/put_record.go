package firehose

import (
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// PutRecord puts one record. It is on disk when the call answers.
//
// Source: API_PutRecord (read 2026-11). Shown by: TestPutRecord and TestKinesisSource in test/firehose.
// The throughput of a delivery stream has no limit here.
func (a *API) putRecord(c *edge.Call, in *shapes.PutRecordInput) (*shapes.PutRecordOutput, error) {
	s, err := a.direct(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	ids, err := a.delivery.Put(c.Ctx, s, [][]byte{in.Record.Data})
	if err != nil {
		return nil, err
	}
	calls := &a.delivery.Stats(s.Number).Puts
	calls.Requests.Add(1)
	calls.Records.Add(1)
	calls.Bytes.Add(int64(len(in.Record.Data)))
	return &shapes.PutRecordOutput{RecordId: &ids[0], Encrypted: ptr(false)}, nil
}

// direct is the delivery stream of a name, which must be one that takes puts.
func (a *API) direct(c *edge.Call, name *string) (*delivery.Stream, error) {
	s, err := a.find(c, name)
	if err != nil {
		return nil, err
	}
	if s.Source.Kinesis != nil {
		return nil, invalid("This operation is not permitted on %s delivery stream type.", s.Type())
	}
	return s, nil
}
