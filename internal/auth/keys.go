package auth

import (
	"io"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Keys believes those who prove with a signature that they hold the secret of a key in a Store.
type Keys struct {
	store    *Store
	verifier sigv4.Verifier
}

// NewKeys verifies against the keys of a store.
func NewKeys(store *Store) *Keys { return &Keys{store: store} }

// Verifies is true.
func (*Keys) Verifies() bool { return true }

// Authenticate refuses with a *sigv4.Error: nothing claimed, a malformed claim, a key that does not exist, is disabled, has ended or comes
// with a session token (there are no temporary keys), a signature that does not fit or is too old. An error of another type means that the store could not be read.
func (k *Keys) Authenticate(r *Request) (Identity, []byte, error) {
	key, err := k.claimed(r)
	if err != nil {
		return Identity{}, nil, err
	}
	p, err := k.verifier.Verify(r.HTTP, r.Auth, &key.state, r.Body, r.Now)
	if err != nil {
		return Identity{}, nil, err
	}
	if p.Trailer != nil {
		r.HTTP.Trailer = p.Trailer
	}
	return key.proven(), p.Body, nil
}

// AuthenticateStream refuses like Authenticate; what a signature says of the body is held against it as the payload is read.
func (k *Keys) AuthenticateStream(r *Request, body io.Reader) (Identity, *sigv4.Body, error) {
	key, err := k.claimed(r)
	if err != nil {
		return Identity{}, nil, err
	}
	payload, err := k.verifier.VerifyStream(r.HTTP, r.Auth, &key.state, body, r.Now)
	if err != nil {
		return Identity{}, nil, err
	}
	return key.proven(), payload, nil
}

// claimed is the key that a request claims to be signed with, if that counts.
func (k *Keys) claimed(r *Request) (Key, error) {
	if r.ParseErr != nil {
		return Key{}, r.ParseErr
	}
	key, ok, err := k.store.Lookup(r.Auth.AccessKeyID)
	if err != nil {
		return Key{}, err
	}
	if !ok || !key.UsableAt(r.Now) || r.Auth.SecurityToken != "" {
		return Key{}, sigv4.ErrUnrecognizedClient
	}
	return key, nil
}

// proven is who holds a key.
func (k *Key) proven() Identity {
	return Identity{AccessKeyID: k.ID, Account: k.Account, User: k.User, KeyName: k.Name, Verified: true, Policies: k.Policies}
}
