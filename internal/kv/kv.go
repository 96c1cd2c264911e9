// Package kv keeps ordered keys and their values on local disk.
//
// It owns the meeting of Pebble and vfs: a database without a log of its own, because what is in it is a fold over a commitlog; batches that are whole or
// absent; and checkpoints, which are what survives. What keys mean belongs to those who write them.
//
// Nothing that Commit writes is durable before Checkpoint returns. Whoever owns the database begins from a checkpoint (Clone), and
// does again what came after it. Crash tests run over vfs.Mem, which loses what was not synced: Pebble's files go through it like everyone's (fs.go).
//
// Read DB, then Batch and Iterator.
package kv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say where a database is. FS and Dir are required.
type Options struct {
	FS  vfs.FS
	Dir string // the database's own; made if absent
	// MemTableBytes is how much is collected in memory before it is written out. Default 32 MiB: what is applied between two checkpoints mostly fits.
	MemTableBytes uint64
	// Cache is shared by the databases of a process. Default 8 MiB of its own.
	Cache *Cache
	// Logger receives what an operator should know. Default slog.Default.
	Logger *slog.Logger
}

const (
	defaultMemTableBytes = 32 << 20
	defaultCacheBytes    = 8 << 20
)

// Cache holds blocks of files that were read.
type Cache struct{ pebble *pebble.Cache }

// NewCache makes a cache of a size in bytes. Close it after the databases that use it.
func NewCache(bytes int64) *Cache { return &Cache{pebble.NewCache(bytes)} }

// Close gives the memory back once no database uses it.
func (c *Cache) Close() { c.pebble.Unref() }

// DB is an open database. Reads are for any goroutine; Commit and Checkpoint for one at a time.
type DB struct {
	pebble *pebble.DB
	disk   *disk

	interrupt   sync.Once
	interrupted chan struct{} // closed by Interrupt
	close       sync.Once
	closed      error
}

// Open opens the database in a directory, or makes an empty one. Corrupt when its files are not what was written.
func Open(options Options) (*DB, error) {
	if options.MemTableBytes == 0 {
		options.MemTableBytes = defaultMemTableBytes
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	d := &DB{disk: &disk{fs: options.FS}, interrupted: make(chan struct{})}
	po := &pebble.Options{
		FS:                          d.disk,
		DisableWAL:                  true,
		FormatMajorVersion:          formatVersion,
		MemTableSize:                options.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   defaultCacheBytes,
		Logger:                      logger{options.Logger.With("dir", options.Dir)},
		MaxOpenFiles:                256,
	}
	if options.Cache != nil {
		po.Cache = options.Cache.pebble
	}
	if err := probe(options.FS, options.Dir); err != nil {
		return nil, fault.As(fault.KindOf(err), err, "open %s", options.Dir)
	}
	if err := d.open(options.Dir, po); err != nil {
		return nil, fault.Wrap(kindOf(err), "open %s", options.Dir)
	}
	return d, nil
}

// probeBytes is more than Pebble writes when it opens a database.
const probeBytes = 64 << 10

// probe says that there is no room before something waits for it: whoever opens a database waits for an answer.
func probe(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	name := path.Join(dir, "room")
	return errors.Join(vfs.WriteFile(fs, name, make([]byte, probeBytes)), vfs.RemoveAll(fs, name))
}

// open makes an error of what Pebble cannot go on after: here nothing has begun that would go on.
func (d *DB) open(dir string, options *pebble.Options) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Unavailable, "%v", p)
		}
	}()
	d.pebble, err = pebble.Open(dir, options)
	return err
}

// formatVersion is that of Pebble's files. It is raised by hand, with the oldest Weir that reads it in the change log.
const formatVersion = pebble.FormatValueSeparation

// kindOf gives an error of Pebble its kind.
func kindOf(err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err) || errors.Is(err, pebble.ErrCorruption):
		return fault.As(fault.Corrupt, err, "database")
	case errors.As(err, &known):
		return err
	default:
		return fault.As(fault.Unavailable, err, "database")
	}
}

// Interrupt makes Flush and Checkpoint give up waiting for a full disk, now and later. It comes before Close.
func (d *DB) Interrupt() { d.interrupt.Do(func() { close(d.interrupted) }) }

