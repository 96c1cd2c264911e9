package disklog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// A journal file is a header and blocks, back to back; a block is a header and frames, back to back. All numbers are little-endian.
//
//	header, 512 bytes: one sector, so that no block shares it
//	┌─────────┬─────────┬──────┬────────┬──────┬────────────────┬─────────────┬──────┬───────┐
//	│ magic 8 │ version │ zero │ number │ salt │ first sequence │ incarnation │ zero │ crc 4 │
//	│         │       4 │    4 │      8 │    8 │              8 │           8 │  460 │       │
//	└─────────┴─────────┴──────┴────────┴──────┴────────────────┴─────────────┴──────┴───────┘
//	block
//	┌────────────────┬────────────┬──────────┬──────────┬───────┬────────┐
//	│ magic ^ salt 8 │ sequence 8 │ synced 8 │ length 4 │ crc 4 │ frames │
//	└────────────────┴────────────┴──────────┴──────────┴───────┴────────┘
//	frame
//	┌──────┬────────┬──────────┬─────────┬──────────┬─────────┐
//	│ kind │ zero 3 │ member 4 │ group 8 │ length 4 │ payload │
//	│    1 │        │          │         │          │         │
//	└──────┴────────┴──────────┴─────────┴──────────┴─────────┘
//
// Sequence counts the blocks of the store, over all files. Synced is the highest sequence that was durable for certain when the block was
// written. Both checksums are CRC-32C: the header's over all before it, the block's over its header up to it and over the frames.
//
// The salt is random. It ties a block to its file, so that bytes left from another file, or bytes that a customer wrote to look like a
// block, are never taken for one, not even while searching behind damage.

// Versions of the journal file, oldest first. Replay knows all of them; a newer one is refused by name.
//
//	1  2026-11  the first
const journalVersion = 1

const (
	journalMagic = uint64(0x4c4e4a52494557) // "WEIRJNL\0" in the file
	blockMagic   = uint64(0x4b4c4252494557) // "WEIRBLK\0" before the salt

	journalHeaderSize = 512
	blockHeaderSize   = 32
	frameHeaderSize   = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func journalName(number uint64) string { return fmt.Sprintf("journal-%016d", number) }

// journalHeader is the first sector of a journal file.
type journalHeader struct {
	number      uint64
	salt        uint64
	first       uint64 // sequence of the first block; everything below it is durable, in this file's predecessors or in segments
	incarnation uint64
}

func (h journalHeader) encode() []byte {
	b := make([]byte, journalHeaderSize)
	binary.LittleEndian.PutUint64(b, journalMagic)
	binary.LittleEndian.PutUint32(b[8:], journalVersion)
	binary.LittleEndian.PutUint64(b[16:], h.number)
	binary.LittleEndian.PutUint64(b[24:], h.salt)
	binary.LittleEndian.PutUint64(b[32:], h.first)
	binary.LittleEndian.PutUint64(b[40:], h.incarnation)
	binary.LittleEndian.PutUint32(b[journalHeaderSize-4:], crc32.Checksum(b[:journalHeaderSize-4], castagnoli))
	return b
}

// decodeJournalHeader is Corrupt for what is no header, Unsupported for that of a newer version.
func decodeJournalHeader(b []byte) (journalHeader, error) {
	if len(b) < journalHeaderSize {
		return journalHeader{}, fault.New(fault.Corrupt, "the header is cut short: %d bytes of %d", len(b), journalHeaderSize)
	}
	b = b[:journalHeaderSize]
	if binary.LittleEndian.Uint64(b) != journalMagic || crc32.Checksum(b[:journalHeaderSize-4], castagnoli) != binary.LittleEndian.Uint32(b[journalHeaderSize-4:]) {
		return journalHeader{}, fault.New(fault.Corrupt, "the header at byte 0 is damaged")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v == 0 || v > journalVersion {
		return journalHeader{}, fault.New(fault.Unsupported, "journal version %d: this Weir knows versions up to %d", v, journalVersion)
	}
	return journalHeader{
		number:      binary.LittleEndian.Uint64(b[16:]),
		salt:        binary.LittleEndian.Uint64(b[24:]),
		first:       binary.LittleEndian.Uint64(b[32:]),
		incarnation: binary.LittleEndian.Uint64(b[40:]),
	}, nil
}

// finishBlock fills in the header in front of a block whose bytes are regions, back to back.
func finishBlock(regions [][]byte, salt, sequence, synced uint64) {
	size := 0
	for _, r := range regions {
		size += len(r)
	}
	h := regions[0][:blockHeaderSize]
	binary.LittleEndian.PutUint64(h, blockMagic^salt)
	binary.LittleEndian.PutUint64(h[8:], sequence)
	binary.LittleEndian.PutUint64(h[16:], synced)
	binary.LittleEndian.PutUint32(h[24:], uint32(size-blockHeaderSize))
	crc := crc32.Update(0, castagnoli, h[:28])
	crc = crc32.Update(crc, castagnoli, regions[0][blockHeaderSize:])
	for _, r := range regions[1:] {
		crc = crc32.Update(crc, castagnoli, r)
	}
	binary.LittleEndian.PutUint32(h[28:], crc)
}

// journalBlock is a block as read.
type journalBlock struct {
	sequence uint64
	synced   uint64
	body     []byte // the frames
	size     int    // of header and frames
}

// decodeBlock reads the block that b begins with, and says whether there is a whole one.
func decodeBlock(b []byte, salt uint64) (journalBlock, bool) {
	if len(b) < blockHeaderSize || binary.LittleEndian.Uint64(b) != blockMagic^salt {
		return journalBlock{}, false
	}
	length := int64(binary.LittleEndian.Uint32(b[24:]))
	if length > int64(len(b)-blockHeaderSize) {
		return journalBlock{}, false
	}
	body := b[blockHeaderSize : blockHeaderSize+length]
	crc := crc32.Update(crc32.Update(0, castagnoli, b[:28]), castagnoli, body)
	if crc != binary.LittleEndian.Uint32(b[28:]) {
		return journalBlock{}, false
	}
	return journalBlock{
		sequence: binary.LittleEndian.Uint64(b[8:]),
		synced:   binary.LittleEndian.Uint64(b[16:]),
		body:     body,
		size:     blockHeaderSize + int(length),
	}, true
}

// findBlock looks for the first whole block in b that want accepts, at any place, and says where it is; -1 when there is none.
func findBlock(b []byte, salt uint64, want func(journalBlock) bool) (int, journalBlock) {
	magic := binary.LittleEndian.AppendUint64(nil, blockMagic^salt)
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], magic)
		if next < 0 {
			return -1, journalBlock{}
		}
		at += next
		if block, ok := decodeBlock(b[at:], salt); ok && want(block) {
			return at, block
		}
	}
}

