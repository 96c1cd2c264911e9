package cloudwatch

import (
	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
)

// authorize asks whether the caller may do the call's operation. Denied, in AWS's words, when not. A caller without policies may do everything in its account.
//
// Source: "Actions, resources, and condition keys for Amazon CloudWatch" (Service Authorization Reference, read 2026-11). None of the operations here is on a resource, so that
// all ask for "*". The condition cloudwatch:namespace is not known, and what is not known refuses.
func (a *API) authorize(c *edge.Call) error {
	if c.Identity.Policies == nil {
		return nil
	}
	r := policy.Request{
		Action: "cloudwatch:" + c.Operation, Resource: "*",
		Account: c.Account, ARN: c.Identity.ARN(), User: c.Identity.User,
		SourceIP: c.Source(), SecureTransport: c.Secure(), Now: a.clock.Now(), Region: c.Region, ResourceAccount: c.Account,
	}
	if decided := policy.Decide(c.Identity.Policies, nil, c.Account, &r); !decided.Allowed {
		return fault.New(fault.Denied, "%s", decided.Refusal(&r))
	}
	return nil
}

// record tells the audit log of a control call, all of which are refused. What is served CloudTrail calls data events ("Logging Amazon CloudWatch API and console operations
// with AWS CloudTrail", read 2026-11), and those are never audited.
func (a *API) record(c *edge.Call) {
	if a.audit == nil {
		return
	}
	e := audit.Entry{
		Time: c.Received, RequestID: c.RequestID, Account: c.Account, User: c.Identity.ARN(), KeyID: c.Identity.AccessKeyID,
		Service: a.Name(), Region: c.Region, Operation: c.Operation, ErrorCode: c.ErrorCode,
	}
	if from := c.Source(); from.IsValid() {
		e.Source = from.String()
	}
	a.audit.Record(e)
}
