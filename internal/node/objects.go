package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// objectsDir is where buckets and objects are, inside the data directory.
const objectsDir = datadir.Objects

// objectsLog is the log of the names of objects.
var objectsLog = beside.ObjectsLog

func (n *Node) openObjects(ctx context.Context, fs vfs.FS, now clock.Clock, test bool) error {
	if err := n.store.Create(ctx, objectsLog, commitlog.Config{}); err != nil {
		return err
	}
	log, err := n.store.Open(ctx, objectsLog)
	if err != nil {
		return err
	}
	var session [8]byte
	if _, err := rand.Read(session[:]); err != nil {
		return fault.As(fault.Internal, err, "session id")
	}
	n.objects, err = store.Open(ctx, store.Options{
		Log: log, FS: fs, Dir: objectsDir, Clock: now, Session: binary.BigEndian.Uint64(session[:]) | 1, Random: rand.Reader, TestClock: test, Logger: n.logger,
		SnapshotEvery: n.config.SnapshotEvery,
	})
	if err != nil {
		return err
	}
	n.pins.keepers = append(n.pins.keepers, n.objects)
	return nil
}
