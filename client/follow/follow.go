// Package follow reads the lines of files that grow and are rotated.
//
// It owns what happens at a rotation: nothing is read twice and nothing is left behind while the bytes still exist under
// some name. It does not wait, send or remember: the caller polls when it likes, and keeps the Position of what it has
// dealt with.
//
// Read File.Poll, then rotate.go and generations.go, which puts the rotated files of one name in order, then Set, which follows every
// file of a folder whose name matches.
package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// Notice is something that happened to a followed file.
type Notice struct {
	Path string
	// Lost says that bytes went before they were read; otherwise nothing is missing.
	Lost bool
	Text string
}

// String is the notice on a line, as an operator reads it.
func (n Notice) String() string { return n.Path + ": " + n.Text }

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

func (f *File) notice(lost bool, text string) {
	if f.opts.Notice != nil {
		f.opts.Notice(Notice{Path: f.path, Lost: lost, Text: text})
	}
}
