package disklog

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// The manifest says which files count and what the logs were when the oldest journal file began. One state has one encoding.
//
//	┌─────────┬─────────┬───────┬─────────────┬──────────────┬────────────────┬────────────────┬────────────────┐
//	│ magic 8 │ version │ crc 4 │ incarnation │ journal from │ first sequence │ journal newest │ segment number │
//	│         │       4 │       │           8 │            8 │              8 │              8 │              8 │
//	├─────────┴─────────┴───────┴─────────────┴──────────────┴────────────────┴────────────────┴────────────────┤
//	│ segments 8 · logs 8 · tombstones 8                                                                        │
//	│ each segment: number 8, size 8, class 8, index crc 4, zero 4                                              │
//	│ each log: group 8, member 4, flags 4, retention 8, first 8, next 8                                        │
//	│ each tombstone: group 8, from member 4, to member 4                                                       │
//	└───────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//
// The checksum is CRC-32C of everything behind it. Segments are in order of age, logs and tombstones in order of ID.

// Versions of the manifest, which are those of the directory, oldest first. Open knows all of them and writes the newest; one that it does not
// know is refused by name.
//
//	1  2026-11  the first
const manifestVersion = 1

const (
	manifestMagic      = uint64(0x4e414d52494557) // "WEIRMAN\0" in the file
	manifestFixed      = 80
	manifestSegment    = 32
	manifestLog        = 40
	manifestTombstone  = 16
	manifestFlagSealed = 1

	manifestName = "MANIFEST"
	// manifestNextName is what the next manifest is written to before it is renamed. It is kept with room allocated, so that on a full device
	// a manifest can still be written, and with it segments be dropped.
	manifestNextName = "MANIFEST.next"
	lockName         = "LOCK"
)

type manifest struct {
	incarnation   uint64
	journalFrom   uint64 // number of the oldest journal file to replay
	firstSequence uint64 // of its first block
	journalNewest uint64 // a file that existed when this was written; if it is missing, that is damage
	segmentNumber uint64 // the last number given
	segments      []manifestSegmentRef
	logs          []manifestLogState
	dead          tombstones
}

type manifestSegmentRef struct {
	number   uint64
	size     int64
	class    int64
	indexCRC uint32
}

// manifestLogState is what journalFrom begins with. next is exact: the position of the first batch in journalFrom or behind. The others may already
// contain what the journal says again; replaying it changes nothing.
type manifestLogState struct {
	id        commitlog.ID
	retention time.Duration
	first     commitlog.Position
	next      commitlog.Position
	sealed    bool
}

func (m *manifest) encode() []byte {
	b := make([]byte, 0, manifestFixed+len(m.segments)*manifestSegment+len(m.logs)*manifestLog+len(m.dead)*manifestTombstone)
	le := binary.LittleEndian
	b = le.AppendUint64(b, manifestMagic)
	b = le.AppendUint32(b, manifestVersion)
	b = le.AppendUint32(b, 0)
	for _, v := range [...]uint64{
		m.incarnation, m.journalFrom, m.firstSequence, m.journalNewest, m.segmentNumber,
		uint64(len(m.segments)), uint64(len(m.logs)), uint64(len(m.dead)),
	} {
		b = le.AppendUint64(b, v)
	}
	for _, seg := range m.segments {
		b = le.AppendUint64(b, seg.number)
		b = le.AppendUint64(b, uint64(seg.size))
		b = le.AppendUint64(b, uint64(seg.class))
		b = le.AppendUint32(b, seg.indexCRC)
		b = le.AppendUint32(b, 0)
	}
	for _, l := range m.logs {
		flags := uint32(0)
		if l.sealed {
			flags |= manifestFlagSealed
		}
		b = le.AppendUint64(b, l.id.Group)
		b = le.AppendUint32(b, l.id.Member)
		b = le.AppendUint32(b, flags)
		b = le.AppendUint64(b, uint64(l.retention))
		b = le.AppendUint64(b, uint64(l.first))
		b = le.AppendUint64(b, uint64(l.next))
	}
	for _, r := range m.dead {
		b = le.AppendUint64(b, r.group)
		b = le.AppendUint32(b, r.from)
		b = le.AppendUint32(b, r.to)
	}
	le.PutUint32(b[12:], crc32.Checksum(b[16:], castagnoli))
	return b
}

