package firehose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/weir-stream/weir/internal/api/firehose"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// A delivery stream is made, described, refused twice, deleted, and its name is free again.
func TestLife(t *testing.T) {
	s := shared.session(t)
	s.create("d", nil)
	_, err := s.CreateDeliveryStream(s.ctx, &sdk.CreateDeliveryStreamInput{DeliveryStreamName: aws.String("d"), ExtendedS3DestinationConfiguration: s.destination()})
	s.refused(err, "ResourceInUseException", "Firehose d under accountId "+s.account+" already exists")
	_, err = s.DeleteDeliveryStream(s.ctx, &sdk.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("d"), AllowForceDelete: aws.Bool(true)})
	s.must(err)
	eventually(t, "it to be gone", func() bool {
		_, err = s.DescribeDeliveryStream(s.ctx, &sdk.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String("d")})
		return err != nil
	})
	s.refused(err, "ResourceNotFoundException", "Firehose d under account "+s.account+" not found.")
	_, err = s.DeleteDeliveryStream(s.ctx, &sdk.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("d")})
	s.refused(err, "ResourceNotFoundException", "Firehose d under account "+s.account+" not found.")
	s.create("d", nil)
}

// Describe says all that was said, under the older member and the newer, and what AWS adds to it.
func TestDescribe(t *testing.T) {
	s := shared.session(t)
	s.create("plain", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration = nil
		in.S3DestinationConfiguration = &types.S3DestinationConfiguration{RoleARN: aws.String(role), BucketARN: aws.String("arn:aws:s3:::b")} //nolint:staticcheck // tools send it still
	})
	d := s.describe("plain")
	if len(d.Destinations) != 1 || d.Source != nil || aws.ToString(d.VersionId) != "1" || d.CreateTimestamp == nil || d.LastUpdateTimestamp != nil || *d.HasMoreDestinations ||
		d.DeliveryStreamType != types.DeliveryStreamTypeDirectPut || d.DeliveryStreamEncryptionConfiguration.Status != types.DeliveryStreamEncryptionStatusDisabled {
		t.Errorf("%+v", d)
	}
	of := d.Destinations[0]
	if aws.ToString(of.DestinationId) != "destinationId-000000000001" {
		t.Error(*of.DestinationId)
	}
	e, o := of.ExtendedS3DestinationDescription, of.S3DestinationDescription
	if e == nil || o == nil {
		t.Fatalf("%+v", of)
	}
	if *e.BufferingHints.SizeInMBs != 5 || *e.BufferingHints.IntervalInSeconds != 300 || e.CompressionFormat != types.CompressionFormatUncompressed || e.S3BackupMode != types.S3BackupModeDisabled ||
		*e.CloudWatchLoggingOptions.Enabled || *e.DataFormatConversionConfiguration.Enabled || e.EncryptionConfiguration.NoEncryptionConfig != types.NoEncryptionConfigNoEncryption ||
		e.Prefix != nil || e.FileExtension != nil || e.CustomTimeZone != nil || *e.BucketARN != "arn:aws:s3:::b" || *e.RoleARN != role {
		t.Errorf("%+v", e)
	}
	if *o.BufferingHints.SizeInMBs != 5 || o.CompressionFormat != e.CompressionFormat || *o.BucketARN != *e.BucketARN || *o.CloudWatchLoggingOptions.Enabled {
		t.Errorf("%+v", o)
	}

	s.create("all", func(in *sdk.CreateDeliveryStreamInput) {
		in.DeliveryStreamType = types.DeliveryStreamTypeDirectPut
		in.DirectPutSourceConfiguration = &types.DirectPutSourceConfiguration{ThroughputHintInMBs: aws.Int32(7)}
		e := in.ExtendedS3DestinationConfiguration
		e.Prefix, e.ErrorOutputPrefix = aws.String("p/!{timestamp:yyyy}/"), aws.String("e/!{firehose:error-output-type}/")
		e.BufferingHints = &types.BufferingHints{SizeInMBs: aws.Int32(64), IntervalInSeconds: aws.Int32(0)}
		e.CompressionFormat, e.FileExtension, e.CustomTimeZone = types.CompressionFormatGzip, aws.String(".json.gz"), aws.String("Europe/Paris")
		// What only says that something is off asks for nothing.
		e.CloudWatchLoggingOptions, e.ProcessingConfiguration = &types.CloudWatchLoggingOptions{Enabled: aws.Bool(false)}, &types.ProcessingConfiguration{Enabled: aws.Bool(false)}
		e.DataFormatConversionConfiguration, e.DynamicPartitioningConfiguration = &types.DataFormatConversionConfiguration{Enabled: aws.Bool(false)}, &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(false)}
		e.S3BackupMode, e.EncryptionConfiguration = types.S3BackupModeDisabled, &types.EncryptionConfiguration{NoEncryptionConfig: types.NoEncryptionConfigNoEncryption}
	})
	d = s.describe("all")
	e = d.Destinations[0].ExtendedS3DestinationDescription
	if *d.Source.DirectPutSourceDescription.ThroughputHintInMBs != 7 || *e.Prefix != "p/!{timestamp:yyyy}/" || *e.ErrorOutputPrefix != "e/!{firehose:error-output-type}/" ||
		*e.BufferingHints.SizeInMBs != 64 || *e.BufferingHints.IntervalInSeconds != 0 || e.CompressionFormat != types.CompressionFormatGzip || *e.FileExtension != ".json.gz" || *e.CustomTimeZone != "Europe/Paris" {
		t.Errorf("%+v", e)
	}
	out, err := s.DescribeDeliveryStream(s.ctx, &sdk.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String("all"), ExclusiveStartDestinationId: aws.String("destinationId-000000000001"), Limit: aws.Int32(1)})
	s.must(err)
	if len(out.DeliveryStreamDescription.Destinations) != 0 {
		t.Error("there is a destination after the last")
	}
}

