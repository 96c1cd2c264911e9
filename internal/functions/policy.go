package functions

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// policyBytesMax is how large a policy may be (Lambda quotas, read 2026-11: 20 KB).
const policyBytesMax = 20 << 10

func (c AddPermission) apply(s *Catalog, _ time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if c.Qualifier != "" && f.Qualified(c.Qualifier) == nil {
		return nil, NotFound(f.ARN(c.Qualifier))
	}
	next := Policy{Qualifier: c.Qualifier}
	if was := f.Policy(c.Qualifier); was != nil {
		next = *was
	}
	if err := mustBe(next.Revision, c.Revision, "GetPolicy"); err != nil {
		return nil, err
	}
	size := len(c.Text)
	for _, statement := range next.Statements {
		if statement.SID == c.SID {
			return nil, fault.New(fault.Exists, "The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", c.SID)
		}
		size += len(statement.Text)
	}
	if size > policyBytesMax {
		return nil, fault.New(fault.LimitExceeded, "The final policy size (%d) is bigger than the limit (%d).", size, policyBytesMax)
	}
	next.Statements = append(slices.Clone(next.Statements), Statement{c.SID, c.Text})
	f.setPolicy(next, c.Name, position)
	s.with(f)
	return nil, nil
}

// setPolicy replaces the policy of a qualifier, or takes it away when it says nothing.
func (f *Function) setPolicy(p Policy, n Name, position commitlog.Position) {
	p.Revision = revision(Name{n.Account, n.Region, n.Name + ":policy"}, position)
	f.Policies = slices.DeleteFunc(slices.Clone(f.Policies), func(other Policy) bool { return other.Qualifier == p.Qualifier })
	if len(p.Statements) > 0 {
		i, _ := slices.BinarySearchFunc(f.Policies, p.Qualifier, func(other Policy, q string) int { return strings.Compare(other.Qualifier, q) })
		f.Policies = slices.Insert(f.Policies, i, p)
	}
	if len(f.Policies) == 0 {
		f.Policies = nil
	}
}

func (c RemovePermission) apply(s *Catalog, _ time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	was := f.Policy(c.Qualifier)
	if was == nil {
		return nil, fault.New(fault.NotFound, "No policy is associated with the given resource.")
	}
	if err := mustBe(was.Revision, c.Revision, "GetPolicy"); err != nil {
		return nil, err
	}
	next := *was
	next.Statements = slices.DeleteFunc(slices.Clone(was.Statements), func(statement Statement) bool { return statement.SID == c.SID })
	if len(next.Statements) == len(was.Statements) {
		return nil, fault.New(fault.NotFound, "Statement %s is not found in resource policy.", c.SID)
	}
	f.setPolicy(next, c.Name, position)
	s.with(f)
	return nil, nil
}

// Document is a policy as GetPolicy gives it.
func (p *Policy) Document() string {
	statements := make([]json.RawMessage, len(p.Statements))
	for i := range p.Statements {
		statements[i] = json.RawMessage(p.Statements[i].Text)
	}
	text, err := json.Marshal(struct {
		Version   string            `json:"Version"`
		ID        string            `json:"Id"`
		Statement []json.RawMessage `json:"Statement"`
	}{"2012-10-17", "default", statements})
	if err != nil {
		panic("functions: a policy that is no JSON: " + err.Error()) // AddPermission was made of JSON
	}
	return string(text)
}

func (c Tag) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(f.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, c.Tags)
	if len(tags) > c.Most {
		return nil, fault.New(fault.Invalid, "Tags cannot exceed more than %d per function.", c.Most)
	}
	if f.Tags = tags; len(tags) == 0 {
		f.Tags = nil
	}
	s.with(f)
	return nil, nil
}

func (c Untag) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(f.Tags)
	for _, key := range c.Keys {
		delete(tags, key)
	}
	if f.Tags = tags; len(tags) == 0 {
		f.Tags = nil
	}
	s.with(f)
	return nil, nil
}
