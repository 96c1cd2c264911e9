package lambda

import (
	"fmt"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// PublishVersion makes a version of $LATEST that does not change any more, or gives the last one when nothing has changed since.
//
// Source: API_PublishVersion (read 2026-11). Shown by: TestVersionsAndAliases in test/lambda.
// Differs: PublishTo is refused.
func (a *API) publishVersion(c *edge.Call, in *shapes.PublishVersionRequest) (*shapes.FunctionConfiguration, error) {
	n, _, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, unsupported("PublishTo")
	}
	var number string
	if err := a.functions.Propose(c.Ctx, functions.PublishVersion{Name: n.Name, CodeSHA256: functions.HexOf(deref(in.CodeSha256)), Description: deref(in.Description),
		Revision: deref(in.RevisionId)}, &number); err != nil {
		return nil, err
	}
	return a.describe(n, number)
}

// ListVersionsByFunction lists $LATEST and the published versions, the oldest first.
//
// Source: API_ListVersionsByFunction (read 2026-11). Shown by: TestVersionsAndAliases in test/lambda.
// Differs from AWS: none known.
func (a *API) listVersionsByFunction(c *edge.Call, in *shapes.ListVersionsByFunctionRequest) (*shapes.ListVersionsByFunctionResponse, error) {
	_, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	all := []*functions.Version{&f.Latest}
	for i := range f.Versions {
		all = append(all, &f.Versions[i])
	}
	order := func(v *functions.Version) string {
		if v.Number == functions.Latest {
			return ""
		}
		return fmt.Sprintf("%012s", v.Number) // so that 10 comes behind 9
	}
	var marker *string
	if in.Marker != nil {
		marker = ptr(fmt.Sprintf("%012s", *in.Marker))
	}
	versions, next := page(all, order, marker, in.MaxItems, pageMax)
	out := &shapes.ListVersionsByFunctionResponse{Versions: []shapes.FunctionConfiguration{}, NextMarker: next}
	for _, v := range versions {
		out.Versions = append(out.Versions, *configuration(f, v, v.Number))
	}
	return out, nil
}
