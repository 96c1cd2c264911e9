package segment

import (
	"encoding/binary"
	"hash/crc32"
)

// FixChecksums makes the checksums of a file match its bytes, as far as it looks like a segment.
func FixChecksums(file []byte) {
	if len(file) < FooterSize {
		return
	}
	le := binary.LittleEndian
	footer := file[len(file)-FooterSize:]
	at, length := le.Uint64(footer[32:]), le.Uint64(footer[40:])
	size := uint64(len(file))
	if at <= size && length <= size-at {
		index := file[at : at+length]
		if len(index) >= indexHeaderSize {
			for row := index[indexHeaderSize:]; len(row) >= extentSize; row = row[extentSize:] {
				marksAt, marks := le.Uint64(row[64:]), uint64(le.Uint32(row[12:]))*markSize
				if marksAt <= size && marks <= size-marksAt {
					le.PutUint32(row[72:], crc32.Checksum(file[marksAt:marksAt+marks], castagnoli))
				}
			}
		}
		le.PutUint32(footer[12:], crc32.Checksum(index, castagnoli))
	}
	le.PutUint32(footer[FooterSize-4:], crc32.Checksum(footer[:FooterSize-4], castagnoli))
}
