package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// doctorCommand is `weir doctor`.
type doctorCommand struct {
	Data     string `help:"Data directory. Else the one that weir serve would use." placeholder:"DIR"`
	Config   string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	Snapshot bool   `help:"The directory is a copy that nobody writes to: look without its lock."`
	Repair   bool   `help:"Say how the damage would be repaired; with --yes, repair it."`
	Yes      bool   `help:"With --repair: do it."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is what `weir help doctor` adds.
func (c *doctorCommand) Help() string {
	return "Every byte is read and held against its checksums, the files against each other, the streams against the logs. Nothing is changed without --repair --yes, " +
		"and nothing is ever deleted: a repair moves files to quarantine/TIME in the data directory, with a note, writes what is whole in them again, and gives up " +
		"what is gone, so that readers come past it.\n\nThe server must be stopped. Exit codes: 0 sound, 1 damage found, 2 it cannot be told."
}

// doctorReport is what --json prints.
type doctorReport struct {
	doctor.Report
	Data     string            `json:"data"`
	Repair   *doctor.Treatment `json:"repair,omitempty"`
	Repaired bool              `json:"repaired"`
	After    *doctor.Report    `json:"after,omitempty"` // what is found once it is repaired
}

// Run looks, and repairs if it is told to.
func (c *doctorCommand) Run(ctx context.Context, t *terminal) error {
	if c.Yes && !c.Repair || c.Repair && c.Snapshot {
		return usagef("--yes goes with --repair, and a copy without its lock is not repaired")
	}
	data, err := dataDir(t, c.Data, c.Config)
	if err != nil {
		return err
	}
	fs, err := openDir(data)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	options := doctor.Options{FS: fs, Unlocked: c.Snapshot, Progress: c.progress(t)}
	x, err := doctor.Examine(ctx, options)
	if err != nil {
		return explainExamine(err, data)
	}
	defer x.Close()
	out := doctorReport{Report: x.Report, Data: data}
	if c.Repair && !x.Report.Sound {
		if out.Repair, err = x.Plan(time.Now()); err != nil {
			return err
		}
		if c.Yes && len(out.Repair.Refused) == 0 {
			if err := x.Repair(ctx, out.Repair); err != nil {
				return err
			}
			x.Close()
			after, err := doctor.Examine(ctx, options)
			if err != nil {
				return explainExamine(err, data)
			}
			defer after.Close()
			out.Repaired, out.After = true, &after.Report
		}
	}
	if c.JSON {
		if err := t.json(out); err != nil {
			return err
		}
	} else {
		c.print(t, out)
	}
	if !out.Sound && (out.After == nil || !out.After.Sound) {
		return errQuiet
	}
	return nil
}

// dataDir is the directory that a command works on: the one that is named, else that of the configuration.
func dataDir(t *terminal, named, config string) (string, error) {
	if named != "" {
		return named, nil
	}
	s, err := serveSettings(config, t)
	if err != nil {
		return "", usageError{err}
	}
	return s.DataDir, nil
}

// openDir opens a directory that is there. Opening makes none.
func openDir(dir string) (vfs.FS, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("there is no data directory %s; --data names another", dir)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	return vfs.NewOS(dir)
}

func explainExamine(err error, data string) error {
	switch {
	case fault.Is(err, fault.Conflict):
		err = fmt.Errorf("%w; a server runs on %s: stop it, or look at a backup with --snapshot", err, data)
	case errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}

// progress draws how far the reading is, for a person.
func (c *doctorCommand) progress(t *terminal) func(done, total int64) {
	if !t.errTTY || c.JSON {
		return nil
	}
	return func(done, total int64) {
		if done >= total {
			fmt.Fprint(t.err, "\r\x1b[2K")
			return
		}
		fmt.Fprintf(t.err, "\r\x1b[2Kchecked %s of %s", sizeText(float64(done)), sizeText(float64(total)))
	}
}

func (c *doctorCommand) print(t *terminal, r doctorReport) {
	for _, f := range r.Findings {
		fmt.Fprintln(t.out, t.paint(red, "damage"), f.Text)
		if f.AfterSequence != "" {
			fmt.Fprintf(t.out, "       between sequence numbers %s and %s\n", f.AfterSequence, f.BeforeSequence)
		}
	}
	for _, f := range r.Notes {
		fmt.Fprintln(t.out, t.paint(dim, "note  "), f.Text)
	}
	fmt.Fprintf(t.out, "%s: %s, %s, %s and %s in %s checked\n", r.Data, counted(r.Streams, "stream"), counted(r.Logs, "log"), counted(int(r.Records), "record"), counted(int(r.Commands), "command"),
		sizeText(float64(r.Checked.Bytes)))
	if r.Beside != (doctor.Beside{}) {
		fmt.Fprintf(t.out, "beside the logs: %s, %s of %s checked\n", counted(r.Beside.Snapshots, "snapshot"), counted(r.Beside.Files, "file"), sizeText(float64(r.Beside.Bytes)))
	}
	switch {
	case r.Sound:
		fmt.Fprintln(t.out, t.paint(green, "sound"))
	case r.Repair == nil:
		fmt.Fprintf(t.out, "%s; weir doctor --repair says what can be done. Make a copy of the directory first.\n", t.paint(red, "damaged"))
	case len(r.Repair.Refused) > 0:
		for _, text := range r.Repair.Refused {
			fmt.Fprintln(t.out, t.paint(red, "refused"), text)
		}
		fmt.Fprintln(t.out, "Nothing was changed.")
	default:
		for _, s := range r.Repair.Steps {
			fmt.Fprintf(t.out, "%-10s %s\n", s.Do, s.Text)
		}
		for _, text := range r.Repair.Left {
			fmt.Fprintf(t.out, "%-10s %s\n", "left", text)
		}
		if len(r.Repair.Steps) == 0 {
			fmt.Fprintln(t.out, "There is nothing that a repair could do.")
			return
		}
		if !r.Repaired {
			fmt.Fprintf(t.out, "Nothing was changed. weir doctor --repair --yes does this; files go to %s.\n", r.Repair.Quarantine)
			return
		}
		if r.After.Sound {
			fmt.Fprintf(t.out, "%s: %s has what was taken out of use, and a note\n", t.paint(green, "repaired"), r.Repair.Quarantine)
		}
	}
	if r.After != nil {
		for _, f := range r.After.Findings {
			fmt.Fprintln(t.out, t.paint(red, "still damaged"), f.Text)
		}
	}
}
