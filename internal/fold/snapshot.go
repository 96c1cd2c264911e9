package fold

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// snapshotVersion is that of a snapshot's frame; what the machine writes inside has its own. History:
//
//	1  name, position, time, sessions, machine, SHA-256
const snapshotVersion = 1

const (
	snapshotMagic  = "WEIRFOLD"
	snapshotPrefix = "snapshot-"
	snapshotTemp   = "snapshot.tmp" // one being written; what a crash leaves of it is overwritten by the next
	badSuffix      = ".bad"         // a damaged snapshot is put aside under its name with this
	keptPrefix     = "state-"       // beside the snapshot of a Keeper: the directory of what it keeps on disk itself, by the same position
)

// snapshotName is the file of the snapshot made at a position: names sort as positions do.
func snapshotName(next commitlog.Position) string {
	return fmt.Sprintf("%s%016x", snapshotPrefix, next)
}

// keptName is the directory that a Keeper made at a position.
func keptName(next commitlog.Position) string { return fmt.Sprintf("%s%016x", keptPrefix, next) }

// freeze takes everything that a snapshot holds as it is now, and gives what encodes it later.
func (c *core) freeze() (encode func() []byte) {
	head := []byte(snapshotMagic)
	head = binary.BigEndian.AppendUint32(head, snapshotVersion)
	head = binary.BigEndian.AppendUint32(head, uint32(len(c.name)))
	head = append(head, c.name...)
	head = binary.BigEndian.AppendUint64(head, uint64(c.next))
	head = binary.BigEndian.AppendUint64(head, uint64(c.millis))
	sessions := c.sessions.encode()
	head = binary.BigEndian.AppendUint64(head, uint64(len(sessions)))
	head = append(head, sessions...)
	machine := c.machine.Snapshot()
	return func() []byte {
		state := machine()
		b := binary.BigEndian.AppendUint64(head, uint64(len(state)))
		b = append(b, state...)
		sum := sha256.Sum256(b)
		return append(b, sum[:]...)
	}
}

// hash is a number that two cores share when everything about them is equal.
func (c *core) hash() [sha256.Size]byte {
	b := c.freeze()()
	return [sha256.Size]byte(b[len(b)-sha256.Size:])
}

// snapshotParts is a snapshot whose checksum was right.
type snapshotParts struct {
	next     commitlog.Position
	millis   int64
	sessions sessions
	machine  []byte // part of the bytes that were decoded
}

// decodeSnapshot takes apart what freeze's function made. Corrupt when it did not, or the bytes have changed since; Unsupported when a newer
// version made it; Invalid when it is of another fold.
func decodeSnapshot(name string, b []byte) (p snapshotParts, err error) {
	if len(b) < len(snapshotMagic)+4+sha256.Size || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return p, fault.New(fault.Corrupt, "%d bytes that are no snapshot", len(b))
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return p, fault.New(fault.Corrupt, "checksum %x, want %x", sum, want)
	}
	r := reader{rest: body[len(snapshotMagic):]}
	if version := r.uint32(); version != snapshotVersion {
		return p, fault.New(fault.Unsupported, "snapshot of version %d: this version of Weir reads %d", version, snapshotVersion)
	}
	if of := string(r.bytes(uint64(r.uint32()))); !r.failed && of != name {
		return p, fault.New(fault.Invalid, "snapshot of %q where one of %q belongs", of, name)
	}
	p.next, p.millis = int64(r.uint64()), int64(r.uint64())
	sessionBytes := r.bytes(r.uint64())
	p.machine = r.bytes(r.uint64())
	if r.failed || len(r.rest) > 0 || p.next < 0 || p.millis < 0 || p.millis > millisMax {
		return p, fault.New(fault.Corrupt, "snapshot of %d bytes that do not add up", len(b))
	}
	p.sessions, err = decodeSessions(sessionBytes)
	return p, err
}

// snapshots are the files of a fold. They are used by one goroutine at a time: Open's, then those that Run starts one after the other.
type snapshots struct {
	fs     vfs.FS
	dir    string
	name   string
	logger *slog.Logger
	// sound are the positions of the snapshots that this process has read or written whole, oldest first: at most two. The log is
	// trimmed behind the older one only, so that either may be lost.
	sound []commitlog.Position
}

