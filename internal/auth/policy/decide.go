package policy

import "strings"

// Decision is what policies say of a request.
type Decision struct {
	Allowed bool
	// Stable says that the same identity gets the same answer for the same action on the same version of the resource, whenever and from
	// wherever it asks: the answer may be remembered.
	Stable bool

	why string // of a refusal: how AWS's sentence ends
}

// Decide says whether a request is allowed: by the policies of who asks, nil for an identity without restrictions, and by the policy of
// the resource, nil when it has none. owner is the account that the resource is in.
//
// What denies goes before what allows. Within an account it is enough that one side allows; across accounts both must. A policy of a
// resource that allows a whole account leaves the choice to that account: it allows its root, and nobody in it who is not allowed by policies of his own.
// An applicable statement with a condition that is not known refuses, whatever its effect.
func Decide(identity *Set, resource *Document, owner string, r *Request) Decision {
	d := Decision{Stable: resource == nil || !resource.volatile}
	action := strings.ToLower(r.Action)
	byIdentity, byResource := identity == nil, no
	var unknownWhy string

	if identity != nil {
		for _, doc := range identity.documents {
			d.Stable = d.Stable && !doc.volatile
			allowed, denied, why := doc.judge(action, r)
			if denied {
				d.why = "with an explicit deny in an identity-based policy"
				return d
			}
			if why != "" && unknownWhy == "" {
				unknownWhy = "because " + why + " in an identity-based policy is not known to this version of Weir"
			}
			byIdentity = byIdentity || allowed != no
		}
	}
	if resource != nil {
		allowed, denied, why := resource.judge(action, r)
		if denied {
			d.why = "with an explicit deny in a resource-based policy"
			return d
		}
		if why != "" && unknownWhy == "" {
			unknownWhy = "because " + why + " in a resource-based policy is not known to this version of Weir"
		}
		byResource = allowed
	}

	switch across := owner != r.Account; {
	case unknownWhy != "":
		d.why = unknownWhy
	case across && byResource == no:
		d.why = "because no resource-based policy allows the " + r.Action + " action"
	case !byIdentity && (across || byResource != yes):
		d.why = "because no identity-based policy allows the " + r.Action + " action"
	default:
		d.Allowed = true
	}
	return d
}

// Refusal is AWS's sentence for a request that was not allowed.
func (d Decision) Refusal(r *Request) string {
	return "User: " + r.ARN + " is not authorized to perform: " + r.Action + " on resource: " + r.Resource + " " + d.why
}

// judge holds a request against every statement. unknownWhy names the condition that could not be judged.
func (doc *Document) judge(action string, r *Request) (allowed match, denied bool, unknownWhy string) {
	for i := range doc.statements {
		s := &doc.statements[i]
		m, why := s.match(action, r)
		switch {
		case m == no:
		case m == unknown:
			if unknownWhy == "" {
				unknownWhy = why
			}
		case s.effect == deny:
			denied = true
		case allowed != yes:
			allowed = m
		}
	}
	return allowed, denied, unknownWhy
}

// match says whether a statement applies to a request.
func (s *statement) match(action string, r *Request) (match, string) {
	if !s.onAction(action) || !s.onResource(r.Resource) {
		return no, ""
	}
	m := yes
	if s.principals != nil {
		if m = s.principals.match(r); m == no {
			return no, ""
		}
	}
	why := ""
	for i := range s.conditions {
		switch holds, unknownWhy := s.conditions[i].holds(r); {
		case unknownWhy != "":
			why = unknownWhy
		case !holds:
			return no, "" // a false one decides, whatever an unknown one beside it would say
		}
	}
	if why != "" {
		return unknown, why
	}
	return m, ""
}

// Unknown names the first condition of the document that could not be judged; empty when there is none.
func (doc *Document) Unknown() string {
	for i := range doc.statements {
		for _, c := range doc.statements[i].conditions {
			if c.unknown != "" {
				return c.unknown
			}
		}
	}
	return ""
}
