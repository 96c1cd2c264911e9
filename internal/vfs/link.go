package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/weir-stream/weir/internal/fault"
)

// Link gives a file a second name, to, which may be in another directory. Both names are the same bytes until one is removed; the new one is durable after
// SyncDir of its directory. Exists when to is there; Unsupported where the file system has no such thing, or to is on another.
func (o osFS) Link(from, to string) error {
	fullFrom, err := o.path(from)
	if err != nil {
		return err
	}
	fullTo, err := o.path(to)
	if err != nil {
		return err
	}
	err = os.Link(fullFrom, fullTo)
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, errors.ErrUnsupported) {
		return fault.As(fault.Unsupported, err, "link to %s", to)
	}
	return osFault(err, "link to "+to, from)
}

// Link gives a file a second name.
func (m *Mem) Link(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(from)
	if err != nil {
		return err
	}
	dir, err := m.parent(to)
	switch {
	case err != nil:
		return err
	case n.isDir:
		return fault.New(fault.Unavailable, "link %s: it is a directory", from)
	case dir.entries[path.Base(to)] != nil:
		return fault.As(fault.Exists, fs.ErrExist, "link to %s", to)
	}
	dir.change(memEntryChange{name: path.Base(to), node: n})
	return nil
}

// Link gives a file a second name. It breaks as Create does.
func (f *Faulty) Link(from, to string) error {
	if r := f.check(OpCreate, to); r != nil {
		return r.err("link", to)
	}
	return f.fs.Link(from, to)
}
