// Package follow reads the lines of files that grow and are rotated.
//
// It owns what happens at a rotation: nothing is read twice and nothing is left behind while the bytes still exist under
// some name. It does not wait, send or remember: the caller polls when it likes, and keeps the Position of what it has
// dealt with.
//
// Read File.Poll, then generations.go, which puts the rotated files of one name in order.
package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// tailBytesMax is how much of what was read is remembered to know a file again: long enough to tell apart log lines that
// differ in a timestamp, short enough to be written into a checkpoint.
const tailBytesMax = 256

// Options say where to begin and what to tell. The zero value begins at the start of the file of that name.
type Options struct {
	// AtEnd begins behind what the file holds at the first Poll that finds it. A Position goes before it.
	AtEnd bool
	// Rotated begins with the oldest rotated file of the name that is still there.
	Rotated bool
	// From goes on where an earlier File stopped. Nil begins anew.
	From *Position
	// LineBytesMax is the longest line. Default 10 MiB, the largest record of a stream.
	LineBytesMax int
	// Notice is told what an operator should know: a rotation, or bytes that went before they were read. May be nil.
	Notice func(Notice)
}

// Position is a place in the lines of a file and its rotated copies. It names the file by what was read from it, so it
// stays good when the file is renamed or copied.
type Position struct {
	// Offset is how many bytes of that file were read.
	Offset int64 `json:"offset"`
	// Tail is the end of what was read, at most 256 bytes.
	Tail []byte `json:"tail"`
}

// Notice is something that happened to a followed file.
type Notice struct {
	Path string
	// Lost says that bytes went before they were read; otherwise nothing is missing.
	Lost bool
	Text string
}

// String is the notice on a line, as an operator reads it.
func (n Notice) String() string { return n.Path + ": " + n.Text }

// Batch is lines of one file, in order, without their line ends.
type Batch struct {
	// Lines share one buffer, which belongs to the caller.
	Lines [][]byte
	// Position is behind the last line.
	Position Position
}

// ErrLineTooLong says that a line is longer than Options.LineBytesMax.
var ErrLineTooLong = errors.New("line is too long")

// File follows one file name. It is used by one goroutine at a time.
//
// At any moment it reads one generation of the file: the one under the name itself (live), or an older one that was
// renamed or copied away. A rotation by rename leaves the open file as it is and puts another under the name; a rotation by
// copy and truncate leaves the name as it is, and what was not yet read lives on in the copy. Both end in the same step:
// read the older generation to its end, then open the next newer one.
type File struct {
	path string
	opts Options

	begun  bool          // begin has looked at the directory once
	before []fs.FileInfo // rotated files that were there at that time and are not to be read

	open   *os.File // the generation being read; nil before the first and after a loss
	offset int64    // the next byte to read, always at the start of a line
	tail   []byte   // the bytes before offset, at most tailBytesMax
	seen   []byte   // the beginning of an unfinished line at offset, at most tailBytesMax; it must still be there next time
	last   Position // behind the last line that was handed out; kept when a newer generation is opened
	// listed are the files that there were when a generation was opened at its beginning; nil once something of it has been read. Until then nothing tells
	// whether the live file is still what was opened: it may have been copied away, truncated and filled again, and only the copy, a file that is not
	// listed, shows it.
	listed []generation
}

// New follows path, which need not exist yet.
func New(path string, opts Options) *File {
	if opts.LineBytesMax == 0 {
		opts.LineBytesMax = 10 << 20
	}
	f := &File{path: path, opts: opts}
	if opts.From != nil {
		f.last = *opts.From
	}
	return f
}

// Path is the followed name.
func (f *File) Path() string { return f.path }

// Close closes the open file. The last Position handed out stays good.
func (f *File) Close() error {
	if f.open == nil {
		return nil
	}
	err := f.open.Close()
	f.open = nil
	return err
}

// Poll gives the next complete lines, about sizeBytes of them, all from one generation. An empty batch says that there is
// nothing new now. A line without its end is left until the end is there, or until its file has a successor.
func (f *File) Poll(sizeBytes int) (Batch, error) {
	// Each turn either hands out lines, finds nothing, or moves one generation on. What is newer than the current file is
	// finite, but a busy writer may add to it, so the number of turns is bounded and the caller comes back.
	for range 64 {
		if f.open == nil {
			if opened, err := f.begin(); err != nil || !opened {
				return Batch{}, err
			}
		}
		batch, intact, err := f.read(sizeBytes, false)
		if err != nil {
			return Batch{}, err
		}
		if !intact {
			if err := f.truncated(); err != nil {
				return Batch{}, err
			}
			continue
		}
		if len(batch.Lines) > 0 {
			return batch, nil
		}
		batch, moved, err := f.advance(sizeBytes)
		if err != nil || len(batch.Lines) > 0 || !moved {
			return batch, err
		}
	}
	return Batch{}, nil
}

