package envelope

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// DefaultMaster is the master key that is always there: it is made when it is first asked for. Customers call it alias/aws/kinesis.
const DefaultMaster = "aws/kinesis"

// checkEvery is how long a change to the file of master keys may go unseen.
const checkEvery = time.Second

// dataKeysMax bounds the data keys that are kept open, of some kilobytes each.
const dataKeysMax = 4096

// Options says what a Ring works with. Logger alone may be nil.
type Options struct {
	FS     vfs.FS // of the directory that File is in
	File   string
	Clock  clock.Clock // real time
	Random io.Reader   // makes keys and nonces: crypto/rand in life
	Logger *slog.Logger
}

// Ring is the master keys of a node, and the data keys that it has opened. Other processes may replace the file; Ring sees it within a second.
// It is safe for concurrent use.
type Ring struct {
	fs     vfs.FS
	file   string
	clock  clock.Clock
	random io.Reader
	logger *slog.Logger

	mu      sync.Mutex // guards everything below
	masters masters
	looked  time.Time // when the file was last looked at
	read    fileState // what it was like then
	opened  map[dataKeyID]*DataKey
	told    map[string]bool // master keys whose absence the log knows of
}

type dataKeyID struct {
	group uint64
	id    uint32
}

// MasterError is why a data key cannot be opened, or made: its master key is missing, or another key has its name.
type MasterError struct {
	Master  string // NAME, or NAME:VERSION
	Missing bool
	File    string // where it was looked for
}

// Error names the key.
func (e *MasterError) Error() string {
	if e.Missing {
		return "master key " + e.Master + " is not in " + e.File
	}
	return "master key " + e.Master + " in " + e.File + " is not the one that was used"
}

// OpenRing reads the master keys. A missing file has none. Corrupt or Unsupported when it is not what was written there.
func OpenRing(o Options) (*Ring, error) {
	r := &Ring{
		fs: o.FS, file: o.File, clock: o.Clock, random: o.Random, logger: o.Logger,
		opened: make(map[dataKeyID]*DataKey), told: make(map[string]bool),
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.look(true)
}

// Wrap makes a data key for the stream with a log group, wrapped under the newest version of a master key. version is for Unwrap and people: NAME:VERSION.
// A *MasterError when there is no such master key; DefaultMaster is made.
func (r *Ring) Wrap(name string, group uint64) (version string, wrapped []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(true); err != nil { // a version that was replaced a moment ago may be gone in the next
		return "", nil, err
	}
	if name == DefaultMaster && r.masters.find(name) == nil {
		if err := r.change(func(m *masters) error { return m.create(name, r.clock.Now(), r.random) }); err != nil {
			return "", nil, err
		}
	}
	key := make([]byte, keySize)
	if _, err := io.ReadFull(r.random, key); err != nil {
		return "", nil, fault.As(fault.Unavailable, err, "read random bytes")
	}
	return r.wrap(name, group, key)
}

// wrap seals a data key under the newest version of a master key:
//
//	12  nonce, at random
//	32  the key
//	16  tag of AES-256-GCM, which is bound to the stream's group and to NAME:VERSION
func (r *Ring) wrap(name string, group uint64, key []byte) (version string, wrapped []byte, err error) {
	m := r.masters.find(name)
	if m == nil {
		return "", nil, r.missing(name)
	}
	newest := m.newest()
	version = versionName(name, newest.Version)
	aead, err := wrapper(newest.Key)
	if err != nil {
		return "", nil, err
	}
	wrapped = make([]byte, aead.NonceSize(), aead.NonceSize()+keySize+tagSize)
	if _, err := io.ReadFull(r.random, wrapped); err != nil {
		return "", nil, fault.As(fault.Unavailable, err, "read random bytes")
	}
	return version, aead.Seal(wrapped, wrapped, key, wrapAAD(group, version)), nil
}

// unwrap opens what wrap made.
func (r *Ring) unwrap(version string, group uint64, wrapped []byte) ([]byte, error) {
	v := r.masters.version(version)
	if v == nil {
		return nil, r.missing(version)
	}
	aead, err := wrapper(v.Key)
	if err != nil {
		return nil, err
	}
	if len(wrapped) < aead.NonceSize() {
		return nil, fault.New(fault.Corrupt, "a wrapped data key of %d bytes", len(wrapped))
	}
	nonce, sealed := wrapped[:aead.NonceSize()], wrapped[aead.NonceSize():]
	key, err := aead.Open(nil, nonce, sealed, wrapAAD(group, version))
	if err != nil {
		return nil, r.tell(&MasterError{Master: version, File: r.file})
	}
	delete(r.told, version)
	return key, nil
}

// missing is the error of a master key that is not there.
func (r *Ring) missing(master string) error {
	return r.tell(&MasterError{Master: master, Missing: true, File: r.file})
}

// tell says once in the log what cannot be opened.
func (r *Ring) tell(e *MasterError) error {
	if !r.told[e.Master] && strings.Contains(e.Master, ":") { // a mere name was a customer's question
		r.told[e.Master] = true
		r.logger.Error("records cannot be sealed or read: restore the master key", "master", e.Master, "file", r.file, "missing", e.Missing)
	}
	return fault.As(fault.Unavailable, e, "")
}

// DataKey opens a data key of the stream with a log group. A key that was opened stays open until the process ends. A *MasterError when its
// master key is missing or another.
func (r *Ring) DataKey(group uint64, id uint32, version string, wrapped []byte) (*DataKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := dataKeyID{group, id}
	if known := r.opened[name]; known != nil {
		return known, nil
	}
	if err := r.look(false); err != nil {
		return nil, err
	}
	key, err := r.unwrap(version, group, wrapped)
	if err != nil {
		return nil, err
	}
	made, err := newDataKey(key, group, id, r.random)
	if err != nil {
		return nil, err
	}
	if len(r.opened) >= dataKeysMax {
		clear(r.opened)
	}
	r.opened[name] = made
	return made, nil
}

// Rewrap wraps a data key under the newest version of its master key. It gives back what it got when that is the newest. A *MasterError when the master key
// that wrapped it is missing or another.
func (r *Ring) Rewrap(group uint64, version string, wrapped []byte) (newVersion string, again []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(false); err != nil {
		return "", nil, err
	}
	name, _, _ := strings.Cut(version, ":")
	if m := r.masters.find(name); m != nil && versionName(name, m.newest().Version) == version {
		return version, wrapped, nil
	}
	key, err := r.unwrap(version, group, wrapped)
	if err != nil {
		return "", nil, err
	}
	return r.wrap(name, group, key)
}

func wrapper(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.As(fault.Corrupt, err, "master key")
	}
	aead, err := cipher.NewGCM(block)
	return aead, fault.As(fault.Internal, err, "master key")
}

