package follow

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// generation is one file that is, or was, the followed name.
type generation struct {
	path string
	info fs.FileInfo
	live bool // it has the name itself
}

// generations lists the rotated files of the name, oldest first, and then the name itself when it exists.
//
// Rotated are name.1, name.2 … (the higher the older), name.anything and name-anything (in order of modification). Compressed
// files are left out: their bytes were there under a plain name before. The directory is read until two readings agree,
// since a reading during a rename may show a file twice, or not at all.
func (f *File) generations() ([]generation, error) {
	previous, err := f.listOnce()
	if err != nil {
		return nil, err
	}
	for range 20 {
		again, err := f.listOnce()
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(previous, again, func(a, b generation) bool { return a.path == b.path && os.SameFile(a.info, b.info) }) {
			return again, nil
		}
		previous = again
	}
	return nil, nil // renamed all the time: look again at the next poll
}

func (f *File) listOnce() ([]generation, error) {
	dir, base := filepath.Split(f.path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []generation
	for _, entry := range entries {
		name := entry.Name()
		rest, found := strings.CutPrefix(name, base)
		if !found || rest != "" && !f.isGeneration(filepath.Join(dir, name), rest) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() {
			continue // renamed or removed since; the second reading notices
		}
		all = append(all, generation{path: filepath.Join(dir, name), info: info, live: rest == ""})
	}
	slices.SortStableFunc(all, func(a, b generation) int { return compareAge(base, a, b) })
	return all, nil
}

func (f *File) isGeneration(path, suffix string) bool {
	if f.opts.generation != nil {
		return f.opts.generation(path, suffix)
	}
	return isRotated(suffix)
}

// isRotated says whether a suffix of the followed name is one that rotation gives.
func isRotated(suffix string) bool {
	if suffix[0] != '.' && suffix[0] != '-' {
		return false
	}
	return len(suffix) > 1 && !LeftAlone(suffix)
}

// LeftAlone says of a name that its file is never read: it is compressed, its bytes having been there under a plain name before, or an editor or a
// rotation is in the middle of writing it.
func LeftAlone(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz", ".bz2", ".zip", ".xz", ".zst", ".lz4", ".tmp", ".swp":
		return true
	}
	return false
}

// compareAge is negative when a is older than b.
func compareAge(base string, a, b generation) int {
	if a.live != b.live {
		if a.live {
			return 1
		}
		return -1
	}
	an, aIsNumber := rotationNumber(base, a.path)
	bn, bIsNumber := rotationNumber(base, b.path)
	if aIsNumber && bIsNumber {
		return bn - an
	}
	if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
		return c
	}
	return strings.Compare(a.path, b.path)
}

// rotationNumber is n of name.n. Eight digits are a date, not a number.
func rotationNumber(base, path string) (int, bool) {
	digits, found := strings.CutPrefix(filepath.Base(path), base+".")
	if !found || len(digits) >= 8 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

// successor is the generation to read after current, of which offset bytes were read. Nil when current is the newest.
func successor(all []generation, current fs.FileInfo, offset int64, tail []byte) *generation {
	at := slices.IndexFunc(all, func(g generation) bool { return os.SameFile(g.info, current) })
	if at >= 0 && all[at].live {
		return nil
	}
	newer := all[at+1:]
	if at < 0 {
		// Removed while it was being read. What is newer was modified later, or has the name.
		i := slices.IndexFunc(newer, func(g generation) bool { return g.live || g.info.ModTime().After(current.ModTime()) })
		if i < 0 {
			return nil
		}
		newer = newer[i:]
	}
	for i := range newer {
		g := &newer[i]
		if g.live {
			return g
		}
		if g.info.Size() == 0 {
			continue
		}
		// A copy of the live file that is being made, before the truncation: the live file is the one to read.
		if last := newer[len(newer)-1]; last.live && isPrefix(g.path, last.path) {
			continue
		}
		// A copy of the file that was just read.
		if file := openMatching(g.path, Position{Offset: offset, Tail: tail}); file != nil {
			info, err := file.Stat()
			file.Close()
			if err == nil && info.Size() == offset {
				continue
			}
		}
		return g
	}
	return nil
}

// isPrefix says whether all of part's bytes, of which there are some, begin whole.
func isPrefix(part, whole string) bool {
	a, err := os.Open(part)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := os.Open(whole)
	if err != nil {
		return false
	}
	defer b.Close()
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for offset := int64(0); ; {
		n, err := a.ReadAt(x, offset)
		if err != nil && err != io.EOF {
			return false
		}
		m, yErr := b.ReadAt(y[:n], offset)
		if (yErr != nil && yErr != io.EOF) || !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		offset += int64(n)
		if err == io.EOF {
			return offset > 0
		}
	}
}
