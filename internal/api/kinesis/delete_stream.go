package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DeleteStream ends a stream and its records. It answers at once; the stream is DELETING until nothing is left of it, and then its name is free.
//
// Source: API_DeleteStream (read 2026-11). Shown by: TestStreamLife, TestDeleteStreamWithConsumers in test/aws.
// A stream that has consumers goes only with EnforceConsumerDeletion.
func (a *API) deleteStream(c *edge.Call, in *shapes.DeleteStreamInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.DeleteStream{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, WithConsumers: deref(in.EnforceConsumerDeletion),
	})
}
