package vfs

import (
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/weir-stream/weir/internal/fault"
)

// Op is a call that Faulty may break. Ops combine with |.
type Op uint16

// The calls.
const (
	OpCreate Op = 1 << iota
	OpOpen
	OpRead
	OpWrite
	OpSync
	OpSyncDir
	OpTruncate
	OpAllocate
	OpRename
	OpRemove
	OpMkdir
	OpList
	OpLock

	// OpMutation is everything that changes what is on the disk or what is durable: where a crash test stops.
	OpMutation = OpCreate | OpWrite | OpSync | OpSyncDir | OpTruncate | OpRename | OpRemove | OpMkdir
)

// Rule says which calls break and how. `Rule{Op: OpSync, Path: "journal-*", Nth: 3, Times: 2}` breaks the third and fourth matching sync.
type Rule struct {
	Op    Op
	Path  string // a path.Match pattern for the last element of the name; empty matches all
	Nth   int    // the first matching call that breaks, counted from 1; 0 is 1
	Times int    // how many break; 0 is one, negative all from then on
	Err   error  // what the call returns; nil is an input/output error of kind Unavailable
	// Part is how much of a read or write happens before it breaks, from 0 (nothing) to 1 (everything, and yet an error).
	Part float64
	// Lose makes a broken sync drop the unsynced bytes for good, as Linux does: they are still read, but a later sync does not write them.
	// Without it a later sync does. Only a Mem below can do this.
	Lose bool

	seen int
}

// ErrNoSpace is what a full device answers.
var ErrNoSpace = fault.New(fault.Full, "no space left on device")

// ErrIO is what a broken device answers.
var ErrIO = fault.New(fault.Unavailable, "input/output error")

// Faulty is another file system that breaks by rule. It is safe for concurrent use.
type Faulty struct {
	fs FS

	mu    sync.Mutex // guards everything below; not held while the hook runs
	rules []*Rule
	hook  func(op Op, name string)
	quota int64 // negative: none
	used  int64
	files map[string]*faultyRoom // every file whose size counts
}

// faultyRoom is what a file takes of the quota. It outlives a renaming.
type faultyRoom struct {
	bytes   int64
	removed bool
}

// NewFaulty wraps inner; without rules it changes nothing.
func NewFaulty(inner FS, rules ...Rule) *Faulty {
	f := &Faulty{fs: inner, quota: -1, files: make(map[string]*faultyRoom)}
	for _, r := range rules {
		f.Add(r)
	}
	return f
}

// Add adds a rule. The first rule that applies to a call decides; every rule counts every call that matches.
func (f *Faulty) Add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &r)
}

// Heal drops all rules. The quota stays.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Quota lets all files that were opened through f together take at most so many bytes, allocated room included; beyond it writes are
// cut short with ErrNoSpace. Negative means no limit.
func (f *Faulty) Quota(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quota = bytes
}

