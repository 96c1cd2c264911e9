package dynamodb

import (
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
)

// authorize asks whether the caller may do an action on a resource, an ARN or "*". Denied, in AWS's words, when not. A caller without policies may do everything in its account.
//
// Source: "Actions, resources, and condition keys for Amazon DynamoDB" (Service Authorization Reference, read 2026-11). Every operation asks for its own action on the table, the index or
// the stream that it names; the parts of a transaction ask as if they stood alone, and a check for ConditionCheckItem. Conditions on keys and attributes of items
// (dynamodb:LeadingKeys and its kin) are not known, and what is not known refuses.
func (a *API) authorize(c *edge.Call, action, resource string, tags map[string]string) error {
	if c.Identity.Policies == nil {
		return nil
	}
	r := policy.Request{
		Action: "dynamodb:" + action, Resource: resource,
		Account: c.Account, ARN: c.Identity.ARN(), User: c.Identity.User,
		SourceIP: c.Source(), SecureTransport: c.Secure(), Now: a.clock.Now(), Region: c.Region,
		ResourceTags: tags, ResourceAccount: c.Account,
	}
	if decided := policy.Decide(c.Identity.Policies, nil, c.Account, &r); !decided.Allowed {
		return fault.New(fault.Denied, "%s", decided.Refusal(&r))
	}
	return nil
}