// Every member of a configuration that this version does not do is refused by its name, and nothing is made.
func TestCreateRefusals(t *testing.T) {
	s := shared.session(t)
	type in = sdk.CreateDeliveryStreamInput
	text, some := aws.String("x"), aws.Bool(true)
	s3config := &types.S3DestinationConfiguration{RoleARN: aws.String(role), BucketARN: aws.String("arn:aws:s3:::b")}
	unsupported := func(name string) string { return name + " is not supported by this version of Weir." }
	only := func(change func(*in)) func(*in) {
		return func(i *in) { i.ExtendedS3DestinationConfiguration = nil; change(i) }
	}
	extended := func(change func(*types.ExtendedS3DestinationConfiguration)) func(*in) {
		return func(i *in) { change(i.ExtendedS3DestinationConfiguration) }
	}
	const invalid, validation = "InvalidArgumentException", "ValidationException"
	for name, row := range map[string]struct {
		change     func(*in)
		code, says string
	}{
		"none": {only(func(*in) {}), invalid, "Exactly one destination configuration is supported for a Firehose"},
		"two":  {func(i *in) { i.S3DestinationConfiguration = s3config }, invalid, "Exactly one destination configuration is supported for a Firehose"}, //nolint:staticcheck // tools send it still
		"Elasticsearch": {only(func(i *in) {
			i.ElasticsearchDestinationConfiguration = &types.ElasticsearchDestinationConfiguration{RoleARN: aws.String(role), IndexName: text, S3Configuration: s3config}
		}), invalid, unsupported("ElasticsearchDestinationConfiguration")},
		"OpenSearch": {only(func(i *in) {
			i.AmazonopensearchserviceDestinationConfiguration = &types.AmazonopensearchserviceDestinationConfiguration{RoleARN: aws.String(role), IndexName: text, S3Configuration: s3config}
		}), invalid, unsupported("AmazonopensearchserviceDestinationConfiguration")},
		"Serverless": {only(func(i *in) {
			i.AmazonOpenSearchServerlessDestinationConfiguration = &types.AmazonOpenSearchServerlessDestinationConfiguration{RoleARN: aws.String(role), IndexName: text, S3Configuration: s3config}
		}), invalid, unsupported("AmazonOpenSearchServerlessDestinationConfiguration")},
		"Redshift": {only(func(i *in) {
			i.RedshiftDestinationConfiguration = &types.RedshiftDestinationConfiguration{RoleARN: aws.String(role), ClusterJDBCURL: aws.String("jdbc:redshift://local.redshift.localhost:5439/dev"), CopyCommand: &types.CopyCommand{DataTableName: text}, S3Configuration: s3config}
		}), invalid, unsupported("RedshiftDestinationConfiguration")},
		"Splunk": {only(func(i *in) {
			i.SplunkDestinationConfiguration = &types.SplunkDestinationConfiguration{HECEndpoint: text, HECEndpointType: types.HECEndpointTypeRaw, S3Configuration: s3config}
		}), invalid, unsupported("SplunkDestinationConfiguration")},
		"HTTP": {only(func(i *in) {
			i.HttpEndpointDestinationConfiguration = &types.HttpEndpointDestinationConfiguration{EndpointConfiguration: &types.HttpEndpointConfiguration{Url: aws.String("https://x")}, S3Configuration: s3config}
		}), invalid, unsupported("HttpEndpointDestinationConfiguration")},
		"Snowflake": {only(func(i *in) {
			i.SnowflakeDestinationConfiguration = &types.SnowflakeDestinationConfiguration{AccountUrl: aws.String("https://account.snowflakecomputing.com"), Database: text, Schema: text, Table: text, RoleARN: aws.String(role), S3Configuration: s3config}
		}), invalid, unsupported("SnowflakeDestinationConfiguration")},
		"Iceberg": {only(func(i *in) {
			i.IcebergDestinationConfiguration = &types.IcebergDestinationConfiguration{RoleARN: aws.String(role), CatalogConfiguration: &types.CatalogConfiguration{}, S3Configuration: s3config}
		}), invalid, unsupported("IcebergDestinationConfiguration")},
		"MSK":      {func(i *in) { i.DeliveryStreamType = types.DeliveryStreamTypeMSKAsSource }, invalid, unsupported("MSKSourceConfiguration")},
		"database": {func(i *in) { i.DeliveryStreamType = types.DeliveryStreamTypeDatabaseAsSource }, invalid, unsupported("DatabaseSourceConfiguration")},
		"encryption": {func(i *in) {
			i.DeliveryStreamEncryptionConfigurationInput = &types.DeliveryStreamEncryptionConfigurationInput{KeyType: types.KeyTypeAwsOwnedCmk}
		}, invalid, unsupported("DeliveryStreamEncryptionConfigurationInput")},
		"no stream": {func(i *in) { i.DeliveryStreamType = types.DeliveryStreamTypeKinesisStreamAsSource }, invalid, "KinesisStreamSourceConfiguration must be given"},
		"stream and puts": {func(i *in) {
			i.KinesisStreamSourceConfiguration = &types.KinesisStreamSourceConfiguration{KinesisStreamARN: aws.String("arn:aws:kinesis:us-east-1:" + s.account + ":stream/s"), RoleARN: aws.String(role)}
		}, invalid, "is not allowed for the delivery stream type DirectPut"},
		"unknown stream": {func(i *in) {
			i.DeliveryStreamType = types.DeliveryStreamTypeKinesisStreamAsSource
			i.KinesisStreamSourceConfiguration = &types.KinesisStreamSourceConfiguration{KinesisStreamARN: aws.String("arn:aws:kinesis:us-east-1:" + s.account + ":stream/none"), RoleARN: aws.String(role)}
		}, invalid, "stream/none was not found"},
		"another's stream": {func(i *in) {
			i.DeliveryStreamType = types.DeliveryStreamTypeKinesisStreamAsSource
			i.KinesisStreamSourceConfiguration = &types.KinesisStreamSourceConfiguration{KinesisStreamARN: aws.String("arn:aws:kinesis:us-east-1:123456789012:stream/s"), RoleARN: aws.String(role)}
		}, invalid, "another's is not supported"},
		"KMS": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.EncryptionConfiguration = &types.EncryptionConfiguration{KMSEncryptionConfig: &types.KMSEncryptionConfig{AWSKMSKeyARN: aws.String("arn:aws:kms:us-east-1:123456789012:key/k")}}
		}), invalid, unsupported("EncryptionConfiguration.KMSEncryptionConfig")},
		"logging": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.CloudWatchLoggingOptions = &types.CloudWatchLoggingOptions{Enabled: some}
		}), invalid, unsupported("CloudWatchLoggingOptions")},
		"processing": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: some}
		}), invalid, unsupported("ProcessingConfiguration")},
		"processors": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(false), Processors: []types.Processor{{Type: types.ProcessorTypeAppendDelimiterToRecord}}}
		}), invalid, unsupported("ProcessingConfiguration")},
		"backup":    {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.S3BackupMode = types.S3BackupModeEnabled }), invalid, unsupported("S3BackupMode Enabled")},
		"backup to": {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.S3BackupConfiguration = s3config }), invalid, unsupported("S3BackupConfiguration")},
		"conversion": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{}
		}), invalid, unsupported("DataFormatConversionConfiguration")},
		"partitions": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.DynamicPartitioningConfiguration = &types.DynamicPartitioningConfiguration{Enabled: some}
		}), invalid, unsupported("DynamicPartitioningConfiguration")},
		"retries": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.DynamicPartitioningConfiguration = &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(false), RetryOptions: &types.RetryOptions{}}
		}), invalid, unsupported("DynamicPartitioningConfiguration.RetryOptions")},
		"one hint": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.BufferingHints = &types.BufferingHints{SizeInMBs: aws.Int32(1)}
		}), invalid, "BufferingHints must have both"},
		"large": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.BufferingHints = &types.BufferingHints{SizeInMBs: aws.Int32(129), IntervalInSeconds: aws.Int32(1)}
		}), validation, "1 validation error detected: Value '129' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs'"},
		"compression": {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.CompressionFormat = "LZ4" }), validation, "at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set"},
		"extension":   {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.FileExtension = aws.String("json") }), validation, "at 'extendedS3DestinationConfiguration.fileExtension'"},
		"prefix": {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.Prefix = aws.String("!{timestamp:yyyy}") }), invalid,
			"Ths supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"},
		"pattern": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.Prefix, e.ErrorOutputPrefix = aws.String("!{timestamp:YYYY}"), text
		}), invalid, "The pattern letter Y"},
		"partition": {extended(func(e *types.ExtendedS3DestinationConfiguration) {
			e.Prefix, e.ErrorOutputPrefix = aws.String("!{partitionKeyFromQuery:id}"), text
		}), invalid, "dynamic partitioning"},
		"zone":    {extended(func(e *types.ExtendedS3DestinationConfiguration) { e.CustomTimeZone = aws.String("Mars/Olympus") }), invalid, "CustomTimeZone Mars/Olympus is not a valid time zone."},
		"tag":     {func(i *in) { i.Tags = []types.Tag{{Key: aws.String("a")}, {Key: aws.String("a")}} }, invalid, "more than once"},
		"aws tag": {func(i *in) { i.Tags = []types.Tag{{Key: aws.String("aws:a")}} }, validation, "1 validation error detected: Value 'aws:a' at 'tags.1.member.key'"},
	} {
		i := &in{DeliveryStreamName: aws.String("d"), ExtendedS3DestinationConfiguration: s.destination()}
		row.change(i)
		_, err := s.CreateDeliveryStream(s.ctx, i)
		t.Run(name, func(t *testing.T) { v := *s; v.t = t; v.refused(err, row.code, row.says) })
	}
	out, err := s.ListDeliveryStreams(s.ctx, &sdk.ListDeliveryStreamsInput{})
	s.must(err)
	if len(out.DeliveryStreamNames) != 0 {
		t.Error("what was refused was made: ", out.DeliveryStreamNames)
	}
}