// Used is what the quota counts now, in bytes.
func (f *Faulty) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// Hook has h called before every call that a rule could break. It may panic with a value of its own to stop the caller there.
func (f *Faulty) Hook(h func(op Op, name string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = h
}

// check runs the hook and asks the rules. A non-nil rule means: break.
func (f *Faulty) check(op Op, name string) *Rule {
	f.mu.Lock()
	hook := f.hook
	var broken *Rule
	for _, r := range f.rules {
		if r.matches(op, name) && broken == nil {
			broken = r
		}
	}
	f.mu.Unlock()
	if hook != nil {
		hook(op, name)
	}
	return broken
}

// matches counts the call and says whether it is one of those that break. Called under Faulty.mu.
func (r *Rule) matches(op Op, name string) bool {
	if r.Op&op == 0 {
		return false
	}
	if r.Path != "" {
		if ok, err := path.Match(r.Path, path.Base(name)); err != nil || !ok {
			return false
		}
	}
	r.seen++
	first := max(r.Nth, 1)
	return r.seen >= first && (r.Times < 0 || r.seen < first+max(r.Times, 1))
}

func (r *Rule) err(op, name string) error {
	if r.Err != nil {
		return fault.Wrap(r.Err, "%s %s", op, name)
	}
	return fault.Wrap(ErrIO, "%s %s", op, name)
}

// grow takes room up to size for a file, as far as the quota allows, and says up to where that is. Called without mu.
func (f *Faulty) grow(room *faultyRoom, size int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size <= room.bytes {
		return size
	}
	if f.quota >= 0 && !room.removed {
		size = max(room.bytes, min(size, room.bytes+f.quota-f.used))
	}
	if !room.removed {
		f.used += size - room.bytes
	}
	room.bytes = size
	return size
}

func (f *Faulty) shrink(room *faultyRoom, size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size < room.bytes {
		if !room.removed {
			f.used -= room.bytes - size
		}
		room.bytes = size
	}
}

// forget gives back the room of a name that no longer exists. Called under mu.
func (f *Faulty) forget(name string) {
	if room := f.files[name]; room != nil {
		f.used -= room.bytes
		room.removed = true
		delete(f.files, name)
	}
}

func (f *Faulty) room(name string, size int64) *faultyRoom {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := f.files[name]
	if room == nil {
		room = &faultyRoom{bytes: size}
		f.used += size
		f.files[name] = room
	}
	return room
}

// Create makes or truncates a file.
func (f *Faulty) Create(name string) (File, error) {
	if r := f.check(OpCreate, name); r != nil {
		return nil, r.err("create", name)
	}
	inner, err := f.fs.Create(name)
	if err != nil {
		return nil, err
	}
	room := f.room(name, 0)
	f.shrink(room, 0)
	return &faultyFile{fs: f, name: name, inner: inner, room: room}, nil
}

// Open opens a file.
func (f *Faulty) Open(name string) (File, error) {
	if r := f.check(OpOpen, name); r != nil {
		return nil, r.err("open", name)
	}
	inner, err := f.fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := inner.Size()
	if err != nil {
		return nil, err
	}
	return &faultyFile{fs: f, name: name, inner: inner, room: f.room(name, size)}, nil
}

// Remove removes a file or an empty directory.
func (f *Faulty) Remove(name string) error {
	if r := f.check(OpRemove, name); r != nil {
		return r.err("remove", name)
	}
	if err := f.fs.Remove(name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(name)
	return nil
}

// Rename replaces to by from.
func (f *Faulty) Rename(from, to string) error {
	if r := f.check(OpRename, from); r != nil {
		return r.err("rename", from)
	}
	if err := f.fs.Rename(from, to); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if room := f.files[from]; room != nil && from != to {
		f.forget(to)
		delete(f.files, from)
		f.files[to] = room
	}
	return nil
}

// MkdirAll makes a directory and its parents.
func (f *Faulty) MkdirAll(name string) error {
	if r := f.check(OpMkdir, name); r != nil {
		return r.err("make directory", name)
	}
	return f.fs.MkdirAll(name)
}

// List gives the names in a directory.
func (f *Faulty) List(dir string) ([]string, error) {
	if r := f.check(OpList, dir); r != nil {
		return nil, r.err("list", dir)
	}
	return f.fs.List(dir)
}

// Stat describes a file or directory; it never breaks.
func (f *Faulty) Stat(name string) (fs.FileInfo, error) { return f.fs.Stat(name) }

// SyncDir makes names durable.
func (f *Faulty) SyncDir(dir string) error {
	if r := f.check(OpSyncDir, dir); r != nil {
		return r.err("sync directory", dir)
	}
	return f.fs.SyncDir(dir)
}

// Lock takes an exclusive lock.
func (f *Faulty) Lock(name string) (io.Closer, error) {
	if r := f.check(OpLock, name); r != nil {
		return nil, r.err("lock", name)
	}
	return f.fs.Lock(name)
}

type faultyFile struct {
	fs    *Faulty
	name  string
	inner File
	room  *faultyRoom
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if r := f.fs.check(OpRead, f.name); r != nil {
		n, err := f.inner.ReadAt(p[:int(r.Part*float64(len(p)))], off)
		if err != nil {
			return n, err
		}
		return n, r.err("read", f.name)
	}
	return f.inner.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if r := f.fs.check(OpWrite, f.name); r != nil {
		n, err := f.inner.WriteAt(p[:int(r.Part*float64(len(p)))], off)
		if err != nil {
			return n, err
		}
		return n, r.err("write", f.name)
	}
	end := off + int64(len(p))
	room := f.fs.grow(f.room, end)
	if room >= end {
		return f.inner.WriteAt(p, off)
	}
	n := 0
	if room > off {
		var err error
		if n, err = f.inner.WriteAt(p[:room-off], off); err != nil {
			return n, err
		}
	}
	return n, fault.Wrap(ErrNoSpace, "write %s", f.name)
}

func (f *faultyFile) Close() error         { return f.inner.Close() }
func (f *faultyFile) Size() (int64, error) { return f.inner.Size() }

func (f *faultyFile) Truncate(size int64) error {
	if r := f.fs.check(OpTruncate, f.name); r != nil {
		return r.err("truncate", f.name)
	}
	if err := f.inner.Truncate(size); err != nil {
		return err
	}
	f.fs.shrink(f.room, size)
	return nil
}

// SyncData on a rule does not sync: after the error what is durable is unknown, and the worst case is nothing.
func (f *faultyFile) SyncData() error {
	if r := f.fs.check(OpSync, f.name); r != nil {
		if m, ok := f.inner.(*memFile); ok && r.Lose {
			m.loseUnsynced()
		}
		return r.err("sync", f.name)
	}
	return f.inner.SyncData()
}

func (f *faultyFile) Allocate(size int64) error {
	if r := f.fs.check(OpAllocate, f.name); r != nil {
		return r.err("allocate", f.name)
	}
	before := f.fs.roomOf(f.room)
	if f.fs.grow(f.room, size) < size {
		f.fs.shrink(f.room, before)
		return fault.Wrap(ErrNoSpace, "allocate %s", f.name)
	}
	return f.inner.Allocate(size)
}

func (f *Faulty) roomOf(room *faultyRoom) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return room.bytes
}
