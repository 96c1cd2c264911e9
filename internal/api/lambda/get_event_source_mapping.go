package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// GetEventSourceMapping describes a mapping.
//
// Source: API_GetEventSourceMapping (read 2026-11). Shown by: TestMappings in test/lambda.
// Differs from AWS: none known.
func (a *API) getEventSourceMapping(c *edge.Call, in *shapes.GetEventSourceMappingRequest) (*shapes.EventSourceMappingConfiguration, error) {
	m, err := a.findMapping(c, in.UUID)
	if err != nil {
		return nil, err
	}
	return mappingShape(m), nil
}
