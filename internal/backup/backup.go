// Package backup copies a data directory to another place and back.
//
// It owns the layout of that place (docs/format/backup.md), what belongs to a backup, which files are copied and which are there already, which backups are kept, and the
// way back, also to an earlier moment. Which files of the logs are one moment belongs to commitlog/disklog, whether a directory is sound to doctor, and what people type to
// cmd/weir.
//
// Read Backup and Make, then restore.go, then target.go.
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// version of a Backup's JSON, and of the place. History:
//
//	1  files by their SHA-256
//	2  directories that are there even when they are empty: tables are found by theirs
const version = 2

// Folders of the place that backups are in.
const (
	backupsDir = "backups" // one JSON for each backup: ID.SUM.json
	objectsDir = "objects" // files, by the SHA-256 of their bytes
)

// Backup says what a backup holds. It is written when everything in it is there, so a backup that was interrupted is none.
type Backup struct {
	Version int    `json:"version"`
	ID      string `json:"id"` // Taken, in digits: 20261127T210500.123Z
	// Taken is the server's time: everything that was acknowledged before it is in the backup. From is the earliest moment that the backup can be restored to.
	Taken      time.Time `json:"taken"`
	From       time.Time `json:"from"`
	Weir       string    `json:"weir"` // the version that made it
	MasterKeys bool      `json:"masterKeys"`
	Bytes      int64     `json:"bytes"` // of all files
	Files      []File    `json:"files"`
	Dirs       []string  `json:"dirs,omitempty"` // that are there even when they are empty
}

// File is a file of the data directory.
type File struct {
	Path    string    `json:"path"` // in the data directory
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	ModTime time.Time `json:"modTime"`
}

// Source is a data directory that stands still, or a pin of one that does not.
type Source struct {
	Files vfs.FS // logs, and snapshots of all folds
	Rest  vfs.FS // everything else: the data directory itself, from which no file goes that a command in the logs names
	Taken time.Time
}

// Options say how a backup is made.
type Options struct {
	Weir       string // the version that is noted
	MasterKeys bool   // take the master keys of encryption, too
	Keep       int    // how many backups stay, this one included; 0 keeps all
	DryRun     bool   // say what would be done
	Progress   func(done, total int64)
}

// Outcome is what Make did, or would do.
type Outcome struct {
	Backup      Backup   `json:"backup"`
	CopiedFiles int      `json:"copiedFiles"` // that were not there
	CopiedBytes int64    `json:"copiedBytes"`
	Removed     []string `json:"removed"` // IDs of backups that are no longer kept
	Beside      []string `json:"beside"`  // engines beyond streams that are in it, in words
	DryRun      bool     `json:"dryRun"`
}

// idOf is a time as an ID: IDs sort as times do.
func idOf(t time.Time) string { return t.UTC().Format("20060102T150405.000Z") }

