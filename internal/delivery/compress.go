package delivery

import (
	"archive/zip"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// coding is what a compression makes of an object: what its name ends in, and the Content-Encoding, as recorded of AWS.
type coding struct{ extension, encoding string }

var codings = map[Compression]coding{
	Uncompressed: {},
	Gzip:         {".gz", "gzip"},
	Zip:          {".zip", "zip"},
	Snappy:       {".snappy", "snappy-java"},
	HadoopSnappy: {".snappy", "hadoop-snappy"},
}

// compress gives a writer that compresses into w. Closing it writes what is left, and leaves w open. entry is the name of the file in a zip file.
func compress(c Compression, w io.Writer, entry string) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zip:
		archive := zip.NewWriter(w)
		file, err := archive.Create(entry)
		return zipWriter{file, archive}, err
	case Snappy:
		if _, err := w.Write(xerialHeader); err != nil {
			return nil, err
		}
		return &blockWriter{to: w, most: xerialBlock, frame: xerialFrame}, nil
	case HadoopSnappy:
		return &blockWriter{to: w, most: hadoopBlock, frame: hadoopFrame}, nil
	default:
		return plainWriter{w}, nil
	}
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// zipWriter is the one file of a zip file, deflated.
type zipWriter struct {
	io.Writer
	archive *zip.Writer
}

func (z zipWriter) Close() error { return z.archive.Close() }

// Snappy has no format of files of its own; two are usual, and Firehose has both. In each, blocks follow one another to the end:
//
//	snappy-java (xerial)   magic (8) · version 1 (4) · oldest version that reads it 1 (4), then for each block: compressed bytes (4) · block
//	Hadoop                 for each block: bytes before compression (4) · compressed bytes (4) · block
//
// Numbers are big-endian. Blocks are as large as the writers of those libraries make them: 32 KiB; and what their buffer of 256 KiB holds after the worst compression.
var xerialHeader = []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")

const (
	xerialBlock = 32 << 10
	hadoopBlock = 256<<10 - (256<<10/6 + 32)
)

func xerialFrame(out []byte, _, compressed int) []byte {
	return binary.BigEndian.AppendUint32(out, uint32(compressed))
}

func hadoopFrame(out []byte, plain, compressed int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, uint32(plain)), uint32(compressed))
}

// blockWriter gathers blocks, compresses each with Snappy and writes it behind its frame.
type blockWriter struct {
	to      io.Writer
	most    int // bytes of a block before compression
	frame   func(out []byte, plain, compressed int) []byte
	pending []byte // of the block that is gathered: less than most
	block   []byte // scratch
	head    []byte // scratch
}

func (b *blockWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(b.most-len(b.pending), len(p))
		b.pending, p = append(b.pending, p[:take]...), p[take:]
		if len(b.pending) == b.most {
			if err := b.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (b *blockWriter) flush() error {
	if cap(b.block) == 0 {
		b.block = make([]byte, snappy.MaxEncodedLen(b.most))
	}
	block := snappy.Encode(b.block[:cap(b.block)], b.pending)
	b.head = b.frame(b.head[:0], len(b.pending), len(block))
	b.pending = b.pending[:0]
	if _, err := b.to.Write(b.head); err != nil {
		return err
	}
	_, err := b.to.Write(block)
	return err
}

// Close writes the block that is gathered.
func (b *blockWriter) Close() error {
	if len(b.pending) == 0 {
		return nil
	}
	return b.flush()
}
