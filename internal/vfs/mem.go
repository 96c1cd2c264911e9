package vfs

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// sectorBytes is what a disk writes whole or not at all. Larger units exist, but nobody may count on them.
const sectorBytes = 512

// Mem is a file system in memory that knows what is durable: the bytes of a file up to its last SyncData, the names in a directory
// up to its last SyncDir. CrashClone gives what power loss may leave, KillClone what the death of
// the process leaves.
//
// It is as cruel as POSIX allows: SyncData of a new file does not make its name durable, and unsynced changes survive in any subset.
type Mem struct {
	mu     sync.Mutex // guards the whole tree
	root   *memNode
	locked map[string]bool
}

// memNode is a file or a directory. A removed file lives on in the handles that are open.
type memNode struct {
	isDir bool

	// Of a file: durable is what data was at the last SyncData, changes lead from there to data, in order.
	data    []byte
	durable []byte
	changes []memChange

	// Of a directory, likewise.
	entries        map[string]*memNode
	durableEntries map[string]*memNode
	entryChanges   []memEntryChange
}

// memChange is a write, or a truncation to off when data is nil.
type memChange struct {
	off  int64
	data []byte
}

// memEntryChange puts node under name, after taking it away under the other name if there is one. A nil node is a removal.
// A rename is one change, so that it happens or does not.
type memEntryChange struct {
	name, from string
	node       *memNode
}

// NewMem is an empty file system.
func NewMem() *Mem {
	return &Mem{root: newMemDir(), locked: make(map[string]bool)}
}

func newMemDir() *memNode {
	return &memNode{isDir: true, entries: make(map[string]*memNode), durableEntries: make(map[string]*memNode)}
}

// CrashClone is a tree as power loss at this moment may leave it; r chooses which. What was synced is there. Of what was not, each write
// is there, absent, or torn at sectors, and each creation, renaming and removal happened or did not, in any combination. Nothing is
// locked, and nothing of the clone is shared.
func (m *Mem) CrashClone(r *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	clones := make(map[*memNode]*memNode) // a file may have survived under two names
	return &Mem{root: m.root.crash(r, clones), locked: make(map[string]bool)}
}

func (n *memNode) crash(r *rand.Rand, clones map[*memNode]*memNode) *memNode {
	if c, done := clones[n]; done {
		return c
	}
	if !n.isDir {
		data := n.crashData(r)
		c := &memNode{data: data, durable: slices.Clone(data)}
		clones[n] = c
		return c
	}
	c := newMemDir()
	clones[n] = c
	survived := make(map[string]*memNode, len(n.durableEntries))
	for name, child := range n.durableEntries {
		survived[name] = child
	}
	for _, change := range n.entryChanges {
		if r.IntN(2) == 0 {
			change.apply(survived)
		}
	}
	names := make([]string, 0, len(survived))
	for name := range survived {
		names = append(names, name)
	}
	slices.Sort(names) // so that one seed gives one tree
	for _, name := range names {
		child := survived[name].crash(r, clones)
		c.entries[name], c.durableEntries[name] = child, child
	}
	return c
}

func (c memEntryChange) apply(entries map[string]*memNode) {
	if c.node == nil {
		delete(entries, c.name)
		return
	}
	if c.from != "" && entries[c.from] == c.node {
		delete(entries, c.from)
	}
	entries[c.name] = c.node
}

func (n *memNode) crashData(r *rand.Rand) []byte {
	data := slices.Clone(n.durable)
	for _, change := range n.changes {
		if change.data == nil {
			if r.IntN(2) == 0 {
				data = resized(data, change.off)
			}
			continue
		}
		switch r.IntN(4) {
		case 0: // absent
		case 1: // the length grew, the bytes did not arrive
			data = resized(data, max(int64(len(data)), change.off+int64(len(change.data))))
		case 2: // whole
			data = written(data, change.off, change.data)
		case 3: // torn: each sector by itself
			for off, rest := change.off, change.data; len(rest) > 0; {
				part := rest[:min(int64(len(rest)), sectorBytes-off%sectorBytes)]
				if r.IntN(2) == 0 {
					data = written(data, off, part)
				}
				off, rest = off+int64(len(part)), rest[len(part):]
			}
		}
	}
	return data
}

func resized(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

func written(data []byte, off int64, p []byte) []byte {
	if end := off + int64(len(p)); end > int64(len(data)) {
		data = resized(data, end)
	}
	copy(data[off:], p)
	return data
}

// KillClone is the tree as the death of the process, and of nothing else, leaves it: everything is read as it was, and what was not synced still is not.
// Nothing is locked, and nothing of the clone is shared.
func (m *Mem) KillClone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	clones := make(map[*memNode]*memNode)
	return &Mem{root: m.root.kill(clones), locked: make(map[string]bool)}
}

func (n *memNode) kill(clones map[*memNode]*memNode) *memNode {
	if n == nil {
		return nil
	}
	if c, done := clones[n]; done {
		return c
	}
	c := &memNode{isDir: n.isDir, data: slices.Clone(n.data), durable: slices.Clone(n.durable), changes: slices.Clone(n.changes)} // what changes hold is never written again
	clones[n] = c
	if !n.isDir {
		return c
	}
	each := func(entries map[string]*memNode) map[string]*memNode {
		out := make(map[string]*memNode, len(entries))
		for name, child := range entries {
			out[name] = child.kill(clones)
		}
		return out
	}
	c.entries, c.durableEntries = each(n.entries), each(n.durableEntries)
	for _, change := range n.entryChanges {
		change.node = change.node.kill(clones)
		c.entryChanges = append(c.entryChanges, change)
	}
	return c
}