// Make makes a backup of source in target. Conflict when another one is being made there.
func Make(ctx context.Context, target Target, source Source, o Options) (out Outcome, err error) {
	unlock, err := target.Lock(ctx)
	if err != nil {
		return out, err
	}
	defer unlock()
	before, err := List(ctx, target)
	if err != nil {
		return out, err
	}
	b := Backup{Version: version, ID: idOf(source.Taken), Taken: source.Taken.UTC().Truncate(time.Millisecond), Weir: o.Weir, MasterKeys: o.MasterKeys}
	if n := len(before); n > 0 && before[n-1].ID >= b.ID {
		return out, fault.New(fault.Conflict, "there is a backup of %s already, and this one would be of %s", before[n-1].Taken.Format(time.RFC3339Nano), b.Taken.Format(time.RFC3339Nano))
	}
	paths, dirs, err := pathsOf(source, o.MasterKeys)
	if err != nil {
		return out, err
	}
	if b.From, err = from(ctx, source); err != nil {
		return out, err
	}
	known := make(map[string]File)  // files of the last backup, by knownAs
	there := make(map[string]int64) // objects, by their sum
	if n := len(before); n > 0 {
		for _, f := range before[n-1].Files {
			known[knownAs(f.Path)] = f
		}
	}
	objects, err := target.List(ctx, objectsDir)
	if err != nil {
		return out, err
	}
	for _, o := range objects {
		there[path.Base(o.Name)] = o.Size
	}
	b.Dirs = dirs
	if out.Beside, err = besideOf(source); err != nil {
		return out, err
	}
	m := &making{target: target, options: o, known: known, there: there, out: &out, backup: &b}
	if err := m.copy(ctx, paths); err != nil {
		return out, err
	}
	// Of the files that commands name those come that the logs have by now, which have at least what was copied of them.
	named, err := namedBy(ctx, source)
	if err != nil {
		return out, err
	}
	if err := m.copy(ctx, named); err != nil {
		return out, err
	}
	slices.SortFunc(b.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	out.Backup, out.DryRun = b, o.DryRun
	if !o.DryRun {
		if err := write(ctx, target, b); err != nil {
			return out, err
		}
	}
	out.Removed, err = prune(ctx, target, append(before, b), o)
	return out, err
}

// making is a backup that is being made.
type making struct {
	target  Target
	options Options
	known   map[string]File  // files of the last backup, by knownAs
	there   map[string]int64 // objects, by their sum

	out         *Outcome
	backup      *Backup
	total, done int64
}

// copy adds files to the backup, and copies those that are not there.
func (m *making) copy(ctx context.Context, files []sourceFile) error {
	for i := range files {
		info, err := files[i].fs.Stat(files[i].path)
		if err != nil {
			return err
		}
		files[i].size, files[i].modTime = info.Size(), info.ModTime().UTC()
		m.total += info.Size()
	}
	for _, p := range files {
		f := File{Path: p.path, Size: p.size, ModTime: p.modTime}
		var err error
		// A file that nobody writes to again, with the name, size and time that it had, is the one that it was.
		if k, ok := m.known[knownAs(p.path)]; ok && k.Size == f.Size && k.ModTime.Equal(f.ModTime) && !f.ModTime.IsZero() && immutable(p.path) {
			f.SHA256 = k.SHA256
		} else if f.SHA256, err = sum(ctx, p); err != nil {
			return err
		}
		if size, ok := m.there[f.SHA256]; !ok || size != f.Size {
			m.out.CopiedFiles++
			m.out.CopiedBytes += f.Size
			if !m.options.DryRun {
				if err := p.put(ctx, m.target, f); err != nil {
					return fault.Wrap(err, "%s", p.path)
				}
			}
			m.there[f.SHA256] = f.Size
		}
		m.backup.Files = append(m.backup.Files, f)
		m.backup.Bytes += f.Size
		if m.done += f.Size; m.options.Progress != nil {
			m.options.Progress(m.done, m.total)
		}
	}
	return nil
}

// sourceFile is a file that goes into a backup.
type sourceFile struct {
	fs      vfs.FS
	path    string
	size    int64
	modTime time.Time
}

// pathsOf lists what belongs to a backup but for the files that commands name, in order of path, and the directories that have to be there even when nothing is in them.
func pathsOf(source Source, masterKeys bool) (files []sourceFile, dirs []string, err error) {
	names, err := disklog.Files(source.Files, datadir.Log)
	if err != nil {
		return nil, nil, fault.Wrap(err, "%s: weir doctor says more", datadir.Log)
	}
	for _, name := range names {
		files = append(files, sourceFile{fs: source.Files, path: path.Join(datadir.Log, name)})
	}
	folds, err := beside.Folds(source.Files)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range append(folds, &beside.Fold{Name: datadir.ControlName, Dir: datadir.Control}) {
		if f.Dir != datadir.Control {
			dirs = append(dirs, f.Dir)
		}
		snapshots, err := snapshotsOf(source.Files, f)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, snapshots...)
	}
	for _, name := range datadir.Small(masterKeys) {
		if info, err := source.Rest.Stat(name); err != nil {
			continue
		} else if !info.IsDir() {
			files = append(files, sourceFile{fs: source.Rest, path: name})
			continue
		}
		inside, err := source.Rest.List(name)
		if err != nil {
			return nil, nil, err
		}
		for _, in := range inside {
			files = append(files, sourceFile{fs: source.Rest, path: path.Join(name, in)})
		}
	}
	slices.SortFunc(files, func(a, b sourceFile) int { return strings.Compare(a.path, b.path) })
	return files, dirs, nil
}

