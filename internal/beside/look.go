package beside

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// Look is a fold as it lies in a directory.
type Look struct {
	Fold      *Fold
	Snapshots []fold.SnapshotFile // the oldest first; Err says also what is wrong with what a Keeper kept, where that was read
	From      commitlog.Position  // of the newest snapshot that can be used; 0 when there is none
	Time      time.Time           // of the last command
	Reach
}

// Reach is how far a log brings a machine that a snapshot was restored to, or none.
type Reach struct {
	Bounds commitlog.Bounds // of the log
	NoLog  bool             // there is no log
	// Whole says that the machine is where the log ends. Otherwise Why says why not; it is empty where the log is damaged and the log store says so.
	Whole bool
	Why   string
	// EndsBefore says that Why is a log that ends before the snapshot.
	EndsBefore bool
}

// heedless is a machine that understands nothing: its log and its snapshots' frames are all that is looked at.
type heedless struct{}

func (heedless) Apply(time.Time, commitlog.Position, []byte) ([]byte, error) { return nil, nil }
func (heedless) Snapshot() func() []byte                                     { return func() []byte { return nil } }
func (heedless) Restore([]byte) error                                        { return nil }

// Look brings the machine from the newest snapshot that is whole to where the log ends. With kept, everything that a Keeper kept is read, beside every snapshot.
//
// Damage is in the Look. Unsupported when a newer Weir wrote it; other errors are the disk's.
func (f *Fold) Look(ctx context.Context, fs vfs.FS, image *disklog.Image, kept bool) (*Look, error) {
	l := &Look{Fold: f}
	var err error
	if l.Snapshots, err = fold.Snapshots(fs, f.Dir, f.Name); err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	replay := fold.NewReplay(f.Name, f.Machine)
	for i, file := range slices.Backward(l.Snapshots) {
		if file.Err != nil {
			if fault.Is(file.Err, fault.Unsupported) {
				return nil, fault.Wrap(file.Err, "%s", path.Join(f.Dir, file.Name))
			}
			continue
		}
		if l.From > 0 && !(kept && f.CheckKept != nil) {
			continue // a newer one is whole, and this one's frame is
		}
		restored, err := fold.Restore(fs, f.Dir, file.Name, f.Name, f.Machine)
		if err == nil && f.CheckKept != nil {
			if kept {
				err = f.CheckKept(fs, fold.KeptName(file.Name))
			} else if _, err = fs.Stat(path.Join(f.Dir, fold.KeptName(file.Name))); fault.Is(err, fault.NotFound) {
				err = fault.As(fault.Corrupt, err, "what was kept beside it is missing")
			}
		}
		if err != nil && !fault.Is(err, fault.Corrupt) {
			return nil, fault.Wrap(err, "%s", path.Join(f.Dir, file.Name))
		}
		if l.Snapshots[i].Err = err; err == nil && l.From == 0 {
			replay, l.From = restored, file.Next
		}
	}
	if l.From > 0 && kept && f.CheckKept != nil { // older ones were looked at since
		if replay, err = fold.Restore(fs, f.Dir, snapshotAt(l.Snapshots, l.From), f.Name, f.Machine); err != nil {
			return nil, err
		}
	}
	l.Reach, err = Forward(ctx, image, f.Log, replay)
	l.Time = replay.Time()
	return l, fault.Wrap(err, "%s", f.Of)
}

func snapshotAt(files []fold.SnapshotFile, next commitlog.Position) string {
	for _, file := range files {
		if file.Err == nil && file.Next == next {
			return file.Name
		}
	}
	return ""
}

// Forward applies a log behind where a replay stands, as far as that goes. Unsupported when a newer Weir wrote a command.
func Forward(ctx context.Context, image *disklog.Image, id commitlog.ID, replay *fold.Replay) (r Reach, err error) {
	from := replay.Next()
	log, err := image.Log(id)
	if fault.Is(err, fault.NotFound) {
		r.NoLog, r.Whole = true, from == 0
		if !r.Whole {
			r.Why = fmt.Sprintf("the log is missing: only what the snapshot at %d knows is left", from)
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if r.Bounds, err = log.Bounds(ctx); err != nil {
		return r, err
	}
	switch {
	case from < r.Bounds.First:
		r.Why = fmt.Sprintf("the log begins at %d, and no whole snapshot reaches it: the best ends at %d", r.Bounds.First, from)
		return r, nil
	case from > r.Bounds.Next:
		r.EndsBefore, r.Why = true, fmt.Sprintf("the log ends at %d, before the snapshot that was made at %d: the log has lost its end", r.Bounds.Next, from)
		return r, nil
	}
	for at := from; at < r.Bounds.Next; {
		chunk, err := log.Read(ctx, at, 1<<20)
		if _, damaged := disklog.DamageOf(err); damaged {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		var record batch.Record
		it := batch.Iterate(chunk.Batches)
		for it.Next(&record) {
			if record.Position < at {
				continue
			}
			if err := replay.Apply(record.Position, record.Timestamp, record.Value); fault.Is(err, fault.Unsupported) {
				return r, err
			} else if err != nil {
				r.Why = fmt.Sprintf("the log at %d: %v", record.Position, err)
				return r, nil
			}
		}
		if err := it.Err(); err != nil {
			return r, err
		}
		if chunk.Next == at {
			return r, nil
		}
		at = chunk.Next
	}
	r.Whole = true
	return r, nil
}

// LaterThan says what stands in the way of bringing the fold back to a moment: a command of a later one. Empty is nothing.
func (l *Look) LaterThan(moment time.Time) []string {
	if l.Fold.CutsItself || !l.Time.After(moment) {
		return nil
	}
	if l.Fold.Later != nil {
		if names := l.Fold.Later(moment); len(names) > 0 {
			return names
		}
	}
	return []string{l.Fold.Of}
}
