package backup

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// RestoreOptions say what is restored.
type RestoreOptions struct {
	ID string // the backup; empty is the newest, or with At the first that has the moment
	// At brings the directory back to a moment: what arrived later and what was said later is cut. Zero restores all that the backup has.
	At       time.Time
	DryRun   bool
	Progress func(done, total int64)
}

// Restored is what Restore did, or would do.
type Restored struct {
	Backup string         `json:"backup"`
	Taken  time.Time      `json:"taken"`
	At     time.Time      `json:"at,omitzero"`
	Bytes  int64          `json:"bytes"`
	Files  int            `json:"files"`
	DryRun bool           `json:"dryRun"`
	Report *doctor.Report `json:"report,omitempty"` // the directory as it is now
}

// Choose finds the backup that has what o wants.
//
// NotFound when there is none; its message names the moments that there are.
func Choose(all []Backup, o RestoreOptions) (Backup, error) {
	var fit []Backup
	for _, b := range all {
		if o.ID != "" && b.ID != o.ID {
			continue
		}
		if !o.At.IsZero() && (o.At.Before(b.From) || o.At.After(b.Taken)) {
			continue
		}
		fit = append(fit, b)
	}
	switch {
	case len(fit) > 0 && o.At.IsZero():
		return fit[len(fit)-1], nil
	case len(fit) > 0:
		return fit[0], nil // the first behind the moment has lost least to retention
	case len(all) == 0:
		return Backup{}, fault.New(fault.NotFound, "there is no backup")
	case o.ID != "" && !slices.ContainsFunc(all, func(b Backup) bool { return b.ID == o.ID }):
		return Backup{}, fault.New(fault.NotFound, "there is no backup %s; there are %s", o.ID, idsOf(all))
	}
	return Backup{}, fault.New(fault.NotFound, "%s is in no backup; possible is %s", o.At.UTC().Format(time.RFC3339Nano), Moments(all))
}

func idsOf(all []Backup) string {
	ids := make([]string, len(all))
	for i, b := range all {
		ids[i] = b.ID
	}
	return strings.Join(ids, ", ")
}

// Moments says which moments backups can be restored to.
func Moments(all []Backup) string {
	var spans []string
	var from, to time.Time
	say := func() {
		if !to.IsZero() {
			spans = append(spans, fmt.Sprintf("%s to %s", from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano)))
		}
	}
	for _, b := range all {
		if to.IsZero() || b.From.After(to) {
			say()
			from = b.From
		} else if b.From.Before(from) {
			from = b.From
		}
		to = b.Taken
	}
	say()
	return strings.Join(spans, ", ")
}

// Restore copies a backup into fs, an empty directory that nobody uses yet, and checks it. What an earlier Restore of the same backup left there is used; anything else that
// is there is refused with Exists.
//
// Corrupt when a file is not what it was, or the directory is not sound.
func Restore(ctx context.Context, target Target, fs vfs.FS, o RestoreOptions) (Restored, error) {
	all, err := List(ctx, target)
	if err != nil {
		return Restored{}, err
	}
	b, err := Choose(all, o)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Backup: b.ID, Taken: b.Taken, At: o.At.UTC(), Bytes: b.Bytes, Files: len(b.Files), DryRun: o.DryRun}
	if o.At.IsZero() {
		out.At = time.Time{}
	}
	if o.DryRun {
		return out, nil
	}
	ours := make(map[string]bool, len(b.Files))
	for _, f := range b.Files {
		ours[f.Path] = true
	}
	if err := onlyOurs(fs, ".", b.ID, ours); err != nil {
		return out, err
	}
	dirs := []string{"."} // each behind the one that it is in
	made := map[string]bool{".": true}
	var mkdir func(dir string) error
	mkdir = func(dir string) error {
		if made[dir] {
			return nil
		}
		if err := mkdir(path.Dir(dir)); err != nil {
			return err
		}
		made[dir] = true
		dirs = append(dirs, dir)
		return fs.MkdirAll(dir)
	}
	for _, dir := range b.Dirs {
		if err := mkdir(dir); err != nil {
			return out, err
		}
	}
	done := int64(0)
	for _, f := range b.Files {
		if err := mkdir(path.Dir(f.Path)); err != nil {
			return out, err
		}
		if err := fetch(ctx, target, fs, f); err != nil {
			return out, fault.Wrap(err, "%s", f.Path)
		}
		if done += f.Size; o.Progress != nil {
			o.Progress(done, b.Bytes)
		}
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		if err := fs.SyncDir(dir); err != nil {
			return out, err
		}
	}
	x, err := doctor.Examine(ctx, doctor.Options{FS: fs})
	if err != nil {
		return out, err
	}
	defer func() { x.Close() }()
	if !x.Report.Sound {
		return out, fault.New(fault.Corrupt, "the backup holds a directory that is damaged: %s", x.Report.Findings[0].Text)
	}
	if !o.At.IsZero() {
		if err := x.Cut(ctx, o.At); err != nil {
			return out, fault.Wrap(err, "restore to %s", o.At.UTC().Format(time.RFC3339Nano))
		}
		x.Close()
		if x, err = doctor.Examine(ctx, doctor.Options{FS: fs}); err != nil {
			return out, err
		}
		if !x.Report.Sound {
			return out, fault.New(fault.Internal, "cutting the directory damaged it: %s", x.Report.Findings[0].Text)
		}
	}
	out.Report = &x.Report
	return out, nil
}

// onlyOurs refuses a directory with files that the backup does not have.
func onlyOurs(fs vfs.FS, dir, id string, ours map[string]bool) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		at := path.Join(dir, name)
		info, err := fs.Stat(at)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := onlyOurs(fs, at, id, ours); err != nil {
				return err
			}
			continue
		}
		base := strings.TrimSuffix(at, partSuffix)
		if base != datadir.Log+"/LOCK" && !ours[base] {
			return fault.New(fault.Exists, "%s is there, and not part of backup %s: a backup is restored into an empty directory", at, id)
		}
	}
	return nil
}

// fetch writes a file, unless it is there already as it should be.
func fetch(ctx context.Context, target Target, fs vfs.FS, f File) error {
	if info, err := fs.Stat(f.Path); err == nil && info.Size() == f.Size {
		if have, err := sum(ctx, sourceFile{fs: fs, path: f.Path, size: f.Size}); err == nil && have == f.SHA256 {
			return nil
		}
	}
	r, err := target.Get(ctx, path.Join(objectsDir, f.SHA256))
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	out, err := fs.Create(f.Path + partSuffix)
	if err != nil {
		return err
	}
	err = copyTo(ctx, out, io.LimitReader(r, f.Size+1), f.Size, f.SHA256)
	if err == nil {
		err = out.SyncData()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return fs.Rename(f.Path+partSuffix, f.Path)
}