// decodeManifest is Corrupt for what encode did not write, Unsupported for a newer version.
func decodeManifest(b []byte) (*manifest, error) {
	le := binary.LittleEndian
	if len(b) < manifestFixed || le.Uint64(b) != manifestMagic {
		return nil, fault.New(fault.Corrupt, "not a manifest: %d bytes", len(b))
	}
	if v := le.Uint32(b[8:]); v == 0 || v > manifestVersion {
		return nil, fault.New(fault.Unsupported, "version %d: this Weir knows versions up to %d; use the Weir that wrote it or a newer one", v, manifestVersion)
	}
	if crc32.Checksum(b[16:], castagnoli) != le.Uint32(b[12:]) {
		return nil, fault.New(fault.Corrupt, "the checksum of its %d bytes does not match", len(b))
	}
	m := &manifest{
		incarnation: le.Uint64(b[16:]), journalFrom: le.Uint64(b[24:]), firstSequence: le.Uint64(b[32:]),
		journalNewest: le.Uint64(b[40:]), segmentNumber: le.Uint64(b[48:]),
	}
	segments, logs, dead := le.Uint64(b[56:]), le.Uint64(b[64:]), le.Uint64(b[72:])
	b = b[manifestFixed:]
	rest := uint64(len(b))
	if segments > rest || logs > rest || dead > rest || segments*manifestSegment+logs*manifestLog+dead*manifestTombstone != rest {
		return nil, fault.New(fault.Corrupt, "%d segments, %d logs and %d tombstones do not fill %d bytes", segments, logs, dead, rest)
	}
	for range segments {
		ref := manifestSegmentRef{number: le.Uint64(b), size: int64(le.Uint64(b[8:])), class: int64(le.Uint64(b[16:])), indexCRC: le.Uint32(b[24:])}
		if le.Uint32(b[28:]) != 0 {
			return nil, fault.New(fault.Corrupt, "segment %d: bytes that are always zero are not", ref.number)
		}
		m.segments = append(m.segments, ref)
		b = b[manifestSegment:]
	}
	for range logs {
		l := manifestLogState{
			id:        commitlog.ID{Group: le.Uint64(b), Member: le.Uint32(b[8:])},
			retention: time.Duration(le.Uint64(b[16:])), first: int64(le.Uint64(b[24:])), next: int64(le.Uint64(b[32:])),
			sealed: le.Uint32(b[12:]) == manifestFlagSealed,
		}
		ordered := len(m.logs) == 0 || m.logs[len(m.logs)-1].id.Compare(l.id) < 0
		if !ordered || le.Uint32(b[12:]) > manifestFlagSealed || l.first < 0 || l.next < 0 || l.retention < 0 {
			return nil, fault.New(fault.Corrupt, "the row of log %s makes no sense", l.id)
		}
		m.logs = append(m.logs, l)
		b = b[manifestLog:]
	}
	for range dead {
		r := tombstoneRange{group: le.Uint64(b), from: le.Uint32(b[8:]), to: le.Uint32(b[12:])}
		ordered := r.from <= r.to
		if n := len(m.dead); n > 0 {
			last := m.dead[n-1]
			ordered = ordered && (last.group < r.group || last.group == r.group && uint64(last.to)+1 < uint64(r.from))
		}
		if !ordered {
			return nil, fault.New(fault.Corrupt, "the tombstones of group %d make no sense", r.group)
		}
		m.dead = append(m.dead, r)
		b = b[manifestTombstone:]
	}
	return m, nil
}

// readFile reads a whole file. An end before its size is an error: a short read must not look like a short file.
func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	return b, readFull(f, b, 0)
}

// readFull reads exactly len(b) bytes. An end of file before that is Corrupt.
func readFull(f vfs.File, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || isEOF(err):
		return fault.New(fault.Corrupt, "the file ends at byte %d, %d bytes are missing", at+int64(n), len(b)-n)
	default:
		return err
	}
}

// writeManifest replaces the manifest durably. After an error either may be the one that counts: what both name must stay.
func (s *Store) writeManifest(m *manifest) error {
	b := m.encode()
	name := s.path(manifestNextName)
	f, err := s.fs.Open(name)
	if fault.Is(err, fault.NotFound) {
		f, err = s.fs.Create(name)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = f.SyncData()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.fs.Rename(name, s.path(manifestName))
	}
	if err == nil {
		err = s.fs.SyncDir(s.options.Dir)
	}
	if err != nil {
		return fault.Wrap(err, "manifest")
	}
	s.reserveManifest(len(b))
	return nil
}

// reserveManifest keeps room for the next manifest, twice as large, and more. It is a precaution: without it a full device heals only when somebody
// else makes room.
func (s *Store) reserveManifest(size int) {
	f, err := s.fs.Create(s.path(manifestNextName))
	if err != nil {
		return
	}
	_ = f.Allocate(int64(2*size) + 64<<10)
	_ = f.Close()
}
