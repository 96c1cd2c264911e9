package tolls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/scenario"
)

// killSoon kills the server within the next twenty milliseconds, while the caller goes on sending, and starts it again.
func (c *check) killSoon(ctx context.Context) error {
	if err := c.waitKill(); err != nil {
		return err
	}
	delay := time.Duration(c.random.IntN(20_000)) * time.Microsecond
	done := make(chan error, 1)
	go func() {
		if err := client.Sleep(ctx, delay); err != nil {
			done <- err
			return
		}
		if err := c.Server.Kill(); err != nil {
			done <- err
			return
		}
		done <- c.Server.Start(ctx, "")
	}()
	c.killing = done
	return nil
}

// waitKill waits for the kill under way.
func (c *check) waitKill() error {
	if c.killing == nil {
		return nil
	}
	err := <-c.killing
	c.killing = nil
	if err != nil {
		return fmt.Errorf("start after a kill, fault %d of this run: %w", c.report.Faults, err)
	}
	return nil
}

// lastKills lets those kills happen that come after the last line.
func (c *check) lastKills(ctx context.Context) error {
	for fault, due := c.due(); due; fault, due = c.due() {
		if err := c.breakSomething(ctx, fault, nil); err != nil {
			return err
		}
	}
	return errors.Join(c.waitKill(), c.waitReshard())
}

// fillDisk starts the server with a disk that has no room: what is put is refused, what was put is read; and then with one
// that has room again.
func (c *check) fillDisk(ctx context.Context, next []put.Record) error {
	if len(next) == 0 {
		return nil
	}
	if err := c.restart(ctx, "disk-full"); err != nil {
		return err
	}
	refused := put.New(c.api, Stream, put.Options{Patience: time.Millisecond})
	acks, err := refused.Send(ctx, next)
	// What was taken all the same was acknowledged, and must be there in the end.
	taken := 0
	for i, ack := range acks {
		if ack != (put.Ack{}) {
			c.compare.Acked(ack.Shard, ack.Sequence, lineOf(next[i].Data))
			taken++
		}
	}
	c.report.Resent += taken
	switch {
	case err == nil:
		return errors.New("the disk is full, and a put was acknowledged all the same")
	case client.NoAnswer(err):
		return fmt.Errorf("the disk is full, and a put got no answer instead of a refusal: %w", err)
	case !client.Retriable(err):
		return fmt.Errorf("the disk is full, and a put was refused for good instead of for now: %w", err)
	}
	refusal := err
	read := 0
	err = tail.New(c.api, Stream, tail.Options{UntilEnd: true}).Run(ctx, func(b tail.Batch) error {
		read += len(b.Records)
		return nil
	})
	if err != nil {
		return fmt.Errorf("the disk is full, and reading does not go on: %w", err)
	}
	if read < c.report.Acked {
		return fmt.Errorf("the disk is full, and only %d of %d lines are read", read, c.report.Acked)
	}
	c.Say("disk full at %d lines: put refused (%v), %d records read", c.report.Acked, refusal, read)
	return c.restart(ctx, "")
}

func (c *check) restart(ctx context.Context, faults string) error {
	scenario.HangUp(c.api)
	if err := c.Server.Stop(ctx); err != nil {
		return err
	}
	return c.Server.Start(ctx, faults)
}

// tearJournal sends records whose answer it throws away, kills the server, and cuts the journal off at a byte within them,
// as if the power had gone while that block was written. The records are sent again by the caller.
func (c *check) tearJournal(ctx context.Context, next []put.Record) error {
	if len(next) == 0 {
		return nil
	}
	if _, err := c.sender.Send(ctx, next); err != nil {
		return err
	}
	if err := c.Server.Kill(); err != nil {
		return err
	}
	torn, err := c.tear(c.Server.DataDir(), next)
	if err != nil {
		return err
	}
	c.Say("tore %s at %d lines", torn, c.report.Acked)
	if err := c.Server.Start(ctx, ""); err != nil {
		return fmt.Errorf("start with a torn journal: %w", err)
	}
	return nil
}

// tear finds the journal file that holds the records, which are the last that were written, and ends it at a byte somewhere
// within them: a file that was given its length beforehand keeps it and is nought from there on.
func (c *check) tear(dataDir string, records []put.Record) (string, error) {
	var torn string
	err := filepath.WalkDir(dataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || torn != "" {
			return err
		}
		if relative, err := filepath.Rel(dataDir, path); err != nil || !strings.Contains(relative, "journal") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		first, end := len(text), 0
		for _, r := range records {
			// The last copy: a duplicate's first may be further up.
			if at := bytes.LastIndex(text, r.Data); at >= 0 {
				first, end = min(first, at), max(end, at+len(r.Data))
			}
		}
		if end == 0 {
			return nil
		}
		// From inside the block's header, which is right before the first record, to its last byte.
		cut := max(0, first-20) + c.random.IntN(end-max(0, first-20))
		torn = fmt.Sprintf("%s at byte %d", filepath.Base(path), cut)
		if len(bytes.TrimRight(text, "\x00")) == len(text) {
			return os.Truncate(path, int64(cut))
		}
		clear(text[cut:])
		return os.WriteFile(path, text, 0o666)
	})
	if err == nil && torn == "" {
		err = errors.New("no journal file holds the records that were put last")
	}
	return torn, err
}