// frameKind says what a frame does. The numbers are on the disk.
type frameKind uint8

const (
	frameAppend    frameKind = 1 // payload: a batch with its base position
	frameCreate    frameKind = 2 // payload: retention, ns
	frameDelete    frameKind = 3 // no payload
	frameConfigure frameKind = 4 // payload: retention, ns
	frameTrim      frameKind = 5 // payload: the first position that is kept
	frameSeal      frameKind = 6 // payload: the position of the first record that will never be
)

// journalFrame is a frame as read.
type journalFrame struct {
	kind    frameKind
	log     commitlog.ID
	payload []byte
}

// value is the payload of every kind but append and delete.
func (f journalFrame) value() (int64, error) {
	if len(f.payload) != 8 {
		return 0, fault.New(fault.Corrupt, "frame of kind %d: payload of %d bytes", f.kind, len(f.payload))
	}
	return int64(binary.LittleEndian.Uint64(f.payload)), nil
}

func putFrameHeader(b []byte, kind frameKind, log commitlog.ID, length int) {
	binary.LittleEndian.PutUint32(b, uint32(kind))
	binary.LittleEndian.PutUint32(b[4:], log.Member)
	binary.LittleEndian.PutUint64(b[8:], log.Group)
	binary.LittleEndian.PutUint32(b[16:], uint32(length))
}

// decodeFrame reads the frame that body begins with and gives what is behind it.
func decodeFrame(body []byte) (f journalFrame, rest []byte, err error) {
	if len(body) < frameHeaderSize {
		return f, nil, fault.New(fault.Corrupt, "frame cut short: %d bytes", len(body))
	}
	kind := binary.LittleEndian.Uint32(body)
	if kind == 0 || kind > uint32(frameSeal) {
		return f, nil, fault.New(fault.Unsupported, "frame of kind %d: this Weir does not know it", kind)
	}
	length := int64(binary.LittleEndian.Uint32(body[16:]))
	if length > int64(len(body)-frameHeaderSize) {
		return f, nil, fault.New(fault.Corrupt, "frame of kind %d: %d bytes of %d", kind, len(body)-frameHeaderSize, length)
	}
	f = journalFrame{
		kind:    frameKind(kind),
		log:     commitlog.ID{Group: binary.LittleEndian.Uint64(body[8:]), Member: binary.LittleEndian.Uint32(body[4:])},
		payload: body[frameHeaderSize : frameHeaderSize+length],
	}
	return f, body[frameHeaderSize+length:], nil
}
