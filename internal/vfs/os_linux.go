package vfs

import (
	"errors"
	"os"
	"syscall"
)

// syncData is fdatasync: the bytes and what is needed to read them, such as the length, but not the times.
func syncData(f *os.File) error { return onDescriptor(f, syscall.Fdatasync) }

// FALLOC_FL_KEEP_SIZE from linux/falloc.h: reserve blocks beyond the length without moving it.
const keepSize = 1

// allocate reserves blocks. A file system that cannot is no error.
func allocate(f *os.File, size int64) error {
	err := onDescriptor(f, func(fd int) error { return syscall.Fallocate(fd, keepSize, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// onDescriptor calls do with f's descriptor, again when a signal interrupts it.
func onDescriptor(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for {
			if result = do(int(fd)); !errors.Is(result, syscall.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}
