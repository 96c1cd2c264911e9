package follow

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// named is a name to follow, and the file under it; info is nil when there is none for now.
type named struct {
	path string
	info fs.FileInfo
}

// list reads the folder: every matching file goes into s.paths, and the names that are followed come back, the oldest file first. Of several names for one file, links,
// the first is taken.
func (s *Set) list() ([]named, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	s.paths = nil
	var all []named
	ids := map[string]bool{}
	for _, entry := range entries {
		name := entry.Name()
		if !s.match(name) || LeftAlone(name) {
			continue
		}
		path := filepath.Join(s.dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // gone again, or no file
		}
		if id := infoID(info); id != "" {
			if ids[id] {
				continue
			}
			ids[id] = true
		}
		s.paths = append(s.paths, path)
		all = append(all, named{path, info})
	}
	all = slices.DeleteFunc(all, func(n named) bool { return s.baseOf(n.path) != "" })
	oldestFirst(all, func(n named) (string, int64) { return n.path, n.info.ModTime().UnixNano() })
	return all, nil
}

// oldestFirst orders files by when they were last written to. Those that differ in the number of a rotation alone are ordered by it, the highest first, in the
// places that they have among the others.
func oldestFirst[T any](files []T, of func(T) (path string, modified int64)) {
	slices.SortStableFunc(files, func(a, b T) int {
		_, x := of(a)
		_, y := of(b)
		return cmp.Compare(x, y)
	})
	numbered := map[string][]int{} // by the name without the number: indexes into files, ascending
	number := func(file T) int {
		path, _ := of(file)
		n, _ := rotationNumber(filepath.Base(rotatedSuffix.ReplaceAllString(path, "")), path)
		return n
	}
	for i, file := range files {
		path, _ := of(file)
		name := rotatedSuffix.ReplaceAllString(path, "")
		if _, ok := rotationNumber(filepath.Base(name), path); ok {
			numbered[name] = append(numbered[name], i)
		}
	}
	for _, at := range numbered {
		some := make([]T, len(at))
		for i, place := range at {
			some[i] = files[place]
		}
		slices.SortStableFunc(some, func(a, b T) int { return number(b) - number(a) })
		for i, place := range at {
			files[place] = some[i]
		}
	}
}

// rotatedSuffix is what rotation appends to a name: numbers, dates and times, or a word for what was before.
var rotatedSuffix = regexp.MustCompile(`[.-](\d[\d._:TZ-]*|old|bak|prev|orig|rotated)$`)

// baseOf is the path of the followed or matching file of which path is a rotated one, or empty when it is a file of its own.
func (s *Set) baseOf(path string) string {
	for base := path; ; {
		at := rotatedSuffix.FindStringIndex(base)
		if at == nil || at[0] <= len(s.dir)+1 {
			return ""
		}
		base = base[:at[0]]
		if f := s.files[base]; f != nil && !f.opts.pinned || slices.Contains(s.paths, base) {
			return base
		}
		if s.exact != "" && base == filepath.Join(s.dir, s.exact) {
			return base
		}
	}
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

// siblings are the files whose names begin with path's and go on as a renamed one may, matching or not.
func (s *Set) siblings(path string) []string {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil
	}
	var paths []string
	for _, entry := range entries {
		rest, begins := strings.CutPrefix(entry.Name(), filepath.Base(path))
		if begins && rest != "" && isRotated(rest) {
			paths = append(paths, filepath.Join(s.dir, entry.Name()))
		}
	}
	return paths
}

// begin follows a name that is not followed yet, unless that has to wait.
func (s *Set) begin(n named) {
	opts := s.opts.Options
	opts.Rotated = s.begun || !opts.AtEnd && s.match(filepath.Base(n.path)+".1") // a pattern that names the rotated files asks for them
	if s.begun {
		opts.AtEnd = false
	}
	var owner *followed
	switch {
	case n.info == nil:
	case !s.begun:
		if opts.AtEnd && s.opts.AtStartOf != nil && s.opts.AtStartOf(n.path) {
			opts.AtEnd = false
		}
	default:
		if was, back := s.gone[n.path]; back && matches(n.path, was.Position) {
			opts.From = &was.Position
		} else if opts.From, owner = s.known(n); owner != nil {
			_ = owner.Leave() // read only
		}
		if opts.From == nil && s.isCopying(n) {
			return
		}
	}
	delete(s.waiting, n.path)
	delete(s.gone, n.path)
	s.add(n.path, n.path, opts, owner)
}