func wrapAAD(group uint64, version string) []byte {
	aad := binary.BigEndian.AppendUint64([]byte("weir.datakey.1"), group)
	return append(aad, version...)
}

// versionName is how a version of a master key is called: NAME:VERSION.
func versionName(name string, version int) string { return fmt.Sprintf("%s:%d", name, version) }

// Refresh reads the file again.
func (r *Ring) Refresh() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.look(true)
}

// Has says whether there is a master key of a name. DefaultMaster is always there.
func (r *Ring) Has(name string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.look(true)
	return name == DefaultMaster || r.masters.find(name) != nil, err
}

// Master is a master key as it may be shown.
type Master struct {
	Name     string
	Versions []MasterVersion // the oldest first; the last one wraps
}

// MasterVersion is a version of a master key as it may be shown.
type MasterVersion struct {
	Version int
	Created time.Time
}

// List gives the master keys, in order of name.
func (r *Ring) List() ([]Master, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(true); err != nil {
		return nil, err
	}
	var all []Master
	for _, m := range r.masters.Masters {
		shown := Master{Name: m.Name}
		for _, v := range m.Versions {
			shown.Versions = append(shown.Versions, MasterVersion{v.Version, v.Created})
		}
		all = append(all, shown)
	}
	slices.SortFunc(all, func(a, b Master) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Create makes a master key. Exists when there is one of the name, Invalid when nothing can be called so.
func (r *Ring) Create(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.change(func(m *masters) error { return m.create(name, r.clock.Now(), r.random) })
}

// Rotate makes a new version of a master key, which wraps from now on, and gives its number. NotFound when there is no such key.
func (r *Ring) Rotate(name string) (version int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.change(func(m *masters) error {
		version, err = m.rotate(name, r.clock.Now(), r.random)
		return err
	})
	return version, err
}

// Remove takes a version of a master key away for good: what is wrapped under it can never be read again. The caller has made sure that nothing is.
// NotFound when it is not there, Conflict when it is the one that wraps.
func (r *Ring) Remove(name string, version int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.change(func(m *masters) error { return m.remove(name, version) })
}

// ParseVersion reads NAME:VERSION.
func ParseVersion(text string) (name string, version int, ok bool) {
	name, number, found := strings.Cut(text, ":")
	version, err := strconv.Atoi(number)
	return name, version, found && err == nil && versionName(name, version) == text
}
