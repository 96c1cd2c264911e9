package auth

import (
	"io"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Any believes everyone, signed or not: the authenticator of development, for loopback only. An access key of exactly twelve
// digits is the caller's account; every other caller has DefaultAccount.
type Any struct{}

// Verifies is false.
func (Any) Verifies() bool { return false }

// Authenticate never refuses a claim. It refuses a body whose aws-chunked framing is broken, since there is no payload in it.
func (Any) Authenticate(r *Request) (Identity, []byte, error) {
	who := believed(r)
	if !sigv4.IsChunked(r.HTTP.Header, r.Auth.PayloadHash) {
		return who, r.Body, nil
	}
	p, err := sigv4.Unframe(r.HTTP.Header, r.Body)
	if err != nil {
		return who, nil, err
	}
	if p.Trailer != nil {
		r.HTTP.Trailer = p.Trailer
	}
	return who, p.Body, nil
}

// AuthenticateStream never refuses a claim. Reading the payload refuses broken framing, and a body that has not the hash which the request states.
func (Any) AuthenticateStream(r *Request, body io.Reader) (Identity, *sigv4.Body, error) {
	return believed(r), sigv4.StreamUnsigned(r.HTTP, r.Auth, body), nil
}

func believed(r *Request) Identity {
	who := Identity{AccessKeyID: r.Auth.AccessKeyID, Account: DefaultAccount}
	if isAccount(r.Auth.AccessKeyID) {
		who.Account = r.Auth.AccessKeyID
	}
	return who
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
