package auth

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Spec says what key to make.
type Spec struct {
	Account string // twelve digits
	Name    string // what people call the key; may be empty
	// User is whose key it is. Empty is a user called as the key is, if a user may be, and otherwise the root of the account.
	User string
	// Policies are attached to the user, beside those he has; one of the same name is replaced.
	Policies []Policy
}

// Create makes a key for an account; see Make.
func (s *Store) Create(account, name string) (Key, error) {
	return s.Make(Spec{Account: account, Name: name})
}

// Make makes and stores a new key. It is durable when Make returns. Invalid when the spec is not right.
func (s *Store) Make(spec Spec) (Key, error) {
	if !isAccount(spec.Account) {
		return Key{}, fault.New(fault.Invalid, "account %q is not twelve digits", spec.Account)
	}
	if len(spec.Name) > 256 {
		return Key{}, fault.New(fault.Invalid, "the name of a key has at most 256 bytes, this one has %d", len(spec.Name))
	}
	if spec.User == "" {
		spec.User = userOf(spec.Name)
	} else if !isIAMName(spec.User, userNameMax) {
		return Key{}, fault.New(fault.Invalid, "user name %q is not 1 to %d of letters, digits and _+=,.@-", spec.User, userNameMax)
	}
	var made Key
	err := s.change(func(c *contents) (err error) {
		made, err = s.add(c, Key{Account: spec.Account, User: spec.User, Name: spec.Name})
		if err != nil || len(spec.Policies) == 0 {
			return err
		}
		return c.attach(&made, spec.Policies...)
	})
	return s.withSet(made), err
}

// Rotate makes a second key of the same user, and ends the old one after a while, at once when it is 0. A key that ends earlier keeps its
// end. NotFound when there is none.
func (s *Store) Rotate(id string, expireAfter time.Duration) (Key, error) {
	var made Key
	err := s.change(func(c *contents) (err error) {
		old, ok := c.keys[id]
		if !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		end := s.clock.Now().UTC().Truncate(time.Second).Add(expireAfter)
		if old.Expires.IsZero() || end.Before(old.Expires) {
			old.Expires = end
		}
		c.keys[id] = old
		made, err = s.add(c, Key{Account: old.Account, User: old.User, Name: old.Name})
		return err
	})
	return s.withSet(made), err
}

// add puts a new key beside the others.
func (s *Store) add(c *contents, k Key) (Key, error) {
	var err error
	if k.ID, k.Secret, err = s.mint(); err != nil {
		return k, err
	}
	if _, taken := c.keys[k.ID]; taken {
		return k, fault.New(fault.Internal, "the source of randomness repeats itself: key %s exists", k.ID)
	}
	k.state = sigv4.NewKeyState(k.Secret)
	k.Created = s.clock.Now().UTC().Truncate(time.Second)
	c.keys[k.ID] = k
	return k, nil
}

// withSet gives a key that was just made its policies as they were read back.
func (s *Store) withSet(made Key) Key {
	made.Policies = s.current.Load().keys[made.ID].Policies
	return made
}

// Delete removes a key. The policies of its user stay, for the next key. NotFound when there is none.
func (s *Store) Delete(id string) error {
	return s.change(func(c *contents) error {
		if _, ok := c.keys[id]; !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		delete(c.keys, id)
		return nil
	})
}

// Disable switches a key off, or on again. NotFound when there is none.
func (s *Store) Disable(id string, disabled bool) error {
	return s.change(func(c *contents) error {
		k, ok := c.keys[id]
		if !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		k.Disabled = disabled
		c.keys[id] = k
		return nil
	})
}

// Attach gives the user of a key a policy, or replaces the one of its name. It holds for all keys of the user. NotFound when there is no such
// key, Invalid when the document is not right or the key is that of an account's root.
func (s *Store) Attach(id string, p Policy) error {
	return s.change(func(c *contents) error {
		k, ok := c.keys[id]
		if !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		return c.attach(&k, p)
	})
}

// Detach takes a policy from the user of a key. NotFound when there is no such key, or the user has no such policy.
//
// Invalid when it is the last one, unless all is said: a user without policies may do everything in the account.
func (s *Store) Detach(id, name string, all bool) error {
	return s.change(func(c *contents) error {
		k, ok := c.keys[id]
		if !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		of := userID{k.Account, k.User}
		kept := slices.DeleteFunc(slices.Clone(c.users[of].policies), func(p Policy) bool { return p.Name == name })
		if len(kept) == len(c.users[of].policies) {
			return fault.New(fault.NotFound, "policy %q of user %q", name, k.User)
		}
		if len(kept) == 0 {
			if !all {
				return fault.New(fault.Invalid, "%s is the last policy of user %s, who without it may do everything in account %s", name, k.User, k.Account)
			}
			delete(c.users, of)
			return nil
		}
		next, err := newUser(kept)
		c.users[of] = next
		return err
	})
}

// attach puts policies beside those that a key's user has.
func (c *contents) attach(k *Key, policies ...Policy) error {
	if k.User == "" {
		return fault.New(fault.Invalid, "key %s is of the root of account %s, whom no policy restricts; a key with a user name can have policies", k.ID, k.Account)
	}
	of := userID{k.Account, k.User}
	all := slices.Clone(c.users[of].policies)
	for _, p := range policies {
		all = append(slices.DeleteFunc(all, func(q Policy) bool { return q.Name == p.Name }), p)
	}
	slices.SortFunc(all, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	next, err := newUser(all)
	if err != nil {
		return err
	}
	c.users[of] = next
	return nil
}

// mint makes an id and a secret. 32 letters divide a byte's values evenly, and so do 64, so none is likelier than another.
func (s *Store) mint() (id, secret string, err error) {
	const (
		idLetters     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
		secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	)
	var raw [16 + 40]byte
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return "", "", fault.As(fault.Unavailable, err, "read random bytes")
	}
	for i := range raw {
		if i < 16 {
			raw[i] = idLetters[raw[i]%32]
		} else {
			raw[i] = secretLetters[raw[i]%64]
		}
	}
	return "AKIA" + string(raw[:16]), string(raw[16:]), nil
}
