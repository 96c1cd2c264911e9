package lambda

import (
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// An event invoke configuration says how often an asynchronous event is tried again, how old it may become, and where what became of it goes.
//
// Source: API_PutFunctionEventInvokeConfig, API_UpdateFunctionEventInvokeConfig, API_GetFunctionEventInvokeConfig, API_ListFunctionEventInvokeConfigs,
// API_DeleteFunctionEventInvokeConfig (read 2026-11). Shown by: TestEventInvokeConfig, TestEvents in test/lambda.
// Differs: destinations are functions; queues, topics, buckets and event buses are refused by name.

func (a *API) putFunctionEventInvokeConfig(c *edge.Call, in *shapes.PutFunctionEventInvokeConfigRequest) (*shapes.FunctionEventInvokeConfig, error) {
	return a.setEventConfig(c, in.FunctionName, in.Qualifier, in.MaximumRetryAttempts, in.MaximumEventAgeInSeconds, in.DestinationConfig, false)
}

func (a *API) updateFunctionEventInvokeConfig(c *edge.Call, in *shapes.UpdateFunctionEventInvokeConfigRequest) (*shapes.FunctionEventInvokeConfig, error) {
	return a.setEventConfig(c, in.FunctionName, in.Qualifier, in.MaximumRetryAttempts, in.MaximumEventAgeInSeconds, in.DestinationConfig, true)
}

func (a *API) setEventConfig(c *edge.Call, name, qualifier *string, retries, age *int32, to *shapes.DestinationConfig, merge bool) (*shapes.FunctionEventInvokeConfig, error) {
	n, _, _, err := a.find(c, name, qualifier)
	if err != nil {
		return nil, err
	}
	config := functions.EventConfig{Qualifier: n.qualifier, Retries: number(retries), AgeSeconds: number(age)}
	if to != nil {
		if to.OnSuccess != nil {
			if config.OnSuccess, err = a.destination(c, n, "OnSuccess", to.OnSuccess.Destination); err != nil {
				return nil, err
			}
		}
		if to.OnFailure != nil {
			if config.OnFailure, err = a.destination(c, n, "OnFailure", to.OnFailure.Destination); err != nil {
				return nil, err
			}
		}
	}
	if err := a.functions.Propose(c.Ctx, functions.SetEventConfig{Name: n.Name, Config: config, Merge: merge}, nil); err != nil {
		return nil, err
	}
	return a.describeEventConfig(n)
}

func number(n *int32) *int {
	if n == nil {
		return nil
	}
	return ptr(int(*n))
}

// destination reads the ARN of a destination: a function of the caller's account that is there.
func (a *API) destination(c *edge.Call, n named, which string, text *string) (string, error) {
	if deref(text) == "" {
		return "", nil
	}
	parsed, err := arn.Parse(*text)
	if err != nil {
		return "", fault.New(fault.Invalid, "The provided destination config DestinationConfig(%s) is invalid: %s is not an ARN.", which, *text)
	}
	if _, _, err := parsed.FunctionName(); err != nil {
		return "", fault.New(fault.Unsupported, "The destination %s is not supported by this version of Weir: what became of events goes to functions.", *text)
	}
	if parsed.Account != n.Account || parsed.Region != n.Region {
		return "", fault.New(fault.Unsupported, "The destination %s is not supported by this version of Weir: it is in another account or region.", *text)
	}
	if _, _, err := a.functions.Resolve(*text); err != nil {
		return "", fault.New(fault.Invalid, "The destination ARN %s is invalid: there is no such function.", *text)
	}
	return *text, nil
}

func (a *API) describeEventConfig(n named) (*shapes.FunctionEventInvokeConfig, error) {
	f := a.functions.Catalog().Function(n.Account, n.Region, n.Name.Name)
	if f == nil {
		return nil, functions.NotFound(n.arn())
	}
	config := f.EventConfig(n.qualifier)
	if config == nil {
		if n.qualifier == "" {
			n.qualifier = functions.Latest
		}
		return nil, functions.NoEventConfig(n.arn())
	}
	return eventConfigShape(f, config), nil
}

func eventConfigShape(f *functions.Function, config *functions.EventConfig) *shapes.FunctionEventInvokeConfig {
	out := &shapes.FunctionEventInvokeConfig{FunctionArn: ptr(f.ARN(config.Qualifier)), LastModified: ptr(config.Modified),
		DestinationConfig: &shapes.DestinationConfig{OnSuccess: &shapes.OnSuccess{Destination: some(config.OnSuccess)}, OnFailure: &shapes.OnFailure{Destination: some(config.OnFailure)}}}
	if config.Retries != nil {
		out.MaximumRetryAttempts = ptr(int32(*config.Retries))
	}
	if config.AgeSeconds != nil {
		out.MaximumEventAgeInSeconds = ptr(int32(*config.AgeSeconds))
	}
	return out
}

func (a *API) getFunctionEventInvokeConfig(c *edge.Call, in *shapes.GetFunctionEventInvokeConfigRequest) (*shapes.FunctionEventInvokeConfig, error) {
	n, _, _, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return a.describeEventConfig(n)
}

func (a *API) listFunctionEventInvokeConfigs(c *edge.Call, in *shapes.ListFunctionEventInvokeConfigsRequest) (*shapes.ListFunctionEventInvokeConfigsResponse, error) {
	_, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	configs, next := page(f.EventConfigs, func(e functions.EventConfig) string { return e.Qualifier }, in.Marker, in.MaxItems, pageMax)
	out := &shapes.ListFunctionEventInvokeConfigsResponse{FunctionEventInvokeConfigs: []shapes.FunctionEventInvokeConfig{}, NextMarker: next}
	for i := range configs {
		out.FunctionEventInvokeConfigs = append(out.FunctionEventInvokeConfigs, *eventConfigShape(f, &configs[i]))
	}
	return out, nil
}

func (a *API) deleteFunctionEventInvokeConfig(c *edge.Call, in *shapes.DeleteFunctionEventInvokeConfigRequest) (*nothing, error) {
	n, _, _, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.DeleteEventConfig{Name: n.Name, Qualifier: n.qualifier}, nil)
}