// An update changes what it names, keeps the rest, and counts the version up.
func TestUpdateDestination(t *testing.T) {
	s := shared.session(t)
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.Prefix = aws.String("p/")
		in.ExtendedS3DestinationConfiguration.CompressionFormat = types.CompressionFormatZip
	})
	update := func(change func(*sdk.UpdateDestinationInput)) error {
		in := &sdk.UpdateDestinationInput{DeliveryStreamName: aws.String("d"), CurrentDeliveryStreamVersionId: aws.String("1"), DestinationId: aws.String("destinationId-000000000001"),
			ExtendedS3DestinationUpdate: &types.ExtendedS3DestinationUpdate{BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(9), IntervalInSeconds: aws.Int32(60)}}}
		change(in)
		_, err := s.UpdateDestination(s.ctx, in)
		return err
	}
	s.refused(update(func(in *sdk.UpdateDestinationInput) { in.DeliveryStreamName = aws.String("e") }), "ResourceNotFoundException", "Firehose e under account")
	s.refused(update(func(in *sdk.UpdateDestinationInput) { in.CurrentDeliveryStreamVersionId = aws.String("2") }), "ConcurrentModificationException",
		"Cannot update firehose: d since the current version id: 1 and specified version id: 2 do not match")
	s.refused(update(func(in *sdk.UpdateDestinationInput) { in.DestinationId = aws.String("destinationId-000000000002") }), "InvalidArgumentException", "Destination Id destinationId-000000000002 not found")
	s.refused(update(func(in *sdk.UpdateDestinationInput) { in.ExtendedS3DestinationUpdate = nil }), "InvalidArgumentException", "Exactly one destination configuration")
	for name, change := range map[string]func(*sdk.UpdateDestinationInput){
		"RedshiftDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.RedshiftDestinationUpdate = &types.RedshiftDestinationUpdate{}
		},
		"ElasticsearchDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.ElasticsearchDestinationUpdate = &types.ElasticsearchDestinationUpdate{}
		},
		"AmazonopensearchserviceDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.AmazonopensearchserviceDestinationUpdate = &types.AmazonopensearchserviceDestinationUpdate{}
		},
		"AmazonOpenSearchServerlessDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.AmazonOpenSearchServerlessDestinationUpdate = &types.AmazonOpenSearchServerlessDestinationUpdate{}
		},
		"SplunkDestinationUpdate": func(in *sdk.UpdateDestinationInput) { in.SplunkDestinationUpdate = &types.SplunkDestinationUpdate{} },
		"HttpEndpointDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.HttpEndpointDestinationUpdate = &types.HttpEndpointDestinationUpdate{}
		},
		"SnowflakeDestinationUpdate": func(in *sdk.UpdateDestinationInput) {
			in.SnowflakeDestinationUpdate = &types.SnowflakeDestinationUpdate{}
		},
		"IcebergDestinationUpdate": func(in *sdk.UpdateDestinationInput) { in.IcebergDestinationUpdate = &types.IcebergDestinationUpdate{} },
	} {
		s.refused(update(func(in *sdk.UpdateDestinationInput) { in.ExtendedS3DestinationUpdate = nil; change(in) }), "InvalidArgumentException", name+" is not supported")
	}
	s.refused(update(func(in *sdk.UpdateDestinationInput) {
		in.ExtendedS3DestinationUpdate.S3BackupMode = types.S3BackupModeEnabled
	}), "InvalidArgumentException", "S3BackupMode Enabled is not supported")
	s.refused(update(func(in *sdk.UpdateDestinationInput) {
		in.ExtendedS3DestinationUpdate.Prefix = aws.String("!{timestamp:yyyy}")
	}), "InvalidArgumentException", "ErrorOutputPrefix cannot be null")
	s.must(update(func(*sdk.UpdateDestinationInput) {}))
	d := s.describe("d")
	e := d.Destinations[0].ExtendedS3DestinationDescription
	if *d.VersionId != "2" || d.LastUpdateTimestamp == nil || *e.Prefix != "p/" || e.CompressionFormat != types.CompressionFormatZip || *e.BufferingHints.SizeInMBs != 9 || *e.BufferingHints.IntervalInSeconds != 60 {
		t.Errorf("%+v %+v", d, e)
	}
	s.must(update(func(in *sdk.UpdateDestinationInput) {
		in.CurrentDeliveryStreamVersionId, in.ExtendedS3DestinationUpdate = aws.String("2"), nil
		in.S3DestinationUpdate = &types.S3DestinationUpdate{Prefix: aws.String("q/"), BufferingHints: &types.BufferingHints{}} //nolint:staticcheck // tools send it still
	}))
	d = s.describe("d")
	e = d.Destinations[0].ExtendedS3DestinationDescription
	if *d.VersionId != "3" || *e.Prefix != "q/" || e.CompressionFormat != types.CompressionFormatZip || *e.BufferingHints.SizeInMBs != 5 {
		t.Errorf("%+v %+v", d, e)
	}
}

