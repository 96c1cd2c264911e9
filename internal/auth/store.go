package auth

import (
	"crypto/rand"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// checkEvery is how long a change to the file may go unseen.
const checkEvery = time.Second

// Key is an access key: who may sign, for which user of which account.
type Key struct {
	ID string // "AKIA" and 16 of A-Z2-7, the form of AWS's long-term keys
	// Secret is 40 characters of base64's alphabet. Only Create and Rotate give it; nobody keeps it, and afterwards it is empty.
	Secret  string
	Account string // twelve digits
	// User is the name of the user whose key this is, [\w+=,.@-]{1,64}. Empty is the root of the account, whom no policies of its own restrict.
	User     string
	Name     string // what people call it; may be empty, need not be unique
	Created  time.Time
	Expires  time.Time // when the key ends; zero is never
	Disabled bool
	// Policies are the user's, nil when the user has none: then the key may do everything in its account.
	Policies *policy.Set

	state sigv4.KeyState
}

// UsableAt says whether a request that arrives at a time may be signed with the key.
func (k *Key) UsableAt(now time.Time) bool {
	return !k.Disabled && (k.Expires.IsZero() || now.Before(k.Expires))
}

// Store is the file of access keys. Other processes may replace the file: Lookup sees it within a second. Two processes that
// change it at the same moment may lose one change; people do that, programs do not. Safe for concurrent use.
type Store struct {
	fs     vfs.FS
	clock  clock.Clock
	random io.Reader

	current atomic.Pointer[snapshot] // readers load, the holder of mu swaps
	mu      sync.Mutex               // one reload or change at a time
}

// snapshot is the file as last read. Immutable, but for checked.
type snapshot struct {
	contents
	modTime time.Time
	size    int64        // -1 when there was no file
	checked atomic.Int64 // Unix nanoseconds of the last look at the file's time and size
}

// OpenStore reads the keys in the root of fs. A missing file is an empty store; a file with secrets in the clear, as early versions wrote,
// is replaced by one without. random makes ids and secrets; nil is crypto/rand.
func OpenStore(fs vfs.FS, c clock.Clock, random io.Reader) (*Store, error) {
	if random == nil {
		random = rand.Reader
	}
	s := &Store{fs: fs, clock: c, random: random}
	if err := s.reload(true); err != nil {
		return nil, err
	}
	return s, nil
}

// Lookup finds a key by its id, usable or not. Corrupt or Unsupported when the file has become unreadable.
func (s *Store) Lookup(id string) (Key, bool, error) {
	snap := s.current.Load()
	if s.clock.Now().UnixNano()-snap.checked.Load() >= int64(checkEvery) {
		if err := s.reload(false); err != nil {
			return Key{}, false, err
		}
		snap = s.current.Load()
	}
	k, ok := snap.keys[id]
	return k, ok, nil
}

// List gives all keys, the oldest first.
func (s *Store) List() ([]Key, error) {
	if err := s.reload(true); err != nil {
		return nil, err
	}
	return s.current.Load().sorted(), nil
}

// Policies gives the policies of a key's user, in order of name. NotFound when there is no such key.
func (s *Store) Policies(id string) ([]Policy, error) {
	if err := s.reload(true); err != nil {
		return nil, err
	}
	snap := s.current.Load()
	k, ok := snap.keys[id]
	if !ok {
		return nil, fault.New(fault.NotFound, "access key %q", id)
	}
	return snap.users[userID{k.Account, k.User}].policies, nil
}

// Has says whether there is any key that could be used: whether the server may listen beyond loopback.
func (s *Store) Has() (bool, error) {
	keys, err := s.List()
	now := s.clock.Now()
	return slices.ContainsFunc(keys, func(k Key) bool { return k.UsableAt(now) }), err
}

// change reads the file, applies edit to a copy of what is in it and replaces the file.
func (s *Store) change(edit func(*contents) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reloadLocked(true); err != nil {
		return err
	}
	before := s.current.Load()
	next := contents{keys: maps.Clone(before.keys), users: maps.Clone(before.users)}
	if next.keys == nil {
		next.keys, next.users = map[string]Key{}, map[userID]user{}
	}
	if err := edit(&next); err != nil {
		return err
	}
	if err := s.replace(&next); err != nil {
		return err
	}
	return s.reloadLocked(true)
}

func (s *Store) replace(c *contents) error {
	data, err := c.encode()
	if err != nil {
		return err
	}
	return secretfile.Replace(s.fs, keysFile, data)
}

func (s *Store) reload(force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reloadLocked(force)
}

// reloadLocked reads the file if it changed, or looks as if it might have: forced, or with another time or size than before.
func (s *Store) reloadLocked(force bool) error {
	now := s.clock.Now().UnixNano()
	before := s.current.Load()
	if !force && now-before.checked.Load() < int64(checkEvery) {
		return nil // another caller looked while this one waited for mu
	}
	info, err := s.fs.Stat(keysFile)
	if fault.Is(err, fault.NotFound) {
		next := &snapshot{size: -1}
		next.checked.Store(now)
		s.current.Store(next)
		return nil
	}
	if err != nil {
		return fault.Wrap(err, "read %s", keysFile)
	}
	if !force && before.size == info.Size() && before.modTime.Equal(info.ModTime()) {
		before.checked.Store(now)
		return nil
	}
	next := &snapshot{modTime: info.ModTime(), size: info.Size()}
	data, err := secretfile.Read(s.fs, keysFile, keysBytesMax)
	if err != nil {
		return err
	}
	if next.contents, err = decodeKeys(data); err != nil {
		return err
	}
	if next.old {
		if err := s.replace(&next.contents); err != nil {
			return err
		}
		next.old, next.size = false, -1 // the next look reads what was written
	}
	next.checked.Store(now)
	s.current.Store(next)
	return nil
}
