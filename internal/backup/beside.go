package backup

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// besideOf names the engines that keep something beside the logs.
func besideOf(source Source) (names []string, err error) {
	folds, err := beside.Folds(source.Files)
	for _, f := range folds {
		names = append(names, f.Of)
	}
	return names, err
}

// immutable says whether a file is never written to once it is there.
func immutable(name string) bool {
	for _, dir := range []string{datadir.Objects, datadir.Tables, datadir.FunctionsCode} {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return strings.HasPrefix(name, datadir.Log+"/segment-") || strings.HasPrefix(path.Base(name), "snapshot-")
}

// knownAs is what a file of the last backup is known by: its path. A database's tables keep their numbers from checkpoint to checkpoint, so that for them it leaves out which.
func knownAs(name string) string {
	if ext := path.Ext(name); strings.HasPrefix(name, datadir.Tables+"/") && (ext == ".sst" || ext == ".blob") {
		return path.Join(path.Dir(path.Dir(name)), path.Base(name))
	}
	return name
}

// snapshotsOf lists the snapshots of a fold that are whole as far as their own bytes say, with what was kept beside each.
func snapshotsOf(fs vfs.FS, f *beside.Fold) (files []sourceFile, err error) {
	snapshots, err := fold.Snapshots(fs, f.Dir, f.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	for _, s := range snapshots {
		if s.Err != nil {
			continue
		}
		files = append(files, sourceFile{fs: fs, path: path.Join(f.Dir, s.Name)})
		kept := path.Join(f.Dir, fold.KeptName(s.Name))
		names, err := fs.List(kept)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		for _, name := range names {
			files = append(files, sourceFile{fs: fs, path: path.Join(kept, name)})
		}
	}
	return files, nil
}

// namedBy lists the files that the commands in the logs name, in order of path. It reads the logs as they are now, a running server's as well: its files stay while its pin is held. A file
// that is not there is left out: nothing needs it any more, or it is lost, which restore and doctor say.
func namedBy(ctx context.Context, source Source) (files []sourceFile, err error) {
	image, err := disklog.Examine(source.Files, datadir.Log, false)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	folds, err := beside.Folds(source.Files)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, f := range folds {
		if f.Files == nil {
			continue
		}
		look, err := f.Look(ctx, source.Files, image, false)
		if err != nil {
			return nil, err
		}
		for _, fs := range []vfs.FS{source.Files, source.Rest} {
			var failed error
			visit := func(file string) {
				if seen[file] || failed != nil {
					return
				}
				if _, err := fs.Stat(file); err == nil {
					seen[file] = true
					files = append(files, sourceFile{fs: fs, path: file})
				} else if !fault.Is(err, fault.NotFound) {
					failed = err
				}
			}
			if err := f.Files(fs, visit); err != nil {
				return nil, err
			}
			if !look.Whole && f.Unneeded != nil { // which are needed cannot be told: the log is damaged, and is copied as it is
				if err := f.Unneeded(fs, visit); err != nil {
					return nil, err
				}
			}
			if failed != nil {
				return nil, failed
			}
		}
	}
	slices.SortFunc(files, func(a, b sourceFile) int { return strings.Compare(a.path, b.path) })
	return files, nil
}
