package kinesis

import (
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// PutResourcePolicy sets who else may use a stream or a consumer, in place of what was set before.
//
// Source: API_PutResourcePolicy (read 2026-11). Shown by: TestResourcePolicy in test/aws.
// Permissions: only callers of the owner's account may, and the resource's own policy does not keep them from it.
// Differs from AWS: a policy with a principal that is no account, user or role, with a policy variable, or with a condition that could not be
// judged is refused by name.
func (a *API) putResourcePolicy(c *edge.Call, in *shapes.PutResourcePolicyInput) (*nothing, error) {
	on, err := a.policyHolder(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	doc, err := policy.ParseResource([]byte(deref(in.Policy)))
	if err != nil {
		return nil, err
	}
	if unknown := doc.Unknown(); unknown != "" {
		return nil, fault.New(fault.Invalid, "%s is not known to this version of Weir; every request that the statement is on would be refused", unknown)
	}
	return nil, a.control.Propose(c.Ctx, catalog.SetResourcePolicy{Address: address(on.stream), Consumer: on.consumer, Policy: *in.Policy})
}

// holder is a stream, or a consumer of it, that can have a policy.
type holder struct {
	stream   *catalog.Stream
	consumer string // by name; empty for the stream itself
	policy   string
}

// policyHolder is the stream or consumer that an ARN names.
func (a *API) policyHolder(c *edge.Call, resourceARN, streamID *string) (holder, error) {
	stream, consumer, err := a.resource(c, resourceARN, streamID)
	if err != nil {
		return holder{}, err
	}
	if consumer != nil {
		return holder{stream, consumer.Name, consumer.Policy}, nil
	}
	return holder{stream: stream, policy: stream.Policy}, nil
}
