// Package secretfile reads and replaces small files that hold secrets: access keys, private keys.
//
// It owns replacing a file durably, all or nothing. What the files mean belongs to those who keep them. That nobody else can read
// them is the promise of the vfs.FS they are in: the operating system's makes files for their owner alone.
//
// There is only this file.
package secretfile

import (
	"errors"
	"io"
	"path"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Read gives a whole file. NotFound when it is absent, Corrupt when it has more than max bytes.
func Read(fs vfs.FS, name string, max int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, fault.Wrap(err, "read %s", name)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fault.Wrap(err, "read %s", name)
	}
	if size > max {
		return nil, fault.New(fault.Corrupt, "%s has %d bytes, more than the %d it can have", name, size, max)
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); int64(n) < size {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fault.As(fault.Unavailable, err, "read %s", name)
	}
	return data, nil
}

// Replace puts data in place of a file, or makes it. It is durable when Replace returns; after a crash the file is the old or the new one,
// whole. A file of the same name with ".new" after it is used on the way, so a name has one replacer at a time.
func Replace(fs vfs.FS, name string, data []byte) error {
	temp := name + ".new"
	err := write(fs, temp, data)
	if err == nil {
		err = fs.Rename(temp, name)
	}
	if err == nil {
		err = fs.SyncDir(path.Dir(name))
	}
	return fault.Wrap(err, "replace %s", name)
}

func write(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.SyncData()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
