package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/tables"
)

// What is found beside the logs of tables, objects and functions.
const (
	SnapshotDamaged disklog.FindingKind = "snapshot"          // a snapshot, or the database beside it
	FoldUnopenable  disklog.FindingKind = "engine"            // log and snapshots do not belong together: the server would not start
	ContentDamaged  disklog.FindingKind = "content"           // a file that an object or a function needs is missing, too short, or not what was written
	DirectoryLost   disklog.FindingKind = "directory-missing" // a log has commands, and the directory that goes with it is not there
)

// Beside counts what was looked at beside the logs.
type Beside struct {
	Snapshots int   `json:"snapshots"`
	Files     int   `json:"files"` // that objects and functions need
	Bytes     int64 `json:"bytes"` // of objects
}

// readFolds looks at everything that engines keep beside the logs.
func (x *Examination) readFolds(ctx context.Context) error {
	folds, err := beside.Folds(x.options.FS)
	if err != nil {
		return err
	}
	for _, f := range folds {
		look, err := f.Look(ctx, x.options.FS, x.image, true)
		if err != nil {
			return err
		}
		x.folds = append(x.folds, look)
		x.tellSnapshots(look)
		if look.Why != "" {
			x.sayOf(look, Finding{Kind: FoldUnopenable, Log: f.Log.String(), Text: look.Why})
			if !look.EndsBefore || !x.logDamaged() {
				x.hopeless = append(x.hopeless, f.Of+": "+look.Why+": restore a backup")
			}
		}
		if err := x.tellStrays(f); err != nil {
			return err
		}
		if err := x.keepUnnamed(look); err != nil {
			return err
		}
		if look.Whole {
			if err := x.tellPieces(look); err != nil {
				return err
			}
		}
	}
	x.tellDirectories()
	return nil
}

// sayOf says something of a fold.
func (x *Examination) sayOf(look *beside.Look, f Finding) {
	f.Text = look.Fold.Of + ": " + f.Text
	if l, is := look.Fold.Machine.(*tables.Look); is {
		f.Account, f.Region = l.Account, l.Region
	}
	x.say(f, false)
}

// tellSnapshots says which snapshots are damaged, and has a repair take them out of use when another one, or the log alone, is enough.
func (x *Examination) tellSnapshots(look *beside.Look) {
	f := look.Fold
	x.Report.Beside.Snapshots += len(look.Snapshots)
	for _, s := range look.Snapshots {
		if s.Err == nil {
			continue
		}
		file := path.Join(f.Dir, s.Name)
		x.sayOf(look, Finding{Kind: SnapshotDamaged, File: file, Text: fmt.Sprintf("%s: %v", file, s.Err)})
		if look.From < look.Bounds.First {
			continue // nothing else reaches the log: that is said, and is hopeless
		}
		instead := "the log has everything from its beginning"
		if look.From > 0 {
			instead = fmt.Sprintf("the one of %d is whole, and the log reaches it", look.From)
		}
		kept := path.Join(f.Dir, fold.KeptName(s.Name))
		names, err := x.options.FS.List(kept)
		if err == nil { // before the snapshot, so that a repair that is killed finds the rest
			for _, name := range names {
				x.put = append(x.put, aside{path.Join(kept, name), "it is of the damaged snapshot " + s.Name})
			}
		}
		x.put = append(x.put, aside{file, "the snapshot is damaged; " + instead})
	}
}

// tellStrays notes what counts for nothing in the directory of the snapshots, and in that of the files.
func (x *Examination) tellStrays(f *beside.Fold) error {
	stray := func(file string) {
		x.say(Finding{Kind: disklog.Orphan, File: file, Text: file + " counts for nothing"}, true)
	}
	names, err := x.options.FS.List(f.Dir)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	snapshots, err := fold.SnapshotNames(x.options.FS, f.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		isKept := slices.ContainsFunc(snapshots, func(s string) bool { return fold.KeptName(s) == name })
		if !isKept && !slices.Contains(snapshots, name) {
			stray(path.Join(f.Dir, name))
		}
	}
	if f.Unneeded == nil {
		return nil
	}
	for _, look := range x.folds {
		if look.Fold == f && look.Whole { // else nobody knows which are needed
			return f.Unneeded(x.options.FS, stray)
		}
	}
	return nil
}

