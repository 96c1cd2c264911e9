// Package policy reads IAM policy documents and decides with them.
//
// It owns the language of a document and the logic by which documents allow or deny. Who a caller is belongs to auth, which
// documents a key or a stream has belongs to those who keep them, and what an operation asks for belongs to its service. Everything
// here is a plain function over values.
//
// What is understood: Version, Id, Statement, Sid, Effect, Action and NotAction, Resource and NotResource, Principal and NotPrincipal,
// Condition. What is not understood is never passed over: a document with another element is refused, and a condition whose operator or
// key is not known denies the request, with its name in the answer.
//
// Source: "IAM JSON policy elements reference" and "Policy evaluation logic" (IAM User Guide, read 2026-11).
//
// Read Document, then Decide (decide.go), then condition.go.
package policy

import (
	"net/netip"
	"time"
)

// Document is a policy that was read and found right. Immutable.
type Document struct {
	statements []statement
	volatile   bool // some condition depends on when, from where or how a request comes
}

// Set is the documents of one identity. Immutable, so that its address names its version. The nil Set is that of an identity without
// restrictions: it allows everything that an identity's policies can allow.
type Set struct {
	documents []*Document
}

// NewSet is the set of some documents. Without any it allows nothing.
func NewSet(documents ...*Document) *Set { return &Set{documents} }

// Request is what is asked for, by whom, and under which circumstances.
type Request struct {
	Action   string // "kinesis:PutRecord"
	Resource string // an ARN, or "*" for operations that are on none

	Account string // of the caller, twelve digits
	ARN     string // of the caller: arn:aws:iam::ACCOUNT:user/NAME, or …:root
	User    string // the caller's user name; empty for the root of an account

	SourceIP        netip.Addr // of the connection; the zero Addr when it is not known
	SecureTransport bool       // it came over TLS
	Now             time.Time
	Region          string
	ResourceTags    map[string]string
	ResourceAccount string            // twelve digits
	RequestTags     map[string]string // that the request adds
	TagKeys         []string          // of the tags that the request adds or takes away
}

// effect of a statement.
type effect bool

const (
	allow effect = false
	deny  effect = true
)

// statement is one statement of a document.
type statement struct {
	effect      effect
	actions     []string // patterns in lower case
	notAction   bool     // the statement is on every action but those
	resources   []arnPattern
	notResource bool
	principals  *principals // nil in an identity's policy
	conditions  []condition
}

// principals are the callers that a statement of a resource's policy names.
type principals struct {
	not      bool // everybody but those
	everyone bool
	accounts []string // whole accounts, by their twelve digits
	arns     []string // users and roles
}

// match is how a statement stands to a request.
type match uint8

const (
	no      match = iota
	yes           // it applies
	viaRoot       // it applies to the caller's whole account, which leaves it to that account's own policies whom it lets
	unknown       // it would apply but for a condition that cannot be judged
)
