package tables

import (
	"encoding/binary"
	"encoding/json"
	"path"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/kv"
	"github.com/weir-stream/weir/internal/vfs"
)

// Look is the tables of an account and region as those see them who look at a directory without a server: the snapshots and the log are held against each other, and no command
// is done. It is a fold.Machine.
type Look struct {
	Account, Region string

	dir     string
	applied commitlog.Position // as the snapshot says that was restored last
}

var _ fold.Machine = (*Look)(nil)

// Looks finds the accounts and regions that have a directory in dir, in order of their names.
func Looks(fs vfs.FS, dir string) ([]*Look, error) {
	accounts, err := fs.List(dir)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var looks []*Look
	for _, account := range accounts {
		if !arn.IsAccount(account) {
			continue
		}
		regions, err := fs.List(path.Join(dir, account))
		if err != nil {
			return nil, err
		}
		for _, region := range regions {
			looks = append(looks, &Look{Account: account, Region: region, dir: path.Join(dir, account, region)})
		}
	}
	return looks, nil
}

// Name is what the snapshots call the log.
func (l *Look) Name() string { return foldName(l.Account, l.Region) }

// Snapshots is the directory that they are in.
func (l *Look) Snapshots() string { return path.Join(l.dir, snapshotsDir) }

// Apply does nothing: a command is done in a database, which a look does not make.
func (l *Look) Apply(time.Time, commitlog.Position, []byte) ([]byte, error) { return nil, nil }

// Snapshot is none.
func (l *Look) Snapshot() func() []byte { return func() []byte { return nil } }

// Restore reads what a snapshot says. Corrupt when it makes no sense, Unsupported when a newer Weir wrote it.
func (l *Look) Restore(snapshot []byte) error {
	var im image
	if err := json.Unmarshal(snapshot, &im); err != nil {
		return fault.As(fault.Corrupt, err, "tables")
	}
	if im.Version != imageVersion {
		return fault.New(fault.Unsupported, "tables of version %d: this version of Weir reads %d", im.Version, imageVersion)
	}
	l.applied = im.Applied
	return nil
}

// CheckKept reads the whole database of the snapshot that was restored last, which is in the directory of that name beside it, and changes nothing. Corrupt when it is not what
// was written, or not of the position that the snapshot says.
func (l *Look) CheckKept(fs vfs.FS, name string) error {
	applied := commitlog.Position(-1)
	err := kv.Check(fs, path.Join(l.Snapshots(), name), func(key, value []byte) {
		if string(key) == string(metaApplied) && len(value) == 8 {
			applied = commitlog.Position(binary.BigEndian.Uint64(value))
		}
	})
	if err == nil && applied != l.applied {
		err = fault.New(fault.Corrupt, "the database was left at %d, the snapshot beside it at %d", applied, l.applied)
	}
	return err
}