// known is where to go on in a file that was read under another name, and the File that reads it, if one still does. Nil is a file that nobody has read.
func (s *Set) known(n named) (*Position, *followed) {
	id := infoID(n.info)
	for _, f := range s.order {
		if f.open != nil {
			if info, err := f.open.Stat(); err == nil && os.SameFile(info, n.info) {
				at := f.At()
				at.ID = id
				return &at, f
			}
		} else if from := f.opts.From; from != nil && id != "" && from.ID == id && matches(n.path, *from) { // restored, and not opened yet
			at := *from
			return &at, f
		}
	}
	for _, f := range s.order {
		// A copy of what was truncated since.
		if at := f.At(); at.Offset > 0 && matches(n.path, at) && !matches(f.path, at) {
			at.ID = id
			return &at, f
		}
		for _, at := range slices.Backward(f.left) {
			if matches(n.path, at) {
				at.ID = id
				return &at, nil
			}
		}
	}
	return nil, nil
}

// isCopying says whether a new file is the beginning of a followed one and may still become a copy of it: then its truncation is waited for. What stays as
// it is for a while, such as a file that has only a common header, is a file of its own.
func (s *Set) isCopying(n named) bool {
	if !slices.ContainsFunc(s.order, func(f *followed) bool { return f.path != n.path && isPrefix(n.path, f.path) }) {
		return false
	}
	w, known := s.waiting[n.path]
	if !known || w.size != n.info.Size() {
		w = waiting{n.info.Size(), s.opts.Now()}
		s.waiting[n.path] = w
	}
	return s.opts.Now().Sub(w.since) < copyPatience
}

// adopt gives a File of its own name to another whose rotated file it turned out to be, because the name without the suffix came later. It goes on with what
// it has, and the other leaves that out.
func (s *Set) adopt() {
	for _, f := range s.order {
		if f.opts.pinned {
			continue
		}
		base := s.files[s.baseOf(f.path)]
		if base == nil || base == f {
			continue
		}
		f.opts.pinned = true
		if base.At().Offset == 0 {
			base.before = append(append(append(base.before, f.At()), f.left...), f.before...)
		}
	}
}

// revisit follows the generations that grew after they were left, because a writer kept them open.
func (s *Set) revisit() {
	for _, f := range slices.Clone(s.order) {
		if len(f.left) == 0 || f.opts.pinned {
			continue
		}
		all, err := f.generations()
		if err != nil {
			continue
		}
		for _, g := range all {
			id := infoID(g.info)
			if g.live || id == "" || f.id == id {
				continue
			}
			for _, at := range slices.Backward(f.left) {
				if at.ID != id || g.info.Size() <= at.Offset || !matches(g.path, at) {
					continue
				}
				key := f.key + "@" + id
				if s.files[key] == nil {
					opts := s.opts.Options
					opts.AtEnd, opts.pinned, opts.From = false, true, &at
					s.add(key, g.path, opts, nil)
					f.notice(false, g.path+" is written to after its rotation; going on there too")
				}
				break
			}
		}
	}
}

// drop lets go of files that have no name any more, and of pinned ones, when they are read to their end and stay as they are.
func (s *Set) drop() {
	now := s.opts.Now()
	s.order = slices.DeleteFunc(s.order, func(f *followed) bool {
		if !s.isDone(f) {
			f.quiet = time.Time{}
			return false
		}
		if f.quiet.IsZero() {
			f.quiet = now
		}
		if now.Sub(f.quiet) < quietPatience {
			return false
		}
		if base := s.files[s.baseOf(f.path)]; base != nil && f.opts.pinned { // it may grow once more
			base.left = slices.DeleteFunc(base.left, func(p Position) bool { return p.ID == f.last.ID })
			base.left = append(base.left, f.last)
		}
		if !f.opts.pinned && f.last.Offset > 0 {
			s.gone[f.key] = s.Save(f.key, f.last)
		}
		_ = f.Close() // read only
		delete(s.files, f.key)
		return true
	})
}

// isDone says whether there is nothing to read and nobody should write any more.
func (s *Set) isDone(f *followed) bool {
	if f.open != nil && f.Unread() > 0 || s.opts.Hold != nil && s.opts.Hold(f.key) {
		return false
	}
	if f.opts.pinned {
		return true
	}
	if s.exact != "" {
		return false // the name is awaited
	}
	all, err := f.generations()
	return err == nil && len(all) == 0
}

// matches says whether a file holds what was read up to p.
func matches(path string, p Position) bool {
	file := openMatching(path, p)
	if file == nil {
		return false
	}
	file.Close()
	return true
}
