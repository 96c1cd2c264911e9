package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/follow"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/internal/agent"
)

// putCommand is `weir put`.
type putCommand struct {
	endpointFlags
	Stream   string        `arg:"" help:"Name of the stream."`
	Files    []string      `arg:"" optional:"" help:"Files whose lines to write. None, or -, is stdin." placeholder:"FILE"`
	Follow   bool          `short:"f" help:"Go on as the files grow and are rotated, by rename or by copy and truncate."`
	AtEnd    bool          `name:"at-end" help:"With --follow, begin behind what the files hold now."`
	State    string        `help:"With --follow, a file that remembers what was sent, to go on from there next time." placeholder:"FILE"`
	Create   bool          `short:"c" help:"Create the stream unless it exists."`
	Shards   int           `default:"1" help:"Shards of a stream that is created."`
	Key      string        `xor:"key" help:"One partition key for all records." placeholder:"TEXT"`
	KeyField string        `name:"key-field" xor:"key" help:"Field of a JSON line that is its partition key, such as customer or user.id." placeholder:"PATH"`
	Interval time.Duration `default:"250ms" hidden:"" help:"How often --follow looks."`
	Quiet    bool          `short:"q" help:"No progress and no summary."`
	JSON     bool          `name:"json" help:"Print the summary as JSON."`
}

// Help is what `weir help put` adds.
func (c *putCommand) Help() string {
	return "Each line is a record, without its line end; empty lines are left out. Records go in requests of up to 500 and 5 MiB, one request " +
		"at a time, and what a server refuses for now is sent again before anything newer, so the records of a key keep their order. " +
		"Without --key and --key-field the key is random."
}

// putSummary is what was written.
type putSummary struct {
	Stream  string  `json:"stream"`
	Created bool    `json:"created"`
	Records int     `json:"records"`
	Bytes   int64   `json:"bytes"`
	Retried int     `json:"retried"`
	Empty   int     `json:"empty"`
	NoKey   int     `json:"withoutKeyField"`
	Seconds float64 `json:"seconds"`
}

// putRun is one run of the command.
type putRun struct {
	*putCommand
	t        *terminal
	sender   *put.Sender
	progress *progress
	summary  putSummary
	waiting  bool // since the last record that was taken
}

// forever is the patience of what runs beside a server for as long as it runs.
const forever = 1 << 62

// Run writes the lines.
func (c *putCommand) Run(ctx context.Context, t *terminal) error {
	if err := c.check(t); err != nil {
		return err
	}
	api, err := c.api(t, 1)
	if err != nil {
		return err
	}
	r := &putRun{putCommand: c, t: t, summary: putSummary{Stream: c.Stream}}
	r.progress = newProgress(t, c.Quiet || c.JSON, c.totalBytes())
	var patience time.Duration // the usual
	if c.Follow {
		patience = forever
	}
	r.sender = put.New(api, c.Stream, put.Options{
		Patience: patience,
		Acked: func(records, size int) {
			r.waiting = false
			r.summary.Records += records
			r.summary.Bytes += int64(size)
			r.progress.show(r.summary.Records, r.summary.Bytes, "")
		},
		Retried: func(records int, cause error) {
			r.summary.Retried += records
			r.progress.show(r.summary.Records, r.summary.Bytes, "waiting: "+rootOf(cause).Error())
			if !r.waiting && !r.progress.shown && !c.Quiet {
				fmt.Fprintln(t.err, "waiting:", rootOf(cause))
			}
			r.waiting = true
		},
	})
	if c.Create {
		if r.summary.Created, err = client.EnsureStream(ctx, api, c.Stream, c.Shards); err != nil {
			return c.explain(t, err, "")
		}
	} else if err := streamExists(ctx, api, c.Stream); err != nil {
		return c.explain(t, err, c.Stream)
	}
	begun := time.Now()
	if c.Follow {
		err = r.follow(ctx)
	} else {
		err = r.all(ctx)
	}
	r.summary.Seconds = time.Since(begun).Seconds()
	r.progress.done()
	if err != nil && ctx.Err() == nil {
		return c.explain(t, err, c.Stream)
	}
	return r.report()
}

func (c *putCommand) check(t *terminal) error {
	stdin := len(c.Files) == 0 || len(c.Files) == 1 && c.Files[0] == "-"
	switch {
	case c.Follow && stdin:
		return usagef("--follow needs the files to follow: weir put %s --follow FILE", c.Stream)
	case !c.Follow && (c.AtEnd || c.State != ""):
		return usagef("--at-end and --state go with --follow")
	case c.Shards < 1:
		return usagef("a stream has at least one shard, not %d", c.Shards)
	case stdin && t.inTTY && !c.Quiet:
		fmt.Fprintf(t.err, "Type lines for %s, and end with Ctrl-D.\n", c.Stream)
	}
	return nil
}

// totalBytes is how much there is to send, or nought when that is not known.
func (c *putCommand) totalBytes() (total int64) {
	if c.Follow {
		return 0
	}
	for _, name := range c.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}

