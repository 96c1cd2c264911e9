package firehose

import (
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// authorize asks whether the caller may do an operation on a resource: an ARN, or "*". Denied, in AWS's words, when not. A caller without policies may do everything in its account.
//
// Source: "Actions, resources, and condition keys for Amazon Kinesis Firehose" (Service Authorization Reference, read 2026-11). ListDeliveryStreams is on no resource; every other
// operation is on a delivery stream.
func (a *API) authorize(c *edge.Call, operation, resource string, tags map[string]string) error {
	if c.Identity.Policies == nil {
		return nil
	}
	r := policy.Request{
		Action: "firehose:" + operation, Resource: resource,
		Account: c.Account, ARN: c.Identity.ARN(), User: c.Identity.User,
		SourceIP: c.Source(), SecureTransport: c.Secure(), Now: a.clock.Now(), Region: c.Region,
		ResourceTags: tags, ResourceAccount: c.Account,
	}
	switch in := c.Input.(type) {
	case *shapes.CreateDeliveryStreamInput:
		r.RequestTags, r.TagKeys = tagsAsked(in.Tags)
	case *shapes.TagDeliveryStreamInput:
		r.RequestTags, r.TagKeys = tagsAsked(in.Tags)
	case *shapes.UntagDeliveryStreamInput:
		r.TagKeys = in.TagKeys
	}
	if decided := policy.Decide(c.Identity.Policies, nil, c.Account, &r); !decided.Allowed {
		return fault.New(fault.Denied, "%s", decided.Refusal(&r))
	}
	return nil
}

// find is the delivery stream of a name in the caller's account and region. The caller may do there what the call asks for, or gets AccessDeniedException, also when there is no such
// delivery stream.
func (a *API) find(c *edge.Call, name *string) (*delivery.Stream, error) {
	s := a.delivery.Catalog().Stream(c.Account, c.Region, deref(name))
	var tags map[string]string
	if s != nil {
		tags = s.Tags
	}
	if err := a.authorize(c, c.Operation, delivery.ARN(c.Account, c.Region, deref(name)), tags); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, delivery.NotFound(c.Account, deref(name))
	}
	return s, nil
}
