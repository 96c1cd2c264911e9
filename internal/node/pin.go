package node

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// pins holds the data directory still for a backup: snapshots and files of the logs get second names in a directory of their own, files that commands name stay. One at a time.
type pins struct {
	fs    vfs.FS
	data  string // the data directory, as configured
	store *disklog.Store
	clock clock.Clock

	held chan struct{} // capacity 1: full while there is a pin

	// keepers keep files beside the logs that they must not remove while there is a pin. Set by Start, before there can be one.
	keepers []keeper
}

// keeper is an engine whose commands name files.
type keeper interface {
	// Hold keeps every file that is there now, and that comes, until release.
	Hold() (release func())
}

// hold has all keepers keep their files.
func (p *pins) hold() (release func()) {
	var releases []func()
	for _, k := range p.keepers {
		releases = append(releases, k.Hold())
	}
	return func() {
		for _, release := range releases {
			release()
		}
	}
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

// pinTries is how often a pin is begun anew because a snapshot was made while it was taken; that takes thousands of commands, or tens of megabytes.
const pinTries = 10

// pin takes the snapshots first and the logs after them, so that a log reaches its snapshots. Should newer snapshots have let a log be trimmed past them in between, it begins again.
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
	letGo := p.hold()
	defer func() {
		if err != nil {
			letGo()
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
		opens, err := p.take()
		if err != nil {
			return pin, err
		}
		if opens {
			pin.Release = sync.OnceFunc(func() {
				letGo()
				_ = removeAll(p.fs, pinName) // what stays is removed by the next pin or start
				<-p.held
			})
			return pin, nil
		}
	}
	return pin, fault.New(fault.Unavailable, "snapshots are made too fast for a backup")
}

// take makes a pin and says whether it can be opened: of every fold the newest snapshot that there was before the logs were pinned is still there behind it, so that the log, which
// is trimmed behind the older of two, reaches it. Files that commands name are not linked: they are held, and whoever copies the logs knows which of them are needed.
func (p *pins) take() (opens bool, err error) {
	if err := removeAll(p.fs, pinName); err != nil {
		return false, err
	}
	logs := path.Join(pinName, datadir.Log)
	for _, dir := range []string{logs, path.Join(pinName, datadir.FunctionsCode)} {
		if err := p.fs.MkdirAll(dir); err != nil {
			return false, err
		}
	}
	dirs, err := p.snapshotDirs()
	if err != nil {
		return false, err
	}
	newest := map[string]string{} // snapshots, by their directory
	for _, dir := range dirs {
		if newest[dir], opens, err = p.linkSnapshots(dir); err != nil || !opens {
			return false, err
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
	if dirs, err = p.snapshotDirs(); err != nil { // tables of a region whose log was made meanwhile have a directory by now
		return false, err
	}
	for _, dir := range dirs {
		if err := p.fs.MkdirAll(path.Join(pinName, dir)); err != nil {
			return false, err
		}
		after, err := fold.SnapshotNames(p.fs, dir)
		if err != nil {
			return false, err
		}
		if opens := slices.Contains(after, newest[dir]) || newest[dir] == "" && len(after) < 2; !opens {
			return false, nil
		}
	}
	return true, nil
}

// snapshotDirs are the folders of snapshots that there are.
func (p *pins) snapshotDirs() ([]string, error) {
	folds, err := beside.Folds(p.fs)
	if err != nil {
		return nil, err
	}
	dirs := []string{datadir.Control}
	for _, f := range folds {
		dirs = append(dirs, f.Dir)
	}
	return dirs, nil
}

// linkSnapshots gives the snapshots in a directory, and what was kept beside them, second names, and says which is the newest. An older one that is removed meanwhile is left out;
// if the newest is, all has to be done again.
func (p *pins) linkSnapshots(dir string) (newest string, whole bool, err error) {
	if err := p.fs.MkdirAll(path.Join(pinName, dir)); err != nil {
		return "", false, err
	}
	names, err := fold.SnapshotNames(p.fs, dir)
	if err != nil || len(names) == 0 {
		return "", err == nil, err
	}
	newest = names[len(names)-1]
	for _, name := range names {
		err := p.linkKept(path.Join(dir, fold.KeptName(name)))
		if err == nil {
			err = p.fs.Link(path.Join(dir, name), path.Join(pinName, dir, name))
		}
		if fault.Is(err, fault.NotFound) && name != newest {
			err = vfs.RemoveAll(p.fs, path.Join(pinName, dir, fold.KeptName(name)))
		}
		if fault.Is(err, fault.NotFound) {
			return newest, false, nil
		}
		if err != nil {
			return newest, false, err
		}
	}
	return newest, true, nil
}

// linkKept gives the files in a directory second names, if there is such a directory.
func (p *pins) linkKept(dir string) error {
	names, err := p.fs.List(dir)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.fs.MkdirAll(path.Join(pinName, dir)); err != nil {
		return err
	}
	for _, name := range names {
		if err := p.fs.Link(path.Join(dir, name), path.Join(pinName, dir, name)); err != nil {
			return err
		}
	}
	return nil
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
