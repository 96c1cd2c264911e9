package firehose

import (
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// DescribeDeliveryStream describes a delivery stream and its one destination, under the older member and the newer.
//
// Source: API_DescribeDeliveryStream (read 2026-11). Shown by: TestLife, TestDescribe and TestKinesisSource in test/firehose.
// With ExclusiveStartDestinationId of the one destination there is none left.
func (a *API) describeDeliveryStream(c *edge.Call, in *shapes.DescribeDeliveryStreamInput) (*shapes.DescribeDeliveryStreamOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	d := &shapes.DeliveryStreamDescription{
		DeliveryStreamName: ptr(s.Name), DeliveryStreamARN: ptr(s.ARN()), DeliveryStreamStatus: ptr(shapes.DeliveryStreamStatus(s.Status)), DeliveryStreamType: ptr(shapes.DeliveryStreamType(s.Type())),
		VersionId: ptr(s.VersionID()), CreateTimestamp: ptr(s.Created), Destinations: []shapes.DestinationDescription{}, HasMoreDestinations: ptr(false),
	}
	if !s.Updated.IsZero() {
		d.LastUpdateTimestamp = ptr(s.Updated)
	}
	if deref(in.ExclusiveStartDestinationId) < delivery.DestinationID {
		old, s3 := describe(&s.S3)
		d.Destinations = append(d.Destinations, shapes.DestinationDescription{DestinationId: ptr(delivery.DestinationID), S3DestinationDescription: old, ExtendedS3DestinationDescription: s3})
	}
	switch k := s.Source.Kinesis; {
	case k != nil:
		of := &shapes.KinesisStreamSourceDescription{KinesisStreamARN: ptr(k.Stream), RoleARN: ptr(k.Role)}
		if !s.Began.IsZero() {
			of.DeliveryStartTimestamp = ptr(s.Began)
		}
		d.Source = &shapes.SourceDescription{KinesisStreamSourceDescription: of}
	default:
		d.DeliveryStreamEncryptionConfiguration = &shapes.DeliveryStreamEncryptionConfiguration{Status: ptr(shapes.DeliveryStreamEncryptionStatusDisabled)}
		if s.Source.HintMiB > 0 {
			d.Source = &shapes.SourceDescription{DirectPutSourceDescription: &shapes.DirectPutSourceDescription{ThroughputHintInMBs: ptr(int32(s.Source.HintMiB))}}
		}
	}
	return &shapes.DescribeDeliveryStreamOutput{DeliveryStreamDescription: d}, nil
}
