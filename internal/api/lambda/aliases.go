package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Aliases are names for versions: an event for an alias runs what it names at that moment.
//
// Source: API_CreateAlias, API_GetAlias, API_ListAliases, API_UpdateAlias, API_DeleteAlias (read 2026-11). Shown by: TestVersionsAndAliases in test/lambda.
// Differs: an alias names one version; RoutingConfig, which spreads events over two, is refused.

func (a *API) createAlias(c *edge.Call, in *shapes.CreateAliasRequest) (*shapes.AliasConfiguration, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuseRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	if err := a.functions.Propose(c.Ctx, functions.CreateAlias{Name: n.Name, Alias: deref(in.Name), Version: deref(in.FunctionVersion), Description: deref(in.Description)}, nil); err != nil {
		return nil, err
	}
	return a.describeAlias(n, deref(in.Name))
}

func refuseRouting(r *shapes.AliasRoutingConfiguration) error {
	if r != nil && len(r.AdditionalVersionWeights) > 0 {
		return unsupported("RoutingConfig")
	}
	return nil
}

func (a *API) describeAlias(n named, name string) (*shapes.AliasConfiguration, error) {
	f := a.functions.Catalog().Function(n.Account, n.Region, n.Name.Name)
	if f == nil {
		return nil, functions.NotFound(n.arn())
	}
	alias := f.Alias(name)
	if alias == nil {
		return nil, functions.NoAlias(f.ARN(name))
	}
	return aliasShape(f, alias), nil
}

func aliasShape(f *functions.Function, alias *functions.Alias) *shapes.AliasConfiguration {
	return &shapes.AliasConfiguration{AliasArn: ptr(f.ARN(alias.Name)), Name: ptr(alias.Name), FunctionVersion: ptr(alias.Version), Description: ptr(alias.Description),
		RevisionId: ptr(alias.Revision)}
}

func (a *API) getAlias(c *edge.Call, in *shapes.GetAliasRequest) (*shapes.AliasConfiguration, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	return a.describeAlias(n, deref(in.Name))
}

func (a *API) listAliases(c *edge.Call, in *shapes.ListAliasesRequest) (*shapes.ListAliasesResponse, error) {
	_, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	var all []functions.Alias
	for _, alias := range f.Aliases {
		if in.FunctionVersion == nil || alias.Version == *in.FunctionVersion {
			all = append(all, alias)
		}
	}
	aliases, next := page(all, func(a functions.Alias) string { return a.Name }, in.Marker, in.MaxItems, pageMax)
	out := &shapes.ListAliasesResponse{Aliases: []shapes.AliasConfiguration{}, NextMarker: next}
	for i := range aliases {
		out.Aliases = append(out.Aliases, *aliasShape(f, &aliases[i]))
	}
	return out, nil
}

func (a *API) updateAlias(c *edge.Call, in *shapes.UpdateAliasRequest) (*shapes.AliasConfiguration, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuseRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	if err := a.functions.Propose(c.Ctx, functions.UpdateAlias{Name: n.Name, Alias: deref(in.Name), Version: deref(in.FunctionVersion), Description: in.Description,
		Revision: deref(in.RevisionId)}, nil); err != nil {
		return nil, err
	}
	return a.describeAlias(n, deref(in.Name))
}

func (a *API) deleteAlias(c *edge.Call, in *shapes.DeleteAliasRequest) (*nothing, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if fault.Is(err, fault.NotFound) {
		return nil, nil // there is no such alias either
	}
	if err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.DeleteAlias{Name: n.Name, Alias: deref(in.Name)}, nil)
}
