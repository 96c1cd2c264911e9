package kv

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// disk is a vfs.FS as Pebble wants to see one, so that faults and power loss are made here as everywhere else. Pebble reads and writes its files
// front to back; a vfs.File has no place of its own, so that diskFile keeps it.
//
// A write that finds no room waits until there is: Pebble ends the process when it cannot write its manifest, and a full disk heals. What
// waits meanwhile is writing out and compaction; reads go on.
type disk struct {
	fs      vfs.FS
	waiting atomic.Int32 // writes that wait for room
}

// roomPause is how long a write waits between tries, in real time.
const roomPause = 50 * time.Millisecond

// untilRoom does a write until it does not fail for want of room.
func (d *disk) untilRoom(write func() error) error {
	err := write()
	if !fault.Is(err, fault.Full) {
		return toPebble(err)
	}
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	for fault.Is(err, fault.Full) {
		<-clock.Real.NewTimer(roomPause).C()
		err = write()
	}
	return toPebble(err)
}

// toPebble gives err the type by which Pebble knows that a file is absent or there.
func toPebble(err error) error {
	switch {
	case err == nil:
		return nil
	case fault.Is(err, fault.NotFound) && !errors.Is(err, fs.ErrNotExist):
		return errors.Join(fs.ErrNotExist, err)
	case fault.Is(err, fault.Exists) && !errors.Is(err, fs.ErrExist):
		return errors.Join(fs.ErrExist, err)
	}
	return err
}

// Create replaces what is there by a new file: a checkpoint may hold the old one under another name.
func (d *disk) Create(name string, _ pebblevfs.DiskWriteCategory) (pebblevfs.File, error) {
	if err := d.fs.Remove(name); err != nil && !fault.Is(err, fault.NotFound) {
		return nil, toPebble(err)
	}
	var file vfs.File
	err := d.untilRoom(func() (err error) {
		file, err = d.fs.Create(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{disk: d, name: name, file: file}, nil
}

func (d *disk) Link(from, to string) error {
	return d.untilRoom(func() error { return d.fs.Link(from, to) })
}

func (d *disk) Open(name string, options ...pebblevfs.OpenOption) (pebblevfs.File, error) {
	file, err := d.fs.Open(name)
	if err != nil {
		return nil, toPebble(err)
	}
	opened := &diskFile{disk: d, name: name, file: file}
	for _, option := range options {
		option.Apply(opened)
	}
	return opened, nil
}

func (d *disk) OpenReadWrite(name string, category pebblevfs.DiskWriteCategory, options ...pebblevfs.OpenOption) (pebblevfs.File, error) {
	file, err := d.Open(name, options...)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Create(name, category)
	}
	return file, err
}

// OpenDir gives something that syncs a directory, and does nothing else.
func (d *disk) OpenDir(name string) (pebblevfs.File, error) {
	if _, err := d.fs.Stat(name); err != nil {
		return nil, toPebble(err)
	}
	return &diskFile{disk: d, name: name}, nil
}

func (d *disk) Remove(name string) error    { return toPebble(d.fs.Remove(name)) }
func (d *disk) RemoveAll(name string) error { return toPebble(vfs.RemoveAll(d.fs, name)) }
func (d *disk) Rename(from, to string) error {
	return d.untilRoom(func() error { return d.fs.Rename(from, to) })
}

// ReuseForWrite makes a new file: only logs are used again, and there are none.
func (d *disk) ReuseForWrite(from, to string, category pebblevfs.DiskWriteCategory) (pebblevfs.File, error) {
	if err := d.Remove(from); err != nil {
		return nil, err
	}
	return d.Create(to, category)
}

func (d *disk) MkdirAll(dir string, _ os.FileMode) error {
	return d.untilRoom(func() error { return d.fs.MkdirAll(dir) })
}

func (d *disk) Lock(name string) (io.Closer, error) {
	lock, err := d.fs.Lock(name)
	return lock, toPebble(err)
}

func (d *disk) List(dir string) ([]string, error) {
	names, err := d.fs.List(dir)
	return names, toPebble(err)
}

func (d *disk) Stat(name string) (pebblevfs.FileInfo, error) {
	info, err := d.fs.Stat(name)
	if err != nil {
		return nil, toPebble(err)
	}
	return fileInfo{info}, nil
}

func (d *disk) PathBase(name string) string     { return path.Base(name) }
func (d *disk) PathJoin(parts ...string) string { return path.Join(parts...) }
func (d *disk) PathDir(name string) string      { return path.Dir(name) }
func (d *disk) Unwrap() pebblevfs.FS            { return nil }

func (d *disk) GetDiskUsage(string) (pebblevfs.DiskUsage, error) {
	return pebblevfs.DiskUsage{}, pebblevfs.ErrUnsupported
}

// fileInfo adds the device, which nobody here asks for.
type fileInfo struct{ fs.FileInfo }

func (fileInfo) DeviceID() pebblevfs.DeviceID { return pebblevfs.DeviceID{} }

// diskFile is a file with a place to read and one to write, or, without file, a directory to sync.
type diskFile struct {
	disk    *disk
	name    string
	file    vfs.File // nil for a directory
	readAt  int64
	writeAt int64
}

func (f *diskFile) Close() error {
	if f.file == nil {
		return nil
	}
	return toPebble(f.file.Close())
}

func (f *diskFile) Read(p []byte) (int, error) {
	n, err := f.file.ReadAt(p, f.readAt)
	f.readAt += int64(n)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	return n, toPebble(err)
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(p, off)
	return n, toPebble(err)
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.writeAt)
	f.writeAt += int64(n)
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	written := 0
	err := f.disk.untilRoom(func() error {
		n, err := f.file.WriteAt(p[written:], off+int64(written))
		written += n
		return err
	})
	return written, err
}

func (f *diskFile) Preallocate(_, _ int64) error { return nil }

func (f *diskFile) Stat() (pebblevfs.FileInfo, error) { return f.disk.Stat(f.name) }

func (f *diskFile) Sync() error {
	return f.disk.untilRoom(func() error {
		if f.file == nil {
			return f.disk.fs.SyncDir(f.name)
		}
		return f.file.SyncData()
	})
}

func (f *diskFile) SyncData() error { return f.Sync() }

// SyncTo does nothing early: the file is synced whole when it is finished.
func (f *diskFile) SyncTo(int64) (bool, error) { return false, nil }

func (f *diskFile) Prefetch(_, _ int64) error { return nil }
func (f *diskFile) Fd() uintptr               { return pebblevfs.InvalidFd }
