package store

import (
	"context"
	"encoding/base32"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"sync"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// uploadIDs is how upload ids are written: letters and digits that no URL needs to escape.
var uploadIDs = base32.StdEncoding.WithPadding(base32.NoPadding)

// filesInDir is how many file numbers share a directory: few enough to list quickly, and many, so that files made at one time share a directory's sync.
const filesInDir = 4096

// files are the files of objects, by number. A number is given out once in a run, and never while anything of an earlier run has it.
type files struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex          // guards everything below; never held across a call of fs
	next  uint64              // the number given out next
	dirs  map[uint64]*dirSync // directories that have been made; by number/filesInDir
	queue []uint64            // to be removed
	wake  chan struct{}       // capacity 1: something is in queue
	busy  bool                // the remover is at work on what it took from queue
	held  int                 // while it is not 0, no file is removed

	removing sync.Mutex // held while one file is removed
}

func newFiles(fs vfs.FS, dir string) *files {
	return &files{fs: fs, dir: dir, next: 1, dirs: map[uint64]*dirSync{}, wake: make(chan struct{}, 1)}
}

// name is where a file is: files/000000002/0000000000002a7f has number 0x2a7f.
func (f *files) name(file uint64) string { return fileName(f.dir, file) }

func fileName(dir string, file uint64) string {
	return path.Join(dirName(dir, file/filesInDir), fmt.Sprintf("%016x", file))
}

func (f *files) dirName(dir uint64) string { return dirName(f.dir, dir) }

func dirName(dir string, number uint64) string { return path.Join(dir, fmt.Sprintf("%013x", number)) }

// create makes a new file, in a directory whose own name is durable.
func (f *files) create() (uint64, vfs.File, error) {
	f.mu.Lock()
	file := f.next
	f.next++
	d := f.dirs[file/filesInDir]
	if d == nil {
		d = &dirSync{fs: f.fs, dir: f.dirName(file / filesInDir), parent: f.dir}
		f.dirs[file/filesInDir] = d
	}
	f.mu.Unlock()
	if err := d.make(); err != nil {
		return 0, nil, err
	}
	handle, err := f.fs.Create(f.name(file))
	return file, handle, err
}

// keep makes the name of a file durable.
func (f *files) keep(file uint64) error {
	f.mu.Lock()
	d := f.dirs[file/filesInDir]
	f.mu.Unlock()
	return d.sync()
}

// doom has a file removed soon.
func (f *files) doom(file uint64) {
	f.mu.Lock()
	f.queue = append(f.queue, file)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// settled says whether no file waits to be removed but for those that are held.
func (f *files) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held > 0 || len(f.queue) == 0 && !f.busy
}

// hold keeps every file that is there now, and that comes, until release.
func (f *files) hold() (release func()) {
	f.mu.Lock()
	f.held++
	f.mu.Unlock()
	f.removing.Lock()   // the one that is being removed is gone by now
	f.removing.Unlock() //nolint:staticcheck // it is only waited for
	return sync.OnceFunc(func() {
		f.mu.Lock()
		f.held--
		f.mu.Unlock()
		select {
		case f.wake <- struct{}{}:
		default:
		}
	})
}

// remove removes a forgotten file; false when files are held.
func (f *files) remove(file uint64) (done bool, err error) {
	f.removing.Lock()
	defer f.removing.Unlock()
	f.mu.Lock()
	held := f.held > 0
	f.mu.Unlock()
	if held {
		return false, nil
	}
	return true, f.fs.Remove(f.name(file))
}

// removeDoomed removes what is in the queue until ctx ends. What it does not get to, the sweep of the next Open does.
func (f *files) removeDoomed(ctx context.Context, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		f.mu.Lock()
		batch := f.queue
		f.queue, f.busy = nil, true
		f.mu.Unlock()
		var kept []uint64
		for i, file := range batch {
			done, err := f.remove(file)
			if !done {
				kept = batch[i:]
				break
			}
			if err != nil && !fault.Is(err, fault.NotFound) {
				logger.Warn("a file that no object has any more could not be removed; the next start tries again", "file", f.name(file), "err", err)
			}
		}
		f.mu.Lock()
		f.busy = false
		f.queue = append(kept, f.queue...)
		f.mu.Unlock()
	}
}

// sweep removes files that are not needed, says which needed ones are not there, and sets the next number above all that were.
func (f *files) sweep(needed map[uint64]bool, next uint64) (missing []uint64, err error) {
	if err := f.fs.MkdirAll(f.dir); err != nil {
		return nil, err
	}
	for dir := path.Clean(f.dir); dir != "."; dir = path.Dir(dir) {
		if err := f.fs.SyncDir(path.Dir(dir)); err != nil {
			return nil, err
		}
	}
	dirs, err := f.fs.List(f.dir)
	if err != nil {
		return nil, err
	}
	found := 0
	for _, dir := range dirs {
		number, err := strconv.ParseUint(dir, 16, 64)
		if err != nil || len(dir) != 13 {
			continue // not ours
		}
		names, err := f.fs.List(path.Join(f.dir, dir))
		if err != nil {
			return nil, err
		}
		left := len(names)
		for _, name := range names {
			file, err := strconv.ParseUint(name, 16, 64)
			if err != nil || len(name) != 16 || file/filesInDir != number {
				continue
			}
			next = max(next, file+1)
			if needed[file] {
				found++
				continue
			}
			if err := f.fs.Remove(path.Join(f.dir, dir, name)); err != nil {
				return nil, err
			}
			left--
		}
		if left == 0 {
			if err := f.fs.Remove(path.Join(f.dir, dir)); err != nil {
				return nil, err
			}
		}
	}
	f.next = next
	if found == len(needed) {
		return nil, nil
	}
	for file := range needed {
		if _, err := f.fs.Stat(f.name(file)); fault.Is(err, fault.NotFound) {
			missing = append(missing, file)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// dirSync makes names in one directory durable. All who ask while a sync is under way share the next.
type dirSync struct {
	fs          vfs.FS
	dir, parent string

	making sync.Mutex // held while the directory is made
	made   bool       // guarded by making

	turn sync.Mutex // held while syncing, by one of those who wait
	mu   sync.Mutex // guards next; not held while syncing
	next *syncRound // those who wait for a sync that has not begun; nil when nobody does
}

type syncRound struct {
	over chan struct{} // closed when err is set
	err  error
}

// make makes the directory, once, with a durable name.
func (d *dirSync) make() error {
	d.making.Lock()
	defer d.making.Unlock()
	if d.made {
		return nil
	}
	if err := d.fs.MkdirAll(d.dir); err != nil {
		return err
	}
	if err := d.fs.SyncDir(d.parent); err != nil {
		return err
	}
	d.made = true
	return nil
}

// sync returns once a sync that began after the call has ended.
func (d *dirSync) sync() error {
	d.mu.Lock()
	round := d.next
	leads := round == nil
	if leads {
		round = &syncRound{over: make(chan struct{})}
		d.next = round
	}
	d.mu.Unlock()
	if !leads {
		<-round.over
		return round.err
	}
	d.turn.Lock()
	d.mu.Lock()
	d.next = nil // whoever comes now was not there when the sync began
	d.mu.Unlock()
	round.err = d.fs.SyncDir(d.dir)
	d.turn.Unlock()
	close(round.over)
	return round.err
}