// from is the earliest moment that the catalog of source can be brought back to: that of the first command, or of the oldest snapshot when the log was trimmed behind it.
func from(ctx context.Context, source Source) (time.Time, error) {
	im, err := disklog.Examine(source.Files, datadir.Log, false)
	if err != nil {
		return time.Time{}, err
	}
	defer im.Close()
	log, err := im.Log(commitlog.ID{})
	if fault.Is(err, fault.NotFound) {
		return source.Taken.UTC().Truncate(time.Millisecond), nil
	}
	if err != nil {
		return time.Time{}, err
	}
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if bounds.First == 0 {
		chunk, err := log.Read(ctx, 0, 1)
		if err != nil {
			return time.Time{}, err
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		if it.Next(&r) {
			return time.UnixMilli(r.Timestamp).UTC(), nil
		}
		return source.Taken.UTC().Truncate(time.Millisecond), it.Err()
	}
	snapshots, err := fold.Snapshots(source.Files, datadir.Control, datadir.ControlName)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range snapshots {
		if s.Err == nil && s.Next >= bounds.First {
			return s.Time, nil
		}
	}
	return time.Time{}, fault.New(fault.Corrupt, "no snapshot in %s reaches the control log, which begins at %d: weir doctor says more", datadir.Control, bounds.First)
}

func sum(ctx context.Context, p sourceFile) (string, error) {
	r, closer, err := p.open()
	if err != nil {
		return "", err
	}
	defer closer()
	h := sha256.New()
	if n, err := io.Copy(h, ending{ctx, r}); err != nil || n != p.size {
		return "", fault.As(fault.Unavailable, cmpErr(err, io.ErrUnexpectedEOF), "read %s", p.path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (p sourceFile) open() (*io.SectionReader, func(), error) {
	f, err := p.fs.Open(p.path)
	if err != nil {
		return nil, nil, err
	}
	return io.NewSectionReader(f, 0, p.size), func() { _ = f.Close() }, nil
}

// put copies the file to its object, and makes sure that the bytes are still those of the sum.
func (p sourceFile) put(ctx context.Context, target Target, f File) error {
	r, closer, err := p.open()
	if err != nil {
		return err
	}
	defer closer()
	return target.Put(ctx, path.Join(objectsDir, f.SHA256), r, f.Size, f.SHA256)
}

// ending ends a reading when its context does.
type ending struct {
	ctx context.Context
	r   io.Reader
}

func (e ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}

// write puts the JSON of a backup. Its name has the sum of its bytes.
func write(ctx context.Context, target Target, b Backup) error {
	data, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return fault.As(fault.Internal, err, "backup %s", b.ID)
	}
	sum := sha256.Sum256(data)
	text := hex.EncodeToString(sum[:])
	return target.Put(ctx, nameOf(b.ID, text), bytes.NewReader(data), int64(len(data)), text)
}

func nameOf(id, sum string) string { return fmt.Sprintf("%s/%s.%s.json", backupsDir, id, sum[:16]) }

// backupBytesMax bounds the JSON of a backup: some five million files, of which an object is one.
const backupBytesMax = 1 << 30

// List reads all backups of a place, the oldest first. Corrupt when one is not what was written; Unsupported when a newer Weir wrote it.
func List(ctx context.Context, target Target) ([]Backup, error) {
	entries, err := target.List(ctx, backupsDir)
	if err != nil {
		return nil, err
	}
	var all []Backup
	for _, e := range entries {
		base := path.Base(e.Name)
		id, rest, ok := strings.Cut(base, "Z.")
		if !ok || !strings.HasSuffix(rest, ".json") {
			continue // none of ours
		}
		b, err := read(ctx, target, e, id+"Z")
		if err != nil {
			return nil, fault.Wrap(err, "%s", e.Name)
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Backup) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func read(ctx context.Context, target Target, e Entry, id string) (b Backup, err error) {
	if e.Size > backupBytesMax {
		return b, fault.New(fault.Corrupt, "%d bytes are more than it can have", e.Size)
	}
	r, err := target.Get(ctx, e.Name)
	if err != nil {
		return b, err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, backupBytesMax))
	if err != nil {
		return b, fault.As(fault.Unavailable, err, "read")
	}
	return decode(data, id, e.Name)
}

// decode reads the JSON of the backup id, which stands under name.
func decode(data []byte, id, name string) (b Backup, err error) {
	sum := sha256.Sum256(data)
	if nameOf(id, hex.EncodeToString(sum[:])) != name {
		return b, fault.New(fault.Corrupt, "its bytes are not those that its name says")
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return b, fault.As(fault.Corrupt, err, "read")
	}
	if b.Version != version && b.Version != 1 {
		return b, fault.New(fault.Unsupported, "version %d: this Weir knows versions 1 to %d", b.Version, version)
	}
	for _, f := range b.Files {
		if !localPath(f.Path) || f.Size < 0 || len(f.SHA256) != 2*sha256.Size || strings.Trim(f.SHA256, "0123456789abcdef") != "" {
			return b, fault.New(fault.Corrupt, "file %q makes no sense", f.Path)
		}
	}
	for _, dir := range b.Dirs {
		if !localPath(dir) {
			return b, fault.New(fault.Corrupt, "directory %q makes no sense", dir)
		}
	}
	if b.ID != id {
		return b, fault.New(fault.Corrupt, "it is backup %q", b.ID)
	}
	return b, nil
}

// localPath says whether a path stays in the data directory.
func localPath(p string) bool {
	return p != "" && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, `\:`)
}

// prune removes the backups that are no longer kept, and then the objects that no backup has: also those that an interrupted one left. Without Keep nothing goes.
func prune(ctx context.Context, target Target, all []Backup, o Options) (removed []string, err error) {
	if o.Keep <= 0 {
		return nil, nil
	}
	gone := all[:max(0, len(all)-o.Keep)]
	for _, b := range gone {
		removed = append(removed, b.ID)
	}
	if o.DryRun {
		return removed, nil
	}
	if len(gone) > 0 {
		entries, err := target.List(ctx, backupsDir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if slices.ContainsFunc(removed, func(id string) bool { return strings.HasPrefix(path.Base(e.Name), id+".") }) {
				if err := target.Delete(ctx, e.Name); err != nil {
					return nil, err
				}
			}
		}
	}
	used := make(map[string]bool)
	for _, b := range all[len(gone):] {
		for _, f := range b.Files {
			used[f.SHA256] = true
		}
	}
	objects, err := target.List(ctx, objectsDir)
	if err != nil {
		return removed, err
	}
	for _, e := range objects {
		if !used[path.Base(e.Name)] {
			if err := target.Delete(ctx, e.Name); err != nil {
				return removed, err
			}
		}
	}
	return removed, nil
}
