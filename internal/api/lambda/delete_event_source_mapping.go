package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions/mapping"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// DeleteEventSourceMapping ends a mapping. It answers at once; the mapping is Deleting until invocations that are under way have ended and its checkpoints are gone.
//
// Source: API_DeleteEventSourceMapping (read 2026-11). Shown by: TestMappings in test/lambda.
// Differs from AWS: none known.
func (a *API) deleteEventSourceMapping(c *edge.Call, in *shapes.DeleteEventSourceMappingRequest) (*shapes.EventSourceMappingConfiguration, error) {
	m, err := a.findMapping(c, in.UUID)
	if err != nil {
		return nil, err
	}
	if err := a.mappings.Propose(c.Ctx, mapping.Delete{UUID: m.UUID}); err != nil {
		return nil, err
	}
	gone := *m // it may be by now
	gone.State = mapping.Deleting
	return mappingShape(&gone), nil
}
