package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// UpdateFunctionConfiguration changes what is said of $LATEST; what is absent stays. The next event finds it.
//
// Source: API_UpdateFunctionConfiguration (read 2026-11). Shown by: TestFunctionLife, TestRefusedOptions in test/lambda.
// Differs: as CreateFunction.
func (a *API) updateFunctionConfiguration(c *edge.Call, in *shapes.UpdateFunctionConfigurationRequest) (*shapes.FunctionConfiguration, error) {
	n, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	o := options{in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.Layers, in.FileSystemConfigs, in.ImageConfig, in.EphemeralStorage, in.SnapStart,
		in.LoggingConfig, in.CapacityProviderConfig, in.DurableConfig}
	if err := o.refuse(n.Name.Name); err != nil {
		return nil, err
	}
	config := f.Latest.Config
	set(&config.Role, in.Role)
	set(&config.Handler, in.Handler)
	set(&config.Description, in.Description)
	set(&config.Runtime, (*string)(in.Runtime))
	if in.Timeout != nil {
		config.TimeoutSeconds = int(*in.Timeout)
	}
	if in.MemorySize != nil {
		config.MemoryMB = int(*in.MemorySize)
	}
	if in.Environment != nil {
		config.Env = variables(in.Environment)
	}
	if err := check(&config); err != nil {
		return nil, err
	}
	if err := a.functions.Propose(c.Ctx, functions.UpdateConfig{Name: n.Name, Config: config, Was: f.Latest.Revision, Revision: deref(in.RevisionId)}, nil); err != nil {
		return nil, err
	}
	return a.describe(n, functions.Latest)
}

// set is *to = *from, unless there is nothing to set.
func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}
