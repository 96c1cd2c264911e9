package segment

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// Writer lays out one segment, front to back. It is used once: Begin and Add for every log, then Finish.
type Writer struct {
	w       io.Writer
	offset  int64
	extents []Extent
	marks   []Mark // of all extents, in their order
}

// NewWriter writes to w, which is the file from its first byte.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Size is how many bytes were written so far.
func (w *Writer) Size() int64 { return w.offset }

// Begin says that what is added next belongs to log.
func (w *Writer) Begin(log commitlog.ID) {
	w.end()
	w.extents = append(w.extents, Extent{Log: log, Offset: w.offset})
}

// end drops an extent to which nothing was added.
func (w *Writer) end() {
	if n := len(w.extents); n > 0 && w.extents[n-1].Length == 0 {
		w.extents = w.extents[:n-1]
	}
}

// Add writes one whole batch, which info describes. A batch that does not follow the one before begins a new extent of the same log;
// one that stands before it is Internal.
func (w *Writer) Add(raw []byte, info batch.Info) error {
	if len(w.extents) == 0 {
		return fault.New(fault.Internal, "segment: a batch before any log")
	}
	e := &w.extents[len(w.extents)-1]
	if e.Length > 0 && info.Base != e.Next {
		if info.Base < e.Next {
			return fault.New(fault.Internal, "segment: log %s: batch at %d after %d", e.Log, info.Base, e.Next)
		}
		w.extents = append(w.extents, Extent{Log: e.Log, Offset: w.offset})
		e = &w.extents[len(w.extents)-1]
	}
	if e.Length == 0 {
		e.First, e.MinTimestamp, e.MaxTimestamp = info.Base, info.BaseTimestamp, info.MaxTimestamp
		w.mark(e, info)
	} else if w.offset-w.marks[len(w.marks)-1].Offset >= MarkBytes {
		w.mark(e, info)
	}
	if _, err := w.w.Write(raw); err != nil {
		return err
	}
	w.offset += int64(len(raw))
	e.Length += int64(len(raw))
	e.Next = info.Next()
	e.MinTimestamp = min(e.MinTimestamp, info.BaseTimestamp)
	e.MaxTimestamp = max(e.MaxTimestamp, info.MaxTimestamp)
	w.marks[len(w.marks)-1].MaxTimestamp = e.MaxTimestamp
	return nil
}

func (w *Writer) mark(e *Extent, info batch.Info) {
	w.marks = append(w.marks, Mark{Position: info.Base, Offset: w.offset})
	e.Marks++
}

// Finish writes index and footer and says what the segment is. Number and class are what the footer repeats, see Footer.
func (w *Writer) Finish(number uint64, class int64) (Footer, []Extent, error) {
	w.end()
	at := w.offset + indexHeaderSize + int64(len(w.extents))*extentSize
	marks := make([]byte, 0, len(w.marks)*markSize)
	next := 0
	for i := range w.extents {
		e := &w.extents[i]
		from := len(marks)
		for _, m := range w.marks[next : next+int(e.Marks)] {
			marks = binary.LittleEndian.AppendUint64(marks, uint64(m.Position))
			marks = binary.LittleEndian.AppendUint64(marks, uint64(m.Offset))
			marks = binary.LittleEndian.AppendUint64(marks, uint64(m.MaxTimestamp))
		}
		next += int(e.Marks)
		e.MarksOffset = at + int64(from)
		e.MarksCRC = crc32.Checksum(marks[from:], castagnoli)
	}
	index := appendExtents(make([]byte, 0, indexHeaderSize+len(w.extents)*extentSize+len(marks)+FooterSize), w.extents)
	index = append(index, marks...)
	footer := Footer{
		Version: version, Number: number, Class: class,
		IndexOffset: w.offset, IndexLength: int64(len(index)), IndexCRC: crc32.Checksum(index, castagnoli),
	}
	tail := footer.append(index)
	if _, err := w.w.Write(tail); err != nil {
		return Footer{}, nil, err
	}
	w.offset += int64(len(tail))
	return footer, w.extents, nil
}
