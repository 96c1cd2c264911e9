package vfs

import (
	"errors"
	"io"

	"github.com/weir-stream/weir/internal/fault"
)

// ReadFile reads a file whole. Corrupt when it is shorter than its size says.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(b)) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fault.New(fault.Corrupt, "%s: %d bytes of %d", name, n, size)
		}
		return nil, fault.As(fault.KindOf(err), err, "read %s", name)
	}
	return b, nil
}

// WriteFile makes a file of bytes and syncs them. Its name is durable after SyncDir.
func WriteFile(fs FS, name string, b []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.SyncData(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