// keepUnnamed has a repair take files that nothing names into the quarantine when commands at the end of the log may be lost: one of those may have named them, and the next
// start would remove them.
func (x *Examination) keepUnnamed(look *beside.Look) error {
	f := look.Fold
	lost := look.EndsBefore || slices.ContainsFunc(x.image.Findings(), func(i disklog.Finding) bool { return i.Kind == disklog.EndUnknown && i.Log == f.Log && !i.Note })
	if f.Unneeded == nil || !lost {
		return nil
	}
	return f.Unneeded(x.options.FS, func(file string) {
		if info, err := x.options.FS.Stat(file); err == nil && !info.IsDir() {
			x.put = append(x.put, aside{file, "nothing that is left names it, and a command that is lost may have"})
		}
	})
}

// tellPieces says which objects and codes are not what they should be. A repair has nothing to make them of.
func (x *Examination) tellPieces(look *beside.Look) error {
	if look.Fold.Pieces == nil {
		return nil
	}
	return look.Fold.Pieces(x.options.FS, true, func(p beside.Piece) {
		x.Report.Beside.Files++
		x.Report.Beside.Bytes += p.Size
		if p.Err == nil {
			return
		}
		what := p.Err.Error()
		if fault.Is(p.Err, fault.NotFound) {
			what = "the file is missing"
		}
		text := fmt.Sprintf("%s: %s: %s", p.Of, p.File, what)
		x.sayOf(look, Finding{Kind: ContentDamaged, File: p.File, Text: text})
		x.left = append(x.left, text+": take it from a backup, or delete it through the API")
	})
}

// tellDirectories says which logs of engines have commands and no directory: the server would not know of them.
func (x *Examination) tellDirectories() {
	for _, info := range x.image.Logs() {
		if info.Bounds.Next == 0 || slices.ContainsFunc(x.folds, func(l *beside.Look) bool { return l.Fold.Log == info.ID }) {
			continue
		}
		var of string
		switch {
		case tables.IsLog(info.ID):
			of = fmt.Sprintf("tables of account %s in a region", tables.AccountOf(info.ID))
		case info.ID == beside.ObjectsLog:
			of = "objects"
		case info.ID == beside.FunctionsLog:
			of = "functions"
		case info.ID == beside.CheckpointsLog:
			of = "checkpoints of consumers"
		case info.ID == beside.MappingsLog:
			of = "event source mappings"
		case info.ID == beside.DeliveryLog:
			of = "delivery streams"
		default:
			continue
		}
		text := fmt.Sprintf("%s: the log has commands up to %d, and the directory that goes with it is missing", of, info.Bounds.Next)
		x.say(Finding{Kind: DirectoryLost, Log: info.ID.String(), Text: text}, false)
		x.hopeless = append(x.hopeless, text+": restore a backup")
	}
}

// foldOf is the fold that has a log, or nil.
func (x *Examination) foldOf(id commitlog.ID) *beside.Look {
	for _, look := range x.folds {
		if look.Fold.Log == id {
			return look
		}
	}
	return nil
}

// foldClaims says what the engines know of their logs. What a command said is nowhere else but in a snapshot of a later position.
func (x *Examination) foldClaims(claims map[commitlog.ID]disklog.Claim) {
	for _, info := range x.image.Logs() {
		if info.ID != (commitlog.ID{}) && (info.ID.Group == 0 || tables.IsLog(info.ID)) {
			claims[info.ID] = disklog.Claim{Optional: true}
		}
	}
	for _, look := range x.folds {
		claims[look.Fold.Log] = disklog.Claim{AtLeast: look.From, Covered: true, Optional: look.From == 0}
	}
}

// keepFolds adds the logs of folds whose machine cannot be brought back, which stay as they are: Unsupported, naming what was changed after the moment, when they may not.
func (x *Examination) keepFolds(moment time.Time, logs map[commitlog.ID]disklog.CutLog) error {
	var later []string
	for _, look := range x.folds {
		later = append(later, look.LaterThan(moment)...)
		if !look.Fold.CutsItself && !look.NoLog {
			logs[look.Fold.Log] = disklog.CutLog{At: look.Bounds.Next}
		}
	}
	if len(later) == 0 {
		return nil
	}
	const most = 20 // of thousands of buckets nobody reads more
	text := strings.Join(later[:min(len(later), most)], ", ")
	if len(later) > most {
		text += fmt.Sprintf(" and %d more", len(later)-most)
	}
	return fault.New(fault.Unsupported, "tables and objects are not brought back to an earlier moment, and these were changed after it: %s; a backup as a whole is restored without a moment", text)
}
