package auth

import (
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
	if r.ParseErr != nil {
		return Identity{}, nil, r.ParseErr
	}
	key, ok, err := k.store.Lookup(r.Auth.AccessKeyID)
	if err != nil {
		return Identity{}, nil, err
	}
	if !ok || !key.UsableAt(r.Now) || r.Auth.SecurityToken != "" {
		return Identity{}, nil, sigv4.ErrUnrecognizedClient
	}
	p, err := k.verifier.Verify(r.HTTP, r.Auth, &key.state, r.Body, r.Now)
	if err != nil {
		return Identity{}, nil, err
	}
	if p.Trailer != nil {
		r.HTTP.Trailer = p.Trailer
	}
	return Identity{AccessKeyID: key.ID, Account: key.Account, User: key.User, KeyName: key.Name, Verified: true, Policies: key.Policies}, p.Body, nil
}
