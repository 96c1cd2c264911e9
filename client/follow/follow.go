// Package follow reads the lines of files that grow and are rotated.
//
// It owns what happens at a rotation: nothing is read twice and nothing is left behind while the bytes still exist under
// some name. It does not wait, send or remember: the caller polls when it likes, and keeps the Position of what it has
// dealt with.
//
// Read File.Poll, then generations.go, which puts the rotated files of one name in order, then Set, which follows every
// file of a folder whose name matches.
package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// tailBytesMax is how much of what was read is remembered to know a file again: long enough to tell apart log lines that
// differ in a timestamp, short enough to be written into a checkpoint.
const tailBytesMax = 256

// leftMax is how many files that were read to their end are remembered: more rotations than a Set lets pass between two looks.
const leftMax = 16

// Options say where to begin and what to tell. The zero value begins at the start of the file of that name.
type Options struct {
	// AtEnd begins behind what the file holds at the first Poll that finds it. A Position goes before it.
	AtEnd bool
	// Rotated begins with the oldest rotated file of the name that is still there.
	Rotated bool
	// From goes on where an earlier File stopped. Nil begins anew.
	From *Position
	// Skip are rotated files that are not read although Rotated asks for them: those that an earlier File was told to leave out, from its Skipped.
	Skip []Position
	// LineBytesMax is the longest line. Default 10 MiB, the largest record of a stream.
	LineBytesMax int
	// Cut hands out the beginning of a longer line, LineBytesMax of it, and leaves the rest of it out. Without it such a line is ErrLineTooLong.
	Cut bool
	// Linger is how long a rotated file is still watched after its successor has got its first bytes, for writers that keep it open a little longer.
	// It delays what the successor holds. Default none.
	Linger time.Duration
	// Now tells the time for Linger. Default time.Now.
	Now func() time.Time
	// Notice is told what an operator should know: a rotation, or bytes that went before they were read. May be nil.
	Notice func(Notice)

	// generation says of a name beside the followed one whether it is a rotated one. Default isRotated. Set by Set.
	generation func(path, suffix string) bool
	// elsewhere are further files in which a copy or the renamed file may be. Set by Set.
	elsewhere func() []string
	// pinned follows the one file that From names to its end, and nothing that comes under its name afterwards. Set by Set.
	pinned bool
}

// Position is a place in the lines of a file and its rotated copies. It names the file by what was read from it, so it
// stays good when the file is renamed or copied.
type Position struct {
	// Offset is how many bytes of that file were read.
	Offset int64 `json:"offset"`
	// Tail is the end of what was read, at most 256 bytes.
	Tail []byte `json:"tail"`
	// ID is the identity that the system gives to the file, such as its device and inode. Empty where there is none, and in positions of earlier versions.
	ID string `json:"id,omitempty"`
	// Cut says that Offset is inside of a line that was cut: the rest of it is to be left out.
	Cut bool `json:"cut,omitempty"`
	// Modified is when the file was last written to, in nanoseconds since 1970. When it is gone, older rotated files are known by it.
	Modified int64 `json:"modified,omitempty"`
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
	// Path is the name that the file had when it was opened. It may have another by now.
	Path string
	// Start is the offset of the first line. It is nought at the beginning of each file, also of one that was truncated.
	Start int64
	// Unended says that the last line has no end, and will not get one.
	Unended bool
	// CutOff says that the last line was longer than Options.LineBytesMax and is only its beginning.
	CutOff bool

	read []byte   // what precedes the first line, as far as it is remembered, then the lines with their ends
	ends []int    // ends[i] is where line i, with its end, ends in read
	base int64    // offset of read[0]
	left Position // at the beginning of a file, where the one before it was left
}

// Offset is where line i begins in its file.
func (b *Batch) Offset(i int) int64 {
	if i == 0 {
		return b.Start
	}
	return b.base + int64(b.ends[i-1])
}

// Before is the Position before line i: whoever goes on from it gets that line first. Before the first line of a file it is the end of the one before.
func (b *Batch) Before(i int) Position {
	if i == 0 && b.Start == 0 {
		return b.left
	}
	end := int(b.Start - b.base)
	if i > 0 {
		end = b.ends[i-1]
	}
	return Position{Offset: b.base + int64(end), Tail: bytes.Clone(b.read[max(0, end-tailBytesMax):end]), ID: b.Position.ID, Modified: b.Position.Modified}
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

	begun  bool       // begin has looked at the directory once
	before []Position // rotated files that are not to be read: their ends when they were left out

	open    *os.File  // the generation being read; nil before the first and after a loss
	name    string    // the name under which open was opened
	id      string    // the identity of open
	cutting bool      // offset is inside of a line whose beginning was handed out: the rest of it is left out
	leaving time.Time // since when there is a successor and nothing more came; zero when there is none
	left    []Position
	idle    *look // what a Poll that found nothing saw

	offset int64    // the next byte to read, always at the start of a line unless cutting
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
	if opts.Now == nil {
		opts.Now = time.Now
	}
	f := &File{path: path, opts: opts, before: slices.Clone(opts.Skip)}
	if opts.From != nil {
		f.last = *opts.From
	}
	return f
}