// find is called under mu.
func (m *Mem) find(name string) (*memNode, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	n := m.root
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		child := n.entries[part]
		if child == nil {
			return nil, fault.As(fault.NotFound, fs.ErrNotExist, "%s", name)
		}
		n = child
	}
	return n, nil
}

// parent is the directory that name stands in.
func (m *Mem) parent(name string) (*memNode, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, err := m.find(path.Dir(name))
	if err != nil {
		return nil, err
	}
	if !dir.isDir || name == "." {
		return nil, fault.New(fault.Unavailable, "%s is not in a directory", name)
	}
	return dir, nil
}

func (n *memNode) change(c memEntryChange) {
	c.apply(n.entries)
	n.entryChanges = append(n.entryChanges, c)
}

// Create makes or truncates a file.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[path.Base(name)]
	switch {
	case n == nil:
		n = &memNode{}
		dir.change(memEntryChange{name: path.Base(name), node: n})
	case n.isDir:
		return nil, fault.New(fault.Unavailable, "create %s: it is a directory", name)
	default:
		n.truncate(0)
	}
	return &memFile{fs: m, name: name, node: n}, nil
}

// Open opens a file.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err != nil {
		return nil, err
	}
	if n.isDir {
		return nil, fault.New(fault.Unavailable, "open %s: it is a directory", name)
	}
	return &memFile{fs: m, name: name, node: n}, nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.parent(name)
	if err != nil {
		return err
	}
	n := dir.entries[path.Base(name)]
	if n == nil {
		return fault.As(fault.NotFound, fs.ErrNotExist, "remove %s", name)
	}
	if len(n.entries) > 0 {
		return fault.New(fault.Unavailable, "remove %s: it is not empty", name)
	}
	dir.change(memEntryChange{name: path.Base(name)})
	return nil
}

// Rename replaces to by from. Both must stand in one directory: nothing here needs more, and no system makes two directories durable at once.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.parent(from)
	if err != nil {
		return err
	}
	if path.Dir(from) != path.Dir(to) {
		return fault.New(fault.Unsupported, "rename %s to %s: another directory", from, to)
	}
	n := dir.entries[path.Base(from)]
	if n == nil {
		return fault.As(fault.NotFound, fs.ErrNotExist, "rename %s", from)
	}
	if from != to {
		dir.change(memEntryChange{name: path.Base(to), from: path.Base(from), node: n})
	}
	return nil
}

// MkdirAll makes a directory and its parents.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkName(name); err != nil {
		return err
	}
	n := m.root
	if name == "." {
		return nil
	}
	for part := range strings.SplitSeq(name, "/") {
		child := n.entries[part]
		if child == nil {
			child = newMemDir()
			n.change(memEntryChange{name: part, node: child})
		}
		if !child.isDir {
			return fault.As(fault.Exists, fs.ErrExist, "make directory %s: %s is a file", name, part)
		}
		n = child
	}
	return nil
}

// List gives the names in a directory, sorted.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(dir)
	if err != nil {
		return nil, err
	}
	if !n.isDir {
		return nil, fault.New(fault.Unavailable, "list %s: it is a file", dir)
	}
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err != nil {
		return nil, err
	}
	return memInfo{name: path.Base(name), size: int64(len(n.data)), isDir: n.isDir}, nil
}

// SyncDir makes creations, renames and removals in dir durable.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(dir)
	if err != nil {
		return err
	}
	for _, change := range n.entryChanges {
		change.apply(n.durableEntries)
	}
	n.entryChanges = nil
	return nil
}

// Lock takes an exclusive lock. "Another process" is anyone who shares this Mem.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	if m.locked[name] {
		return nil, fault.New(fault.Conflict, "lock %s: another process holds it", name)
	}
	if dir.entries[path.Base(name)] == nil {
		dir.change(memEntryChange{name: path.Base(name), node: &memNode{}})
	}
	m.locked[name] = true
	return &memLock{fs: m, name: name}, nil
}

type memLock struct {
	fs   *Mem
	name string
	once sync.Once
}

func (l *memLock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		delete(l.fs.locked, l.name)
	})
	return nil
}

type memFile struct {
	fs   *Mem
	name string
	node *memNode
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	f.node.data = written(f.node.data, off, p)
	f.node.changes = append(f.node.changes, memChange{off: off, data: slices.Clone(p)})
	return len(p), nil
}

func (f *memFile) Close() error { return nil }

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.truncate(size)
	return nil
}

func (n *memNode) truncate(size int64) {
	n.data = resized(n.data, size)
	n.changes = append(n.changes, memChange{off: size})
}

func (f *memFile) SyncData() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n := f.node
	for _, change := range n.changes {
		if change.data == nil {
			n.durable = resized(n.durable, change.off)
		} else {
			n.durable = written(n.durable, change.off, change.data)
		}
	}
	n.changes = nil
	return nil
}

// loseUnsynced makes what was not synced never become durable, though it is still read.
func (f *memFile) loseUnsynced() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.changes = nil
}

// Allocate does nothing: memory is never full here; see Faulty.Quota.
func (f *memFile) Allocate(int64) error { return nil }

type memInfo struct {
	name  string
	size  int64
	isDir bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.isDir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.isDir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
