package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Reserved concurrency is kept for a function and not exceeded by it; 0 stops it.
//
// Source: API_PutFunctionConcurrency, API_GetFunctionConcurrency, API_DeleteFunctionConcurrency, "Configuring reserved concurrency" (read 2026-11). Shown by:
// TestConcurrency in test/lambda.
// Differs from AWS: asynchronous events of a function with 0 wait as throttled ones do, where AWS gives them up at once.

// unreservedMin is what functions without a reservation keep of an account's concurrency ("Configuring reserved concurrency": 100).
const unreservedMin = 100

func (a *API) putFunctionConcurrency(c *edge.Call, in *shapes.PutFunctionConcurrencyRequest) (*shapes.Concurrency, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	reserved := int(deref(in.ReservedConcurrentExecutions))
	if err := a.functions.Propose(c.Ctx, functions.SetConcurrency{Name: n.Name, Reserved: &reserved, Most: a.functions.ConcurrencyMax() - unreservedMin}, nil); err != nil {
		return nil, err
	}
	return &shapes.Concurrency{ReservedConcurrentExecutions: in.ReservedConcurrentExecutions}, nil
}

func (a *API) getFunctionConcurrency(c *edge.Call, in *shapes.GetFunctionConcurrencyRequest) (*shapes.GetFunctionConcurrencyResponse, error) {
	_, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	out := &shapes.GetFunctionConcurrencyResponse{}
	if f.Reserved != nil {
		out.ReservedConcurrentExecutions = ptr(int32(*f.Reserved))
	}
	return out, nil
}

func (a *API) deleteFunctionConcurrency(c *edge.Call, in *shapes.DeleteFunctionConcurrencyRequest) (*nothing, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.SetConcurrency{Name: n.Name}, nil)
}

// GetAccountSettings says what an account uses and may use in a region.
//
// Source: API_GetAccountSettings (read 2026-11). Shown by: TestConcurrency in test/lambda.
// Differs from AWS: none known.
func (a *API) getAccountSettings(c *edge.Call, _ *shapes.GetAccountSettingsRequest) (*shapes.GetAccountSettingsResponse, error) {
	if err := a.authorize(c, nil, "", "*", c.Account); err != nil {
		return nil, err
	}
	catalog := a.functions.Catalog()
	most := a.functions.ConcurrencyMax()
	return &shapes.GetAccountSettingsResponse{
		AccountLimit: &shapes.AccountLimit{
			TotalCodeSize: ptr(int64(functions.CodeBytesMax)), CodeSizeUnzipped: ptr(int64(functions.UnzippedBytesMax)), CodeSizeZipped: ptr(int64(functions.ZipBytesMax)),
			ConcurrentExecutions: ptr(int32(most)), UnreservedConcurrentExecutions: ptr(int32(most - catalog.Reserved(c.Account, c.Region, ""))),
		},
		AccountUsage: &shapes.AccountUsage{TotalCodeSize: ptr(catalog.CodeBytes(c.Account, c.Region)), FunctionCount: ptr(int64(len(catalog.Functions(c.Account, c.Region))))},
	}, nil
}
