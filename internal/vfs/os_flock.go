//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package vfs

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/weir-stream/weir/internal/fault"
)

// lockFile holds flock, which the kernel drops when the process ends, however it ends. The file stays: removing it would let two
// processes lock two files of one name.
func lockFile(full, name string) (io.Closer, error) {
	f, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, osFault(err, "lock", name)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	closeErr := f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.New(fault.Conflict, "lock %s: another process holds it", full)
	}
	return nil, osFault(errors.Join(err, closeErr), "lock", name)
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func syncDir(full string) error {
	d, err := os.Open(full)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
