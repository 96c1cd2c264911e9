package segment_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/segment"
	"github.com/weir-stream/weir/internal/fault"
)

// one batch of n records, padded, at a position.
func newBatch(t testing.TB, base int64, n, padding int, timestamp int64) ([]byte, batch.Info) {
	t.Helper()
	var b batch.Batch
	for i := range n {
		b.Append(timestamp+int64(i), []byte("k"), make([]byte, padding))
	}
	raw := bytes.Clone(b.Bytes())
	batch.SetBase(raw, base)
	info, err := batch.Peek(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, info
}

func build(t testing.TB) ([]byte, []segment.Extent) {
	t.Helper()
	var file bytes.Buffer
	w := segment.NewWriter(&file)
	for _, row := range []struct {
		member  uint32
		batches [][4]int64 // base, records, padding, timestamp
	}{
		{1, [][4]int64{{0, 3, 100, 1000}, {3, 1, 40_000, 5000}, {4, 2, 20_000, 2000}, {6, 1, 70_000, 3000}, {7, 1, 10, 9000}}},
		{2, nil}, // nothing was added
		{3, [][4]int64{{10, 1, 0, 7}, {11, 1, 0, 6}, {20, 2, 0, 5}}}, // with a gap
	} {
		w.Begin(commitlog.ID{Group: 9, Member: row.member})
		for _, b := range row.batches {
			raw, info := newBatch(t, b[0], int(b[1]), int(b[2]), b[3])
			if err := w.Add(raw, info); err != nil {
				t.Fatal(err)
			}
		}
	}
	footer, extents, err := w.Finish(77, 3600)
	if err != nil {
		t.Fatal(err)
	}
	if footer.Size() != int64(file.Len()) || w.Size() != footer.Size() || footer.Number != 77 || footer.Class != 3600 {
		t.Fatalf("%+v for a file of %d bytes", footer, file.Len())
	}
	return file.Bytes(), extents
}

func decode(file []byte) ([]segment.Extent, [][]segment.Mark, error) {
	footer, err := segment.DecodeFooter(file[max(0, len(file)-segment.FooterSize):], int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	extents, err := segment.DecodeIndex(file[footer.IndexOffset:footer.IndexOffset+footer.IndexLength], footer)
	if err != nil {
		return nil, nil, err
	}
	var marks [][]segment.Mark
	for _, e := range extents {
		m, err := segment.DecodeMarks(file[e.MarksOffset:e.MarksOffset+int64(e.MarksSize())], e)
		if err != nil {
			return nil, nil, err
		}
		marks = append(marks, m)
	}
	return extents, marks, nil
}

// What Writer says, the file says; extents split at gaps; marks hold the highest timestamp up to the next.
func TestRoundTrip(t *testing.T) {
	file, said := build(t)
	extents, marks, err := decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(extents, said) {
		t.Errorf("%+v, written %+v", extents, said)
	}
	type row struct {
		member      uint32
		first, next int64
		low, high   int64
	}
	for i, want := range []row{{1, 0, 8, 1000, 9000}, {3, 10, 12, 6, 7}, {3, 20, 22, 5, 6}} {
		e := extents[i]
		if got := (row{e.Log.Member, e.First, e.Next, e.MinTimestamp, e.MaxTimestamp}); got != want {
			t.Errorf("extent %d: %+v, want %+v", i, got, want)
		}
		first, err := batch.Peek(file[e.Offset:])
		if err != nil || first.Base != e.First {
			t.Errorf("extent %d begins with %+v, %v", i, first, err)
		}
	}
	if len(marks[0]) != 3 {
		t.Fatalf("%d marks: %+v", len(marks[0]), marks[0])
	}
	for i, want := range []segment.Mark{{Position: 0, MaxTimestamp: 5000}, {Position: 6, MaxTimestamp: 5000}, {Position: 7, MaxTimestamp: 9000}} {
		got := marks[0][i]
		if info, err := batch.Peek(file[got.Offset:]); err != nil || info.Base != got.Position {
			t.Errorf("mark %d points to %+v, %v", i, info, err)
		}
		if got.Offset = 0; got != want {
			t.Errorf("mark %d: %+v, want %+v", i, got, want)
		}
	}
}

// A batch before the last one of its log, or before any log, is a mistake of the caller.
func TestWriterRefuses(t *testing.T) {
	raw, info := newBatch(t, 5, 1, 0, 0)
	w := segment.NewWriter(&bytes.Buffer{})
	if err := w.Add(raw, info); !fault.Is(err, fault.Internal) {
		t.Errorf("before any log: %v", err)
	}
	w.Begin(commitlog.ID{})
	if err := w.Add(raw, info); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(raw, info); !fault.Is(err, fault.Internal) {
		t.Errorf("twice: %v", err)
	}
}

// Every flipped bit behind the batches is found, and every cut.
func TestDamageIsFound(t *testing.T) {
	file, _ := build(t)
	footer, err := segment.DecodeFooter(file[len(file)-segment.FooterSize:], int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i := int(footer.IndexOffset); i < len(file); i++ {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, _, err := decode(file); !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
				t.Errorf("byte %d bit %d: %v", i, bit, err)
			}
			file[i] ^= 1 << bit
		}
	}
	for size := range len(file) {
		if size%97 != 0 && size < len(file)-300 {
			continue
		}
		if _, _, err := decode(file[:size]); !fault.Is(err, fault.Corrupt) {
			t.Errorf("cut to %d: %v", size, err)
		}
	}
}

// Any bytes as index and footer: no panic, and what is accepted lies inside the file.
func FuzzSegmentIndex(f *testing.F) {
	file, _ := build(f)
	f.Add(file)
	f.Add(file[len(file)-600:])
	r := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		c := bytes.Clone(file[len(file)-700:])
		c[r.IntN(len(c))] ^= byte(1 + r.IntN(255))
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		extents, marks, err := decodeUnchecked(file)
		if err != nil {
			return
		}
		for i, e := range extents {
			if e.Offset < 0 || e.End() > int64(len(file)) || e.Next <= e.First {
				t.Errorf("%+v in %d bytes", e, len(file))
			}
			for _, m := range marks[i] {
				if m.Offset < e.Offset || m.Offset >= e.End() {
					t.Errorf("%+v outside %+v", m, e)
				}
			}
		}
	})
}

// decodeUnchecked corrects the checksums first, so that the fuzzer gets behind them.
func decodeUnchecked(file []byte) ([]segment.Extent, [][]segment.Mark, error) {
	segment.FixChecksums(file)
	return decode(file)
}