// all sends the files, or stdin, to their end.
func (r *putRun) all(ctx context.Context) error {
	files := r.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := r.one(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *putRun) one(ctx context.Context, name string) error {
	in := r.t.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	lines := make(chan [][]byte) // closed by the reader at the end; unbuffered, so that reading stays one request ahead
	failed := make(chan error, 1)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(lines)
		failed <- readLines(stop, in, lines)
	}()
	for batch := range lines {
		if err := r.send(ctx, batch); err != nil {
			return err
		}
	}
	return <-failed
}

// readLines hands on the lines of in: a request's worth at a time from what flows, and what there is from what dribbles.
func readLines(ctx context.Context, in io.Reader, out chan<- [][]byte) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	var batch [][]byte
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case out <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for size := 0; ; {
		line, err := reader.ReadBytes('\n')
		if text := bytes.TrimSuffix(line, []byte("\n")); err == nil || len(text) > 0 {
			batch = append(batch, text)
			size += len(text)
		}
		if err != nil && err != io.EOF {
			return err
		}
		// Nothing more is here yet: somebody types, or a program writes now and then.
		if err == io.EOF || len(batch) >= put.BatchRecordsMax || size >= put.BatchBytesMax || reader.Buffered() == 0 {
			if err := flush(); err != nil {
				return err
			}
			size = 0
		}
		if err == io.EOF {
			return nil
		}
	}
}

// send sends lines as records.
func (r *putRun) send(ctx context.Context, lines [][]byte) error {
	records := make([]put.Record, 0, len(lines))
	for _, line := range lines {
		if len(line) == 0 {
			r.summary.Empty++
			continue
		}
		records = append(records, put.Record{Key: r.key(line), Data: line})
	}
	_, err := r.sender.Send(ctx, records)
	return err
}

func (r *putRun) key(line []byte) string {
	if r.Key != "" {
		return r.Key
	}
	if r.KeyField != "" {
		if key, ok := agent.JSONField(line, r.KeyField); ok {
			return key
		}
		r.summary.NoKey++
	}
	return fmt.Sprintf("%016x", rand.Uint64())
}

// follow sends the files as they grow, until ctx ends.
func (r *putRun) follow(ctx context.Context) error {
	positions, err := readState(r.State)
	if err != nil {
		return err
	}
	var files []*follow.File
	defer func() {
		for _, file := range files {
			_ = file.Close() // read only
		}
	}()
	for _, name := range r.Files {
		path, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		opts := follow.Options{AtEnd: r.AtEnd, Notice: func(n follow.Notice) {
			if n.Lost || !r.Quiet {
				r.progress.say(n.String())
			}
		}}
		if p, ok := positions[path]; ok {
			opts.From = &p
		}
		file := follow.New(path, opts)
		files = append(files, file)
	}
	for {
		for _, file := range files {
			if err := r.drain(ctx, file, positions); err != nil {
				return err
			}
		}
		if err := client.Sleep(ctx, r.Interval); err != nil {
			return err
		}
	}
}

// drain sends what is new in one file, and remembers it once it is in the stream.
func (r *putRun) drain(ctx context.Context, file *follow.File, positions map[string]follow.Position) error {
	for {
		batch, err := file.Poll(1 << 20)
		if err != nil || len(batch.Lines) == 0 {
			return err
		}
		if err := r.send(ctx, batch.Lines); err != nil {
			return err
		}
		positions[file.Path()] = batch.Position
		if err := writeState(r.State, positions); err != nil {
			return err
		}
	}
}

// readState reads positions by path. No file is no positions.
func readState(path string) (map[string]follow.Position, error) {
	positions := map[string]follow.Position{}
	if path == "" {
		return positions, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return positions, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &positions); err != nil {
		return nil, fmt.Errorf("%s does not hold what an earlier --state wrote: %w", path, err)
	}
	return positions, nil
}

// writeState replaces the file as a whole, so that a kill leaves the old or the new.
func writeState(path string, positions map[string]follow.Position) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(positions)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (r *putRun) report() error {
	s := r.summary
	if r.JSON {
		return r.t.json(s)
	}
	if r.Quiet {
		return nil
	}
	more := ""
	if s.Created {
		more += ", stream created with " + counted(r.Shards, "shard")
	}
	if s.Retried > 0 {
		more += fmt.Sprintf(", %d sent again", s.Retried)
	}
	if s.Empty > 0 {
		more += ", " + counted(s.Empty, "empty line") + " left out"
	}
	if s.NoKey > 0 {
		more += fmt.Sprintf(", %s without %s got a random key", counted(s.NoKey, "line"), r.KeyField)
	}
	fmt.Fprintf(r.t.err, "%s, %s into %s in %.1f s%s\n", counted(s.Records, "record"), sizeText(float64(s.Bytes)), s.Stream, s.Seconds, more)
	return nil
}
