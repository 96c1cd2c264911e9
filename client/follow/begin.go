package follow

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// begin opens the generation to start with. It says false when there is none yet.
func (f *File) begin() (bool, error) {
	if begun, err := f.beginAtName(); begun || err != nil {
		return begun, err
	}
	all, err := f.generations()
	if err != nil {
		return false, err
	}
	if from := f.opts.From; from != nil && (from.Offset > 0 || from.ID != "") {
		if file, path := f.find(all, *from); file != nil {
			f.resume(file, path, *from)
			return true, nil
		}
		if len(all) == 0 || f.opts.pinned {
			return false, nil // nothing of that name for now
		}
		f.opts.From = nil
		f.last = Position{}
		f.notice(true, "the file that was being read is gone; going on with the oldest that is left")
		f.opts.Rotated, f.opts.AtEnd = true, false
		for _, g := range all {
			if !g.live && g.info.ModTime().UnixNano() < from.Modified { // it was there before
				f.before = append(f.before, endOf(g.path))
			}
		}
	}
	if len(all) == 0 || f.opts.pinned {
		f.begun = true // what comes now is new
		return false, nil
	}
	if !f.begun {
		f.begun = true
		newest := all[len(all)-1]
		for _, g := range all {
			if !g.live && !f.opts.Rotated && (!f.opts.AtEnd || g.path != newest.path) {
				f.before = append(f.before, endOf(g.path))
			}
		}
		if f.opts.AtEnd && newest.info.Size() > 0 {
			if err := f.reopen(newest.path); err != nil || f.open == nil {
				return false, err
			}
			return true, f.skipToEnd()
		}
	}
	// An empty file is not opened yet: by the next poll it may have been filled and copied away, and what is read first
	// would not tell.
	for _, g := range all {
		if g.info.Size() == 0 || !g.live && slices.ContainsFunc(f.before, func(old Position) bool { return old.isEndOf(g) }) {
			continue
		}
		if live := all[len(all)-1]; !g.live && live.live && isPrefix(g.path, live.path) {
			continue // a copy in the making, before the truncation
		}
		err := f.reopen(g.path)
		f.listed = all
		return f.open != nil, err
	}
	return false, nil
}

// beginAtName begins in the file under the name itself when that is certain without reading the folder, which may be large: it is the one that was being read, or
// it has lines and is begun at its end.
func (f *File) beginAtName() (bool, error) {
	if from := f.opts.From; from != nil && from.ID != "" && from.Offset > 0 {
		file := openMatching(f.path, *from)
		if file == nil {
			return false, nil
		}
		if fileID(file) != from.ID {
			return false, file.Close()
		}
		f.resume(file, f.path, *from)
		return true, nil
	}
	if f.opts.From != nil || f.begun || !f.opts.AtEnd || f.opts.pinned {
		return false, nil
	}
	if err := f.reopen(f.path); err != nil || f.open == nil {
		return false, err
	}
	if err := f.skipToEnd(); err != nil || f.offset > 0 {
		f.begun = err == nil
		return err == nil, err
	}
	return false, f.Close() // no whole line: which rotated files are left out has to be known
}

// resume goes on in an open file.
func (f *File) resume(file *os.File, path string, from Position) {
	f.open, f.name, f.id, f.offset, f.tail, f.seen = file, path, fileID(file), from.Offset, bytes.Clone(from.Tail), nil
	f.last, f.cutting = from, from.Cut
	f.last.ID = f.id
	f.opts.From = nil
}

// find opens the file that holds what was read up to p. That is the file with p's identity, under whatever name, or else a copy of it. The name itself is
// no copy when it has another identity: files of equal lines would be taken for each other, and lines would be lost.
func (f *File) find(all []generation, p Position) (*os.File, string) {
	var paths []string
	for i := len(all) - 1; i >= 0; i-- { // the live file first: while a copy is being made, both hold what was read
		paths = append(paths, all[i].path)
	}
	if f.opts.elsewhere != nil {
		paths = append(paths, f.opts.elsewhere()...)
	}
	if p.ID != "" {
		for _, path := range paths {
			file := openMatching(path, p)
			if p.Offset == 0 {
				file, _ = os.Open(path) // nothing was read of it
			}
			if file != nil {
				if fileID(file) == p.ID {
					return file, path
				}
				file.Close()
			}
		}
	}
	for _, path := range paths {
		if p.ID != "" && path == f.path {
			continue
		}
		if file := openMatching(path, p); file != nil {
			return file, path
		}
	}
	return nil, ""
}

// Leave gives the file that is being read to somebody else, who goes on from At: it has another name now, which is followed on its own. This File goes on
// with what is under its name.
func (f *File) Leave() error {
	err := f.Close()
	f.opts.From, f.opts.Rotated, f.opts.AtEnd = nil, false, false
	f.begun, f.before, f.last = false, nil, Position{}
	f.offset, f.tail, f.seen, f.listed, f.idle, f.cutting = 0, nil, nil, nil, nil, false
	return err
}

// reopen starts a generation from its first byte. It leaves open nil when the file is gone again.
func (f *File) reopen(path string) error {
	_ = f.Close()
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.open, f.name, f.id, f.offset, f.tail, f.seen, f.listed = file, path, fileID(file), 0, nil, nil, nil
	f.cutting, f.leaving = false, time.Time{}
	return nil
}

// skipToEnd moves behind the last complete line.
func (f *File) skipToEnd() error {
	info, err := f.open.Stat()
	if err != nil {
		return err
	}
	const step = 64 << 10
	for end := info.Size(); end > 0; {
		start := max(0, end-step)
		chunk := make([]byte, end-start)
		if _, err := f.open.ReadAt(chunk, start); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if i := bytes.LastIndexByte(chunk, '\n'); i >= 0 {
			f.offset = start + int64(i) + 1
			f.tail = make([]byte, min(f.offset, tailBytesMax))
			_, err := f.open.ReadAt(f.tail, f.offset-int64(len(f.tail)))
			f.last = Position{Offset: f.offset, Tail: bytes.Clone(f.tail), ID: f.id, Modified: info.ModTime().UnixNano()}
			return err
		}
		end = start
	}
	return nil
}

// openMatching opens path if it holds p's tail right before p's offset, and gives nil otherwise.
func openMatching(path string, p Position) *os.File {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	have := make([]byte, len(p.Tail))
	if _, err := file.ReadAt(have, p.Offset-int64(len(p.Tail))); (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(have, p.Tail) || len(p.Tail) == 0 {
		file.Close()
		return nil
	}
	return file
}
