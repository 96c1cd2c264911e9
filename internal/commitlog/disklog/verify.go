package disklog

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
)

// Checked is how much Verify has looked at.
type Checked struct {
	Files   int
	Bytes   int64
	Batches int64
	Records int64                  // of all logs; what a record is, whoever wrote a log knows
	ByLog   map[commitlog.ID]int64 `json:"-"` // Records, of each log that has some
}

// count adds the records of a batch.
func (c *Checked) count(id commitlog.ID, records int) {
	c.Batches++
	c.Records += int64(records)
	c.ByLog[id] += int64(records)
}

// progressEvery is how many bytes are checked between two words about it.
const progressEvery = 4 << 20

// Verify reads every byte of the segment files and holds it against its checksums, the index against the batches, and the batches against the manifest.
// What is wrong is in Findings. progress, which may be nil, is told the bytes read so far. An error is the device's or the context's, never damage.
//
// Batches that no log wants any more are checked too: their damage is a note, but it says that the device is failing.
func (im *Image) Verify(ctx context.Context, progress func(bytes int64)) (Checked, error) {
	c := Checked{ByLog: map[commitlog.ID]int64{}}
	said := int64(0)
	tell := func() {
		if progress != nil && c.Bytes-said >= progressEvery {
			progress(c.Bytes)
			said = c.Bytes
		}
	}
	for _, j := range im.journals { // checked by reading them
		c.Files++
		c.Bytes += int64(j.size)
		for _, b := range j.blocks {
			for body := b.body; len(body) > 0; {
				f, rest, err := decodeFrame(body)
				if err != nil {
					return c, err // salvage has decoded it
				}
				if f.kind == frameAppend {
					im.verifyAppend(j.number, b.at, f, &c)
				}
				body = rest
			}
		}
		tell()
	}
	for _, seg := range im.store.segments {
		c.Files++
		if err := im.verifySegment(ctx, seg, &c, tell); err != nil {
			return c, err
		}
	}
	if progress != nil {
		progress(c.Bytes)
	}
	return c, nil
}

// verifyAppend holds a batch of the journal against its own checksum: the block's has been checked, so what differs was wrong when it was written.
func (im *Image) verifyAppend(journal uint64, at int, f journalFrame, c *Checked) {
	info, err := batch.Peek(f.payload)
	if err == nil {
		err = batch.Check(f.payload)
	}
	c.count(f.log, info.Records)
	if err != nil {
		im.found(Finding{Kind: JournalDamaged, File: journalName(journal), At: int64(at), Log: f.log, Text: fmt.Sprintf("%s: log %s: block at byte %d: %v", journalName(journal), f.log, at, err)})
	}
}

// verifySegment checks one file: its pieces fill it up to the index, each holds the positions that its row says, and the marks point to batches.
func (im *Image) verifySegment(ctx context.Context, seg *segmentFile, c *Checked, tell func()) error {
	ref := manifestSegmentRef{seg.footer.Number, seg.footer.Size(), seg.footer.Class, seg.footer.IndexCRC}
	_, rows, err := readIndex(seg.file, ref)
	if err != nil {
		return err // it could be read a moment ago
	}
	tail := make([]byte, segment.FooterSize)
	if err := readFull(seg.file, tail, seg.footer.Size()-segment.FooterSize); err != nil {
		return err
	}
	end := int64(0)
	for _, row := range rows {
		if row.Offset != end {
			im.found(Finding{Kind: SegmentLost, File: seg.name(), At: end, To: row.Offset, Text: fmt.Sprintf("%s: bytes %d to %d belong to no log: the index does not fit the file", seg.name(), end, row.Offset-1)})
		}
		end = row.End()
		if err := im.verifyExtent(ctx, seg, row, c, tell); err != nil {
			return err
		}
	}
	if end != seg.footer.IndexOffset {
		im.found(Finding{Kind: SegmentLost, File: seg.name(), At: end, To: seg.footer.IndexOffset, Text: fmt.Sprintf("%s: bytes %d to %d belong to no log: the index does not fit the file", seg.name(), end, seg.footer.IndexOffset-1)})
	}
	c.Bytes += seg.footer.IndexLength + segment.FooterSize
	tell()
	return nil
}

// verifyWindow is how much of an extent is read at once.
const verifyWindow = 1 << 20

func (im *Image) verifyExtent(ctx context.Context, seg *segmentFile, row segment.Extent, c *Checked, tell func()) error {
	l := im.store.logs[row.Log]
	wanted := l != nil && slices.ContainsFunc(l.extents, func(e extent) bool { return e.segment == seg && e.first == row.First })
	if l == nil {
		l = &log{store: im.store, id: row.Log}
	}
	e := newExtent(seg, row)
	marks, err := e.loadMarks(row.Log)
	if fault.Is(err, fault.Corrupt) {
		im.found(Finding{Kind: MarksDamaged, File: seg.name(), At: row.MarksOffset, To: row.MarksOffset + int64(row.MarksSize()), Log: row.Log, Positions: true, First: row.First, Next: row.Next,
			Text: fmt.Sprintf("%s: log %s: the marks of positions %d to %d are damaged: nothing is lost, but reads begin further back", seg.name(), row.Log, row.First, row.Next-1)})
	} else if err != nil {
		return err
	}
	high := int64(math.MinInt64)
	damaged := false
	for scan := l.scan(e, verifyWindow); scan.position < e.next; {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := scan.offset
		raw, info, err := scan.next()
		if d, is := DamageOf(err); is {
			damaged = true
			scan.skip(d)
			text := d.Error()
			if !wanted {
				text = fmt.Sprintf("%s at byte %d: damaged, where nothing is wanted any more (log %s, positions %d to %d)", d.File, d.At, d.Log, d.From, d.To-1)
			}
			im.found(Finding{Kind: BatchDamaged, Text: text, File: d.File, At: d.At, To: scan.offset, Log: d.Log, Positions: wanted, First: d.From, Next: d.To})
			c.Bytes += scan.offset - at
			continue
		}
		if err != nil {
			return err
		}
		if epoch := raw[12:16]; epoch[0]|epoch[1]|epoch[2]|epoch[3] != 0 { // outside the checksum, always zero, and read by nobody
			im.found(Finding{Kind: BatchDamaged, File: seg.name(), At: at + 12, To: at + 16, Log: row.Log, Text: fmt.Sprintf(
				"%s at byte %d: four bytes that are always zero are not (log %s, position %d): the record is whole, the device is not", seg.name(), at+12, row.Log, info.Base)})
		}
		high = max(high, info.MaxTimestamp)
		for _, m := range marks {
			if m.Offset == at && m.Position != info.Base {
				im.found(Finding{Kind: MarksDamaged, File: seg.name(), At: row.MarksOffset, Log: row.Log, Text: fmt.Sprintf("%s: log %s: a mark says position %d at byte %d, where %d stands", seg.name(), row.Log, m.Position, at, info.Base)})
			}
		}
		c.count(row.Log, info.Records)
		c.Bytes += int64(len(raw))
		tell()
	}
	if !damaged && high != row.MaxTimestamp {
		im.found(Finding{Kind: SegmentLost, File: seg.name(), Log: row.Log, Text: fmt.Sprintf("%s: log %s: the index says that the newest record is of %d ms, and it is of %d", seg.name(), row.Log, row.MaxTimestamp, high)})
	}
	return nil
}
