package follow

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// copiedAway is the copy that has what the live file held when it was opened, if nothing of it has been read yet and it holds something else by now.
func (f *File) copiedAway() (*generation, error) {
	if f.listed == nil {
		return nil, nil
	}
	all, err := f.generations()
	if err != nil || len(all) == 0 || !all[len(all)-1].live {
		return nil, err // renamed: what is open stays what it is
	}
	if now, err := f.open.Stat(); err != nil || !os.SameFile(now, all[len(all)-1].info) {
		return nil, err
	}
	for i := range all[:len(all)-1] {
		g := &all[i]
		listed := slices.ContainsFunc(f.listed, func(old generation) bool { return os.SameFile(old.info, g.info) })
		if !listed && g.info.Size() > 0 && !isPrefix(g.path, f.path) { // a prefix is a copy in the making, before the truncation
			return g, nil
		}
	}
	return nil, nil
}

// truncated finds the copy that holds what the live file no longer does, and goes on there.
func (f *File) truncated() error {
	if copied, err := f.copiedAway(); err != nil || copied != nil {
		if err != nil {
			return err
		}
		f.notice(false, "truncated; its lines are in "+copied.path)
		return f.reopen(copied.path)
	}
	all, err := f.generations()
	if err != nil {
		return err
	}
	was := Position{Offset: f.offset + int64(len(f.seen)), Tail: append(bytes.Clone(f.tail), f.seen...)}
	var paths []string
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].live {
			paths = append(paths, all[i].path)
		}
	}
	if f.opts.elsewhere != nil {
		paths = append(paths, f.opts.elsewhere()...)
	}
	f.leave()
	for _, path := range paths {
		if file := openMatching(path, was); file != nil && path != f.path {
			_ = f.Close()
			f.open, f.name, f.id, f.last.ID = file, path, fileID(file), fileID(file)
			f.notice(false, "truncated; the rest is in "+path)
			return nil
		} else if file != nil {
			file.Close()
		}
	}
	f.notice(true, fmt.Sprintf("truncated, and no copy reaches byte %d: what was written between the last read and the truncation is gone", f.offset))
	f.offset, f.tail, f.seen, f.cutting = 0, nil, nil, false
	f.last = Position{ID: f.id}
	return nil
}

// leave remembers the end of what is left behind, so that the file is known again when it turns up under a name that is followed on its own.
func (f *File) leave() {
	if f.last.Offset == 0 {
		return
	}
	f.left = append(f.left, f.last)
	f.left = f.left[max(0, len(f.left)-leftMax):]
}

// advance opens the generation after the open one, when there is one that has been written to and the open one is at its
// end. The last line of the old generation, which will never get its end now, comes out first.
func (f *File) advance(sizeBytes int) (batch Batch, moved bool, err error) {
	current, err := f.open.Stat()
	if err != nil {
		return Batch{}, false, err
	}
	if live, err := os.Stat(f.path); err == nil && os.SameFile(live, current) {
		return Batch{}, false, nil // nothing is newer, and the folder, which may be large, need not be read
	}
	all, err := f.generations()
	if err != nil {
		return Batch{}, false, err
	}
	next := successor(all, current, f.offset, f.tail)
	if f.opts.pinned || next == nil || next.info.Size() == 0 {
		// Nothing newer, or nobody writes to it yet: the writer may still have the old file open.
		return Batch{}, false, nil
	}
	if f.opts.Linger > 0 {
		if f.leaving.IsZero() {
			f.leaving = f.opts.Now()
		}
		if f.opts.Now().Sub(f.leaving) < f.opts.Linger {
			return Batch{}, false, nil
		}
	}
	// The successor has bytes, so the writer has left this file. What it wrote before it left is read now.
	batch, intact, err := f.read(sizeBytes, true)
	if err != nil || !intact || len(batch.Lines) > 0 {
		return batch, intact, err // truncated meanwhile: the next turn sees it
	}
	f.notice(false, "rotated; going on with "+next.path)
	f.leave()
	if err := f.reopen(next.path); err != nil {
		return Batch{}, false, err
	}
	f.listed = all
	if f.open == nil {
		// Renamed once more between the listing and the opening. Begin again from what was read last.
		last := f.last
		f.opts.From = &last
		return Batch{}, true, nil
	}
	if opened, err := f.open.Stat(); err != nil || !os.SameFile(opened, next.info) {
		last := f.last
		f.opts.From = &last
		_ = f.Close()
		return Batch{}, true, err
	}
	return Batch{}, true, nil
}
