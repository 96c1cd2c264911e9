package vfs

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/weir-stream/weir/internal/fault"
)

// From winerror.h; package syscall does not name them.
const (
	errorSharingViolation = syscall.Errno(32)
	errorHandleDiskFull   = syscall.Errno(39)
	errorDiskFull         = syscall.Errno(112)
)

// lockFile opens the file shared with nobody; the system drops that with the handle, however the process ends.
func lockFile(full, name string) (io.Closer, error) {
	path, err := syscall.UTF16PtrFromString(full)
	if err != nil {
		return nil, osFault(err, "lock", name)
	}
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errorSharingViolation) {
		return nil, fault.New(fault.Conflict, "lock %s: another process holds it", full)
	}
	if err != nil {
		return nil, osFault(err, "lock", name)
	}
	return os.NewFile(uintptr(h), full), nil
}

func isNoSpace(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull)
}

// syncDir does nothing: NTFS keeps names in its own journal, and Windows has no call to wait for it.
func syncDir(string) error { return nil }
