package auth

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// The file of keys is keys.json in the data directory, readable by its owner alone. docs/format/secrets.md describes it.
//
// Versions: 1 held secrets in the clear; it is read and replaced by 2 when it is met. 2 holds states of secrets (sigv4.KeyState), users
// and their policies. A file of a later version is refused by name, never half understood.
const (
	keysFile    = "keys.json"
	keysVersion = 2

	// keysBytesMax bounds what is read: some 100,000 keys.
	keysBytesMax = 32 << 20
)

// keysDocument is the file. Secret is of version 1, State, User, Expires and Users of version 2.
type keysDocument struct {
	Version int          `json:"version"`
	Keys    []storedKey  `json:"keys"`
	Users   []storedUser `json:"users,omitempty"`
}

type storedKey struct {
	ID       string    `json:"accessKeyId"`
	Secret   string    `json:"secret,omitempty"`
	State    []byte    `json:"state,omitempty"` // 64 bytes, in base64
	Account  string    `json:"account"`
	User     string    `json:"user,omitempty"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	Disabled bool      `json:"disabled,omitempty"`
}

// storedUser is a user who has policies. One who has none is not in the file.
type storedUser struct {
	Account  string   `json:"account"`
	Name     string   `json:"name"`
	Policies []Policy `json:"policies"`
}

// Policy is a document under the name that people attach and remove it by.
type Policy struct {
	Name     string          `json:"name"`
	Document json.RawMessage `json:"document"`
}

// userID names a user.
type userID struct{ account, name string }

// user is a user who has policies. Immutable.
type user struct {
	policies []Policy // in order of name
	set      *policy.Set
}

// userNameMax and policyNameMax are IAM's (API_CreateUser: [\w+=,.@-]{1,64}; API_PutUserPolicy: the same alphabet, 128). policiesMax is how
// many managed policies IAM lets a user have at most (IAM quotas).
const (
	userNameMax   = 64
	policyNameMax = 128
	policiesMax   = 20
)

// isIAMName says whether text is 1 to max of the characters that IAM makes names of.
func isIAMName(text string, max int) bool {
	if len(text) == 0 || len(text) > max {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_+=,.@-", rune(c)) {
			return false
		}
	}
	return true
}

// userOf is the user of a key that names none: what people call the key, if a user may be called so.
func userOf(name string) string {
	if isIAMName(name, userNameMax) {
		return name
	}
	return ""
}

// newUser reads a user's policies. Invalid when a document or a name is not right.
func newUser(policies []Policy) (user, error) {
	if len(policies) > policiesMax {
		return user{}, fault.New(fault.Invalid, "%d policies: a user has at most %d", len(policies), policiesMax)
	}
	var documents []*policy.Document
	for i, p := range policies {
		if !isIAMName(p.Name, policyNameMax) {
			return user{}, fault.New(fault.Invalid, "policy name %q is not 1 to %d of letters, digits and _+=,.@-", p.Name, policyNameMax)
		}
		if slices.ContainsFunc(policies[:i], func(q Policy) bool { return q.Name == p.Name }) {
			return user{}, fault.New(fault.Invalid, "policy %s is there twice", p.Name)
		}
		doc, err := policy.ParseIdentity(p.Document)
		if err != nil {
			return user{}, fault.Wrap(err, "policy %s", p.Name)
		}
		documents = append(documents, doc)
	}
	return user{policies, policy.NewSet(documents...)}, nil
}

// contents is the file as it is worked with.
type contents struct {
	keys  map[string]Key // by id
	users map[userID]user
	old   bool // it is of a version before the present one
}

// decodeKeys reads the file's bytes. Corrupt when they are not what encode writes, Unsupported when a later version wrote them.
func decodeKeys(data []byte) (contents, error) {
	var doc keysDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return contents{}, fault.As(fault.Corrupt, err, "read %s", keysFile)
	}
	if doc.Version > keysVersion {
		return contents{}, fault.New(fault.Unsupported, "%s has version %d, and this Weir knows up to %d", keysFile, doc.Version, keysVersion)
	}
	if doc.Version < 1 {
		return contents{}, fault.New(fault.Corrupt, "%s has no version", keysFile)
	}
	c := contents{keys: make(map[string]Key, len(doc.Keys)), users: make(map[userID]user, len(doc.Users)), old: doc.Version < keysVersion}
	for i, u := range doc.Users {
		id := userID{u.Account, u.Name}
		made, err := newUser(u.Policies)
		if _, twice := c.users[id]; err == nil && (twice || !isAccount(u.Account) || !isIAMName(u.Name, userNameMax) || len(u.Policies) == 0) {
			err = fault.New(fault.Corrupt, "incomplete or there twice")
		}
		if err != nil {
			return contents{}, fault.As(fault.Corrupt, err, "%s: user %d (%q)", keysFile, i+1, u.Name)
		}
		c.users[id] = made
	}
	for i, s := range doc.Keys {
		k, ok := s.key(doc.Version)
		if _, twice := c.keys[s.ID]; twice || !ok {
			return contents{}, fault.New(fault.Corrupt, "%s: key %d (%q) is incomplete or there twice", keysFile, i+1, s.ID)
		}
		k.Policies = c.users[userID{k.Account, k.User}].set
		c.keys[k.ID] = k
	}
	return c, nil
}

// key is a stored key as it is worked with.
func (s *storedKey) key(version int) (k Key, ok bool) {
	k = Key{ID: s.ID, Account: s.Account, User: s.User, Name: s.Name, Created: s.Created, Expires: s.Expires, Disabled: s.Disabled}
	if k.ID == "" || strings.Contains(k.ID, "/") || !isAccount(k.Account) || k.User != "" && !isIAMName(k.User, userNameMax) {
		return k, false
	}
	if version == 1 {
		k.User, k.state = userOf(s.Name), sigv4.NewKeyState(s.Secret)
		return k, s.Secret != ""
	}
	copy(k.state[:], s.State)
	return k, len(s.State) == len(k.state) && s.Secret == ""
}

// encode is the file's bytes.
func (c *contents) encode() ([]byte, error) {
	doc := keysDocument{Version: keysVersion, Keys: []storedKey{}}
	for _, k := range c.sorted() {
		doc.Keys = append(doc.Keys, storedKey{
			ID: k.ID, State: k.state[:], Account: k.Account, User: k.User, Name: k.Name, Created: k.Created, Expires: k.Expires, Disabled: k.Disabled,
		})
	}
	for id, u := range c.users {
		doc.Users = append(doc.Users, storedUser{id.account, id.name, u.policies})
	}
	slices.SortFunc(doc.Users, func(a, b storedUser) int { return strings.Compare(a.Account+a.Name, b.Account+b.Name) }) // accounts are of one length
	data, err := json.MarshalIndent(doc, "", "  ")
	return append(data, '\n'), fault.As(fault.Internal, err, "write %s", keysFile)
}

// sorted is the keys, the oldest first.
func (c *contents) sorted() []Key {
	keys := make([]Key, 0, len(c.keys))
	for _, k := range c.keys {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return keys
}
