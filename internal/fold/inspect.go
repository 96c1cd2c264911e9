package fold

import (
	"path"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// SnapshotFile is a snapshot in a directory of snapshots, as it lies there.
type SnapshotFile struct {
	Name string // in the directory
	Next commitlog.Position
	Time time.Time // the log's time when it was made
	Err  error     // why it cannot be used: Corrupt, Unsupported, Invalid; then Next and Time say nothing
}

// Snapshots looks at the snapshots of a fold without changing any, the oldest first. A directory that is not there has none.
func Snapshots(fs vfs.FS, dir, name string) ([]SnapshotFile, error) {
	s := &snapshots{fs: fs, dir: dir, name: name}
	names, err := s.files()
	if err != nil {
		return nil, err
	}
	files := make([]SnapshotFile, len(names))
	for i, file := range names {
		files[i].Name = file
		b, err := vfs.ReadFile(fs, path.Join(dir, file))
		if err != nil {
			files[i].Err = err
			continue
		}
		p, err := decodeSnapshot(name, b)
		if err == nil && snapshotName(p.next) != file {
			err = fault.New(fault.Corrupt, "made at %d, which is not what its name says", p.next)
		}
		files[i].Next, files[i].Time, files[i].Err = p.next, time.UnixMilli(p.millis).UTC(), err
	}
	return files, nil
}

// Replay brings a machine forward by hand, record by record, without a log that runs: for those who look at a directory, or restore one.
type Replay struct{ core *core }

// NewReplay begins with an empty machine at position 0.
func NewReplay(name string, m Machine) *Replay {
	return &Replay{newCore(Options{Name: name, Machine: m})}
}

// Restore begins with a snapshot file. Errors are those of Machine.Restore, and Corrupt for a file that is damaged.
func Restore(fs vfs.FS, dir, file, name string, m Machine) (*Replay, error) {
	s := &snapshots{fs: fs, dir: dir, name: name}
	c, err := s.load(file, Options{Name: name, Machine: m})
	if err != nil {
		return nil, err
	}
	return &Replay{c}, nil
}

// Apply does the record at position, as Run would.
func (r *Replay) Apply(position commitlog.Position, recordMillis int64, record []byte) error {
	_, _, err := r.core.apply(position, recordMillis, record)
	return err
}

// Next is the position behind the last record applied.
func (r *Replay) Next() commitlog.Position { return r.core.next }

// Time is the log's time: that of the latest proposal applied.
func (r *Replay) Time() time.Time { return r.core.time() }

// SnapshotNames are the names of the snapshots in a directory, the oldest first, of which nothing is read. A directory that is not there has none.
func SnapshotNames(fs vfs.FS, dir string) ([]string, error) {
	names, err := (&snapshots{fs: fs, dir: dir}).files()
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return names, err
}

// KeptName is the directory beside the snapshot of that name that a Keeper has made for it; of another machine there is none.
func KeptName(snapshot string) string {
	return keptPrefix + strings.TrimPrefix(snapshot, snapshotPrefix)
}