// Close gives everything up. What was committed since the last checkpoint is lost, and is meant to be. Every Iterator must be closed before.
//
// While a write waits for room the database is left as it is: nobody reads its files again, and what waits ends with the process, or when there is room.
func (d *DB) Close() error {
	d.Interrupt()
	d.close.Do(func() {
		closed := make(chan error, 1)
		go func() { closed <- d.pebble.Close() }()
		for {
			timer := clock.Real.NewTimer(roomPause)
			select {
			case err := <-closed:
				timer.Stop()
				d.closed = kindOf(err)
				return
			case <-timer.C():
				if d.disk.waiting.Load() > 0 {
					return
				}
			}
		}
	})
	return d.closed
}

// Get appends the value of a key to dst. found is false when there is none.
func (d *DB) Get(dst, key []byte) (value []byte, found bool, err error) {
	v, closer, err := d.pebble.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, kindOf(err)
	}
	dst = append(dst, v...)
	return dst, true, kindOf(closer.Close())
}

// GetString is Get into a string of its own, which what is decoded from it may share.
func (d *DB) GetString(key []byte) (value string, found bool, err error) {
	return getString(d.pebble.Get(key))
}

func getString(v []byte, closer io.Closer, err error) (value string, found bool, _ error) {
	if errors.Is(err, pebble.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, kindOf(err)
	}
	value = string(v)
	return value, true, kindOf(closer.Close())
}

// Flush writes out what is in memory. It is no promise of durability; it makes the Checkpoint after it short.
func (d *DB) Flush() error {
	flushed, err := d.pebble.AsyncFlush()
	if err != nil {
		return kindOf(err)
	}
	select {
	case <-flushed:
		return nil
	case <-d.interrupted:
		return fault.New(fault.Unavailable, "the database is being closed")
	}
}

// Checkpoint makes everything committed so far durable in a directory that must not exist. Files are shared with the database by name, not copied, and never change.
func (d *DB) Checkpoint(dir string) error {
	if err := d.Flush(); err != nil {
		return err
	}
	if err := d.pebble.Checkpoint(dir); err != nil {
		return errors.Join(kindOf(err), vfs.RemoveAll(d.disk.fs, dir))
	}
	return d.disk.fs.SyncDir(path.Dir(dir))
}

// Clone makes to a database like the checkpoint in from, which it leaves as it is. What was in to before is removed.
func Clone(fs vfs.FS, from, to string) error {
	if err := vfs.RemoveAll(fs, to); err != nil {
		return err
	}
	if err := fs.MkdirAll(to); err != nil {
		return err
	}
	names, err := fs.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := cloneFile(fs, path.Join(from, name), path.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// cloneFile shares a table's file and copies every other: those Pebble goes on writing to, and they are small.
func cloneFile(fs vfs.FS, from, to string) error {
	if ext := path.Ext(from); ext == ".sst" || ext == ".blob" {
		return fs.Link(from, to)
	}
	b, err := vfs.ReadFile(fs, from)
	if err != nil {
		return err
	}
	return vfs.WriteFile(fs, to, b)
}

// logger passes on what Pebble has to say.
type logger struct{ to *slog.Logger }

// Infof is the noise of every flush and compaction.
func (l logger) Infof(format string, args ...any) {}

// Errorf is what went wrong in the background and is tried again.
func (l logger) Errorf(format string, args ...any) {
	l.to.Error("database: " + fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble cannot go on, such as a manifest that a broken disk does not take. The state that is lost is computed again at the next start.
func (l logger) Fatalf(format string, args ...any) {
	l.to.Error("database cannot go on: " + fmt.Sprintf(format, args...))
	_, file, line, _ := runtime.Caller(1)
	panic(fmt.Sprintf("database cannot go on (%s:%d): %s", path.Base(file), line, fmt.Sprintf(format, args...)))
}

// Snapshot is the database at a moment, to be read while it goes on. It must be closed.
type Snapshot struct{ pebble *pebble.Snapshot }

// Snapshot takes the moment.
func (d *DB) Snapshot() *Snapshot { return &Snapshot{d.pebble.NewSnapshot()} }

// GetString is DB.GetString at that moment.
func (s *Snapshot) GetString(key []byte) (value string, found bool, err error) {
	return getString(s.pebble.Get(key))
}

// Close gives the moment up.
func (s *Snapshot) Close() { _ = s.pebble.Close() } // fails only for iterators that are open, and it gives none
