package follow

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

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
	if _, err := os.Stat(f.path); err == nil {
		return false
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
