package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// GetFunction describes a version of a function, its tags and its concurrency.
//
// Source: API_GetFunction (read 2026-11). Shown by: TestFunctionLife in test/lambda.
// Differs: there is no Code.Location, because code is not given out: whoever put it has it, and CodeSha256 says which it is.
func (a *API) getFunction(c *edge.Call, in *shapes.GetFunctionRequest) (*shapes.GetFunctionResponse, error) {
	n, f, v, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &shapes.GetFunctionResponse{Configuration: configuration(f, v, n.qualifier), Code: &shapes.FunctionCodeLocation{RepositoryType: ptr("S3")}, Tags: f.Tags}
	if f.Reserved != nil {
		out.Concurrency = &shapes.Concurrency{ReservedConcurrentExecutions: ptr(int32(*f.Reserved))}
	}
	return out, nil
}

// GetFunctionConfiguration describes a version of a function.
//
// Source: API_GetFunctionConfiguration (read 2026-11). Shown by: TestFunctionLife in test/lambda.
// Differs from AWS: none known.
func (a *API) getFunctionConfiguration(c *edge.Call, in *shapes.GetFunctionConfigurationRequest) (*shapes.FunctionConfiguration, error) {
	n, f, v, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return configuration(f, v, n.qualifier), nil
}

// GetFunctionCodeSigningConfig says that no function has one: they cannot be made here. Terraform asks it of every function.
//
// Source: API_GetFunctionCodeSigningConfig (read 2026-11). Shown by: TestFunctionLife in test/lambda.
// Differs: functions with a code signing configuration are refused when they are made, so that the answer is always the one of a function without.
func (a *API) getFunctionCodeSigningConfig(c *edge.Call, in *shapes.GetFunctionCodeSigningConfigRequest) (*shapes.GetFunctionCodeSigningConfigResponse, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	// AWS answers with the name and an empty ARN.
	return &shapes.GetFunctionCodeSigningConfigResponse{FunctionName: ptr(n.Name.Name), CodeSigningConfigArn: ptr("")}, nil
}