// Names are listed in order, ten at a time unless told, after a name and of a type.
func TestList(t *testing.T) {
	s := shared.session(t)
	for i := range 12 {
		s.create(fmt.Sprintf("d%02d", i), nil)
	}
	list := func(in sdk.ListDeliveryStreamsInput, more bool) []string {
		t.Helper()
		out, err := s.ListDeliveryStreams(s.ctx, &in)
		s.must(err)
		if *out.HasMoreDeliveryStreams != more {
			t.Errorf("more: %v", *out.HasMoreDeliveryStreams)
		}
		return out.DeliveryStreamNames
	}
	if got := list(sdk.ListDeliveryStreamsInput{}, true); len(got) != 10 || got[0] != "d00" || !slices.IsSorted(got) {
		t.Error(got)
	}
	if got := list(sdk.ListDeliveryStreamsInput{ExclusiveStartDeliveryStreamName: aws.String("d09")}, false); !slices.Equal(got, []string{"d10", "d11"}) {
		t.Error(got)
	}
	if got := list(sdk.ListDeliveryStreamsInput{DeliveryStreamType: types.DeliveryStreamTypeDirectPut, Limit: aws.Int32(12)}, false); len(got) != 12 {
		t.Error(got)
	}
	if got := list(sdk.ListDeliveryStreamsInput{DeliveryStreamType: types.DeliveryStreamTypeKinesisStreamAsSource}, false); len(got) != 0 {
		t.Error(got)
	}
}

