package lambda

import (
	"slices"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions/mapping"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// UpdateEventSourceMapping changes a mapping. It answers at once; the mapping is Updating, Enabling or Disabling until invocations that are under way have ended and what they did
// is remembered. It goes on where it stands.
//
// Source: API_UpdateEventSourceMapping (read 2026-11). Shown by: TestMappings in test/lambda.
// Differs: as CreateEventSourceMapping.
func (a *API) updateEventSourceMapping(c *edge.Call, in *shapes.UpdateEventSourceMappingRequest) (*shapes.EventSourceMappingConfiguration, error) {
	m, err := a.findMapping(c, in.UUID)
	if err != nil {
		return nil, err
	}
	refused := mappingOptions{
		{"KMSKeyArn", in.KMSKeyArn != nil}, {"MetricsConfig", in.MetricsConfig != nil}, {"LoggingConfig", in.LoggingConfig != nil}, {"ScalingConfig", in.ScalingConfig != nil},
		{"SourceAccessConfigurations", len(in.SourceAccessConfigurations) > 0}, {"AmazonManagedKafkaEventSourceConfig", in.AmazonManagedKafkaEventSourceConfig != nil},
		{"SelfManagedKafkaEventSourceConfig", in.SelfManagedKafkaEventSourceConfig != nil}, {"DocumentDBEventSourceConfig", in.DocumentDBEventSourceConfig != nil},
		{"ProvisionedPollerConfig", in.ProvisionedPollerConfig != nil},
	}
	if err := refused.refuse(); err != nil {
		return nil, err
	}
	update := mapping.Update{UUID: m.UUID, Was: m.Changed, Function: m.Function, Config: m.Config, Enabled: m.Enabled}
	update.Config.Filters = slices.Clone(m.Config.Filters)
	if in.Enabled != nil {
		update.Enabled = *in.Enabled
	}
	if in.FunctionName != nil {
		if update.Function, err = a.mappedFunction(c, in.FunctionName); err != nil {
			return nil, err
		}
	}
	said := mappingConfig{
		in.BatchSize, in.MaximumBatchingWindowInSeconds, in.ParallelizationFactor, in.MaximumRecordAgeInSeconds, in.MaximumRetryAttempts, in.TumblingWindowInSeconds,
		in.BisectBatchOnFunctionError, in.FunctionResponseTypes, in.FilterCriteria, in.DestinationConfig,
	}
	if err := said.into(&update.Config); err != nil {
		return nil, err
	}
	if err := a.mappings.Propose(c.Ctx, update); err != nil {
		return nil, err
	}
	return a.describeMapping(c, m.UUID)
}
