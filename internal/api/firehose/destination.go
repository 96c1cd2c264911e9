package firehose

import (
	"github.com/weir-stream/weir/internal/delivery"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// oneDestination is what AWS says of a request that has none, or two.
const oneDestination = "Exactly one destination configuration is supported for a Firehose"

// extended is the older member of a request as the newer one, which has all that it has.
func extended(old *shapes.S3DestinationConfiguration) *shapes.ExtendedS3DestinationConfiguration {
	return &shapes.ExtendedS3DestinationConfiguration{
		RoleARN: old.RoleARN, BucketARN: old.BucketARN, Prefix: old.Prefix, ErrorOutputPrefix: old.ErrorOutputPrefix, BufferingHints: old.BufferingHints,
		CompressionFormat: old.CompressionFormat, EncryptionConfiguration: old.EncryptionConfiguration, CloudWatchLoggingOptions: old.CloudWatchLoggingOptions,
	}
}

// extendedUpdate is extended for updates.
func extendedUpdate(old *shapes.S3DestinationUpdate) *shapes.ExtendedS3DestinationUpdate {
	return &shapes.ExtendedS3DestinationUpdate{
		RoleARN: old.RoleARN, BucketARN: old.BucketARN, Prefix: old.Prefix, ErrorOutputPrefix: old.ErrorOutputPrefix, BufferingHints: old.BufferingHints,
		CompressionFormat: old.CompressionFormat, EncryptionConfiguration: old.EncryptionConfiguration, CloudWatchLoggingOptions: old.CloudWatchLoggingOptions,
	}
}

// update is a whole destination as an update of nothing, so that both are read alike.
func update(in *shapes.ExtendedS3DestinationConfiguration) *shapes.ExtendedS3DestinationUpdate {
	u := &shapes.ExtendedS3DestinationUpdate{
		RoleARN: in.RoleARN, BucketARN: in.BucketARN, Prefix: in.Prefix, ErrorOutputPrefix: in.ErrorOutputPrefix, BufferingHints: in.BufferingHints,
		CompressionFormat: in.CompressionFormat, EncryptionConfiguration: in.EncryptionConfiguration, CloudWatchLoggingOptions: in.CloudWatchLoggingOptions,
		ProcessingConfiguration: in.ProcessingConfiguration, S3BackupMode: in.S3BackupMode, DataFormatConversionConfiguration: in.DataFormatConversionConfiguration,
		DynamicPartitioningConfiguration: in.DynamicPartitioningConfiguration, FileExtension: in.FileExtension, CustomTimeZone: in.CustomTimeZone,
	}
	if in.S3BackupConfiguration != nil {
		u.S3BackupUpdate = new(shapes.S3DestinationUpdate)
	}
	return u
}

// refuseOptions refuses by name what an S3 destination may be told and this version does not do. A block that only says that something is off asks for nothing.
func refuseOptions(in *shapes.ExtendedS3DestinationUpdate) error {
	off := func(enabled *bool) bool { return enabled != nil && !*enabled }
	processing, conversion := in.ProcessingConfiguration, in.DataFormatConversionConfiguration
	partitioning, logging := in.DynamicPartitioningConfiguration, in.CloudWatchLoggingOptions
	return refuse([]refused{
		{"EncryptionConfiguration.KMSEncryptionConfig", in.EncryptionConfiguration != nil && in.EncryptionConfiguration.KMSEncryptionConfig != nil},
		{"CloudWatchLoggingOptions", logging != nil && !(off(logging.Enabled) && logging.LogGroupName == nil && logging.LogStreamName == nil)},
		{"ProcessingConfiguration", processing != nil && !(off(processing.Enabled) && len(processing.Processors) == 0)},
		{"S3BackupMode Enabled", deref(in.S3BackupMode) == shapes.S3BackupModeEnabled},
		{"S3BackupConfiguration", in.S3BackupUpdate != nil},
		{"DataFormatConversionConfiguration", conversion != nil && !(off(conversion.Enabled) && conversion.SchemaConfiguration == nil &&
			conversion.InputFormatConfiguration == nil && conversion.OutputFormatConfiguration == nil)},
		{"DynamicPartitioningConfiguration", partitioning != nil && !off(partitioning.Enabled)},
		{"DynamicPartitioningConfiguration.RetryOptions", partitioning != nil && partitioning.RetryOptions != nil},
	})
}

// merge is a destination with what an update says of it: member by member, and a structure inside as a whole (API_UpdateDestination, read 2026-11). What is wrong with what comes of it
// delivery says.
func merge(s3 delivery.S3, in *shapes.ExtendedS3DestinationUpdate) (delivery.S3, error) {
	if err := refuseOptions(in); err != nil {
		return s3, err
	}
	if hints := in.BufferingHints; hints != nil {
		if (hints.SizeInMBs == nil) != (hints.IntervalInSeconds == nil) {
			return s3, invalid("BufferingHints must have both SizeInMBs and IntervalInSeconds, or neither.")
		}
		s3.SizeMiB, s3.IntervalSeconds = delivery.SizeMiBDefault, delivery.IntervalSecondsDefault
		if hints.SizeInMBs != nil {
			s3.SizeMiB, s3.IntervalSeconds = int(*hints.SizeInMBs), int(*hints.IntervalInSeconds)
		}
	}
	if in.RoleARN != nil {
		s3.Role = *in.RoleARN
	}
	if in.BucketARN != nil {
		s3.Bucket = *in.BucketARN
	}
	if in.Prefix != nil {
		s3.Prefix = in.Prefix
	}
	if in.ErrorOutputPrefix != nil {
		s3.ErrorPrefix = in.ErrorOutputPrefix
	}
	if in.CompressionFormat != nil {
		s3.Compression = delivery.Compression(*in.CompressionFormat)
	}
	if in.FileExtension != nil {
		s3.Extension = in.FileExtension
	}
	if in.CustomTimeZone != nil {
		s3.TimeZone = *in.CustomTimeZone
	}
	return s3, nil
}

// describe is a destination as both members of a description, with what AWS adds to it.
func describe(s3 *delivery.S3) (*shapes.S3DestinationDescription, *shapes.ExtendedS3DestinationDescription) {
	old := &shapes.S3DestinationDescription{
		RoleARN: ptr(s3.Role), BucketARN: ptr(s3.Bucket), Prefix: s3.Prefix, ErrorOutputPrefix: s3.ErrorPrefix,
		BufferingHints:    &shapes.BufferingHints{SizeInMBs: ptr(int32(s3.SizeMiB)), IntervalInSeconds: ptr(int32(s3.IntervalSeconds))},
		CompressionFormat: ptr(shapes.CompressionFormat(s3.Compression)), EncryptionConfiguration: &shapes.EncryptionConfiguration{NoEncryptionConfig: ptr(shapes.NoEncryptionConfigNoEncryption)},
		CloudWatchLoggingOptions: &shapes.CloudWatchLoggingOptions{Enabled: ptr(false)},
	}
	d := &shapes.ExtendedS3DestinationDescription{
		RoleARN: old.RoleARN, BucketARN: old.BucketARN, Prefix: old.Prefix, ErrorOutputPrefix: old.ErrorOutputPrefix, BufferingHints: old.BufferingHints, CompressionFormat: old.CompressionFormat,
		EncryptionConfiguration: old.EncryptionConfiguration, CloudWatchLoggingOptions: old.CloudWatchLoggingOptions, S3BackupMode: ptr(shapes.S3BackupModeDisabled),
		DataFormatConversionConfiguration: &shapes.DataFormatConversionConfiguration{Enabled: ptr(false)}, FileExtension: s3.Extension,
	}
	if s3.TimeZone != "" {
		d.CustomTimeZone = ptr(s3.TimeZone)
	}
	return old, d
}
