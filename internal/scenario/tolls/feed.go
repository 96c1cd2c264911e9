package tolls

import (
	"bytes"
	"context"

	"github.com/weir-stream/weir/client/follow"
	"github.com/weir-stream/weir/client/put"
)

// pollBytes is how much of a file is taken at once: about two requests of 500 lines.
const pollBytes = 128 << 10

// Feed reads the log files as they grow and are rotated, and hands their lines on as records with the customer as the key.
type Feed struct {
	files []*follow.File
	// positions[i] is behind the last line of files[i] that was handed on without an error.
	positions map[string]follow.Position
}

// NewFeed follows the files in dir from the positions that an earlier Feed had, or from their oldest line.
func NewFeed(dir string, from map[string]follow.Position, notice func(follow.Notice)) *Feed {
	f := &Feed{positions: map[string]follow.Position{}}
	for _, path := range LogPaths(dir) {
		opts := follow.Options{Rotated: true, Notice: notice}
		if p, ok := from[path]; ok {
			opts.From = &p
			f.positions[path] = p
		}
		f.files = append(f.files, follow.New(path, opts))
	}
	return f
}

// Step hands on what is new in each file, and says how many lines that were. After an error from send the Feed is of no
// more use; a new one from Positions hands the lines on again.
func (f *Feed) Step(ctx context.Context, send func(context.Context, []put.Record) error) (lines int, err error) {
	for _, file := range f.files {
		for {
			batch, err := file.Poll(pollBytes)
			if err != nil || len(batch.Lines) == 0 {
				if err != nil {
					return lines, err
				}
				break
			}
			records := make([]put.Record, len(batch.Lines))
			for i, line := range batch.Lines {
				records[i] = put.Record{Key: Key(line), Data: line}
			}
			if err := send(ctx, records); err != nil {
				return lines, err
			}
			lines += len(records)
			f.positions[file.Path()] = batch.Position
		}
	}
	return lines, nil
}

// Positions are behind the last lines that were handed on, by path.
func (f *Feed) Positions() map[string]follow.Position { return f.positions }

// Close closes the files.
func (f *Feed) Close() {
	for _, file := range f.files {
		_ = file.Close() // read only
	}
}

// Key is the partition key of a line: its customer, so that a customer's vehicles stay in order, or the id of a line that
// cannot be read.
func Key(text []byte) string {
	const field = `"customer":"`
	if at := bytes.Index(text, []byte(field)); at >= 0 {
		if value, _, found := bytes.Cut(text[at+len(field):], []byte{'"'}); found && len(value) > 0 {
			return string(value)
		}
	}
	if seq, ok := seqOf(text); ok {
		return TxnID(seq)
	}
	return "unreadable"
}
