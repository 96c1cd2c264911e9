package segment

import "encoding/binary"

// SalvageIndex reads what rows it can of an index whose checksum is wrong, b being the bytes between the batches, which end at indexOffset, and the footer.
// A row that it gives fits the file, and no more: that the batches are there, and are of the log that the row names, is for the caller to prove. Marks are left out.
func SalvageIndex(b []byte, indexOffset int64) []Extent {
	var rows []Extent
	for at := indexHeaderSize; at+extentSize <= len(b); at += extentSize {
		row := b[at:][:extentSize]
		word := func(at int) int64 { return int64(binary.LittleEndian.Uint64(row[at:])) }
		var e Extent
		e.Log.Group, e.Log.Member = binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint32(row[8:])
		e.First, e.Next, e.Offset, e.Length, e.MinTimestamp, e.MaxTimestamp = word(16), word(24), word(32), word(40), word(48), word(56)
		if e.First >= 0 && e.Next > e.First && e.Offset >= 0 && e.Length > 0 && e.Length <= indexOffset && e.Offset <= indexOffset-e.Length {
			rows = append(rows, e)
		}
	}
	return rows
}
