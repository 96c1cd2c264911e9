package vfs

import (
	"path"

	"github.com/weir-stream/weir/internal/fault"
)

// RemoveAll removes a file, or a directory and everything in it. What is absent is no error.
func RemoveAll(fs FS, name string) error {
	info, err := fs.Stat(name)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		names, err := fs.List(name)
		if err != nil {
			return err
		}
		for _, each := range names {
			if err := RemoveAll(fs, path.Join(name, each)); err != nil {
				return err
			}
		}
	}
	if err := fs.Remove(name); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}