// openSnapshots finds the newest snapshot that is whole and makes a core of it, or an empty core when there is none. A damaged one is
// put aside under another name, for people to look at.
func openSnapshots(options Options) (*snapshots, *core, error) {
	s := &snapshots{fs: options.FS, dir: options.Dir, name: options.Name, logger: options.Logger}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return nil, nil, fault.Wrap(err, "%s snapshots", s.name)
	}
	for dir := path.Clean(s.dir); dir != "."; dir = path.Dir(dir) { // without its name, what is durable in a directory is lost with it
		if err := s.fs.SyncDir(path.Dir(dir)); err != nil {
			return nil, nil, fault.Wrap(err, "%s snapshots", s.name)
		}
	}
	files, err := s.files()
	if err != nil {
		return nil, nil, err
	}
	if err := s.removeStray(files); err != nil {
		return nil, nil, err
	}
	for _, file := range slices.Backward(files) {
		core, err := s.load(file, options)
		if err == nil {
			s.sound = []commitlog.Position{core.next}
			return s, core, nil
		}
		// Only damage leads to an older snapshot. What a newer version wrote, or a disk that does not answer, is nothing to go behind.
		if !fault.Is(err, fault.Corrupt) {
			return nil, nil, fault.Wrap(err, "%s snapshot %q", s.name, path.Join(s.dir, file))
		}
		s.logger.Error("snapshot is damaged; falling back to the one before it", "log", s.name, "file", path.Join(s.dir, file), "err", err)
		if err := s.fs.Rename(path.Join(s.dir, file), path.Join(s.dir, file+badSuffix)); err != nil {
			return nil, nil, fault.Wrap(err, "%s snapshot %q", s.name, path.Join(s.dir, file))
		}
	}
	if keeper, keeps := options.Machine.(Keeper); keeps {
		if err := keeper.Begin(""); err != nil {
			return nil, nil, fault.Wrap(err, "%s state", s.name)
		}
	}
	return s, newCore(options), nil
}

// removeStray removes the kept state that a crash left without its snapshot.
func (s *snapshots) removeStray(files []string) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return fault.Wrap(err, "%s snapshots", s.name)
	}
	for _, name := range names {
		position, kept := strings.CutPrefix(name, keptPrefix)
		if kept && !slices.Contains(files, snapshotPrefix+position) && !slices.Contains(names, snapshotPrefix+position+badSuffix) {
			if err := vfs.RemoveAll(s.fs, path.Join(s.dir, name)); err != nil {
				return fault.Wrap(err, "%s snapshots", s.name)
			}
		}
	}
	return nil
}

// checkpoint makes what a Keeper has on disk durable, before the snapshot that goes with it.
func (s *snapshots) checkpoint(next commitlog.Position, keeper Keeper) error {
	dir := path.Join(s.dir, keptName(next))
	if err := vfs.RemoveAll(s.fs, dir); err != nil { // left by a snapshot that was not written
		return err
	}
	if err := keeper.Checkpoint(dir); err != nil {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// files are the names of the snapshots in the directory, oldest first.
func (s *snapshots) files() ([]string, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, fault.Wrap(err, "%s snapshots", s.name)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		digits, is := strings.CutPrefix(name, snapshotPrefix)
		return !is || len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != ""
	}), nil
}

// load makes a core of a file.
func (s *snapshots) load(file string, options Options) (*core, error) {
	b, err := vfs.ReadFile(s.fs, path.Join(s.dir, file))
	if err != nil {
		return nil, err
	}
	p, err := decodeSnapshot(s.name, b)
	if err != nil {
		return nil, err
	}
	if snapshotName(p.next) != file {
		return nil, fault.New(fault.Corrupt, "made at %d, which is not what its name says", p.next)
	}
	if keeper, keeps := options.Machine.(Keeper); keeps {
		if err := keeper.Begin(path.Join(s.dir, keptName(p.next))); err != nil {
			return nil, err
		}
	}
	if err := options.Machine.Restore(p.machine); err != nil {
		return nil, err
	}
	c := newCore(options)
	c.next, c.millis, c.sessions = p.next, p.millis, p.sessions
	return c, nil
}

// write makes a snapshot durable and removes those that are no longer needed. trim is the position below which the log may be forgotten, if
// there is one.
//
// At every moment there is a whole snapshot under its final name, or there never was one: a file gets that name once its
// bytes are durable, and older ones go once the new name is.
func (s *snapshots) write(next commitlog.Position, b []byte) (trim commitlog.Position, err error) {
	if err := vfs.WriteFile(s.fs, path.Join(s.dir, snapshotTemp), b); err != nil {
		return 0, err
	}
	if err := s.fs.Rename(path.Join(s.dir, snapshotTemp), path.Join(s.dir, snapshotName(next))); err != nil {
		return 0, err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return 0, err
	}
	s.sound = append(s.sound, next)
	if len(s.sound) > 2 {
		s.sound = s.sound[1:]
	}
	if len(s.sound) < 2 {
		return 0, nil
	}
	files, err := s.files()
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if file == snapshotName(s.sound[0]) || file == snapshotName(s.sound[1]) {
			continue
		}
		if err := s.fs.Remove(path.Join(s.dir, file)); err != nil {
			return 0, err
		}
		if err := vfs.RemoveAll(s.fs, path.Join(s.dir, keptPrefix+strings.TrimPrefix(file, snapshotPrefix))); err != nil {
			return 0, err
		}
	}
	return s.sound[0], nil
}
