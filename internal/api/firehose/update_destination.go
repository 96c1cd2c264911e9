package firehose

import (
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// UpdateDestination changes the destination of a delivery stream: member by member, structures as a whole. Every change counts the version up.
//
// Source: API_UpdateDestination (read 2026-11). Shown by: TestUpdateDestination in test/firehose.
// Order of checks: the constraints of the model, the delivery stream, exactly one destination, what is not supported, the version, the destination's id, the destination.
// What is buffered goes where the new destination says.
func (a *API) updateDestination(c *edge.Call, in *shapes.UpdateDestinationInput) (*shapes.UpdateDestinationOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	others := []refused{
		{"RedshiftDestinationUpdate", in.RedshiftDestinationUpdate != nil},
		{"ElasticsearchDestinationUpdate", in.ElasticsearchDestinationUpdate != nil},
		{"AmazonopensearchserviceDestinationUpdate", in.AmazonopensearchserviceDestinationUpdate != nil},
		{"AmazonOpenSearchServerlessDestinationUpdate", in.AmazonOpenSearchServerlessDestinationUpdate != nil},
		{"SplunkDestinationUpdate", in.SplunkDestinationUpdate != nil},
		{"HttpEndpointDestinationUpdate", in.HttpEndpointDestinationUpdate != nil},
		{"SnowflakeDestinationUpdate", in.SnowflakeDestinationUpdate != nil},
		{"IcebergDestinationUpdate", in.IcebergDestinationUpdate != nil},
	}
	if destinations(others, in.S3DestinationUpdate != nil, in.ExtendedS3DestinationUpdate != nil) != 1 {
		return nil, invalid(oneDestination)
	}
	if err := refuse(others); err != nil {
		return nil, err
	}
	if asked := deref(in.CurrentDeliveryStreamVersionId); asked != s.VersionID() {
		return nil, fault.New(fault.Conflict, "Cannot update firehose: %s since the current version id: %s and specified version id: %s do not match", s.Name, s.VersionID(), asked)
	}
	if id := deref(in.DestinationId); id != delivery.DestinationID {
		return nil, invalid("Destination Id %s not found", id)
	}
	changes := in.ExtendedS3DestinationUpdate
	if changes == nil {
		changes = extendedUpdate(in.S3DestinationUpdate)
	}
	s3, err := merge(s.S3, changes)
	if err != nil {
		return nil, err
	}
	return &shapes.UpdateDestinationOutput{}, a.delivery.Propose(c.Ctx, delivery.Update{Account: s.Account, Region: s.Region, Name: s.Name, Version: s.Version, S3: s3})
}
