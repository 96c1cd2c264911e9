package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-stream/weir/internal/fault"
)

// NewOS is the operating system's file system below the directory root, which is made if it is absent.
func NewOS(root string) (FS, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fault.As(fault.Invalid, err, "directory %q", root)
	}
	if err := makeRoot(absolute); err != nil {
		return nil, osFault(err, "make directory", root)
	}
	return osFS{root: absolute}, nil
}

// makeRoot makes a directory and what is missing above it, durably: nothing below is durable while its own name is not.
func makeRoot(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) { // a parent that we may not read is its owner's to keep
		return err
	}
	return nil
}

// osFS is stateless: the root and the kernel.
type osFS struct{ root string }

// osFile's room above Size, if any, was reserved by Allocate.
type osFile struct {
	f    *os.File
	name string // relative to the root, for messages
}

// path refuses names that leave the root.
func (o osFS) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(o.root, filepath.FromSlash(name)), nil
}

func checkName(name string) error {
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fault.New(fault.Invalid, "file name %q: must be relative, slash-separated and without dots", name)
	}
	return nil
}

// osFault gives an error of the operating system its kind.
func osFault(err error, doing, name string) error {
	kind := fault.Unavailable
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		kind = fault.NotFound
	case errors.Is(err, fs.ErrExist):
		kind = fault.Exists
	case errors.Is(err, fs.ErrPermission):
		kind = fault.Denied
	case isNoSpace(err):
		kind = fault.Full
	}
	var path *fs.PathError // its own text repeats operation and path
	if errors.As(err, &path) {
		err = path.Err
	}
	return fault.As(kind, err, "%s %s", doing, name)
}

func (o osFS) open(name string, flags int, doing string) (File, error) {
	full, err := o.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(full, flags, 0o600)
	if err != nil {
		return nil, osFault(err, doing, name)
	}
	return &osFile{f: f, name: name}, nil
}

func (o osFS) Create(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, "create")
}

func (o osFS) Open(name string) (File, error) { return o.open(name, os.O_RDWR, "open") }

func (o osFS) Remove(name string) error {
	full, err := o.path(name)
	if err != nil {
		return err
	}
	return osFault(os.Remove(full), "remove", name)
}

func (o osFS) Rename(from, to string) error {
	fullFrom, err := o.path(from)
	if err != nil {
		return err
	}
	fullTo, err := o.path(to)
	if err != nil {
		return err
	}
	return osFault(os.Rename(fullFrom, fullTo), "rename to "+to, from)
}

func (o osFS) MkdirAll(name string) error {
	full, err := o.path(name)
	if err != nil {
		return err
	}
	return osFault(os.MkdirAll(full, 0o700), "make directory", name)
}

func (o osFS) List(dir string) ([]string, error) {
	full, err := o.path(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(full) // sorted by name
	if err != nil {
		return nil, osFault(err, "list", dir)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (o osFS) Stat(name string) (fs.FileInfo, error) {
	full, err := o.path(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(full)
	return info, osFault(err, "stat", name)
}

func (o osFS) SyncDir(dir string) error {
	full, err := o.path(dir)
	if err != nil {
		return err
	}
	return osFault(syncDir(full), "sync directory", dir)
}

func (o osFS) Lock(name string) (io.Closer, error) {
	full, err := o.path(name)
	if err != nil {
		return nil, err
	}
	return lockFile(full, name)
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	if err == io.EOF {
		return n, err
	}
	return n, osFault(err, "read", f.name)
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, osFault(err, "write", f.name)
}

func (f *osFile) Close() error { return osFault(f.f.Close(), "close", f.name) }

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, osFault(err, "stat", f.name)
	}
	return info.Size(), nil
}

func (f *osFile) Truncate(size int64) error { return osFault(f.f.Truncate(size), "truncate", f.name) }
func (f *osFile) SyncData() error           { return osFault(syncData(f.f), "sync", f.name) }
func (f *osFile) Allocate(size int64) error { return osFault(allocate(f.f, size), "allocate", f.name) }
