package kv

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Check reads every key and value of the database in a directory, which nobody has open, gives them to visit in order, and changes nothing. What it reads is held against its
// checksums: Corrupt when something is missing or not what was written. visit keeps neither key nor value.
//
// Damage at the end of the list of files looks like a list that ends there: the last commits are missing then, and no error says so. Who calls looks for a key of the last one.
func Check(fs vfs.FS, dir string, visit func(key, value []byte)) error {
	if _, err := fs.Stat(dir); fault.Is(err, fault.NotFound) {
		return fault.As(fault.Corrupt, err, "the checkpoint is missing")
	} else if err != nil {
		return err
	}
	db, err := pebble.Open(dir, &pebble.Options{
		FS: unlocked{&disk{fs: fs}}, ReadOnly: true, ErrorIfNotExists: true, DisableWAL: true, FormatMajorVersion: formatVersion, CacheSize: defaultCacheBytes,
		Logger: quiet{}, MaxOpenFiles: 256, EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}, // the error says it; the default ends the process
	})
	if err != nil {
		return unsound(err)
	}
	it, err := db.NewIter(nil)
	if err == nil {
		for ok := it.First(); ok; ok = it.Next() {
			value, valueErr := it.ValueAndErr()
			if err = valueErr; err != nil {
				break
			}
			visit(it.Key(), value)
		}
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
	}
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return unsound(err)
}

// unsound makes Corrupt of what Pebble says of its files. What the disk says keeps its kind, but for a file that is not there.
func unsound(err error) error {
	var known *fault.Error
	switch {
	case err == nil || fault.Is(kindOf(err), fault.Corrupt):
		return kindOf(err)
	case errors.As(err, &known) && known.Kind != fault.NotFound:
		return err
	}
	return fault.As(fault.Corrupt, err, "the checkpoint")
}

// unlocked is a disk that nobody else writes to, so that no lock needs to be made.
type unlocked struct{ *disk }

type noLock struct{}

func (noLock) Close() error { return nil }

func (unlocked) Lock(string) (io.Closer, error) { return noLock{}, nil }

// quiet says nothing: the error does.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic("kv: a read-only database cannot go on") // Pebble ends when it cannot write, which this one does not
}
