package segment

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// Versions of the segment file, oldest first. A reader knows all of them and refuses a newer one by name.
//
//	1  2026-11  the first
const version = 1

const (
	magic           = uint64(0x47455352494557) // "WEIRSEG\0" in the file
	indexHeaderSize = 8
	extentSize      = 80
	markSize        = 24

	// FooterSize is the last bytes of every segment file.
	FooterSize = 64
)

// Footer is the end of a segment file; it says where the index is.
type Footer struct {
	Version     uint32
	Number      uint64 // of the segment, as in its file name
	Class       int64  // the retention its logs had when it was written, ns; 0 is for ever
	IndexOffset int64  // where the batches end
	IndexLength int64
	IndexCRC    uint32
}

// Size is the length of the whole file.
func (f Footer) Size() int64 { return f.IndexOffset + f.IndexLength + FooterSize }

func (f Footer) append(b []byte) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint64(b, magic)
	b = binary.LittleEndian.AppendUint32(b, f.Version)
	b = binary.LittleEndian.AppendUint32(b, f.IndexCRC)
	b = binary.LittleEndian.AppendUint64(b, f.Number)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Class))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.IndexOffset))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.IndexLength))
	b = append(b, make([]byte, 12)...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// DecodeFooter reads the last FooterSize bytes of a file of size bytes. Corrupt when they are not a footer that fits; Unsupported when
// a newer Weir wrote them.
func DecodeFooter(b []byte, size int64) (Footer, error) {
	if len(b) != FooterSize || binary.LittleEndian.Uint64(b) != magic {
		return Footer{}, fault.New(fault.Corrupt, "the file does not end in a segment footer: it is cut short or overwritten")
	}
	if crc32.Checksum(b[:FooterSize-4], castagnoli) != binary.LittleEndian.Uint32(b[FooterSize-4:]) {
		return Footer{}, fault.New(fault.Corrupt, "segment footer: checksum does not match")
	}
	f := Footer{
		Version:     binary.LittleEndian.Uint32(b[8:]),
		IndexCRC:    binary.LittleEndian.Uint32(b[12:]),
		Number:      binary.LittleEndian.Uint64(b[16:]),
		Class:       int64(binary.LittleEndian.Uint64(b[24:])),
		IndexOffset: int64(binary.LittleEndian.Uint64(b[32:])),
		IndexLength: int64(binary.LittleEndian.Uint64(b[40:])),
	}
	if f.Version > version || f.Version == 0 {
		return Footer{}, fault.New(fault.Unsupported, "segment version %d: this Weir knows versions up to %d", f.Version, version)
	}
	if f.IndexOffset < 0 || f.IndexLength < indexHeaderSize || f.IndexOffset > size || f.IndexLength > size || f.Size() != size {
		return Footer{}, fault.New(fault.Corrupt, "segment footer: index at %d of %d bytes does not fit a file of %d bytes", f.IndexOffset, f.IndexLength, size)
	}
	return f, nil
}

func appendExtents(b []byte, extents []Extent) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(extents)))
	for _, e := range extents {
		b = binary.LittleEndian.AppendUint64(b, e.Log.Group)
		b = binary.LittleEndian.AppendUint32(b, e.Log.Member)
		b = binary.LittleEndian.AppendUint32(b, e.Marks)
		for _, v := range [...]int64{e.First, e.Next, e.Offset, e.Length, e.MinTimestamp, e.MaxTimestamp, e.MarksOffset} {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		b = binary.LittleEndian.AppendUint32(b, e.MarksCRC)
		b = binary.LittleEndian.AppendUint32(b, 0)
	}
	return b
}

// DecodeIndex reads the index that f announces. Corrupt when it is not what was written.
func DecodeIndex(b []byte, f Footer) ([]Extent, error) {
	if int64(len(b)) != f.IndexLength || len(b) < indexHeaderSize || crc32.Checksum(b, castagnoli) != f.IndexCRC {
		return nil, fault.New(fault.Corrupt, "segment index: checksum does not match")
	}
	count := binary.LittleEndian.Uint64(b)
	b = b[indexHeaderSize:]
	if count > uint64(len(b)/extentSize) {
		return nil, fault.New(fault.Corrupt, "segment index: %d extents in %d bytes", count, len(b))
	}
	marksFrom := f.IndexOffset + indexHeaderSize + int64(count)*extentSize
	marksTo := f.IndexOffset + f.IndexLength
	extents := make([]Extent, count)
	for i := range extents {
		row := b[i*extentSize:][:extentSize]
		word := func(at int) int64 { return int64(binary.LittleEndian.Uint64(row[at:])) }
		e := Extent{
			Log:   commitlog.ID{Group: binary.LittleEndian.Uint64(row), Member: binary.LittleEndian.Uint32(row[8:])},
			Marks: binary.LittleEndian.Uint32(row[12:]),
			First: word(16), Next: word(24), Offset: word(32), Length: word(40),
			MinTimestamp: word(48), MaxTimestamp: word(56), MarksOffset: word(64),
			MarksCRC: binary.LittleEndian.Uint32(row[72:]),
		}
		fits := e.First >= 0 && e.Next > e.First &&
			e.Offset >= 0 && e.Length > 0 && e.Length <= f.IndexOffset && e.Offset <= f.IndexOffset-e.Length &&
			e.Marks > 0 && e.MarksOffset >= marksFrom && e.MarksOffset <= marksTo && int64(e.Marks) <= (marksTo-e.MarksOffset)/markSize
		if !fits {
			return nil, fault.New(fault.Corrupt, "segment index: extent %d of log %s does not fit", i, e.Log)
		}
		extents[i] = e
	}
	return extents, nil
}

// MarksSize is how many bytes e's marks take from e.MarksOffset on.
func (e Extent) MarksSize() int { return int(e.Marks) * markSize }

// DecodeMarks reads the MarksSize bytes at e.MarksOffset. Corrupt when they are not what was written.
func DecodeMarks(b []byte, e Extent) ([]Mark, error) {
	if len(b) != e.MarksSize() || crc32.Checksum(b, castagnoli) != e.MarksCRC {
		return nil, fault.New(fault.Corrupt, "segment index: marks of log %s: checksum does not match", e.Log)
	}
	marks := make([]Mark, e.Marks)
	for i := range marks {
		row := b[i*markSize:]
		m := Mark{
			Position:     int64(binary.LittleEndian.Uint64(row)),
			Offset:       int64(binary.LittleEndian.Uint64(row[8:])),
			MaxTimestamp: int64(binary.LittleEndian.Uint64(row[16:])),
		}
		ordered := m.Position >= e.First && m.Position < e.Next && m.Offset >= e.Offset && m.Offset < e.End() &&
			(i > 0 || m.Position == e.First && m.Offset == e.Offset) &&
			(i == 0 || m.Position > marks[i-1].Position && m.Offset > marks[i-1].Offset && m.MaxTimestamp >= marks[i-1].MaxTimestamp)
		if !ordered {
			return nil, fault.New(fault.Corrupt, "segment index: mark %d of log %s is out of order", i, e.Log)
		}
		marks[i] = m
	}
	return marks, nil
}
