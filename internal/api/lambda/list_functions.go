package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// ListFunctions lists the functions of the caller's account and region, in order of name, or every version of each.
//
// Source: API_ListFunctions (read 2026-11). Shown by: TestLists in test/lambda.
// Differs: MasterRegion, which is for functions at the edge of CloudFront, is refused.
func (a *API) listFunctions(c *edge.Call, in *shapes.ListFunctionsRequest) (*shapes.ListFunctionsResponse, error) {
	if err := a.authorize(c, nil, "", "*", c.Account); err != nil {
		return nil, err
	}
	if in.MasterRegion != nil {
		return nil, unsupported("MasterRegion")
	}
	type item struct {
		f *functions.Function
		v *functions.Version
	}
	var all []item
	for _, f := range a.functions.Catalog().Functions(c.Account, c.Region) {
		all = append(all, item{f, &f.Latest})
		if in.FunctionVersion != nil {
			for i := range f.Versions {
				all = append(all, item{f, &f.Versions[i]})
			}
		}
	}
	// A page ends with a function, not in the middle of its versions.
	items, next := page(all, func(i item) string { return i.f.Name }, in.Marker, in.MaxItems, pageMax)
	for i := len(items); next != nil && i < len(all) && in.FunctionVersion != nil; i++ {
		if at := all[i]; at.f.Name == *next && !contains(items, at) {
			items = append(items, at)
		}
	}
	out := &shapes.ListFunctionsResponse{Functions: []shapes.FunctionConfiguration{}, NextMarker: next}
	for _, i := range items {
		qualifier := ""
		if in.FunctionVersion != nil {
			qualifier = i.v.Number
		}
		out.Functions = append(out.Functions, *configuration(i.f, i.v, qualifier))
	}
	return out, nil
}

func contains[T comparable](list []T, wanted T) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}
