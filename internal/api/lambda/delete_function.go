package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// DeleteFunction takes away a function with all its versions and aliases, or one version. Asynchronous events that wait for it are dropped when they are due.
//
// Source: API_DeleteFunction (read 2026-11). Shown by: TestFunctionLife, TestVersionsAndAliases in test/lambda.
// Differs from AWS: none known.
func (a *API) deleteFunction(c *edge.Call, in *shapes.DeleteFunctionRequest) (*shapes.DeleteFunctionResponse, error) {
	n, f, err := a.allowed(c, in.FunctionName, in.Qualifier)
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return nil, functions.NotFound(n.arn())
	case f.Alias(n.qualifier) != nil:
		return nil, fault.New(fault.Invalid, "Deletion of aliases is not currently supported.") // by this operation: DeleteAlias is there for it
	}
	return &shapes.DeleteFunctionResponse{}, a.functions.Propose(c.Ctx, functions.DeleteFunction{Name: n.Name, Qualifier: n.qualifier}, nil)
}
