package delivery

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// decompress reads an object with what is not our own as far as there is such a thing: the standard library; and, for the frames around blocks of Snappy, from their description.
func decompress(t *testing.T, c Compression, b []byte) []byte {
	t.Helper()
	switch c {
	case Gzip:
		r, err := gzip.NewReader(bytes.NewReader(b))
		must(t, err)
		out, err := io.ReadAll(r)
		must(t, err)
		return out
	case Zip:
		r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		must(t, err)
		if len(r.File) != 1 || r.File[0].Method != zip.Deflate {
			t.Fatalf("%d files", len(r.File))
		}
		f, err := r.File[0].Open()
		must(t, err)
		out, err := io.ReadAll(f)
		must(t, err)
		return out
	case Snappy, HadoopSnappy:
		if c == Snappy {
			if string(b[:8]) != "\x82SNAPPY\x00" || binary.BigEndian.Uint64(b[8:]) != 1<<32|1 {
				t.Fatalf("%q", b[:16])
			}
			b = b[16:]
		}
		var out []byte
		for len(b) > 0 {
			plain := -1
			if c == HadoopSnappy {
				plain = int(binary.BigEndian.Uint32(b))
				b = b[4:]
			}
			n := binary.BigEndian.Uint32(b)
			block, err := snappy.Decode(nil, b[4:4+n])
			must(t, err)
			if plain >= 0 && len(block) != plain {
				t.Fatalf("a block of %d bytes says it has %d", len(block), plain)
			}
			out, b = append(out, block...), b[4+n:]
		}
		return out
	}
	return b
}

// What is written in pieces of any size comes back, in each compression.
func TestCompressions(t *testing.T) {
	r := random(t)
	for c := range codings {
		for _, size := range []int{0, 1, xerialBlock, hadoopBlock, 3*hadoopBlock + 7} {
			text := []byte(strings.Repeat("weir ", size/5+1)[:size])
			for range size / 100 {
				text[r.IntN(size)] = byte(r.Uint32())
			}
			var out bytes.Buffer
			w, err := compress(c, &out, "entry")
			must(t, err)
			for rest := text; len(rest) > 0; {
				n := min(1+r.IntN(100_000), len(rest))
				_, err := w.Write(rest[:n])
				must(t, err)
				rest = rest[n:]
			}
			must(t, w.Close())
			if got := decompress(t, c, out.Bytes()); !bytes.Equal(got, text) {
				t.Errorf("%s of %d bytes gives %d", c, size, len(got))
			}
		}
	}
}
