package disklog

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// journalOf is a journal file of blocks from first on, each with an append, a trim and a seal of another log; synced says what each block knows.
func journalOf(t testing.TB, number, first uint64, synced ...uint64) []byte {
	t.Helper()
	h := journalHeader{number: number, salt: 0x1234, first: first, incarnation: 3}
	file := h.encode()
	for i, s := range synced {
		var b batch.Batch
		b.Append(1000, []byte("k"), []byte("value"))
		raw := bytes.Clone(b.Bytes())
		batch.SetBase(raw, int64(i))
		region := make([]byte, blockHeaderSize)
		for _, f := range []struct {
			kind    frameKind
			log     commitlog.ID
			payload []byte
		}{
			{frameAppend, commitlog.ID{Group: 1, Member: 2}, raw},
			{frameTrim, commitlog.ID{Group: 1, Member: 2}, binary.LittleEndian.AppendUint64(nil, uint64(i))},
			{frameDelete, commitlog.ID{Group: 5}, nil},
		} {
			head := make([]byte, frameHeaderSize)
			putFrameHeader(head, f.kind, f.log, len(f.payload))
			region = append(append(region, head...), f.payload...)
		}
		// Two regions, as when a block spans chunks.
		regions := [][]byte{region[:blockHeaderSize+11], region[blockHeaderSize+11:]}
		finishBlock(regions, h.salt, first+uint64(i), s)
		file = append(file, bytes.Join(regions, nil)...)
	}
	return file
}

func visitNothing(journalFrame) error { return nil }

// The three meanings of a place without a block; see replay.
func TestReplayTellsTornFromDamaged(t *testing.T) {
	const blockSize = 32 + 3*20 + 8 + 61 + 13 // as journalOf builds them; checked below
	at := func(block int) int { return journalHeaderSize + block*blockSize }
	if size := len(journalOf(t, 1, 10, 9)); size != at(1) {
		t.Fatalf("a block has %d bytes, not %d", size-journalHeaderSize, blockSize)
	}
	flip := func(file []byte, at int) []byte { file[at] ^= 0x10; return file }
	for _, row := range []struct {
		name   string
		file   []byte
		bound  uint64
		blocks int // −1: refused
		unsure int // blocks at the end that nothing vouches for
	}{
		{"whole", journalOf(t, 1, 10, 9, 10, 11), unbounded, 3, 1},
		{"empty", journalOf(t, 1, 10), unbounded, 0, 0},
		{"nothing vouched for", journalOf(t, 1, 10, 9, 9, 9), unbounded, 3, 3},
		{"some vouched for", journalOf(t, 1, 10, 9, 9, 10, 10), unbounded, 4, 3},
		{"torn end", flip(journalOf(t, 1, 10, 9, 10, 11), at(3)-1), unbounded, 2, 1},
		{"cut", journalOf(t, 1, 10, 9, 10, 11)[:at(3)-1], unbounded, 2, 1},
		{"damaged and vouched for", flip(journalOf(t, 1, 10, 9, 10, 11), at(2)-1), unbounded, -1, 0},
		{"length damaged", flip(journalOf(t, 1, 10, 9, 10, 11), at(1)+24), unbounded, -1, 0},
		{"damaged, later ones did not know it", flip(journalOf(t, 1, 10, 9, 10, 10), at(2)-1), unbounded, 1, 1},
		{"damaged, a much later one knew", flip(journalOf(t, 1, 10, 9, 10, 10, 12), at(2)-1), unbounded, -1, 0},
		{"given up by the next file", journalOf(t, 1, 10, 9, 10, 11), 12, 2, 1},
		{"given up and broken", flip(journalOf(t, 1, 10, 9, 10, 11), at(3)-1), 12, 2, 1},
		{"damaged below the next file", flip(journalOf(t, 1, 10, 9, 10, 11), at(3)-1), 13, -1, 0},
		{"missing below the next file", journalOf(t, 1, 10, 9, 10), 13, -1, 0},
		{"the wrong file", journalOf(t, 2, 10, 9), unbounded, -1, 0},
		{"a gap before it", journalOf(t, 1, 11, 10), unbounded, -1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := replay(row.file, 1, 10, row.bound, visitNothing)
			if row.blocks < 0 {
				if !fault.Is(err, fault.Corrupt) {
					t.Fatalf("%+v, %v", r, err)
				}
				return
			}
			if err != nil || r.blocks != row.blocks || r.end != at(row.blocks) || r.unsure != at(row.blocks-row.unsure) || r.next != 10+uint64(row.blocks) {
				t.Fatalf("%+v, %v", r, err)
			}
		})
	}
}

