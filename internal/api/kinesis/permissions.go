package kinesis

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
)

// onNoResource are the operations that are on no resource: a policy allows them on "*" alone. Every other operation is on a stream or a
// consumer, and asks for itself as soon as it knows which.
//
// Source: "Actions, resources, and condition keys for Amazon Kinesis Data Streams" (Service Authorization Reference, read 2026-11).
var onNoResource = map[string]bool{
	"DescribeAccountSettings": true, "DescribeLimits": true, "ListStreams": true, "UpdateAccountSettings": true,
}

// byOwnerOnly are the operations that a resource's policy neither allows to other accounts nor denies to its own: who owns a resource can always mend
// its policy (API_PutResourcePolicy: the caller must "belong to the owner's account").
var byOwnerOnly = map[string]bool{"PutResourcePolicy": true, "GetResourcePolicy": true, "DeleteResourcePolicy": true}

// target is what an operation is on.
type target struct {
	arn      string
	account  string // that owns it
	policy   string // of the resource; empty when it has none
	tags     map[string]string
	group    uint64 // of the stream; 0 of what is on none
	version  int64  // of the stream's description, which changes with policy and tags
	consumer string // name of the consumer; empty for the stream itself
}

// noStream is a stream that is not there, or not yet.
func noStream(account, region, name string) target {
	return target{arn: arn.Stream(region, account, name).String(), account: account}
}

// noConsumerYet is a consumer of a stream that is to be registered now.
func noConsumerYet(stream *catalog.Stream, name string, now time.Time) target {
	of := arn.Stream(stream.Region, stream.Account, stream.Name)
	return target{arn: arn.Consumer(of, name, now.Unix()).String(), account: stream.Account}
}

// permissions remembers decisions and the documents they were made with. The zero value is ready. Safe for concurrent use.
type permissions struct {
	mu        sync.RWMutex // guards everything below
	allowed   map[decision]struct{}
	documents map[string]*policy.Document // by their text
}

// decision is what an allowed request had in common with the next one that is allowed: nothing else changes the answer, or it would not be stable.
type decision struct {
	policies      *policy.Set // the caller's; its address names their version
	account, user string
	group         uint64
	version       int64
	consumer      string
	operation     string
}

// decisionsMax and documentsMax bound what is remembered: some megabyte of decisions, a few of documents. What is beyond is decided again.
const (
	decisionsMax = 8192
	documentsMax = 512
)

func (p *permissions) remembers(d decision) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.allowed[d]
	return ok
}

func (p *permissions) remember(d decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.allowed == nil || len(p.allowed) >= decisionsMax {
		p.allowed = make(map[decision]struct{}) // forget all: what is still asked is soon there again
	}
	p.allowed[d] = struct{}{}
}

// document is the policy of a resource.
func (p *permissions) document(text string) (*policy.Document, error) {
	if text == "" {
		return nil, nil
	}
	p.mu.RLock()
	doc := p.documents[text]
	p.mu.RUnlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := policy.ParseResource([]byte(text))
	if err != nil {
		return nil, fault.As(fault.Internal, err, "the resource's policy cannot be read") // PutResourcePolicy has read it once
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.documents == nil || len(p.documents) >= documentsMax {
		p.documents = make(map[string]*policy.Document)
	}
	p.documents[text] = doc
	return doc, nil
}

// authorizeAccount asks whether the caller may do what is on no resource. Of every other operation it says nothing.
func (a *API) authorizeAccount(c *edge.Call) error {
	if c.Identity.Policies == nil || !onNoResource[c.Operation] {
		return nil
	}
	return a.authorize(c, c.Operation, target{arn: "*", account: c.Account})
}

// authorizeStream asks whether the caller may do on a stream what the call asks for. Denied, in AWS's words, when not.
//
// Work for a caller without policies in its own account, on a stream without one: three comparisons. Otherwise one look into a map, unless a
// policy in question has conditions on when or from where a request comes.
func (a *API) authorizeStream(c *edge.Call, stream *catalog.Stream) error {
	if c.Identity.Policies == nil && stream.Policy == "" && c.Account == stream.Account {
		return nil
	}
	return a.authorize(c, c.Operation, target{
		arn: stream.ARN, account: stream.Account, policy: stream.Policy, tags: stream.Tags, group: stream.Group, version: stream.Changed,
	})
}

// authorizeConsumer asks whether the caller may do on a consumer of a stream what the call asks for. Denied, in AWS's words, when not.
func (a *API) authorizeConsumer(c *edge.Call, stream *catalog.Stream, consumer *catalog.Consumer) error {
	return a.authorize(c, c.Operation, target{
		arn: consumer.ARN, account: stream.Account, policy: consumer.Policy, tags: consumer.Tags, group: stream.Group, version: stream.Changed,
		consumer: consumer.Name,
	})
}

// tagsOf is the tags that a request adds, and the keys of those that it adds or takes away, whichever operation it is of.
func tagsOf(in any) (tags map[string]string, keys []string) {
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Pointer {
		return nil, nil // the operation carries records
	}
	if field := v.Elem().FieldByName("Tags"); field.IsValid() {
		tags, _ = field.Interface().(map[string]string)
		keys = slices.Sorted(maps.Keys(tags))
	}
	if field := v.Elem().FieldByName("TagKeys"); field.IsValid() {
		keys, _ = field.Interface().([]string)
	}
	return tags, keys
}

// authorize asks whether the caller may do an operation on a target.
func (a *API) authorize(c *edge.Call, operation string, on target) error {
	if byOwnerOnly[operation] {
		on.policy = ""
	}
	if c.Identity.Policies == nil && on.policy == "" && c.Account == on.account {
		return nil
	}
	d := decision{c.Identity.Policies, c.Account, c.Identity.User, on.group, on.version, on.consumer, operation}
	if on.group != 0 && a.permissions.remembers(d) {
		return nil
	}
	ofResource, err := a.permissions.document(on.policy)
	if err != nil {
		return err
	}
	r := policy.Request{
		Action: "kinesis:" + operation, Resource: on.arn,
		Account: c.Account, ARN: c.Identity.ARN(), User: c.Identity.User,
		SourceIP: c.Source(), SecureTransport: c.Secure(), Now: a.clock.Now(), Region: c.Region,
		ResourceTags: on.tags, ResourceAccount: on.account,
	}
	r.RequestTags, r.TagKeys = tagsOf(c.Input)
	decided := policy.Decide(c.Identity.Policies, ofResource, on.account, &r)
	if !decided.Allowed {
		return fault.New(fault.Denied, "%s", decided.Refusal(&r))
	}
	if decided.Stable && on.group != 0 {
		d.account, d.operation = strings.Clone(d.account), strings.Clone(d.operation) // they may be slices of the request's header
		a.permissions.remember(d)
	}
	return nil
}
