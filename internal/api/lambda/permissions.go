package lambda

import (
	"maps"
	"reflect"
	"slices"

	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
)

// actions are the names that policies have for operations that are called differently (Service Authorization Reference, "Actions, resources, and condition keys for
// AWS Lambda", read 2026-11).
var actions = map[string]string{"Invoke": "InvokeFunction"}

// authorize asks whether the caller may do the call's operation on a resource. f is nil when it is not there, or when the operation is on none; then resource is "*" or
// the ARN that it would have. Denied, in AWS's words, when not.
func (a *API) authorize(c *edge.Call, f *functions.Function, qualifier, resource, owner string) error {
	if c.Identity.Policies == nil && c.Account == owner {
		return nil
	}
	action := c.Operation
	if other := actions[action]; other != "" {
		action = other
	}
	r := policy.Request{
		Action: "lambda:" + action, Resource: resource, Account: c.Account, ARN: c.Identity.ARN(), User: c.Identity.User,
		SourceIP: c.Source(), SecureTransport: c.Secure(), Now: a.clock.Now(), Region: c.Region, ResourceAccount: owner,
	}
	r.RequestTags, r.TagKeys = tagsOf(c.Input)
	var ofResource *policy.Document
	if f != nil {
		r.ResourceTags = f.Tags
		if p := f.Policy(qualifier); p != nil {
			// A policy that this version cannot read allows nobody; GetPolicy still gives it.
			ofResource, _ = policy.ParseResource([]byte(p.Document()))
		}
	}
	if d := policy.Decide(c.Identity.Policies, ofResource, owner, &r); !d.Allowed {
		return fault.New(fault.Denied, "%s", d.Refusal(&r))
	}
	return nil
}

// tagsOf is the tags that a request adds, and the keys of those that it adds or takes away.
func tagsOf(in any) (tags map[string]string, keys []string) {
	v := reflect.ValueOf(in).Elem()
	if field := v.FieldByName("Tags"); field.IsValid() {
		tags, _ = field.Interface().(map[string]string)
		keys = slices.Sorted(maps.Keys(tags))
	}
	if field := v.FieldByName("TagKeys"); field.IsValid() {
		keys, _ = field.Interface().([]string)
	}
	return tags, keys
}
