// Package vfs makes the disk a value that is passed in.
//
// It owns the file-system interface and its implementations: the operating system's (os.go), one in memory that can lose what was not
// synced (mem.go), and one that breaks on purpose (faulty.go). What the files mean belongs to those who write them.
//
// Read FS and File for the promises, then mem.go, which makes them precise.
package vfs

import (
	"io"
	"io/fs"
)

// FS is a directory tree. Names are slash-separated and relative to the FS's root; ".." is refused. Errors carry
// fault kinds: NotFound, Exists, Full (no space), Denied, otherwise Unavailable.
type FS interface {
	// Create makes or truncates a file for reading and writing.
	Create(name string) (File, error)
	// Open opens a file for reading and writing. NotFound when it is absent.
	Open(name string) (File, error)
	// Remove removes a file or an empty directory. NotFound when it is absent.
	Remove(name string) error
	// Rename replaces to by from, atomically as seen by other calls; durable after SyncDir of the directories.
	Rename(from, to string) error
	// Link gives a file a second name, which may be in another directory; durable after SyncDir of that one. Exists when to is there, Unsupported where
	// there are no links.
	Link(from, to string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(name string) error
	// List gives the names in a directory, sorted.
	List(dir string) ([]string, error)
	// Stat describes a file or directory. NotFound when it is absent.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock that ends with Close of the result or with the process. Conflict when another process holds it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Reads and writes at disjoint places may run at the same time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the file's length in bytes.
	Size() (int64, error)
	// Truncate changes the file's length.
	Truncate(size int64) error
	// SyncData makes the file's bytes and its length durable (fdatasync). After an error what is durable is unknown.
	SyncData() error
	// Allocate reserves room up to size without changing the length as readers see it, where the system can; otherwise it does
	// nothing. Full when there is no room.
	Allocate(size int64) error
}
