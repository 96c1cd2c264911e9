// Package segment is the bytes of a segment file: many logs side by side, each log's batches in one piece, and an index at the end.
//
// It owns the layout and its checks; it knows no file, clock or goroutine. Which logs share a segment, when one is written, merged or
// deleted belongs to disklog. Every byte is drawn in docs/format/disklog.md:
//
//	┌──────────────────────┬──────────────────────┬───┬───────┬────────┐
//	│ batches of one log   │ batches of the next  │ … │ index │ footer │
//	└──────────────────────┴──────────────────────┴───┴───────┴────────┘
//	0                                                          size − 64
//
// A log's run of batches is an extent. A log may have several extents in one segment, when positions between them lie elsewhere.
// The index has a row per extent and, every MarkBytes, a mark: position, place, and the highest timestamp so far.
//
// Read Extent and Mark, then Writer, then Footer.
package segment

import (
	"hash/crc32"

	"github.com/weir-stream/weir/internal/commitlog"
)

// MarkBytes is the distance of marks: what a reader that starts in the middle reads in vain, at most, and a batch more.
// 64 KiB costs 24 bytes of index for it, 0.04 %.
const MarkBytes = 64 << 10

// Extent is a run of one log's batches, whole and in order, with no position missing between First and Next.
type Extent struct {
	Log          commitlog.ID
	First        int64 // position of the first record
	Next         int64 // position behind the last record; > First
	Offset       int64 // of the first batch in the file
	Length       int64 // bytes of all batches
	MinTimestamp int64 // the lowest base timestamp of a batch, ms since 1970
	MaxTimestamp int64 // the highest timestamp of a record, ms since 1970

	MarksOffset int64  // of the marks in the file
	Marks       uint32 // how many; at least 1
	MarksCRC    uint32 // of their bytes, so that they can be read by themselves
}

// End is where the extent's bytes end in the file.
func (e Extent) End() int64 { return e.Offset + e.Length }

// Mark says where in an extent a batch begins. The marks of an extent are in order; the first is the extent's first batch.
type Mark struct {
	Position int64 // of the batch's first record
	Offset   int64 // of the batch in the file
	// MaxTimestamp is the highest timestamp from the beginning of the extent up to the next mark. It never falls from mark to mark, so
	// the first mark whose MaxTimestamp ≥ t begins the stretch that holds the first record at or after t.
	MaxTimestamp int64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
