package lambda

import (
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions/mapping"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// CreateEventSourceMapping has a function invoked with the records of a stream. It answers at once; the mapping is Creating until where it begins is durable.
//
// Source: API_CreateEventSourceMapping and Lambda developer guide, "Using Lambda to process records from Amazon Kinesis Data Streams" (read 2026-11). Shown by: TestMappings,
// TestMappingOfTable, TestMappingOfConsumer, TestMappingRefusals in test/lambda. What a mapping does is shown in internal/functions/mapping.
// Differs: streams of the caller's account and region only; other sources, and options that streams have none of here, are refused by name, and so are destinations other than buckets. What
// mappings read does not count against what others may read from a shard, and a consumer's mapping does not take the consumer's subscription. No role is assumed.
func (a *API) createEventSourceMapping(c *edge.Call, in *shapes.CreateEventSourceMappingRequest) (*shapes.EventSourceMappingConfiguration, error) {
	if err := a.authorize(c, nil, "", "*", c.Account); err != nil {
		return nil, err
	}
	refused := mappingOptions{
		{"KMSKeyArn", in.KMSKeyArn != nil}, {"MetricsConfig", in.MetricsConfig != nil}, {"LoggingConfig", in.LoggingConfig != nil}, {"ScalingConfig", in.ScalingConfig != nil},
		{"Topics", len(in.Topics) > 0}, {"Queues", len(in.Queues) > 0}, {"SourceAccessConfigurations", len(in.SourceAccessConfigurations) > 0},
		{"SelfManagedEventSource", in.SelfManagedEventSource != nil}, {"AmazonManagedKafkaEventSourceConfig", in.AmazonManagedKafkaEventSourceConfig != nil},
		{"SelfManagedKafkaEventSourceConfig", in.SelfManagedKafkaEventSourceConfig != nil}, {"DocumentDBEventSourceConfig", in.DocumentDBEventSourceConfig != nil},
		{"ProvisionedPollerConfig", in.ProvisionedPollerConfig != nil},
	}
	if err := refused.refuse(); err != nil {
		return nil, err
	}
	if in.EventSourceArn == nil {
		return nil, fault.New(fault.Invalid, "Unrecognized event source.")
	}
	create := mapping.Create{Account: c.Account, Region: c.Region, Source: *in.EventSourceArn, Config: mapping.Defaults(), Enabled: in.Enabled == nil || *in.Enabled, Tags: in.Tags}
	said := mappingConfig{
		in.BatchSize, in.MaximumBatchingWindowInSeconds, in.ParallelizationFactor, in.MaximumRecordAgeInSeconds, in.MaximumRetryAttempts, in.TumblingWindowInSeconds,
		in.BisectBatchOnFunctionError, in.FunctionResponseTypes, in.FilterCriteria, in.DestinationConfig,
	}
	err := said.into(&create.Config)
	if err == nil {
		err = checkTags(in.Tags)
	}
	if err == nil {
		create.Function, err = a.mappedFunction(c, in.FunctionName)
	}
	if err != nil {
		return nil, err
	}
	if parsed, err := arn.Parse(*in.EventSourceArn); err == nil && (parsed.Account != c.Account || parsed.Region != c.Region) {
		return nil, unsupported("An event source in another account or region")
	}
	kind, err := a.mappings.Check(c.Ctx, *in.EventSourceArn)
	if err != nil {
		return nil, err
	}
	if create.Starting, err = starting(in, kind, a.clock.Now()); err != nil {
		return nil, err
	}
	if create.UUID, err = a.mappings.NewUUID(); err != nil {
		return nil, err
	}
	if err := a.mappings.Propose(c.Ctx, create); err != nil {
		return nil, err
	}
	return a.describeMapping(c, create.UUID)
}

// starting is where a request wants a mapping to begin.
func starting(in *shapes.CreateEventSourceMappingRequest, kind mapping.Kind, now time.Time) (mapping.Starting, error) {
	if in.StartingPosition == nil {
		return mapping.Starting{}, missing("startingPosition")
	}
	s := mapping.Starting{Position: string(*in.StartingPosition)}
	at, timed := in.StartingPositionTimestamp, *in.StartingPosition == shapes.EventSourcePositionAtTimestamp
	switch {
	case timed && kind == mapping.Table:
		return s, fault.New(fault.Invalid, "Unsupported starting position for arn type: %s", *in.EventSourceArn)
	case timed && at == nil:
		return s, fault.New(fault.Invalid, "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP.")
	case !timed && at != nil:
		return s, fault.New(fault.Invalid, "StartingPositionTimestamp is only allowed when StartingPosition is AT_TIMESTAMP.")
	case timed && at.After(now):
		return s, fault.New(fault.Invalid, "StartingPositionTimestamp must not be in the future.")
	case timed:
		s.Time = at.UTC().Truncate(time.Millisecond)
	}
	return s, nil
}
