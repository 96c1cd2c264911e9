// Package beside knows what engines keep beside the logs in a data directory: snapshots of folds, and files that their commands name.
//
// It owns the list of those engines, and one way to look at them all without a server, for pins, backups, restores and the doctor. What a snapshot or a file holds belongs to the
// engine, which brings a machine that looks; how a fold goes forward belongs to fold; which findings are worth what belongs to doctor.
//
// Read Fold and Folds, then look.go. An engine that comes to keep files is a function in engines.
package beside

import (
	"path"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/vfs"
)

// Fold is one machine that has a log, snapshots beside it and perhaps files. All but the first four fields may be nil.
type Fold struct {
	Of   string // for people: "tables of ACCOUNT in REGION"
	Name string // what its snapshots call its log
	Dir  string // of its snapshots, in the data directory
	Log  commitlog.ID

	// Machine is what a look brings forward: it changes nothing outside itself.
	Machine fold.Machine
	// CheckKept reads all that a Keeper has made beside the snapshot that Machine restored last, in the directory of that name in Dir. Corrupt when it is not what was made.
	CheckKept func(fs vfs.FS, name string) error
	// Files visits the files that a copy of the directory needs, and perhaps some that it does not, once Machine is where the log ends.
	Files func(fs vfs.FS, visit func(file string)) error
	// Pieces visits everything that must be in files, and says whether it is; with contents, by reading it.
	Pieces func(fs vfs.FS, contents bool, visit func(Piece)) error
	// Unneeded visits files in the engine's directory that count for nothing.
	Unneeded func(fs vfs.FS, visit func(file string)) error
	// CutsItself says that the machine of a moment can be made of that of a later one; else Later names what stands in the way of it, as far as it is known.
	CutsItself bool
	Later      func(moment time.Time) []string
}

// Piece is one thing that must be in a file.
type Piece struct {
	Of   string // for people: "bucket B, object K"
	File string
	Size int64
	Err  error // why it is not there as it should be: Corrupt, NotFound, or what the disk says
}

// Folds finds the folds that a data directory has, in no order that matters. One whose directory is there but empty is among them.
func Folds(fs vfs.FS) ([]*Fold, error) {
	var all []*Fold
	for _, engine := range engines {
		folds, err := engine(fs)
		if err != nil {
			return nil, err
		}
		all = append(all, folds...)
	}
	return all, nil
}

var engines = []func(vfs.FS) ([]*Fold, error){tablesOf, objectsOf, functionsOf, plain(CheckpointsLog, datadir.Checkpoints, datadir.CheckpointsName, "checkpoints of consumers"), plain(MappingsLog, datadir.Mappings, datadir.MappingsName, "event source mappings"), deliveryOf}

// The system's own logs that have snapshots beside them; the first is the control log.
var (
	ObjectsLog     = commitlog.ID{Member: 1}
	FunctionsLog   = commitlog.ID{Member: 2}
	CheckpointsLog = commitlog.ID{Member: 4}
	MappingsLog    = commitlog.ID{Member: 5}
	DeliveryLog    = commitlog.ID{Member: 6}
)

// plain is an engine of one fold that has nothing but small snapshots, and whose machine of a moment is made of the log up to there.
func plain(log commitlog.ID, dir, name, of string) func(vfs.FS) ([]*Fold, error) {
	return func(fs vfs.FS) ([]*Fold, error) {
		if there, err := has(fs, dir); !there {
			return nil, err
		}
		return []*Fold{{Of: of, Name: name, Dir: dir, Log: log, Machine: &heedless{}, CutsItself: true}}, nil
	}
}

// DeliveryMachine is what the fold of delivery streams looks with: which of them exist, so that the logs of direct puts have names.
type DeliveryMachine = fold.Published[*delivery.Catalog]

func deliveryOf(fs vfs.FS) ([]*Fold, error) {
	if there, err := has(fs, datadir.Delivery); !there {
		return nil, err
	}
	return []*Fold{{Of: "delivery streams", Name: datadir.DeliveryName, Dir: datadir.Delivery, Log: DeliveryLog, Machine: delivery.Machine(), CutsItself: true}}, nil
}

func tablesOf(fs vfs.FS) ([]*Fold, error) {
	looks, err := tables.Looks(fs, datadir.Tables)
	if err != nil {
		return nil, err
	}
	var folds []*Fold
	for _, l := range looks {
		folds = append(folds, &Fold{
			Of: "tables of " + l.Account + " in " + l.Region, Name: l.Name(), Dir: l.Snapshots(), Log: tables.LogID(l.Account, l.Region), Machine: l, CheckKept: l.CheckKept,
		})
	}
	return folds, nil
}

func objectsOf(fs vfs.FS) ([]*Fold, error) {
	if there, err := has(fs, datadir.Objects); !there {
		return nil, err
	}
	l := store.NewLook(datadir.Objects)
	return []*Fold{{
		Of: "objects", Name: store.FoldName, Dir: l.Snapshots(), Log: ObjectsLog, Machine: l,
		Files: func(_ vfs.FS, visit func(string)) error { l.Named(visit); return nil },
		Pieces: func(fs vfs.FS, contents bool, visit func(Piece)) error {
			read := map[string]error{} // copies share files
			l.Pieces(func(p store.Piece) {
				err, known := read[p.File]
				if !known {
					err = p.Check(fs, contents)
					read[p.File] = err
				}
				visit(Piece{Of: p.Of, File: p.File, Size: p.Size, Err: err})
			})
			return nil
		},
		Unneeded: l.Unneeded,
		Later: func(moment time.Time) []string {
			var names []string
			for _, bucket := range l.Later(moment) {
				names = append(names, "bucket "+bucket)
			}
			return names
		},
	}}, nil
}

func functionsOf(fs vfs.FS) ([]*Fold, error) {
	if there, err := has(fs, datadir.Functions); !there {
		return nil, err
	}
	codes := func(fs vfs.FS, visit func(file string)) error {
		names, err := fs.List(datadir.FunctionsCode)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".zip") {
				visit(path.Join(datadir.FunctionsCode, name))
			}
		}
		return err
	}
	return []*Fold{{
		Of: "functions", Name: datadir.FunctionsName, Dir: datadir.FunctionsCatalog, Log: FunctionsLog, Machine: &heedless{}, Files: codes, CutsItself: true,
		Pieces: func(fs vfs.FS, contents bool, visit func(Piece)) error {
			return codes(fs, func(file string) {
				if contents {
					digest := strings.TrimSuffix(path.Base(file), ".zip")
					visit(Piece{Of: "code " + digest, File: file, Err: functions.CheckCode(fs, file)})
				}
			})
		},
	}}, nil
}

func has(fs vfs.FS, dir string) (bool, error) {
	_, err := fs.Stat(dir)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
