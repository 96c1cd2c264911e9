package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/beside"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/streams"
)

// Cut brings a sound directory, which is a copy, back to the state of a moment: the control commands up to it, and of every shard the records that had arrived. The exactness
// is a millisecond by the clock of the server that took them; where that clock had gone back, what stands behind a later record in its shard is cut with it.
//
// Records that retention removed between the moment and the copy are not in it. NotFound names a stream or delivery stream that was deleted in between; Trimmed says that
// the commands do not reach so far back. Unsupported names tables and buckets that were changed after the moment: those stay as they are, or nothing is cut.
func (x *Examination) Cut(ctx context.Context, at time.Time) error {
	if !x.Report.Sound || !x.whole {
		return fault.New(fault.Corrupt, "a damaged directory is not cut")
	}
	millis := at.UnixMilli()
	control, state, obsolete, err := x.controlAt(ctx, millis)
	if err != nil {
		return err
	}
	logs := map[commitlog.ID]disklog.CutLog{{}: {At: control}}
	for stream := range state.All() {
		for i := range stream.Shards {
			shard := &stream.Shards[i]
			id := streams.LogID(stream, shard.Number)
			cut := disklog.CutLog{At: -1, Claim: disklog.Claim{Retention: stream.Retention(), Optional: stream.Status == catalog.Creating || stream.Status == catalog.Deleting}}
			switch shard.Status {
			case catalog.Open:
			case catalog.Closed:
				cut.Sealed, cut.At = true, shard.End-shard.Base
			case catalog.Opening:
				cut.Optional = true
			case catalog.Expired:
				continue
			}
			if _, err := x.image.Log(id); err != nil && !cut.Optional {
				return fault.New(fault.NotFound, "stream %s (account %s, %s): %s was removed between that moment and the backup, and its records with it; an earlier backup may have them",
					stream.Name, stream.Account, stream.Region, streams.ShardID(shard.Number))
			}
			logs[id] = cut
		}
	}
	for _, id := range x.systemLogs() {
		logs[id] = disklog.CutLog{At: -1, Claim: disklog.Claim{Optional: true}}
	}
	deliveries, err := x.cutDirect(ctx, millis, logs)
	if err != nil {
		return err
	}
	if err := x.keepFolds(at, logs); err != nil {
		return err
	}
	buried := func(id commitlog.ID) bool {
		if id.Group == 0 {
			return false
		}
		if number, direct := delivery.IsLog(id); direct {
			return number <= deliveries.LastNumber() && deliveries.Numbered(number) == nil
		}
		stream := state.StreamByGroup(id.Group)
		switch {
		case stream == nil:
			return id.Group <= state.LastGroup()
		case len(stream.Shards) == 0:
			return true
		}
		shard := stream.Shard(id.Member)
		return shard == nil && id.Member < stream.Shards[len(stream.Shards)-1].Number || shard != nil && shard.Status == catalog.Expired
	}
	for _, file := range obsolete { // a snapshot of a later moment: without it an interrupted cut is done again
		if err := x.options.FS.Remove(path.Join(datadir.Control, file)); err != nil {
			return err
		}
	}
	if len(obsolete) > 0 {
		if err := x.options.FS.SyncDir(datadir.Control); err != nil {
			return err
		}
	}
	for _, look := range x.folds {
		if !look.Fold.CutsItself {
			continue
		}
		if err := x.cutSnapshots(ctx, look.Fold, millis); err != nil {
			return err
		}
	}
	return x.image.Cut(ctx, millis, logs, buried)
}

// systemLogs are the system's own logs but for the control log, as far as they are there: a server makes those that it has a use for.
func (x *Examination) systemLogs() (ids []commitlog.ID) {
	for _, info := range x.image.Logs() {
		if info.ID.Group == 0 && info.ID.Member != 0 {
			ids = append(ids, info.ID)
		}
	}
	return ids
}

// cutSnapshots removes the snapshots of a fold that are of a later moment.
func (x *Examination) cutSnapshots(ctx context.Context, part *beside.Fold, millis int64) error {
	log, err := x.image.Log(part.Log)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	files, err := fold.Snapshots(x.options.FS, part.Dir, part.Name)
	if len(files) == 0 || fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	bounds, end, err := endAt(ctx, log, millis)
	if err != nil {
		return err
	}
	reached := bounds.First == 0
	for _, file := range files {
		if file.Next <= end {
			reached = reached || file.Err == nil && file.Next >= bounds.First
			continue
		}
		if err := x.options.FS.Remove(path.Join(part.Dir, file.Name)); err != nil {
			return err
		}
	}
	if !reached {
		return fault.New(fault.Trimmed, "the commands of %s that are left begin later", part.Of)
	}
	return x.options.FS.SyncDir(part.Dir)
}

// endAt is where a log ended at a moment: before the first record of a later millisecond.
func endAt(ctx context.Context, log commitlog.Log, millis int64) (bounds commitlog.Bounds, end commitlog.Position, err error) {
	if bounds, err = log.Bounds(ctx); err != nil {
		return bounds, 0, err
	}
	for at := bounds.First; at < bounds.Next; {
		chunk, err := log.Read(ctx, at, 1<<20)
		if err != nil {
			return bounds, 0, err
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		for it.Next(&r) {
			if r.Position >= at && r.Timestamp > millis {
				return bounds, r.Position, nil
			}
		}
		if err := it.Err(); err != nil || chunk.Next == at {
			return bounds, at, err
		}
		at = chunk.Next
	}
	return bounds, bounds.Next, nil
}

// controlAt is where the control log ended at a moment, the catalog of then, and the snapshots that are of a later one.
func (x *Examination) controlAt(ctx context.Context, millis int64) (end commitlog.Position, state *catalog.State, obsolete []string, err error) {
	log, err := x.image.Log(commitlog.ID{})
	if err != nil {
		return 0, nil, nil, err
	}
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	end = bounds.Next
	type entry struct {
		position commitlog.Position
		millis   int64
		value    []byte
	}
	var entries []entry
	for at := bounds.First; at < bounds.Next; {
		chunk, err := log.Read(ctx, at, 1<<20)
		if err != nil {
			return 0, nil, nil, err
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		for it.Next(&r) {
			if r.Position >= at {
				entries = append(entries, entry{r.Position, r.Timestamp, slices.Clone(r.Value)})
			}
		}
		if err := it.Err(); err != nil {
			return 0, nil, nil, err
		}
		if chunk.Next == at {
			break
		}
		at = chunk.Next
	}
	for i, e := range entries {
		if e.millis > millis {
			end = e.position
			entries = entries[:i]
			break
		}
	}
	files, err := fold.Snapshots(x.options.FS, datadir.Control, datadir.ControlName)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return 0, nil, nil, err
	}
	m := catalog.Machine()
	replay, from := fold.NewReplay(datadir.ControlName, m), commitlog.Position(0)
	for _, file := range files { // the oldest first: the newest that is not too new stays
		switch {
		case file.Next > end:
			obsolete = append(obsolete, file.Name)
		case file.Err == nil:
			if replay, err = fold.Restore(x.options.FS, datadir.Control, file.Name, datadir.ControlName, m); err != nil {
				return 0, nil, nil, err
			}
			from = file.Next
		}
	}
	if from < bounds.First {
		return 0, nil, nil, fault.New(fault.Trimmed, "the control commands that are left begin later")
	}
	for _, e := range entries {
		if e.position < from {
			continue
		}
		if err := replay.Apply(e.position, e.millis, e.value); err != nil {
			return 0, nil, nil, fmt.Errorf("control log at %d: %w", e.position, err)
		}
	}
	return end, m.Now(), obsolete, nil
}
