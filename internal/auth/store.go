package auth

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// The file of keys, keys.json in the data directory, readable by its owner alone:
//
//	{"version": 1, "keys": [{"accessKeyId": "AKIA…", "secret": "…", "account": "000000000000",
//	                         "name": "…", "created": "2026-11-18T13:14:15Z", "disabled": false}]}
//
// Versions: 1 is the first. A file of a later version is refused by name, never half understood.
const (
	keysFile    = "keys.json"
	keysVersion = 1

	// keysBytesMax bounds what is read: some 100,000 keys.
	keysBytesMax = 32 << 20

	// checkEvery is how long a change to the file may go unseen.
	checkEvery = time.Second
)

// Key is an access key: who may sign, with what, for which account.
type Key struct {
	ID       string    `json:"accessKeyId"` // "AKIA" and 16 of A-Z2-7, the form of AWS's long-term keys
	Secret   string    `json:"secret"`      // 40 characters of base64's alphabet
	Account  string    `json:"account"`     // twelve digits
	Name     string    `json:"name"`        // what people call it; may be empty, need not be unique
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled,omitempty"`
}

type keysDocument struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"`
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
	byID    map[string]Key
	modTime time.Time
	size    int64        // -1 when there was no file
	checked atomic.Int64 // Unix nanoseconds of the last look at the file's time and size
}

// OpenStore reads the keys in the root of fs. A missing file is an empty store. random makes ids and secrets; nil is crypto/rand.
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

// Lookup finds a key by its id, disabled or not. Corrupt or Unsupported when the file has become unreadable.
func (s *Store) Lookup(id string) (Key, bool, error) {
	snap := s.current.Load()
	if s.clock.Now().UnixNano()-snap.checked.Load() >= int64(checkEvery) {
		if err := s.reload(false); err != nil {
			return Key{}, false, err
		}
		snap = s.current.Load()
	}
	k, ok := snap.byID[id]
	return k, ok, nil
}

// List gives all keys, the oldest first, with their secrets.
func (s *Store) List() ([]Key, error) {
	if err := s.reload(true); err != nil {
		return nil, err
	}
	return s.current.Load().sorted(), nil
}

// Create makes and stores a new key for an account of twelve digits. It is durable when Create returns.
func (s *Store) Create(account, name string) (Key, error) {
	if !isAccount(account) {
		return Key{}, fault.New(fault.Invalid, "account %q is not twelve digits", account)
	}
	if len(name) > 256 {
		return Key{}, fault.New(fault.Invalid, "the name of a key has at most 256 bytes, this one has %d", len(name))
	}
	var made Key
	err := s.change(func(keys map[string]Key) error {
		k, err := s.mint()
		if err != nil {
			return err
		}
		if _, taken := keys[k.ID]; taken {
			return fault.New(fault.Internal, "the source of randomness repeats itself: key %s exists", k.ID)
		}
		k.Account, k.Name, k.Created = account, name, s.clock.Now().UTC().Truncate(time.Second)
		keys[k.ID] = k
		made = k
		return nil
	})
	return made, err
}

// Delete removes a key. NotFound when there is none.
func (s *Store) Delete(id string) error {
	return s.change(func(keys map[string]Key) error {
		if _, ok := keys[id]; !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		delete(keys, id)
		return nil
	})
}

// Disable switches a key off, or on again. NotFound when there is none.
func (s *Store) Disable(id string, disabled bool) error {
	return s.change(func(keys map[string]Key) error {
		k, ok := keys[id]
		if !ok {
			return fault.New(fault.NotFound, "access key %q", id)
		}
		k.Disabled = disabled
		keys[id] = k
		return nil
	})
}

// Has says whether there is any key that could be used: whether the server may listen beyond loopback.
func (s *Store) Has() (bool, error) {
	keys, err := s.List()
	return slices.ContainsFunc(keys, func(k Key) bool { return !k.Disabled }), err
}

// mint makes an id and a secret. 32 letters divide a byte's values evenly, and so do 64, so none is likelier than another.
func (s *Store) mint() (Key, error) {
	const (
		idLetters     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
		secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	)
	var raw [16 + 40]byte
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return Key{}, fault.As(fault.Unavailable, err, "read random bytes")
	}
	for i := range raw {
		if i < 16 {
			raw[i] = idLetters[raw[i]%32]
		} else {
			raw[i] = secretLetters[raw[i]%64]
		}
	}
	return Key{ID: "AKIA" + string(raw[:16]), Secret: string(raw[16:])}, nil
}

// change reads the file, applies edit to a copy of the keys and replaces the file.
func (s *Store) change(edit func(map[string]Key) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reloadLocked(true); err != nil {
		return err
	}
	next := &snapshot{byID: make(map[string]Key)}
	for id, k := range s.current.Load().byID {
		next.byID[id] = k
	}
	if err := edit(next.byID); err != nil {
		return err
	}
	data, err := json.MarshalIndent(keysDocument{keysVersion, next.sorted()}, "", "  ")
	if err != nil {
		return fault.As(fault.Internal, err, "write %s", keysFile)
	}
	if err := secretfile.Replace(s.fs, keysFile, append(data, '\n')); err != nil {
		return err
	}
	return s.reloadLocked(true)
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
	if next.byID, err = readKeys(s.fs); err != nil {
		return err
	}
	next.checked.Store(now)
	s.current.Store(next)
	return nil
}

func readKeys(fs vfs.FS) (map[string]Key, error) {
	data, err := secretfile.Read(fs, keysFile, keysBytesMax)
	if err != nil {
		return nil, err
	}
	return decodeKeys(data)
}

// decodeKeys reads the file's bytes. Corrupt when they are not what Create writes, Unsupported when a later version wrote them.
func decodeKeys(data []byte) (map[string]Key, error) {
	var doc keysDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fault.As(fault.Corrupt, err, "read %s", keysFile)
	}
	if doc.Version > keysVersion {
		return nil, fault.New(fault.Unsupported, "%s has version %d, and this Weir knows up to %d", keysFile, doc.Version, keysVersion)
	}
	if doc.Version < 1 {
		return nil, fault.New(fault.Corrupt, "%s has no version", keysFile)
	}
	byID := make(map[string]Key, len(doc.Keys))
	for i, k := range doc.Keys {
		if _, twice := byID[k.ID]; twice || k.ID == "" || strings.Contains(k.ID, "/") || k.Secret == "" || !isAccount(k.Account) {
			return nil, fault.New(fault.Corrupt, "%s: key %d (%q) is incomplete or there twice", keysFile, i+1, k.ID)
		}
		byID[k.ID] = k
	}
	return byID, nil
}

func (s *snapshot) sorted() []Key {
	keys := make([]Key, 0, len(s.byID))
	for _, k := range s.byID {
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
