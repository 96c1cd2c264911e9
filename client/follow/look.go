package follow

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// settled is how old the newest change must be before a look at sizes and times is trusted to show the next one: a file system may give the same time to
// changes that are some milliseconds apart.
const settled = time.Second

// look is what the system said of the open file, of the name and of their folder. While all of it is the same, there is nothing to read.
type look struct {
	open, live, dir fs.FileInfo
	since, looked   time.Time // the first and the last time that it was so
}

// look looks. It is nil when what it sees is too young to be trusted, or when time has to pass before something is done.
func (f *File) look() *look {
	if f.open == nil || !f.leaving.IsZero() {
		return nil
	}
	open, err := f.open.Stat()
	if err != nil {
		return nil
	}
	live, err := os.Stat(f.path)
	if err != nil {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(f.path))
	if err != nil {
		return nil
	}
	now := time.Now() // the time of the file system, whatever Options.Now says
	for _, info := range []fs.FileInfo{open, live, dir} {
		if now.Sub(info.ModTime()) < settled {
			return nil
		}
	}
	return &look{open, live, dir, now, now}
}

// A file at which nothing has changed for sleepyAfter is looked at every sleepyEvery: a folder may have thousands of them.
const (
	sleepyAfter = 30 * time.Second
	sleepyEvery = time.Second
)

// quiet says that nothing has changed since a Poll that found nothing.
func (f *File) quiet() bool {
	if f.idle == nil {
		return false
	}
	at := time.Now()
	if at.Sub(f.idle.since) > sleepyAfter && at.Sub(f.idle.looked) < sleepyEvery {
		return true
	}
	f.idle.looked = at
	now := f.look()
	same := func(a, b fs.FileInfo) bool {
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	}
	if now != nil && same(now.open, f.idle.open) && same(now.live, f.idle.live) && same(now.dir, f.idle.dir) {
		return true
	}
	f.idle = nil
	return false
}

// endOf is the Position at the end of a file as it is now, or the zero Position when it cannot be read.
func endOf(path string) Position {
	file, err := os.Open(path)
	if err != nil {
		return Position{}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Position{}
	}
	p := Position{Offset: info.Size(), ID: fileID(file), Tail: make([]byte, min(info.Size(), tailBytesMax))}
	if _, err := file.ReadAt(p.Tail, p.Offset-int64(len(p.Tail))); err != nil && err != io.EOF {
		return Position{}
	}
	return p
}

// isEndOf says whether p is the end of that file, or of a file of which it is a copy.
func (p Position) isEndOf(g generation) bool {
	file, err := os.Open(g.path)
	if err != nil {
		return false
	}
	defer file.Close()
	if p.ID != "" && p.ID == fileID(file) {
		return true
	}
	if g.info.Size() != p.Offset || p.Offset == 0 {
		return false
	}
	copied := openMatching(g.path, p)
	if copied == nil {
		return false
	}
	copied.Close()
	return true
}
