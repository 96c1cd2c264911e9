package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions/mapping"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// mappingsPageMax is how many mappings a page has unless less is asked for (API_ListEventSourceMappings: 100).
const mappingsPageMax = 100

// ListEventSourceMappings lists the mappings of an account in a region, or those of a source or of a function, in order of UUID. A function that is named without a qualifier is
// the function without one.
//
// Source: API_ListEventSourceMappings (read 2026-11). Shown by: TestMappings in test/lambda.
// Differs from AWS: none known.
func (a *API) listEventSourceMappings(c *edge.Call, in *shapes.ListEventSourceMappingsRequest) (*shapes.ListEventSourceMappingsResponse, error) {
	if err := a.authorize(c, nil, "", "*", c.Account); err != nil {
		return nil, err
	}
	function := ""
	if in.FunctionName != nil {
		n, err := parseName(c, *in.FunctionName, nil)
		if err != nil {
			return nil, err
		}
		function = n.arn()
	}
	var all []*mapping.Mapping
	for _, m := range a.mappings.Catalog().All() {
		if m.Account == c.Account && m.Region == c.Region && (function == "" || m.Function == function) && (in.EventSourceArn == nil || m.Source == *in.EventSourceArn) {
			all = append(all, m)
		}
	}
	some, next := page(all, func(m *mapping.Mapping) string { return m.UUID }, in.Marker, in.MaxItems, mappingsPageMax)
	out := &shapes.ListEventSourceMappingsResponse{EventSourceMappings: []shapes.EventSourceMappingConfiguration{}, NextMarker: next}
	for _, m := range some {
		out.EventSourceMappings = append(out.EventSourceMappings, *mappingShape(m))
	}
	return out, nil
}
