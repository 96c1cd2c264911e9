package store

import (
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// FoldName is what the snapshots call the log of the names.
const FoldName = "objects"

// Folders of Options.Dir.
const (
	namesDir = "names" // snapshots: fold
	filesDir = "files"
)

// Look is the objects as those see them who look at a directory without a server: a fold.Machine that a fold.Replay brings to where the log ends. It removes nothing.
type Look struct {
	dir   string
	state *State
	named map[uint64]int64     // sizes of the files that the snapshot has, or any command behind it has named
	at    map[string]time.Time // of the last command about a bucket, as far as they were seen
}

var _ fold.Machine = (*Look)(nil)

// NewLook looks at the directory that Options.Dir would be.
func NewLook(dir string) *Look {
	return &Look{dir: dir, state: Empty(), named: map[uint64]int64{}, at: map[string]time.Time{}}
}

// Snapshots is the directory that they are in.
func (l *Look) Snapshots() string { return path.Join(l.dir, namesDir) }

// Apply does a command.
func (l *Look) Apply(at time.Time, position commitlog.Position, command []byte) ([]byte, error) {
	next, result, _, _, err := apply(l.state, at, position, command)
	if err != nil {
		return nil, err
	}
	l.state = next
	c, err := known.Decode(command)
	if err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case PutObject:
		l.named[c.Segment.File] = c.Segment.Size
	case PutPart:
		l.named[c.Part.File] = c.Part.Size
	}
	l.at[bucketOf(c)] = at
	return result, nil
}

// bucketOf is the bucket that a command changes.
func bucketOf(c Command) string {
	switch c := c.(type) {
	case CreateBucket:
		return c.Bucket
	case DeleteBucket:
		return c.Bucket
	case SetBucketTags:
		return c.Bucket
	case SetLifecycle:
		return c.Bucket
	case PutObject:
		return c.Bucket
	case CopyObject:
		return c.Bucket
	case SetObjectTags:
		return c.Bucket
	case DeleteObjects:
		return c.Bucket
	case CreateUpload:
		return c.Bucket
	case PutPart:
		return c.Bucket
	case CompleteUpload:
		return c.Bucket
	case AbortUploads:
		return c.Bucket
	}
	return ""
}

// Snapshot freezes the state.
func (l *Look) Snapshot() (encode func() []byte) { return l.state.encode }

// Restore replaces the state.
func (l *Look) Restore(snapshot []byte) error {
	state, err := decodeState(snapshot)
	if err != nil {
		return err
	}
	l.state = state
	clear(l.named)
	clear(l.at)
	for b := range state.Buckets("") {
		l.at[b.Name] = b.Created
		for o := range b.Objects("") {
			if o.Modified.After(l.at[b.Name]) {
				l.at[b.Name] = o.Modified
			}
		}
	}
	l.segments(func(_ string, g *Segment) { l.named[g.File] = g.Size })
	return nil
}

// State is what exists where the replay stands.
func (l *Look) State() *State { return l.state }

// Later names the buckets that are known to have changed after a moment, in order.
func (l *Look) Later(moment time.Time) (buckets []string) {
	for name, at := range l.at {
		if at.After(moment) {
			buckets = append(buckets, name)
		}
	}
	slices.Sort(buckets)
	return buckets
}

// Named visits the file of every object and part that there was at or behind the snapshot: a superset of what the objects need at any place of the log that was replayed.
func (l *Look) Named(visit func(file string)) {
	for file := range l.named {
		if file != 0 {
			visit(fileName(path.Join(l.dir, filesDir), file))
		}
	}
}

// Piece is a file, and what needs it.
type Piece struct {
	File string // its path
	Of   string // bucket and key, for people
	Size int64
	CRC  uint32 // CRC-32C of the bytes
}

// Pieces visits what every object and every part of an upload needs. A file that a copy shares is visited for each of them.
func (l *Look) Pieces(visit func(Piece)) {
	l.segments(func(of string, g *Segment) {
		visit(Piece{File: fileName(path.Join(l.dir, filesDir), g.File), Of: of, Size: g.Size, CRC: g.CRC})
	})
}

func (l *Look) segments(visit func(of string, g *Segment)) {
	for b := range l.state.Buckets("") {
		for o := range b.Objects("") {
			for i := range o.Segments {
				if o.Segments[i].File != 0 {
					visit(fmt.Sprintf("bucket %s, object %q", b.Name, o.Key), &o.Segments[i])
				}
			}
		}
		for u := range b.Uploads("", "") {
			for part := range u.Parts(0) {
				if part.File != 0 {
					visit(fmt.Sprintf("bucket %s, part %d of an upload to %q", b.Name, part.Number, u.Key), part)
				}
			}
		}
	}
}

// Check reads a file and holds it against its size and, when contents are asked for, against its checksum. Corrupt when it is another, NotFound when it is not there.
func (p *Piece) Check(fs vfs.FS, contents bool) error {
	info, err := fs.Stat(p.File)
	if err != nil {
		return err
	}
	if info.Size() < p.Size { // room that was reserved may be left behind the end
		return fault.New(fault.Corrupt, "%d bytes of %d", info.Size(), p.Size)
	}
	if !contents {
		return nil
	}
	f, err := fs.Open(p.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	buffer := buffers.Get().(*[BufferBytes]byte)
	defer buffers.Put(buffer)
	h := crc32.New(castagnoli)
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.NewSectionReader(f, 0, p.Size)}, buffer[:])
	if err != nil {
		return err
	}
	if n != p.Size || h.Sum32() != p.CRC {
		return fault.New(fault.Corrupt, "its bytes are not those that were written: CRC-32C %08x, want %08x", h.Sum32(), p.CRC)
	}
	return nil
}

// Unneeded visits the files that no object and no part has, which the next start removes, and what is none of the store's, which it leaves alone.
func (l *Look) Unneeded(fs vfs.FS, visit func(file string)) error {
	needed := map[uint64]bool{}
	l.state.files(func(file uint64) { needed[file] = true })
	root := path.Join(l.dir, filesDir)
	dirs, err := fs.List(root)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		number, err := strconv.ParseUint(dir, 16, 64)
		if err != nil || len(dir) != 13 {
			visit(path.Join(root, dir))
			continue
		}
		names, err := fs.List(path.Join(root, dir))
		if err != nil {
			return err
		}
		for _, name := range names {
			file, err := strconv.ParseUint(name, 16, 64)
			if err != nil || len(name) != 16 || file/filesInDir != number || !needed[file] {
				visit(path.Join(root, dir, name))
			}
		}
	}
	return nil
}
