package node

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// pins holds the data directory still for a backup: snapshots of the control plane and files of the logs get second names in a directory of their own. One at a time.
type pins struct {
	fs    vfs.FS
	data  string // the data directory, as configured
	store *disklog.Store
	clock clock.Clock

	held chan struct{} // capacity 1: full while there is a pin
}

// pinWait is how long a pin waits for the one before it: a client that has just gone is noticed a moment later.
const pinWait = time.Second

// pinName is the one pin that there may be.
const pinName = datadir.Pins + "/backup"

// openPins removes what an earlier run has left.
func openPins(fs vfs.FS, data string, store *disklog.Store, now clock.Clock) (*pins, error) {
	p := &pins{fs: fs, data: data, store: store, clock: now, held: make(chan struct{}, 1)}
	return p, fault.Wrap(removeAll(fs, datadir.Pins), "remove old pins")
}

// pinTries is how often a pin is begun anew because a snapshot was made while it was taken; that takes thousands of commands.
const pinTries = 10

// pin takes the snapshots first and the logs after them, so that the control log reaches the snapshots. Should a newer snapshot have let the control log be trimmed in between,
// it begins again.
func (p *pins) pin(ctx context.Context) (pin console.Pin, err error) {
	timer := time.NewTimer(pinWait)
	defer timer.Stop()
	select {
	case p.held <- struct{}{}:
	case <-timer.C:
		return pin, fault.New(fault.Conflict, "another backup is being made")
	case <-ctx.Done():
		return pin, ctx.Err()
	}
	defer func() {
		if err != nil {
			_ = removeAll(p.fs, pinName)
			<-p.held
		}
	}()
	if pin.Data, err = filepath.Abs(p.data); err != nil {
		return pin, fault.As(fault.Internal, err, "data directory")
	}
	pin.Dir = filepath.Join(pin.Data, filepath.FromSlash(pinName))
	for range pinTries {
		if err := ctx.Err(); err != nil {
			return pin, err
		}
		pin.Taken = p.clock.Now().UTC()
		same, err := p.take()
		if err != nil {
			return pin, err
		}
		if same {
			pin.Release = sync.OnceFunc(func() {
				_ = removeAll(p.fs, pinName) // what stays is removed by the next pin or start
				<-p.held
			})
			return pin, nil
		}
	}
	return pin, fault.New(fault.Unavailable, "the control plane changes too fast to be backed up")
}

// take makes a pin and says whether the snapshots are those that there were when it began.
func (p *pins) take() (same bool, err error) {
	if err := removeAll(p.fs, pinName); err != nil {
		return false, err
	}
	logs := path.Join(pinName, datadir.Log)
	dirs := []string{logs, path.Join(pinName, datadir.FunctionsCode)}
	for dir := range snapshotDirs {
		dirs = append(dirs, path.Join(pinName, dir))
	}
	for _, dir := range dirs {
		if err := p.fs.MkdirAll(dir); err != nil {
			return false, err
		}
	}
	before := map[string][]fold.SnapshotFile{}
	for dir, log := range snapshotDirs {
		if before[dir], err = snapshotsIn(p.fs, dir, log); err != nil {
			return false, err
		}
		for _, s := range before[dir] {
			if err := p.fs.Link(path.Join(dir, s.Name), path.Join(pinName, dir, s.Name)); fault.Is(err, fault.NotFound) {
				return false, nil
			} else if err != nil {
				return false, err
			}
		}
	}
	// Codes before and after the logs: what the logs name is there by then, and what is swept in between was there before.
	if err := p.linkCodes(); err != nil {
		return false, err
	}
	if err := p.store.Pin(logs); err != nil {
		return false, err
	}
	if err := p.linkCodes(); err != nil {
		return false, err
	}
	for dir, log := range snapshotDirs {
		after, err := snapshotsIn(p.fs, dir, log)
		if err != nil || !slices.EqualFunc(before[dir], after, func(a, b fold.SnapshotFile) bool { return a.Name == b.Name }) {
			return false, err
		}
	}
	return true, nil
}

// snapshotDirs are the folders of snapshots, and what these call their logs.
var snapshotDirs = map[string]string{
	datadir.Control: datadir.ControlName, datadir.FunctionsCatalog: datadir.FunctionsName, datadir.Checkpoints: datadir.CheckpointsName, datadir.Mappings: datadir.MappingsName,
}

// snapshotsIn is the snapshots in a folder, which need not be there.
func snapshotsIn(fs vfs.FS, dir, log string) ([]fold.SnapshotFile, error) {
	files, err := fold.Snapshots(fs, dir, log)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return files, err
}

// linkCodes gives the codes of functions second names, those that have none yet.
func (p *pins) linkCodes() error {
	names, err := p.fs.List(datadir.FunctionsCode)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := p.fs.Link(path.Join(datadir.FunctionsCode, name), path.Join(pinName, datadir.FunctionsCode, name))
		if err != nil && !fault.Is(err, fault.Exists) && !fault.Is(err, fault.NotFound) { // swept meanwhile
			return err
		}
	}
	return nil
}

// removeAll removes a directory and everything in it.
func removeAll(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		at := path.Join(dir, name)
		info, err := fs.Stat(at)
		if err == nil && info.IsDir() {
			err = removeAll(fs, at)
		} else if err == nil {
			err = fs.Remove(at)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return fs.Remove(dir)
}
