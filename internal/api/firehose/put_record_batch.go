package firehose

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// batchBytesMax is how much data the records of one PutRecordBatch may have (API_PutRecordBatch: "up to 500 records or 4 MB for the entire request, whichever is smaller").
const batchBytesMax = 4 << 20

// PutRecordBatch puts up to 500 records, in the order of the request. They are on disk when the call answers.
//
// Source: API_PutRecordBatch (read 2026-11). Shown by: TestPutRecordBatch and TestDiskIsFull in test/firehose.
// Partial failure: all records are taken or none; when none is, the call succeeds all the same, and answers ServiceUnavailableException for each, as clients expect that try again what
// failed.
func (a *API) putRecordBatch(c *edge.Call, in *shapes.PutRecordBatchInput) (*shapes.PutRecordBatchOutput, error) {
	s, err := a.direct(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	records, size := make([][]byte, len(in.Records)), 0
	for i := range in.Records {
		records[i] = in.Records[i].Data
		size += len(records[i])
	}
	if size > batchBytesMax {
		return nil, invalid("Records size exceeds 4 MB limit")
	}
	out := &shapes.PutRecordBatchOutput{FailedPutCount: ptr(int32(0)), Encrypted: ptr(false), RequestResponses: make([]shapes.PutRecordBatchResponseEntry, len(records))}
	ids, err := a.delivery.Put(c.Ctx, s, records)
	switch {
	case fault.Is(err, fault.Throttled), fault.Is(err, fault.Full):
		e := apiError(err)
		for i := range out.RequestResponses {
			out.RequestResponses[i] = shapes.PutRecordBatchResponseEntry{ErrorCode: &e.Code, ErrorMessage: &e.Message}
		}
		out.FailedPutCount = ptr(int32(len(records)))
		return out, nil
	case err != nil:
		return nil, err
	}
	for i := range ids {
		out.RequestResponses[i].RecordId = &ids[i]
	}
	calls := &a.delivery.Stats(s.Number).Batches
	calls.Requests.Add(1)
	calls.Records.Add(int64(len(records)))
	calls.Bytes.Add(int64(size))
	return out, nil
}
