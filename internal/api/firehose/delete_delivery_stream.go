package firehose

import (
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// DeleteDeliveryStream ends a delivery stream. What it has not delivered is lost, as on AWS.
//
// Source: API_DeleteDeliveryStream (read 2026-11). Shown by: TestLife in test/firehose.
// AllowForceDelete is about grants of keys that cannot be retired; there are none here, and every deletion succeeds.
func (a *API) deleteDeliveryStream(c *edge.Call, in *shapes.DeleteDeliveryStreamInput) (*shapes.DeleteDeliveryStreamOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	return &shapes.DeleteDeliveryStreamOutput{}, a.delivery.Propose(c.Ctx, delivery.Delete{Account: s.Account, Region: s.Region, Name: s.Name})
}
