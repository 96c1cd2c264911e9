package firehose

import (
	"strings"

	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// CreateDeliveryStream makes a delivery stream. It answers at once; the delivery stream is CREATING until its records are delivered.
//
// Source: API_CreateDeliveryStream (read 2026-11). Shown by: TestLife, TestCreateRefusals and TestKinesisSource in test/firehose.
// Order of checks: the constraints of the model, permissions, exactly one destination, what is not supported, by name, the source, the destination, and then whether there is one of
// the name. AWS's order behind the first is not published.
// Permissions: firehose:CreateDeliveryStream on the delivery stream to be, and with Tags firehose:TagDeliveryStream too.
func (a *API) createDeliveryStream(c *edge.Call, in *shapes.CreateDeliveryStreamInput) (*shapes.CreateDeliveryStreamOutput, error) {
	arn := delivery.ARN(c.Account, c.Region, deref(in.DeliveryStreamName))
	if err := a.authorize(c, c.Operation, arn, nil); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := a.authorize(c, "TagDeliveryStream", arn, nil); err != nil {
			return nil, err
		}
	}
	others := []refused{
		{"RedshiftDestinationConfiguration", in.RedshiftDestinationConfiguration != nil},
		{"ElasticsearchDestinationConfiguration", in.ElasticsearchDestinationConfiguration != nil},
		{"AmazonopensearchserviceDestinationConfiguration", in.AmazonopensearchserviceDestinationConfiguration != nil},
		{"AmazonOpenSearchServerlessDestinationConfiguration", in.AmazonOpenSearchServerlessDestinationConfiguration != nil},
		{"SplunkDestinationConfiguration", in.SplunkDestinationConfiguration != nil},
		{"HttpEndpointDestinationConfiguration", in.HttpEndpointDestinationConfiguration != nil},
		{"SnowflakeDestinationConfiguration", in.SnowflakeDestinationConfiguration != nil},
		{"IcebergDestinationConfiguration", in.IcebergDestinationConfiguration != nil},
	}
	if destinations(others, in.S3DestinationConfiguration != nil, in.ExtendedS3DestinationConfiguration != nil) != 1 {
		return nil, invalid(oneDestination)
	}
	if err := refuse(others); err != nil {
		return nil, err
	}
	source, err := a.source(c, in)
	if err != nil {
		return nil, err
	}
	configured := in.ExtendedS3DestinationConfiguration
	if configured == nil {
		configured = extended(in.S3DestinationConfiguration)
	}
	s3 := delivery.S3{SizeMiB: delivery.SizeMiBDefault, IntervalSeconds: delivery.IntervalSecondsDefault, Compression: delivery.Uncompressed}
	if s3, err = merge(s3, update(configured)); err != nil {
		return nil, err
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	id, err := a.delivery.NewUUID()
	if err != nil {
		return nil, err
	}
	err = a.delivery.Propose(c.Ctx, delivery.Create{ID: id, Account: c.Account, Region: c.Region, Name: deref(in.DeliveryStreamName), Source: source, S3: s3, Tags: tags})
	if err != nil {
		return nil, err
	}
	return &shapes.CreateDeliveryStreamOutput{DeliveryStreamARN: &arn}, nil
}

// destinations is how many destinations a request has.
func destinations(others []refused, more ...bool) (n int) {
	for _, o := range others {
		more = append(more, o.is)
	}
	for _, is := range more {
		if is {
			n++
		}
	}
	return n
}

// source reads where records come from.
func (a *API) source(c *edge.Call, in *shapes.CreateDeliveryStreamInput) (source delivery.Source, err error) {
	kind := shapes.DeliveryStreamTypeDirectPut
	if in.DeliveryStreamType != nil {
		kind = *in.DeliveryStreamType
	}
	if err := refuse([]refused{
		{"MSKSourceConfiguration", in.MSKSourceConfiguration != nil || kind == shapes.DeliveryStreamTypeMSKAsSource},
		{"DatabaseSourceConfiguration", in.DatabaseSourceConfiguration != nil || kind == shapes.DeliveryStreamTypeDatabaseAsSource},
		{"DeliveryStreamEncryptionConfigurationInput", in.DeliveryStreamEncryptionConfigurationInput != nil},
	}); err != nil {
		return source, err
	}
	kinesis := kind == shapes.DeliveryStreamTypeKinesisStreamAsSource
	switch {
	case kinesis && in.KinesisStreamSourceConfiguration == nil:
		return source, invalid("KinesisStreamSourceConfiguration must be given for the delivery stream type KinesisStreamAsSource.")
	case !kinesis && in.KinesisStreamSourceConfiguration != nil:
		return source, invalid("KinesisStreamSourceConfiguration is not allowed for the delivery stream type DirectPut.")
	case kinesis && in.DirectPutSourceConfiguration != nil:
		return source, invalid("DirectPutSourceConfiguration is not allowed for the delivery stream type KinesisStreamAsSource.")
	case in.DirectPutSourceConfiguration != nil:
		source.HintMiB = int(deref(in.DirectPutSourceConfiguration.ThroughputHintInMBs))
	case kinesis:
		k := in.KinesisStreamSourceConfiguration
		source.Kinesis = &delivery.KinesisSource{Stream: deref(k.KinesisStreamARN), Role: deref(k.RoleARN)}
		if parts := strings.SplitN(source.Kinesis.Stream, ":", 6); len(parts) < 6 || parts[3] != c.Region || parts[4] != c.Account {
			return source, invalid("The stream %s is not of this account and region; another's is not supported by this version of Weir.", source.Kinesis.Stream)
		}
		return source, a.delivery.Check(c.Ctx, source.Kinesis.Stream)
	}
	return source, nil
}
