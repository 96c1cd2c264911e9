package eventstream

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// AppendText appends a header with a text value to a block of headers. Name and value are the program's own, and short: it panics when they do not fit.
func AppendText(headers []byte, name, value string) []byte {
	if len(name) == 0 || len(name) > 255 || len(value) > valueMax {
		panic(fmt.Sprintf("eventstream: header %.20q with %d bytes", name, len(value)))
	}
	headers = append(append(headers, byte(len(name))), name...)
	headers = binary.BigEndian.AppendUint16(append(headers, byte(Text)), uint16(len(value)))
	return append(headers, value...)
}

// Begin appends the beginning of a frame with a block of headers. The caller appends the payload and calls End with the place where the frame
// began, len(dst) before Begin: so the payload is written once, where it stays. It allocates only when dst lacks room.
//
//	start := len(dst)
//	dst = eventstream.Begin(dst, headers)
//	dst = append(dst, payload...)
//	dst = eventstream.End(dst, start)
func Begin(dst, headers []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 0) // End knows the length
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers)))
	dst = binary.BigEndian.AppendUint32(dst, 0)
	return append(dst, headers...)
}

// End finishes the frame that begins at start: everything behind its headers is its payload.
func End(dst []byte, start int) []byte {
	frame := dst[start:]
	binary.BigEndian.PutUint32(frame, uint32(len(frame)+crcBytes))
	binary.BigEndian.PutUint32(frame[8:], crc32.ChecksumIEEE(frame[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(frame))
}

// Append appends a whole frame.
func Append(dst, headers, payload []byte) []byte {
	start := len(dst)
	return End(append(Begin(dst, headers), payload...), start)
}
