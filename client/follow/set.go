package follow

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// copyPatience is how long a new file that is the beginning of a followed one, and does not grow, is held for a copy in the making.
const copyPatience = 5 * time.Second

// quietPatience is how long a file that nobody should write to any more is kept open after its last bytes were read.
const quietPatience = time.Minute

// leftSaved is how many of the files that were read to their end are in Saved: those of the last rotations, to which a writer may still add.
const leftSaved = 2

// Saved is what a Set has to be told of a file that an earlier Set followed.
type Saved struct {
	Path     string     `json:"path"`
	Position Position   `json:"position"`
	Skipped  []Position `json:"skipped,omitempty"`
	// Left are the ends of the files that were there before, the newest last.
	Left []Position `json:"left,omitempty"`
	// Pinned says that only the file of Position is followed, not what is under its name.
	Pinned bool `json:"pinned,omitempty"`
}

// SetOptions say where a Set begins.
type SetOptions struct {
	// Options are those of each File. AtEnd holds for what is there at the first Scan of a Set that begins anew; what comes later is read from its first byte.
	// Rotated, From and Skip are not used.
	Options
	// Begun says that an earlier Set followed this folder: files that are not in Saved have come since.
	Begun bool
	// Saved are the files of the earlier Set, by key.
	Saved map[string]Saved
	// AtStartOf says of a file that it is to be read from its start although AtEnd holds. May be nil.
	AtStartOf func(path string) bool
	// Hold says of a file, by its key, that it is not to be let go, because not all that was read from it is dealt with. May be nil.
	Hold func(key string) bool
}

// Set follows every file of a folder whose name matches, each from its own position. It is used by one goroutine at a time.
//
// A name that is another followed name with a suffix of rotation, such as a number or a date, is an earlier generation of that File, not a file of its own. A
// file that turns up under a further matching name, renamed or copied, is known by its identity or by what was read from it, and is not read again: the new
// name takes over from where the File of the old one is. A generation that grows after it was left is followed once more, pinned, from where it was left.
type Set struct {
	dir   string
	match func(name string) bool
	exact string // the pattern, when it is one plain name
	opts  SetOptions

	begun   bool
	files   map[string]*followed // by key
	order   []*followed          // in order of their beginning; what took a file over is before whom it took it from
	paths   []string             // of all matching files at the last Scan
	dirTime time.Time            // of the folder at the last Scan
	trusted bool                 // dirTime was old enough to show the next change
	waiting map[string]waiting
	gone    map[string]Saved // files that were let go because they had no name any more, by path
}

// followed is a File of a Set.
type followed struct {
	*File
	key   string    // the path, or path@identity of a pinned one
	quiet time.Time // since when it has nothing to read and nobody should write to it
}

// waiting is a new file that may be a copy in the making.
type waiting struct {
	size  int64
	since time.Time
}

// NewSet follows the files of a folder whose names match a Glob.
func NewSet(dir, pattern string, opts SetOptions) (*Set, error) {
	match, exact, err := Glob(pattern)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Set{dir: filepath.Clean(dir), match: match, opts: opts, begun: opts.Begun, files: map[string]*followed{}, waiting: map[string]waiting{},
		gone: map[string]Saved{}}
	if exact {
		s.exact = pattern
	}
	s.restore(opts.Saved)
	return s, nil
}

// Keys are the followed files, in the order in which they are best read: a file that took over the rest of another one's is before it. A key stays the same for as long as its file is followed, and names it in Saved.
func (s *Set) Keys() []string {
	keys := make([]string, len(s.order))
	for i, f := range s.order {
		keys[i] = f.key
	}
	return keys
}

// File is the file of a key, or nil.
func (s *Set) File(key string) *File {
	if f := s.files[key]; f != nil {
		return f.File
	}
	return nil
}

// Save is what a later Set needs to go on from p in the file of a key.
func (s *Set) Save(key string, p Position) Saved {
	f := s.files[key]
	saved := Saved{Path: f.path, Position: p, Left: f.left[max(0, len(f.left)-leftSaved):], Pinned: f.opts.pinned}
	if p.Offset == 0 {
		saved.Skipped = f.before
	}
	return saved
}

// Gone are the files that were let go because they had no name any more, by key. When they come back they are gone on with, unless they are forgotten.
func (s *Set) Gone() map[string]Saved { return s.gone }

// Forget forgets a file that is gone.
func (s *Set) Forget(key string) { delete(s.gone, key) }

// Close closes all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.order {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ScanIfChanged is Scan, unless the folder's time says that no file came, went or was renamed since the last one.
func (s *Set) ScanIfChanged() error {
	if info, err := os.Stat(s.dir); err == nil && s.trusted && info.ModTime().Equal(s.dirTime) && len(s.waiting) == 0 {
		return nil
	}
	return s.Scan()
}

// Scan looks which files there are, and lets go of those that are done with.
func (s *Set) Scan() error {
	info, err := os.Stat(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var found []named
	s.trusted = false
	if err == nil {
		if found, err = s.list(); err != nil {
			return err
		}
		s.dirTime, s.trusted = info.ModTime(), time.Since(info.ModTime()) > settled
	}
	for _, base := range found {
		if s.files[base.path] == nil {
			s.begin(base)
		}
	}
	if first := filepath.Join(s.dir, s.exact); s.exact != "" && s.files[first] == nil {
		s.begin(named{path: first})
	}
	if !s.begun { // each file has its first position now, not when it is read
		for _, f := range s.order {
			if f.open == nil {
				if _, err := f.begin(); err != nil {
					continue // the first Poll says it
				}
			}
		}
	}
	s.begun = true
	s.adopt()
	s.revisit()
	s.drop()
	return nil
}

// restore makes the Files of an earlier Set. Of two that followed one file, because one was about to take over from the other, only the one that is less far
// comes back; the next Scan has the other take over again.
func (s *Set) restore(earlier map[string]Saved) {
	saved := maps.Clone(earlier)
	holder := map[string]string{} // key by identity
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		was := saved[key]
		id := was.Position.ID
		if id == "" {
			continue
		}
		other, twice := holder[id]
		if !twice {
			holder[id] = key
			continue
		}
		further := key
		if saved[other].Position.Offset > was.Position.Offset {
			further, holder[id] = other, key
		}
		delete(saved, further)
	}
	keys := slices.Sorted(maps.Keys(saved))
	oldestFirst(keys, func(key string) (string, int64) { return key, saved[key].Position.Modified })
	for _, key := range keys {
		was := saved[key]
		opts := s.opts.Options
		opts.AtEnd, opts.Rotated, opts.Skip, opts.pinned = false, true, was.Skipped, was.Pinned
		if was.Position.Offset > 0 || was.Position.ID != "" {
			opts.From = &was.Position
		}
		s.add(key, was.Path, opts, nil).left = was.Left
	}
}

// add follows a path, before another File or after all.
func (s *Set) add(key, path string, opts Options, before *followed) *followed {
	opts.generation = func(name, suffix string) bool {
		other := s.files[name]
		return rotatedSuffix.FindString(suffix) == suffix && !LeftAlone(suffix) && (other == nil || other.opts.pinned)
	}
	name := path
	if opts.pinned {
		name = rotatedSuffix.ReplaceAllString(path, "")
	}
	opts.elsewhere = func() []string { return append(s.siblings(name), s.paths...) }
	f := &followed{File: New(path, opts), key: key}
	s.files[key] = f
	at := len(s.order)
	if before != nil {
		at = slices.Index(s.order, before)
	}
	s.order = slices.Insert(s.order, at, f)
	return f
}