// Path is the followed name.
func (f *File) Path() string { return f.path }

// At is the Position behind the last line that was handed out, or from which the File goes on.
func (f *File) At() Position { return f.last }

// Skipped are the rotated files that are not read because they were there before. They matter for whoever goes on from an offset of nought: Options.Skip.
func (f *File) Skipped() []Position {
	if f.last.Offset > 0 {
		return nil
	}
	return f.before
}

// Unread is how many bytes of the open file are not handed out yet. What later files hold is not counted.
func (f *File) Unread() int64 {
	if f.open == nil {
		if info, err := os.Stat(f.path); err == nil {
			return max(0, info.Size()-f.last.Offset)
		}
		return 0
	}
	info, err := f.open.Stat()
	if err != nil {
		return 0
	}
	return max(0, info.Size()-f.offset)
}

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
	if f.quiet() {
		return Batch{}, nil
	}
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
			if err == nil && len(batch.Lines) == 0 {
				f.idle = f.look()
			}
			return batch, err
		}
	}
	return Batch{}, nil
}

// begin opens the generation to start with. It says false when there is none yet.
func (f *File) begin() (bool, error) {
	all, err := f.generations()
	if err != nil {
		return false, err
	}
	if from := f.opts.From; from != nil && (from.Offset > 0 || from.ID != "") {
		if file, path := f.find(all, *from); file != nil {
			f.open, f.name, f.id, f.offset, f.tail, f.seen = file, path, fileID(file), from.Offset, bytes.Clone(from.Tail), nil
			f.last, f.cutting = *from, from.Cut
			f.last.ID = f.id
			f.opts.From = nil
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
		if f.cutting {
			end := bytes.IndexByte(fresh, '\n') + 1
			f.cutting = end == 0
			if end == 0 {
				end = len(fresh)
			}
			read := buf[:len(f.tail)+end]
			f.tail = bytes.Clone(read[max(0, len(read)-tailBytesMax):])
			f.offset += int64(end)
			f.last = Position{Offset: f.offset, Tail: f.tail, ID: f.id, Cut: f.cutting, Modified: info.ModTime().UnixNano()}
			if f.cutting && len(fresh) < want {
				return Batch{}, true, nil // the line's end is not written yet
			}
			continue
		}
		end := bytes.LastIndexByte(fresh, '\n') + 1
		if final && len(fresh) < want {
			end = len(fresh)
		}
		if end == 0 {
			f.seen = bytes.Clone(fresh[:min(len(fresh), tailBytesMax)])
			if len(fresh) < want {
				return Batch{}, true, nil // the line's end is not written yet
			}
			switch {
			case want > f.opts.LineBytesMax && f.opts.Cut:
				end = f.opts.LineBytesMax
				batch.CutOff = true
			case want > f.opts.LineBytesMax:
				return Batch{}, true, fmt.Errorf("%s at byte %d: %w (more than %d bytes)", f.path, f.offset, ErrLineTooLong, f.opts.LineBytesMax)
			default:
				continue
			}
		}
		read := buf[:len(f.tail)+end]
		batch.Path, batch.Start, batch.read, batch.base = f.name, f.offset, read, f.offset-int64(len(f.tail))
		for rest := fresh[:end]; len(rest) > 0; {
			line, after, ended := bytes.Cut(rest, []byte{'\n'})
			batch.Lines = append(batch.Lines, line)
			batch.ends = append(batch.ends, len(read)-len(after))
			batch.Unended = !ended && !batch.CutOff
			rest = after
		}
		f.tail = bytes.Clone(read[max(0, len(read)-tailBytesMax):])
		f.offset, f.seen, f.cutting, f.leaving = f.offset+int64(end), nil, batch.CutOff, time.Time{}
		if batch.Start == 0 {
			batch.left = f.last
		}
		f.last = Position{Offset: f.offset, Tail: f.tail, ID: f.id, Cut: f.cutting, Modified: info.ModTime().UnixNano()}
		batch.Position = f.last
		return batch, true, nil
	}
}

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
