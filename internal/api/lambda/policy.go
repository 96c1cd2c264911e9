package lambda

import (
	"encoding/json"
	"strings"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// The policy of a function says who else may use it, statement by statement.
//
// Source: API_AddPermission, API_RemovePermission, API_GetPolicy (read 2026-11). Shown by: TestPermissions in test/lambda.
// Differs: PrincipalOrgID, EventSourceToken, FunctionUrlAuthType and InvokedViaFunctionUrl are refused. A policy with a statement for a service lets services in once there are
// some that invoke functions: within an account they need none.

func (a *API) addPermission(c *edge.Call, in *shapes.AddPermissionRequest) (*shapes.AddPermissionResponse, error) {
	n, _, _, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	switch {
	case in.PrincipalOrgID != nil:
		return nil, unsupported("PrincipalOrgID")
	case in.EventSourceToken != nil:
		return nil, unsupported("EventSourceToken")
	case in.FunctionUrlAuthType != nil || in.InvokedViaFunctionUrl != nil:
		return nil, unsupported("FunctionUrlAuthType")
	case n.qualifier == functions.Latest:
		return nil, fault.New(fault.Invalid, "We currently do not support adding policies for $LATEST.")
	}
	text, err := statement(in, n.arn())
	if err != nil {
		return nil, err
	}
	if err := a.functions.Propose(c.Ctx, functions.AddPermission{Name: n.Name, Qualifier: n.qualifier, SID: deref(in.StatementId), Text: text, Revision: deref(in.RevisionId)}, nil); err != nil {
		return nil, err
	}
	return &shapes.AddPermissionResponse{Statement: ptr(text)}, nil
}

// statement writes a permission as policies have it.
func statement(in *shapes.AddPermissionRequest, resource string) (string, error) {
	s := struct {
		SID       string                       `json:"Sid"`
		Effect    string                       `json:"Effect"`
		Principal any                          `json:"Principal"`
		Action    string                       `json:"Action"`
		Resource  string                       `json:"Resource"`
		Condition map[string]map[string]string `json:"Condition,omitempty"`
	}{SID: deref(in.StatementId), Effect: "Allow", Action: deref(in.Action), Resource: resource}
	switch principal := deref(in.Principal); {
	case principal == "*":
		s.Principal = "*"
	case arn.IsAccount(principal):
		s.Principal = map[string]string{"AWS": "arn:aws:iam::" + principal + ":root"}
	case strings.HasPrefix(principal, "arn:"):
		s.Principal = map[string]string{"AWS": principal}
	case strings.Contains(principal, "."):
		s.Principal = map[string]string{"Service": principal}
	default:
		return "", fault.New(fault.Invalid, "The provided principal was invalid. Please check the principal and try again.")
	}
	condition := func(operator, key string, value *string) {
		if value == nil {
			return
		}
		if s.Condition == nil {
			s.Condition = map[string]map[string]string{}
		}
		if s.Condition[operator] == nil {
			s.Condition[operator] = map[string]string{}
		}
		s.Condition[operator][key] = *value
	}
	condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	text, err := json.Marshal(s)
	return string(text), fault.As(fault.Internal, err, "statement")
}

func (a *API) removePermission(c *edge.Call, in *shapes.RemovePermissionRequest) (*nothing, error) {
	n, _, _, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.RemovePermission{Name: n.Name, Qualifier: n.qualifier, SID: deref(in.StatementId), Revision: deref(in.RevisionId)}, nil)
}

func (a *API) getPolicy(c *edge.Call, in *shapes.GetPolicyRequest) (*shapes.GetPolicyResponse, error) {
	n, f, _, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	p := f.Policy(n.qualifier)
	if p == nil {
		return nil, fault.New(fault.NotFound, "The resource you requested does not exist.")
	}
	return &shapes.GetPolicyResponse{Policy: ptr(p.Document()), RevisionId: ptr(p.Revision)}, nil
}
