// Package doctor says whether a data directory is sound, and repairs one that is not.
//
// It owns the view of the whole directory: log files, control log and its snapshots, streams against logs, what engines keep beside them, keys. Which bytes of a log are damaged and how they are
// taken out of use belongs to commitlog/disklog; what people type and read belongs to cmd/weir.
//
// Nothing here needs a server, and none may run: what a running server knows of damage is on its console.
//
// Read Examine, then treat.go.
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
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say what to look at.
type Options struct {
	FS vfs.FS // the data directory
	// Unlocked looks without taking the directory's lock: for a copy that nobody writes to. Such a directory cannot be repaired.
	Unlocked bool
	// Progress, if not nil, is told how many bytes of how many have been checked.
	Progress func(done, total int64)
}

// Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	Kind disklog.FindingKind `json:"kind"`
	Text string              `json:"text"`

	File string `json:"file,omitempty"` // in the data directory
	Byte *int64 `json:"byte,omitempty"`

	// Of records: the log they are in, and of a stream's the stream and shard.
	Log     string `json:"log,omitempty"`
	Stream  string `json:"stream,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	Shard   string `json:"shard,omitempty"`
	// FirstPosition and LastPosition are positions in the log, both included.
	FirstPosition *int64 `json:"firstPosition,omitempty"`
	LastPosition  *int64 `json:"lastPosition,omitempty"`
	// AfterSequence and BeforeSequence are the sequence numbers around the records: those of the nearest records that are whole, or of the shard's ends.
	AfterSequence  string `json:"afterSequenceNumber,omitempty"`
	BeforeSequence string `json:"beforeSequenceNumber,omitempty"`
}

// Report is the outcome of a look.
type Report struct {
	Sound    bool            `json:"sound"`
	Findings []Finding       `json:"findings"` // what is wrong
	Notes    []Finding       `json:"notes"`    // what is not wrong
	Streams  int             `json:"streams"`
	Logs     int             `json:"logs"`
	Checked  disklog.Checked `json:"checked"`
	Records  int64           `json:"records"`  // of Checked.Records those of streams
	Commands int64           `json:"commands"` // and those of the control log, of tables, objects, functions and what else the server remembers
	Beside   Beside          `json:"beside"`   // of tables, objects and functions
	// ControlUntil is the time of the last control command that could be read.
	ControlUntil time.Time `json:"controlUntil,omitzero"`
}

// Examination is a directory under examination. Close it.
type Examination struct {
	Report Report

	options  Options
	image    *disklog.Image
	state    *catalog.State // as far as it could be read
	whole    bool           // state is the newest
	snapshot commitlog.Position
	folds    []*beside.Look
	put      []aside  // files beside the logs that a repair takes out of use
	hopeless []string // why nothing is repaired
	left     []string // what stays as it is
}

// aside is a file that goes to the quarantine.
type aside struct{ file, why string }

// Examine looks at everything in a data directory and changes nothing.
//
// Faults: NotFound when there is no data directory; Conflict when a server runs there; Unsupported when a newer Weir wrote it; otherwise what keeps the disk
// from being read. Damage is no error: it is in the Report.
func Examine(ctx context.Context, o Options) (_ *Examination, err error) {
	if _, err := o.FS.Stat(datadir.Log); err != nil {
		return nil, fault.Wrap(err, "this is no data directory")
	}
	x := &Examination{options: o}
	if x.image, err = disklog.Examine(o.FS, datadir.Log, !o.Unlocked); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	total := x.image.Bytes()
	progress := o.Progress
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if x.Report.Checked, err = x.image.Verify(ctx, func(done int64) { progress(done, total) }); err != nil {
		return nil, err
	}
	if err := x.readControl(ctx); err != nil {
		return nil, err
	}
	if err := x.readFolds(ctx); err != nil {
		return nil, err
	}
	for _, f := range x.image.Findings() {
		x.add(ctx, f)
	}
	x.compare()
	x.compareDirect()
	x.others()
	for id, records := range x.Report.Checked.ByLog {
		if id.Group == 0 || tables.IsLog(id) {
			x.Report.Commands += records
		} else {
			x.Report.Records += records
		}
	}
	x.Report.Logs, x.Report.Streams = len(x.image.Logs()), x.state.Len()
	x.Report.Sound = len(x.Report.Findings) == 0
	return x, nil
}

// Close gives the directory back.
func (x *Examination) Close() { x.image.Close() }

// add turns what the log store found into words about streams.
func (x *Examination) add(ctx context.Context, f disklog.Finding) {
	out := Finding{Kind: f.Kind, Text: f.Text}
	if f.File != "" {
		out.File = path.Join(datadir.Log, f.File)
		if f.At > 0 || f.To > 0 {
			out.Byte = &f.At
		}
	}
	if f.Positions {
		last := f.Next - 1
		out.Log, out.FirstPosition, out.LastPosition = f.Log.String(), &f.First, &last
		if stream := x.state.StreamByGroup(f.Log.Group); stream != nil {
			out.Stream, out.Account, out.Region, out.Shard = stream.Name, stream.Account, stream.Region, streams.ShardID(f.Log.Member)
			out.Text = fmt.Sprintf("stream %s (account %s, %s), %s: %s", stream.Name, stream.Account, stream.Region, out.Shard, f.Text)
			if shard := stream.Shard(f.Log.Member); shard != nil {
				out.AfterSequence, out.BeforeSequence = x.around(ctx, f, shard)
			}
		} else if f.Log == (commitlog.ID{}) {
			out.Text = "control log: " + f.Text
		} else if s := x.deliveryOf(f.Log); s != nil {
			out.Text, out.Account, out.Region = called(s)+": "+f.Text, s.Account, s.Region
		} else if look := x.foldOf(f.Log); look != nil {
			out.Text = look.Fold.Of + ": " + f.Text
			if l, is := look.Fold.Machine.(*tables.Look); is {
				out.Account, out.Region = l.Account, l.Region
			}
		}
	}
	x.say(out, f.Note)
}

func (x *Examination) say(f Finding, note bool) {
	if note {
		x.Report.Notes = append(x.Report.Notes, f)
	} else {
		x.Report.Findings = append(x.Report.Findings, f)
	}
}

// aroundBytes is how much is read to find the record behind a place.
const aroundBytes = 64 << 10

// around are the sequence numbers of the records next to what f says.
func (x *Examination) around(ctx context.Context, f disklog.Finding, shard *catalog.Shard) (after, before string) {
	created := shard.Created.Unix()
	after, before = record.StartingSequenceNumber(created, shard.Number).String(), record.EndingSequenceNumber(created, shard.Number, shard.ClosedAt.Unix()).String()
	log, err := x.image.Log(f.Log)
	if err != nil {
		return after, before
	}
	number := func(r *batch.Record) string {
		return record.SequenceNumber{ShardCreated: created, Shard: shard.Number, Position: r.Position + shard.Base, ArrivalSecond: r.Timestamp / 1000}.String()
	}
	if f.First > 0 {
		if chunk, err := log.Read(ctx, f.First-1, 1); err == nil {
			var r batch.Record
			for it := batch.Iterate(chunk.Batches); it.Next(&r) && r.Position < f.First; {
				after = number(&r)
			}
		}
	}
	if chunk, err := log.Read(ctx, f.Next, aroundBytes); err == nil {
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			if r.Position >= f.Next {
				before = number(&r)
				break
			}
		}
	}
	return after, before
}

// readControl brings the catalog to where the control log ends, as the server does when it starts.
func (x *Examination) readControl(ctx context.Context) error {
	m := catalog.Machine()
	x.state = m.Now()
	files, err := fold.Snapshots(x.options.FS, datadir.Control, datadir.ControlName)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	replay := fold.NewReplay(datadir.ControlName, m)
	for _, file := range slices.Backward(files) {
		name := path.Join(datadir.Control, file.Name)
		err := file.Err
		if err == nil && x.snapshot == 0 {
			var restored *fold.Replay
			if restored, err = fold.Restore(x.options.FS, datadir.Control, file.Name, datadir.ControlName, m); err == nil {
				replay, x.snapshot = restored, file.Next
			}
		}
		if fault.Is(err, fault.Unsupported) {
			return fault.Wrap(err, "%s", name)
		}
		if err != nil {
			x.say(Finding{Kind: disklog.ControlDamaged, File: name, Text: fmt.Sprintf("%s: %v", name, err)}, false)
			x.put = append(x.put, aside{name, "the snapshot is damaged; the one before it is taken"})
		}
	}
	x.state = m.Now()
	x.whole, err = x.replayControl(ctx, replay)
	x.state = m.Now()
	x.Report.ControlUntil = replay.Time()
	return err
}

// replayControl applies the control log behind a snapshot, as far as that goes, and says whether it is all there.
func (x *Examination) replayControl(ctx context.Context, replay *fold.Replay) (whole bool, err error) {
	reach, err := beside.Forward(ctx, x.image, commitlog.ID{}, replay)
	if err != nil || reach.Why == "" {
		return reach.Whole, err
	}
	why := "control: " + reach.Why
	x.say(Finding{Kind: disklog.ControlDamaged, Log: commitlog.ID{}.String(), Text: why}, false)
	switch {
	case !reach.EndsBefore:
		x.hopeless = append(x.hopeless, why)
	case !x.logDamaged():
		x.hopeless = append(x.hopeless, why+", and no damage says why. Most likely log/ and control/ are of different moments: put back the ones that belong together, or restore a backup")
	}
	return reach.EndsBefore, nil // then the snapshot has all that is left
}

// logDamaged says whether the log store has damage. Then a log that lost its end for that reason is brought to where its snapshot is. Without it the end was never
// there, so that log and snapshot were not written by the same server, and other logs may be older than what is known of them.
func (x *Examination) logDamaged() bool {
	return slices.ContainsFunc(x.image.Findings(), func(f disklog.Finding) bool { return !f.Note })
}

// compare holds the streams against the logs.
func (x *Examination) compare() {
	if !x.whole {
		return // a stream that a lost command made would be missing for no fault of its own
	}
	for _, info := range x.image.Logs() {
		if _, direct := delivery.IsLog(info.ID); direct || info.ID.Group == 0 || tables.IsLog(info.ID) {
			continue
		}
		stream := x.state.StreamByGroup(info.ID.Group)
		if stream == nil || stream.Shard(info.ID.Member) == nil {
			x.say(Finding{Kind: disklog.LogNoStream, Log: info.ID.String(), Text: fmt.Sprintf("log %s belongs to no stream: nobody reads its positions %d to %d", info.ID, info.Bounds.First, info.Bounds.Next)}, true)
		}
	}
	for stream := range x.state.All() {
		if stream.Status == catalog.Creating || stream.Status == catalog.Deleting {
			continue // its logs are being made or removed
		}
		for i := range stream.Shards {
			shard := &stream.Shards[i]
			if shard.Status != catalog.Open && shard.Status != catalog.Closed {
				continue
			}
			if _, err := x.image.Log(streams.LogID(stream, shard.Number)); err != nil {
				x.say(Finding{Kind: disklog.StreamNoLog, Stream: stream.Name, Account: stream.Account, Region: stream.Region, Shard: streams.ShardID(shard.Number),
					Log: streams.LogID(stream, shard.Number).String(), Text: fmt.Sprintf("stream %s (account %s, %s): the log of %s is missing", stream.Name, stream.Account, stream.Region, streams.ShardID(shard.Number))}, false)
			}
		}
	}
}
