// Package auth answers who is calling.
//
// It owns the identity of a caller, the two ways of establishing it (Any believes everyone, Keys verifies signatures), and the
// file of access keys, users and their policies. How a signature is computed belongs to wire/sigv4, what a policy says to auth/policy, and
// what an operation needs to its service.
//
// Read Identity and Authenticator, then any.go, keys.go, store.go and change.go.
package auth

import (
	"io"
	"net/http"
	"time"

	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// DefaultAccount is the account of callers whose access key names none. DefaultRegion is the region of requests that are signed for none.
const (
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

// Identity is who made a request, as far as it could be established.
type Identity struct {
	AccessKeyID string // empty when the request was not signed
	Account     string // twelve digits
	User        string // whose key it is; empty for the root of the account, which everybody is under Any
	KeyName     string // the name given to the key when it was made; empty under Any
	Verified    bool   // the signature was checked and matched
	// Policies restrict the caller. Nil is a caller who may do everything in the account. Its address changes when they do.
	Policies *policy.Set
}

// ARN is the caller's name in policies and refusals.
func (i *Identity) ARN() string {
	if i.User == "" {
		return "arn:aws:iam::" + i.Account + ":root"
	}
	return "arn:aws:iam::" + i.Account + ":user/" + i.User
}

// Request is what an Authenticator looks at. Body is only read, and only until the call returns.
type Request struct {
	HTTP *http.Request
	// Auth is the parsed claim of HTTP, from sigv4.Parse; ParseErr is the error it gave instead.
	Auth     *sigv4.Auth
	ParseErr error
	// Body is the whole body as sent, before any aws-chunked decoding.
	Body []byte
	// Now is the real time of arrival. Signatures stay on real time whatever the server's clock says.
	Now time.Time
}

// Authenticator establishes who made a request. Implementations are safe for concurrent use.
type Authenticator interface {
	// Verifies says whether an identity is proven. The edge lets web pages of any origin in only if it is.
	Verifies() bool
	// Authenticate returns the caller, or a *sigv4.Error that names AWS's refusal. The payload is the body to act on: r.Body
	// itself, or its content when it was aws-chunked (decoded in place, so it shares r.Body's bytes; its trailers become r.HTTP.Trailer).
	Authenticate(r *Request) (who Identity, payload []byte, err error)
	// AuthenticateStream is Authenticate for a body that is not held in memory: r.Body is empty, and the payload is read from body. What the header
	// says is checked before it returns, the rest while the payload is read; nothing may become visible of a payload before its end, io.EOF.
	AuthenticateStream(r *Request, body io.Reader) (who Identity, payload *sigv4.Body, err error)
}
