package follow

import (
	"bytes"
)

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
