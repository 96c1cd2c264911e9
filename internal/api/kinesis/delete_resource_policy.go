package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DeleteResourcePolicy takes the policy of a stream or a consumer away. One that has none stays without.
//
// Source: API_DeleteResourcePolicy (read 2026-11). Shown by: TestResourcePolicy in test/aws.
func (a *API) deleteResourcePolicy(c *edge.Call, in *shapes.DeleteResourcePolicyInput) (*nothing, error) {
	on, err := a.policyHolder(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.SetResourcePolicy{Address: address(on.stream), Consumer: on.consumer})
}
