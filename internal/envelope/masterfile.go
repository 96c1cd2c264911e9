package envelope

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/fault"
)

// The file of master keys. Versions: 1 is the first. A file of a later version is refused by name, never half understood.
const (
	mastersVersion = 1

	// mastersBytesMax bounds what is read: some thousands of keys.
	mastersBytesMax = 4 << 20

	// nameMax is how long a name may be: an alias of KMS has 256 characters with its prefix (API_CreateAlias), and a KeyId of Kinesis may be an ARN with it.
	nameMax = 128
)

// masters is the file.
type masters struct {
	Version int      `json:"version"`
	Masters []master `json:"masterKeys"`
}

type master struct {
	Name     string    `json:"name"`
	Versions []version `json:"versions"` // the oldest first, numbers growing
}

type version struct {
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"` // 32 bytes, in base64
}

// fileState is how a file looked, to see whether it changed.
type fileState struct {
	size    int64 // −1 when there was none
	changed time.Time
}

func (m *masters) find(name string) *master {
	for i := range m.Masters {
		if m.Masters[i].Name == name {
			return &m.Masters[i]
		}
	}
	return nil
}

func (m *master) newest() *version { return &m.Versions[len(m.Versions)-1] }

// version finds NAME:VERSION.
func (m *masters) version(text string) *version {
	name, number, ok := ParseVersion(text)
	found := m.find(name)
	if !ok || found == nil {
		return nil
	}
	for i := range found.Versions {
		if found.Versions[i].Version == number {
			return &found.Versions[i]
		}
	}
	return nil
}

// validName says whether a master key may be called so: as an alias of KMS, [a-zA-Z0-9/_-]+ (API_CreateAlias).
func validName(name string) bool {
	if name == "" || len(name) > nameMax {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '/' && c != '_' && c != '-'
	})
}

func (m *masters) create(name string, now time.Time, random io.Reader) error {
	if !validName(name) || strings.HasPrefix(name, "alias/") || strings.HasPrefix(name, "aws/") && name != DefaultMaster {
		return fault.New(fault.Invalid, "a master key cannot be called %q: 1 to %d of letters, digits, /, _ and -, and neither alias/… nor aws/…", name, nameMax)
	}
	if m.find(name) != nil {
		return fault.New(fault.Exists, "master key %s exists", name)
	}
	first, err := newVersion(1, now, random)
	m.Masters = append(m.Masters, master{name, []version{first}})
	return err
}

func (m *masters) rotate(name string, now time.Time, random io.Reader) (int, error) {
	found := m.find(name)
	if found == nil {
		return 0, fault.New(fault.NotFound, "there is no master key %s", name)
	}
	next, err := newVersion(found.newest().Version+1, now, random)
	found.Versions = append(slices.Clone(found.Versions), next)
	return next.Version, err
}

func (m *masters) remove(name string, number int) error {
	found := m.find(name)
	if m.version(versionName(name, number)) == nil {
		return fault.New(fault.NotFound, "there is no master key %s", versionName(name, number))
	}
	if found.newest().Version == number {
		return fault.New(fault.Conflict, "%s is the version that wraps; weir keys master rotate makes another", versionName(name, number))
	}
	found.Versions = slices.DeleteFunc(slices.Clone(found.Versions), func(v version) bool { return v.Version == number })
	return nil
}

func newVersion(number int, now time.Time, random io.Reader) (version, error) {
	v := version{number, now.UTC().Truncate(time.Second), make([]byte, keySize)}
	_, err := io.ReadFull(random, v.Key)
	return v, fault.As(fault.Unavailable, err, "read random bytes")
}

// look reads the file if it changed, or looks as if it might have: forced, or with another time or size than before. It looks no more than once a second unless forced.
func (r *Ring) look(force bool) error {
	now := r.clock.Now()
	if !force && now.Sub(r.looked) < checkEvery && !now.Before(r.looked) {
		return nil
	}
	state := fileState{size: -1}
	info, err := r.fs.Stat(r.file)
	if err == nil {
		state = fileState{info.Size(), info.ModTime()}
	} else if !fault.Is(err, fault.NotFound) {
		return fault.Wrap(err, "read %s", r.file)
	}
	if !force && state.size == r.read.size && state.changed.Equal(r.read.changed) {
		r.looked = now
		return nil
	}
	found := masters{Version: mastersVersion}
	if state.size >= 0 {
		data, err := secretfile.Read(r.fs, r.file, mastersBytesMax)
		if err != nil {
			return err
		}
		if found, err = decodeMasters(data); err != nil {
			return fault.Wrap(err, "read %s", r.file)
		}
	}
	r.masters, r.read, r.looked = found, state, now
	return nil
}

// change reads the file, applies edit to a copy and replaces the file.
func (r *Ring) change(edit func(*masters) error) error {
	if err := r.look(true); err != nil {
		return err
	}
	next := masters{mastersVersion, slices.Clone(r.masters.Masters)}
	if err := edit(&next); err != nil {
		return err
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fault.As(fault.Internal, err, "write %s", r.file)
	}
	if err := secretfile.Replace(r.fs, r.file, append(data, '\n')); err != nil {
		return err
	}
	return r.look(true)
}

// decodeMasters reads the file's bytes. Corrupt when they are not what change writes, Unsupported when a later version wrote them.
func decodeMasters(data []byte) (masters, error) {
	var m masters
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fault.As(fault.Corrupt, err, "master keys")
	}
	if m.Version > mastersVersion {
		return m, fault.New(fault.Unsupported, "master keys of version %d, and this Weir knows up to %d", m.Version, mastersVersion)
	}
	if m.Version < 1 {
		return m, fault.New(fault.Corrupt, "master keys without a version")
	}
	for i, one := range m.Masters {
		if !validName(one.Name) || len(one.Versions) == 0 || m.find(one.Name) != &m.Masters[i] {
			return m, fault.New(fault.Corrupt, "master key %d (%q) is incomplete or there twice", i+1, one.Name)
		}
		last := 0
		for _, v := range one.Versions {
			if v.Version <= last || len(v.Key) != keySize {
				return m, fault.New(fault.Corrupt, "master key %s: version %d is incomplete or out of order", one.Name, v.Version)
			}
			last = v.Version
		}
	}
	return m, nil
}