// Bytes that a customer wrote, or that another file left, are not taken for a block, not even the next in sequence.
func TestSaltTiesBlocksToTheirFile(t *testing.T) {
	file := journalOf(t, 1, 10, 9)
	other := journalHeader{number: 1, salt: 0x9999, first: 10}.encode()
	region := make([]byte, blockHeaderSize)
	finishBlock([][]byte{region}, 0x9999, 11, 11)
	r, err := replay(append(file, region...), 1, 10, unbounded, visitNothing)
	if err != nil || r.blocks != 1 || r.torn != blockHeaderSize {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := replay(append(other, file[journalHeaderSize:]...), 1, 10, unbounded, visitNothing); err != nil {
		t.Error(err)
	}
}

// Any bytes as a journal, with its checksums made right as far as possible: no panic, and frames only from inside the file.
func FuzzJournal(f *testing.F) {
	f.Add(journalOf(f, 1, 10, 9, 10, 11), uint64(unbounded))
	f.Add(journalOf(f, 1, 10, 9, 10, 11), uint64(12))
	f.Add(journalOf(f, 1, 10), uint64(11))
	f.Fuzz(func(t *testing.T, file []byte, bound uint64) {
		for _, fix := range []bool{false, true} {
			if fix {
				fixJournal(file)
			}
			s := &Store{logs: make(map[commitlog.ID]*log)}
			s.logs[commitlog.ID{Group: 1, Member: 2}] = &log{id: commitlog.ID{Group: 1, Member: 2}, now: state{exists: true}}
			r, err := replay(file, 1, 10, bound, func(fr journalFrame) error { return s.replayFrame(fr, 1) })
			if err == nil && (r.end > len(file) || r.unsure > r.end || r.blocks > len(file)/blockHeaderSize) {
				t.Errorf("%+v of %d bytes", r, len(file))
			}
		}
	})
}

// fixJournal makes header and checksums of the blocks right, one behind the other.
func fixJournal(file []byte) {
	if len(file) < journalHeaderSize {
		return
	}
	le := binary.LittleEndian
	copy(file, journalHeader{number: 1, salt: 0x1234, first: 10}.encode())
	sequence := uint64(10)
	for b := file[journalHeaderSize:]; len(b) >= blockHeaderSize; sequence++ {
		length := min(int(le.Uint32(b[24:])), len(b)-blockHeaderSize)
		le.PutUint64(b, blockMagic^0x1234)
		le.PutUint64(b[8:], sequence)
		le.PutUint32(b[24:], uint32(length))
		crc := crc32.Update(crc32.Update(0, castagnoli, b[:28]), castagnoli, b[blockHeaderSize:blockHeaderSize+length])
		le.PutUint32(b[28:], crc)
		b = b[blockHeaderSize+length:]
	}
}

func sampleManifest() *manifest {
	m := &manifest{
		incarnation: 4, journalFrom: 7, firstSequence: 1000, journalNewest: 8, segmentNumber: 12,
		segments: []manifestSegmentRef{{11, 5000, int64(time.Hour), 0xabcd}, {3, 64, 0, 1}},
		logs: []manifestLogState{
			{id: commitlog.ID{Group: 0}, next: 5},
			{id: commitlog.ID{Group: 2, Member: 1}, retention: time.Hour, first: 3, next: 9, sealed: true},
		},
	}
	for _, member := range []uint32{4, 2, 3, 9} {
		m.dead.add(commitlog.ID{Group: 2, Member: member})
	}
	return m
}

// Any bytes as a manifest: no panic, and what is accepted is what encode writes.
func FuzzManifest(f *testing.F) {
	f.Add(sampleManifest().encode())
	f.Add((&manifest{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 16 {
			binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[16:], castagnoli))
		}
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		if again := m.encode(); !bytes.Equal(again, b) {
			t.Errorf("%x, encoded again %x", b, again)
		}
	})
}

func TestManifestRoundTrip(t *testing.T) {
	m := sampleManifest()
	got, err := decodeManifest(m.encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.journalFrom != 7 || !slices.Equal(got.segments, m.segments) || !slices.Equal(got.logs, m.logs) || !slices.Equal(got.dead, m.dead) {
		t.Errorf("%+v", got)
	}
}

// Tombstones agree with a set, whatever the order of deletion, and a group that is deleted whole takes one range.
func TestTombstones(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var dead tombstones
	set := make(map[commitlog.ID]bool)
	for range 3000 {
		id := commitlog.ID{Group: uint64(r.IntN(3)), Member: uint32(r.IntN(400))}
		if r.IntN(50) == 0 {
			id.Member = ^uint32(0) - uint32(r.IntN(2))
		}
		dead.add(id)
		set[id] = true
		probe := commitlog.ID{Group: uint64(r.IntN(4)), Member: uint32(r.IntN(401))}
		if dead.has(probe) != set[probe] {
			t.Fatalf("%s: %v", probe, dead.has(probe))
		}
	}
	for g := range uint64(3) {
		for _, m := range r.Perm(400) {
			dead.add(commitlog.ID{Group: g, Member: uint32(m)})
		}
	}
	whole := 0
	for _, rg := range dead {
		if rg.from == 0 && rg.to == 399 {
			whole++
		}
	}
	if whole != 3 || len(dead) > 6 {
		t.Errorf("%v", dead)
	}
}
