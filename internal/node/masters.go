package node

import (
	"crypto/rand"
	"log/slog"
	"path/filepath"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// openMasters reads the master keys. data is the data directory.
func (n *Node) openMasters(data vfs.FS) (*envelope.Ring, error) {
	return OpenMasters(data, n.config.MasterKeyFile, n.logger)
}

// OpenMasters opens the file of master keys: the one at path, or that in the data directory when path is empty.
func OpenMasters(data vfs.FS, path string, logger *slog.Logger) (*envelope.Ring, error) {
	o := envelope.Options{FS: data, File: datadir.MasterKeys, Clock: clock.Real, Random: rand.Reader, Logger: logger}
	if path != "" {
		dir, err := vfs.NewOS(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		o.FS, o.File = dir, filepath.Base(path)
	}
	ring, err := envelope.OpenRing(o)
	return ring, fault.Wrap(err, "master keys")
}
