//go:build !linux

package vfs

import "os"

// syncData is the system's full sync; on macOS Go asks for F_FULLFSYNC, which reaches the disk itself.
func syncData(f *os.File) error { return f.Sync() }

// allocate does nothing: no portable call reserves room without moving the length.
func allocate(*os.File, int64) error { return nil }
