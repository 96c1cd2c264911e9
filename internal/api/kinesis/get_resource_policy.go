package kinesis

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// noPolicy is what GetResourcePolicy answers for a resource without one.
const noPolicy = "{}"

// GetResourcePolicy gives the policy of a stream or a consumer, as it was put.
//
// Source: API_GetResourcePolicy (read 2026-11). Shown by: TestResourcePolicy in test/aws.
func (a *API) getResourcePolicy(c *edge.Call, in *shapes.GetResourcePolicyInput) (*shapes.GetResourcePolicyOutput, error) {
	on, err := a.policyHolder(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if err := inUse(on.stream); err != nil {
		return nil, err
	}
	if on.policy == "" {
		on.policy = noPolicy
	}
	return &shapes.GetResourcePolicyOutput{Policy: &on.policy}, nil
}
