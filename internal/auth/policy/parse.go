package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/fault"
)

// ParseIdentity reads a policy of an identity, which names no principals. Invalid, with the place of what is wrong.
func ParseIdentity(text []byte) (*Document, error) { return parse(text, false) }

// ParseResource reads a policy of a resource, every statement of which names principals. Invalid, with the place of what is wrong.
func ParseResource(text []byte) (*Document, error) { return parse(text, true) }

func parse(text []byte, ofResource bool) (*Document, error) {
	root, err := readTree(text)
	if err != nil {
		return nil, err
	}
	if err := root.only("", "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	version := "2008-10-17" // what AWS takes a document without one for
	if v := root.member("Version"); v != nil {
		version = v.text
	}
	if version != "2012-10-17" && version != "2008-10-17" {
		return nil, fault.New(fault.Invalid, "policy: Version must be \"2012-10-17\" or \"2008-10-17\"")
	}
	if id := root.member("Id"); id != nil && id.kind != '"' {
		return nil, fault.New(fault.Invalid, "policy: Id must be a text")
	}
	all := root.member("Statement")
	if all == nil {
		return nil, fault.New(fault.Invalid, "policy: Statement is missing")
	}
	places, items := []string{"Statement"}, []node{*all}
	if all.kind == '[' {
		places, items = nil, all.items
		for i := range items {
			places = append(places, "Statement["+strconv.Itoa(i)+"]")
		}
	}
	if len(items) == 0 {
		return nil, fault.New(fault.Invalid, "policy: Statement is empty")
	}
	doc := &Document{}
	sids := map[string]bool{}
	for i := range items {
		s, err := parseStatement(&items[i], places[i], ofResource)
		if err != nil {
			return nil, err
		}
		if sid := items[i].member("Sid"); sid != nil && sid.text != "" {
			if sids[sid.text] {
				return nil, fault.New(fault.Invalid, "policy: %s: the Sid %q is there twice", places[i], sid.text)
			}
			sids[sid.text] = true
		}
		doc.statements = append(doc.statements, s)
		doc.volatile = doc.volatile || slices.ContainsFunc(s.conditions, condition.volatile)
	}
	return doc, nil
}

// only refuses members that are not known, rather than to leave out what somebody meant.
func (n *node) only(place string, names ...string) error {
	if n.kind != '{' {
		if place == "" {
			return fault.New(fault.Invalid, "policy is not a JSON object")
		}
		return fault.New(fault.Invalid, "policy: %s must be an object", place)
	}
	for _, m := range n.members {
		if !slices.Contains(names, m.name) {
			return fault.New(fault.Invalid, "policy: %s is not known; it can be %s", join(place, m.name), strings.Join(names, ", "))
		}
	}
	return nil
}

func parseStatement(n *node, place string, ofResource bool) (s statement, err error) {
	if err := n.only(place, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"); err != nil {
		return s, err
	}
	if sid := n.member("Sid"); sid != nil && sid.kind != '"' {
		return s, fault.New(fault.Invalid, "policy: %s.Sid must be a text", place)
	}
	switch e := n.member("Effect"); {
	case e != nil && e.text == "Allow":
	case e != nil && e.text == "Deny":
		s.effect = deny
	default:
		return s, fault.New(fault.Invalid, "policy: %s.Effect must be \"Allow\" or \"Deny\"", place)
	}
	if s.principals, err = parsePrincipals(n, place, ofResource, s.effect); err != nil {
		return s, err
	}
	actions, negated, at, err := n.either(place, "Action", "NotAction")
	if err != nil {
		return s, err
	}
	s.notAction = negated
	for _, text := range actions {
		pattern, err := parseAction(text, at)
		if err != nil {
			return s, err
		}
		s.actions = append(s.actions, pattern)
	}
	resources, negated, at, err := n.either(place, "Resource", "NotResource")
	if err != nil {
		return s, err
	}
	s.notResource = negated
	for _, text := range resources {
		if err := refuseVariables(text, at); err != nil {
			return s, err
		}
		pattern, ok := parseARNPattern(text)
		if !ok {
			return s, fault.New(fault.Invalid, "policy: %s: %q is neither \"*\" nor an ARN", at, text)
		}
		s.resources = append(s.resources, pattern)
	}
	if c := n.member("Condition"); c != nil {
		s.conditions, err = parseConditions(c, place+".Condition")
	}
	return s, err
}

// either is the texts of one of two members, exactly one of which must be there.
func (n *node) either(place, name, notName string) (texts []string, negated bool, at string, err error) {
	plain, not := n.member(name), n.member(notName)
	switch {
	case plain != nil && not != nil:
		return nil, false, "", fault.New(fault.Invalid, "policy: %s has both %s and %s", place, name, notName)
	case plain != nil:
		at = join(place, name)
		texts, err = plain.list(at)
	case not != nil:
		negated, at = true, join(place, notName)
		texts, err = not.list(at)
	default:
		err = fault.New(fault.Invalid, "policy: %s has neither %s nor %s", place, name, notName)
	}
	return texts, negated, at, err
}

// parseAction reads "*" or SERVICE:ACTION, in which the action may have wildcards. Case does not matter.
func parseAction(text, place string) (string, error) {
	service, action, found := strings.Cut(text, ":")
	if text != "*" && (!found || service == "" || action == "" || strings.ContainsAny(service, "*?") || strings.Contains(action, ":")) {
		return "", fault.New(fault.Invalid, "policy: %s: %q is neither \"*\" nor SERVICE:ACTION", place, text)
	}
	return strings.ToLower(text), nil
}

// refuseVariables refuses ${aws:username} and its like: read as plain text, it would match something else than was meant.
func refuseVariables(text, place string) error {
	if strings.Contains(text, "${") {
		return fault.New(fault.Invalid, "policy: %s: %q has a policy variable, which this version does not support", place, text)
	}
	return nil
}

func parsePrincipals(n *node, place string, ofResource bool, e effect) (*principals, error) {
	plain, not := n.member("Principal"), n.member("NotPrincipal")
	if !ofResource {
		if plain != nil || not != nil {
			return nil, fault.New(fault.Invalid, "policy: %s: the policy of an identity has no Principal; whose it is it does not say", place)
		}
		return nil, nil
	}
	p := &principals{}
	named, at := plain, join(place, "Principal")
	switch {
	case plain != nil && not != nil:
		return nil, fault.New(fault.Invalid, "policy: %s has both Principal and NotPrincipal", place)
	case not != nil && e == allow:
		return nil, fault.New(fault.Invalid, "policy: %s: NotPrincipal with Allow would let in everybody else; name whom to allow", place)
	case not != nil:
		p.not, named, at = true, not, join(place, "NotPrincipal")
	case plain == nil:
		return nil, fault.New(fault.Invalid, "policy: %s has no Principal", place)
	}
	if named.kind == '"' && named.text == "*" {
		p.everyone = true
		return p, nil
	}
	if named.kind != '{' || len(named.members) == 0 {
		return nil, fault.New(fault.Invalid, "policy: %s must be \"*\" or an object like {\"AWS\": \"123456789012\"}", at)
	}
	for _, kind := range named.members {
		if kind.name != "AWS" {
			return nil, fault.New(fault.Invalid, "policy: %s: principals of kind %s are not supported by this version of Weir; those of AWS are", at, kind.name)
		}
		texts, err := kind.value.list(at + ".AWS")
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			if err := p.add(text, at+".AWS"); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// add takes "*", an account, or the ARN of an account's root, a user or a role.
func (p *principals) add(text, place string) error {
	if text == "*" {
		p.everyone = true
		return nil
	}
	if arn.IsAccount(text) {
		p.accounts = append(p.accounts, text)
		return nil
	}
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" || a.Region != "" || a.Account == "" || strings.ContainsAny(text, "*?$") {
		return fault.New(fault.Invalid, "policy: %s: %q is not \"*\", an account of twelve digits, or the ARN of an account's root, a user or a role", place, text)
	}
	kind, name, found := strings.Cut(a.Resource, "/")
	switch {
	case a.Resource == "root":
		p.accounts = append(p.accounts, a.Account)
	case (kind == "user" || kind == "role") && found && name != "":
		p.arns = append(p.arns, text)
	default:
		return fault.New(fault.Invalid, "policy: %s: %q is not the ARN of an account's root, a user or a role", place, text)
	}
	return nil
}
