// Package eventstream is the framing in which AWS services push events: application/vnd.amazon.eventstream.
//
// It owns the bytes of a frame, both ways. What the payload means belongs to the service, when a frame is sent to whoever holds the connection.
//
// A stream is frame behind frame, without anything between them. Integers are big-endian.
//
//	 4 bytes        4 bytes      4 bytes                                          4 bytes
//	+--------------+------------+-------------+-----------------+----------------+-------------+
//	| total length | headers    | prelude CRC | headers         | payload        | message CRC |
//	|              | length     |             | (their length)  | (what is left) |             |
//	+--------------+------------+-------------+-----------------+----------------+-------------+
//	|<------ the prelude ------>|
//	|<---------------------------- total length --------------------------------------------->|
//
// The prelude CRC is of the 8 bytes before it, the message CRC of everything before it; both are CRC-32 (IEEE 802.3). Headers lie back to back:
//
//	 1 byte   name length bytes   1 byte   as the type says
//	+--------+-------------------+--------+-----------------------------+
//	| name   | name              | type   | value                       |
//	| length |                   |        |                             |
//	+--------+-------------------+--------+-----------------------------+
//
//	type  0, 1  true, false          no bytes
//	      2     int8                 1 byte
//	      3     int16                2
//	      4     int32                4
//	      5     int64                8
//	      6     bytes                2 bytes of length, then as many
//	      7     text, UTF-8          2 bytes of length, then as many
//	      8     timestamp            8, int64 milliseconds since 1970
//	      9     UUID                 16
//
// Damage: a CRC that is not that of the bytes, a length that is out of bounds or does not add up, a header that ends outside its block, a type that is not in the list.
// All are fault.Corrupt, and the stream cannot be read on: where the next frame begins was said by the damaged one.
//
// Source: the encoding as AWS's SDKs implement it (smithy.io "Amazon Event Stream Specification", read 2026-11).
//
// Read append.go, then decode.go.
package eventstream

// ContentType is the Content-Type of a body of frames.
const ContentType = "application/vnd.amazon.eventstream"

// Bounds of a frame, as botocore's decoder has them: HeadersMax bytes of headers, PayloadMax of payload.
const (
	HeadersMax = 128 << 10
	PayloadMax = 24 << 20
)

const (
	preludeBytes = 12 // with its CRC
	crcBytes     = 4
	frameMin     = preludeBytes + crcBytes
	frameMax     = frameMin + HeadersMax + PayloadMax

	// valueMax is the longest text or byte string of a header (aws-sdk-go-v2, maxHeaderValueLen: 2^15−1).
	valueMax = 1<<15 - 1
)

// Type is the type of a header's value, as it stands in the frame.
type Type byte

// The types.
const (
	True Type = iota
	False
	Int8
	Int16
	Int32
	Int64
	Bytes
	Text
	Timestamp
	UUID
)

// width is how many bytes the value of a type has; -1 when it says so itself.
var width = [...]int{True: 0, False: 0, Int8: 1, Int16: 2, Int32: 4, Int64: 8, Bytes: -1, Text: -1, Timestamp: 8, UUID: 16}