// Tags are added, replaced, listed in pages and taken away.
func TestTags(t *testing.T) {
	s := shared.session(t)
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.Tags = []types.Tag{{Key: aws.String("b"), Value: aws.String("1")}, {Key: aws.String("a")}}
	})
	list := func(in sdk.ListTagsForDeliveryStreamInput) (string, bool) {
		t.Helper()
		in.DeliveryStreamName = aws.String("d")
		out, err := s.ListTagsForDeliveryStream(s.ctx, &in)
		s.must(err)
		var all []string
		for _, tag := range out.Tags {
			all = append(all, *tag.Key+"="+aws.ToString(tag.Value))
		}
		return strings.Join(all, " "), *out.HasMoreTags
	}
	_, err := s.TagDeliveryStream(s.ctx, &sdk.TagDeliveryStreamInput{DeliveryStreamName: aws.String("d"), Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("c")}}})
	s.must(err)
	if got, more := list(sdk.ListTagsForDeliveryStreamInput{}); got != "a= b=2 c=" || more {
		t.Error(got, more)
	}
	if got, more := list(sdk.ListTagsForDeliveryStreamInput{Limit: aws.Int32(1), ExclusiveStartTagKey: aws.String("a")}); got != "b=2" || !more {
		t.Error(got, more)
	}
	_, err = s.UntagDeliveryStream(s.ctx, &sdk.UntagDeliveryStreamInput{DeliveryStreamName: aws.String("d"), TagKeys: []string{"a", "c", "none"}})
	s.must(err)
	if got, _ := list(sdk.ListTagsForDeliveryStreamInput{}); got != "b=2" {
		t.Error(got)
	}
	_, err = s.TagDeliveryStream(s.ctx, &sdk.TagDeliveryStreamInput{DeliveryStreamName: aws.String("none"), Tags: []types.Tag{{Key: aws.String("b")}}})
	s.refused(err, "ResourceNotFoundException", "Firehose none under account")
}

// What the document of the service calls absent is refused by name, and nothing else is absent.
func TestOperationsAbsent(t *testing.T) {
	s := shared.session(t)
	s.create("d", nil)
	_, err := s.StartDeliveryStreamEncryption(s.ctx, &sdk.StartDeliveryStreamEncryptionInput{DeliveryStreamName: aws.String("d")})
	s.refused(err, "UnsupportedOperationException", "The operation StartDeliveryStreamEncryption is not supported by this version of Weir.")
	_, err = s.StopDeliveryStreamEncryption(s.ctx, &sdk.StopDeliveryStreamEncryptionInput{DeliveryStreamName: aws.String("d")})
	s.refused(err, "UnsupportedOperationException", "The operation StopDeliveryStreamEncryption is not supported by this version of Weir.")
	for _, operation := range slices.Sorted(maps.Keys(shapes.Service.Operations)) {
		if want := !strings.HasSuffix(operation, "Encryption"); firehose.Supported(operation) != want {
			t.Errorf("%s: served %v", operation, !want)
		}
	}
}
