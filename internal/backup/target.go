package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Target is a place that backups are in: a folder, or a bucket. Names are slash-separated.
type Target interface {
	// Put makes an object durable, all or nothing. sum is the SHA-256 that its bytes must have, in hexadecimal digits: Corrupt when they have another, and then
	// there is no object.
	Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum string) error
	// Get opens an object. NotFound when it is not there.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List gives the objects in a folder, in order of name; none when there is no folder.
	List(ctx context.Context, folder string) ([]Entry, error)
	// Delete removes an object. What is not there is no error.
	Delete(ctx context.Context, name string) error
	// Lock keeps other backups away until unlock, or until its holder has been dead for a while. Conflict, naming who holds it, when there is one.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Entry is an object of a Target.
type Entry struct {
	Name string
	Size int64
}

// Dir is a Target that is a folder.
type Dir struct{ fs vfs.FS }

// NewDir makes a Target of a folder, which is the root of fs.
func NewDir(fs vfs.FS) *Dir { return &Dir{fs} }

// partSuffix ends the name of a file that is being written. What an interrupted backup leaves of it is overwritten or removed by the next.
const partSuffix = ".part"

// Put writes a file beside its name and renames it.
func (d *Dir) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum string) error {
	dir := path.Dir(name)
	if err := d.fs.MkdirAll(dir); err != nil {
		return err
	}
	if err := d.fs.SyncDir("."); err != nil {
		return err
	}
	f, err := d.fs.Create(name + partSuffix)
	if err != nil {
		return err
	}
	err = copyTo(ctx, f, body, size, sum)
	if err == nil {
		err = f.SyncData()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.fs.Rename(name+partSuffix, name)
	}
	if err != nil {
		_ = d.fs.Remove(name + partSuffix) // the error says more
		return err
	}
	return d.fs.SyncDir(dir)
}

// copyTo copies and checks the sum on the way.
func copyTo(ctx context.Context, f vfs.File, body io.Reader, size int64, sum string) error {
	h := sha256.New()
	w := io.NewOffsetWriter(f, 0)
	n, err := io.CopyBuffer(io.MultiWriter(w, h), ending{ctx, body}, make([]byte, 1<<20))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault.As(fault.KindOf(err), err, "copy")
	}
	if n != size || hex.EncodeToString(h.Sum(nil)) != sum {
		return fault.New(fault.Corrupt, "%d bytes of %d, and not those that they were", n, size)
	}
	return nil
}

// Get opens a file.
func (d *Dir) Get(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, size), f}, nil
}

// List lists a folder. Files that are being written are removed: the caller holds the lock, or only looks, and then they are left out.
func (d *Dir) List(_ context.Context, folder string) ([]Entry, error) {
	names, err := d.fs.List(folder)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, name := range names {
		if strings.HasSuffix(name, partSuffix) {
			continue
		}
		info, err := d.fs.Stat(path.Join(folder, name))
		if fault.Is(err, fault.NotFound) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{path.Join(folder, name), info.Size()})
	}
	return entries, nil
}

// Delete removes a file.
func (d *Dir) Delete(_ context.Context, name string) error {
	if err := d.fs.Remove(name); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return d.fs.SyncDir(path.Dir(name))
}

// Lock locks the folder; the death of the process ends it.
func (d *Dir) Lock(context.Context) (func(), error) {
	l, err := d.fs.Lock("LOCK")
	if fault.Is(err, fault.Conflict) {
		return nil, fault.As(fault.Conflict, errors.New("another backup is being made there"), "backup")
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}