// begin opens the generation to start with. It says false when there is none yet.
func (f *File) begin() (bool, error) {
	all, err := generations(f.path)
	if err != nil || len(all) == 0 {
		return false, err
	}
	if from := f.opts.From; from != nil && from.Offset > 0 {
		// The live file first: while a copy is being made, both hold what was read.
		for i := len(all) - 1; i >= 0; i-- {
			if file := openMatching(all[i].path, *from); file != nil {
				f.open, f.offset, f.tail, f.seen, f.last = file, from.Offset, bytes.Clone(from.Tail), nil, *from
				f.opts.From = nil
				return true, nil
			}
		}
		f.opts.From = nil
		f.notice(true, "the file that was being read is gone; going on with the oldest that is left")
		f.opts.Rotated, f.opts.AtEnd = true, false
	}
	if !f.begun {
		f.begun = true
		for _, g := range all {
			if !g.live && !f.opts.Rotated {
				f.before = append(f.before, g.info)
			}
		}
		if newest := all[len(all)-1]; f.opts.AtEnd && newest.live && newest.info.Size() > 0 {
			if err := f.reopen(newest.path); err != nil || f.open == nil {
				return false, err
			}
			return true, f.skipToEnd()
		}
	}
	// An empty file is not opened yet: by the next poll it may have been filled and copied away, and what is read first
	// would not tell.
	for _, g := range all {
		if g.info.Size() == 0 || slices.ContainsFunc(f.before, func(old fs.FileInfo) bool { return os.SameFile(old, g.info) }) {
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
	f.open, f.offset, f.tail, f.seen, f.listed = file, 0, nil, nil, nil
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
			f.last = Position{Offset: f.offset, Tail: bytes.Clone(f.tail)}
			return err
		}
		end = start
	}
	return nil
}

// read takes the next lines of the open generation. intact is false when the bytes before offset are no longer those that
// were read: the file was truncated, and may have grown again since. final takes a last line without its end too.
func (f *File) read(sizeBytes int, final bool) (batch Batch, intact bool, err error) {
	for size := max(sizeBytes, 4096); ; size *= 2 {
		info, err := f.open.Stat()
		if err != nil {
			return Batch{}, true, err
		}
		if info.Size() < f.offset {
			return Batch{}, false, nil
		}
		// One more than there is, so that a full buffer means that there is more.
		want := int(min(int64(size), int64(f.opts.LineBytesMax)+1, info.Size()-f.offset+1))
		// The tail and what follows it come from one read, so that lines are never taken from another file's bytes.
		buf := make([]byte, len(f.tail)+want)
		n, err := f.open.ReadAt(buf, f.offset-int64(len(f.tail)))
		if err != nil && !errors.Is(err, io.EOF) {
			return Batch{}, true, err
		}
		buf = buf[:n]
		if !bytes.HasPrefix(buf, f.tail) || !bytes.HasPrefix(buf[len(f.tail):], f.seen) {
			return Batch{}, false, nil
		}
		// A truncation during the read leaves a file shorter than what was just read.
		if info, err := f.open.Stat(); err != nil {
			return Batch{}, true, err
		} else if info.Size() < f.offset+int64(n-len(f.tail)) {
			return Batch{}, false, nil
		}
		if copied, err := f.copiedAway(); err != nil || copied != nil {
			return Batch{}, false, err
		}
		if n > 0 {
			f.listed = nil
		}
		fresh := buf[len(f.tail):]
		end := bytes.LastIndexByte(fresh, '\n') + 1
		if final && len(fresh) < want {
			end = len(fresh)
		}
		if end == 0 {
			f.seen = bytes.Clone(fresh[:min(len(fresh), tailBytesMax)])
			if len(fresh) < want {
				return Batch{}, true, nil // the line's end is not written yet
			}
			if want > f.opts.LineBytesMax {
				return Batch{}, true, fmt.Errorf("%s at byte %d: %w (more than %d bytes)", f.path, f.offset, ErrLineTooLong, f.opts.LineBytesMax)
			}
			continue
		}
		for rest := fresh[:end]; len(rest) > 0; {
			line, after, _ := bytes.Cut(rest, []byte{'\n'})
			batch.Lines = append(batch.Lines, line)
			rest = after
		}
		read := buf[:len(f.tail)+end]
		f.tail = bytes.Clone(read[max(0, len(read)-tailBytesMax):])
		f.offset, f.seen = f.offset+int64(end), nil
		f.last = Position{Offset: f.offset, Tail: f.tail}
		batch.Position = f.last
		return batch, true, nil
	}
}

// copiedAway is the copy that has what the live file held when it was opened, if nothing of it has been read yet and it holds something else by now.
func (f *File) copiedAway() (*generation, error) {
	if f.listed == nil {
		return nil, nil
	}
	all, err := generations(f.path)
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
	all, err := generations(f.path)
	if err != nil {
		return err
	}
	was := Position{Offset: f.offset + int64(len(f.seen)), Tail: append(bytes.Clone(f.tail), f.seen...)}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].live {
			continue
		}
		if file := openMatching(all[i].path, was); file != nil {
			_ = f.Close()
			f.open = file
			f.notice(false, "truncated; the rest is in "+all[i].path)
			return nil
		}
	}
	f.notice(true, fmt.Sprintf("truncated, and no copy reaches byte %d: what was written between the last read and the truncation is gone", f.offset))
	f.offset, f.tail, f.seen = 0, nil, nil
	return nil
}

// advance opens the generation after the open one, when there is one that has been written to and the open one is at its
// end. The last line of the old generation, which will never get its end now, comes out first.
func (f *File) advance(sizeBytes int) (batch Batch, moved bool, err error) {
	current, err := f.open.Stat()
	if err != nil {
		return Batch{}, false, err
	}
	all, err := generations(f.path)
	if err != nil {
		return Batch{}, false, err
	}
	next := successor(all, current, f.offset, f.tail)
	if next == nil || next.info.Size() == 0 {
		// Nothing newer, or nobody writes to it yet: the writer may still have the old file open.
		return Batch{}, false, nil
	}
	// The successor has bytes, so the writer has left this file. What it wrote before it left is read now.
	batch, intact, err := f.read(sizeBytes, true)
	if err != nil || !intact || len(batch.Lines) > 0 {
		return batch, intact, err // truncated meanwhile: the next turn sees it
	}
	f.notice(false, "rotated; going on with "+next.path)
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

func (f *File) notice(lost bool, text string) {
	if f.opts.Notice != nil {
		f.opts.Notice(Notice{Path: f.path, Lost: lost, Text: text})
	}
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
