package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// backupCommand is `weir backup`.
type backupCommand struct {
	placeFlags
	To         string `required:"" help:"Where backups are: a folder, or s3://BUCKET/PREFIX." placeholder:"PLACE"`
	Data       string `help:"Data directory. Else the one that weir serve would use." placeholder:"DIR"`
	Config     string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	Console    string `help:"Console address of the server that runs on the directory. Else that of the configuration." placeholder:"ADDR"`
	Keep       int    `help:"Remove the oldest backups beyond so many. Else all stay." placeholder:"N"`
	MasterKeys bool   `help:"Take the master keys of encryption, too: who reads the backup can then read every record."`
	List       bool   `help:"List the backups that are there, and make none."`
	Verify     bool   `help:"Read every file of every backup there and hold it against its checksum, and make none."`
	DryRun     bool   `help:"Say what would be copied and removed."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Help is what `weir help backup` adds.
func (c *backupCommand) Help() string {
	return "The server goes on meanwhile: its console holds the files of one moment still. Without a server the command takes the directory's lock. Files that are in the place " +
		"already are not copied again. A backup that is interrupted is none, and leaves the ones before it whole.\n\n" +
		"A bucket is reached with $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, in --s3-region; --s3-endpoint is for one that is not AWS's."
}

// Run makes a backup, or lists those there are.
func (c *backupCommand) Run(ctx context.Context, t *terminal) error {
	if c.Keep < 0 {
		return usagef("--keep %d: at least 1, or without it all stay", c.Keep)
	}
	if c.List && c.Verify {
		return usagef("--list and --verify are two commands")
	}
	target, err := c.open(ctx, t, c.To, !c.List && !c.Verify && !c.DryRun)
	if err != nil {
		return err
	}
	if c.Verify {
		return c.verify(ctx, t, target)
	}
	if c.List {
		return c.list(ctx, t, target)
	}
	data, err := dataDir(t, c.Data, c.Config)
	if err != nil {
		return err
	}
	rest, err := openDir(data)
	if err != nil {
		return err
	}
	ctx, source, release, err := c.source(ctx, t, data, rest)
	if err != nil {
		return err
	}
	defer release()
	out, err := backup.Make(ctx, target, source, backup.Options{
		Weir: versionText(), MasterKeys: c.MasterKeys, Keep: c.Keep, DryRun: c.DryRun, Progress: bytesProgress(t, c.JSON, "copied"),
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return fmt.Errorf("%w; the backups that were there are as they were", err)
	}
	if !c.DryRun {
		note, err := json.Marshal(console.LastBackup{Taken: out.Backup.Taken, To: c.To, Bytes: out.Backup.Bytes, Beside: out.Beside})
		if err != nil {
			return err
		}
		if err := secretfile.Replace(rest, datadir.LastBackup, append(note, '\n')); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.json(out)
	}
	did := "copied"
	if c.DryRun {
		did = "would be copied"
	}
	fmt.Fprintf(t.out, "backup %s: %s in %s, of which %s in %s %s\n", out.Backup.ID, sizeText(float64(out.Backup.Bytes)), counted(len(out.Backup.Files), "file"),
		sizeText(float64(out.CopiedBytes)), counted(out.CopiedFiles, "file"), did)
	if len(out.Beside) > 0 {
		fmt.Fprintf(t.out, "with %s\n", engineText(out.Beside))
	}
	for _, id := range out.Removed {
		fmt.Fprintf(t.out, "backup %s %s\n", id, map[bool]string{false: "is removed", true: "would be removed"}[c.DryRun])
	}
	return nil
}

// engineText lists engines for a person, who does not read a hundred regions.
func engineText(engines []string) string {
	const most = 6
	if len(engines) > most {
		return strings.Join(engines[:most], ", ") + fmt.Sprintf(" and %d more", len(engines)-most)
	}
	return strings.Join(engines, ", ")
}

// source holds a data directory still, by its lock or, when a server has that, through the server's console. The context it gives ends when the server does.
func (c *backupCommand) source(ctx context.Context, t *terminal, data string, rest vfs.FS) (context.Context, backup.Source, func(), error) {
	if _, err := rest.Stat(datadir.Log); err != nil {
		return ctx, backup.Source{}, nil, fmt.Errorf("%s is no data directory", data)
	}
	unlock, err := disklog.Lock(rest, datadir.Log)
	if err == nil {
		return ctx, backup.Source{Files: rest, Rest: rest, Taken: time.Now().UTC()}, unlock, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return ctx, backup.Source{}, nil, err
	}
	addr, err := consoleAddr(t, c.Console, c.Config)
	if err != nil {
		return ctx, backup.Source{}, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	pin, body, err := askPin(ctx, addr)
	if err != nil {
		cancel(nil)
		return ctx, backup.Source{}, nil, err
	}
	mine, err := filepath.Abs(data)
	if err == nil {
		mine, err = filepath.EvalSymlinks(mine)
	}
	theirs, theirErr := filepath.EvalSymlinks(pin.Data)
	if err != nil || theirErr != nil || mine != theirs {
		cancel(nil)
		_ = body.Close()
		return ctx, backup.Source{}, nil, fmt.Errorf("the server at %s has the data directory %s, and not %s; --console names another server", addr, pin.Data, data)
	}
	files, err := vfs.NewOS(pin.Dir)
	if err != nil {
		cancel(nil)
		_ = body.Close()
		return ctx, backup.Source{}, nil, err
	}
	gone := make(chan struct{})
	go func() { // ended by release, which waits
		defer close(gone)
		_, _ = io.Copy(io.Discard, body)
		cancel(errors.New("the server ended before the backup was whole"))
	}()
	release := func() {
		cancel(nil)
		_ = body.Close()
		<-gone
	}
	return ctx, backup.Source{Files: files, Rest: rest, Taken: pin.Taken}, release, nil
}

// consoleAddr is where the console of a server is: as it is named, else of the configuration.
func consoleAddr(t *terminal, named, config string) (string, error) {
	if named != "" {
		return strings.TrimRight(strings.TrimPrefix(named, "http://"), "/"), nil // as a server prints it, too
	}
	s, err := serveSettings(config, t)
	if err != nil {
		return "", usageError{err}
	}
	if s.ConsoleListen == off {
		return "", usagef("the console of the server is off: --console names it when it is on")
	}
	return s.ConsoleListen, nil
}

// askPin asks a server to hold its directory still, which it does until the body is closed.
func askPin(ctx context.Context, addr string) (pin console.Pin, body io.ReadCloser, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/_weir/backup", nil)
	if err != nil {
		return pin, nil, usageError{err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return pin, nil, fmt.Errorf("a server has the data directory, and its console does not answer at %s; --console names another address (%w)", addr, rootOf(err))
	}
	line, err := bufio.NewReader(response.Body).ReadBytes('\n')
	if err == nil && response.StatusCode == http.StatusOK {
		if err = json.Unmarshal(line, &pin); err == nil {
			return pin, response.Body, nil
		}
	}
	_ = response.Body.Close()
	var refused struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(line, &refused) == nil && refused.Error != "" {
		return pin, nil, errors.New(refused.Error)
	}
	return pin, nil, fmt.Errorf("the console at %s answers %s", addr, response.Status)
}

func (c *backupCommand) list(ctx context.Context, t *terminal, target backup.Target) error {
	all, err := backup.List(ctx, target)
	if err != nil {
		return err
	}
	if c.JSON {
		for i := range all {
			all[i].Files = nil
		}
		if all == nil {
			all = []backup.Backup{}
		}
		return t.json(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(t.err, "no backups")
		return nil
	}
	cells := [][]string{{"BACKUP", "RESTORES", "TO", "SIZE", "FILES", "MASTER KEYS"}}
	for _, b := range all {
		cells = append(cells, []string{b.ID, b.From.Format(time.RFC3339), b.Taken.Format(time.RFC3339), sizeText(float64(b.Bytes)), fmt.Sprint(len(b.Files)), map[bool]string{false: "no", true: "yes"}[b.MasterKeys]})
	}
	t.table(cells)
	return nil
}

func (c *backupCommand) verify(ctx context.Context, t *terminal, target backup.Target) error {
	v, err := backup.Verify(ctx, target, bytesProgress(t, c.JSON, "verified"))
	if err != nil {
		return err
	}
	if c.JSON {
		if err := t.json(v); err != nil {
			return err
		}
	} else {
		for _, text := range v.Wrong {
			fmt.Fprintln(t.out, t.paint(red, "damage"), text)
		}
		fmt.Fprintf(t.out, "%s: %s in %s read, %d of them wrong\n", counted(v.Backups, "backup"), sizeText(float64(v.Bytes)), counted(v.Files, "file"), len(v.Wrong))
	}
	if len(v.Wrong) > 0 {
		return errQuiet
	}
	return nil
}

// bytesProgress draws how far a copying is, for a person.
func bytesProgress(t *terminal, quiet bool, did string) func(done, total int64) {
	if !t.errTTY || quiet {
		return nil
	}
	var drawn time.Time
	return func(done, total int64) {
		if done >= total {
			fmt.Fprint(t.err, "\r\x1b[2K")
		} else if time.Since(drawn) > 100*time.Millisecond {
			drawn = time.Now()
			fmt.Fprintf(t.err, "\r\x1b[2K%s %s of %s", did, sizeText(float64(done)), sizeText(float64(total)))
		}
	}
}

// restoreCommand is `weir restore`.
type restoreCommand struct {
	placeFlags
	From   string `required:"" help:"Where backups are: a folder, or s3://BUCKET/PREFIX." placeholder:"PLACE"`
	To     string `required:"" help:"The data directory to make. It must not be there, or be empty." placeholder:"DIR"`
	Backup string `help:"The backup to restore, as weir backup --list shows it. Else the newest." placeholder:"ID"`
	At     string `help:"Restore the state of this moment, such as 2026-11-18T13:00:00Z. Refused when tables or objects changed after it." placeholder:"TIME"`
	DryRun bool   `help:"Say what would be restored."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is what `weir help restore` adds.
func (c *restoreCommand) Help() string {
	return "Every file is held against its checksum, and the directory is looked at as weir doctor does, before it has its name. With --at, records that arrived later and commands " +
		"that came later are cut, to the millisecond. Then weir serve --data DIR starts on it."
}

// restoringSuffix ends the name of a directory that is being restored.
const restoringSuffix = ".restoring"

// Run restores.
func (c *restoreCommand) Run(ctx context.Context, t *terminal) error {
	o := backup.RestoreOptions{ID: c.Backup, DryRun: c.DryRun, Progress: bytesProgress(t, c.JSON, "restored")}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339Nano, c.At)
		if err != nil {
			return usagef("--at %q is no time like 2026-11-18T13:00:00Z", c.At)
		}
		o.At = at
	}
	if entries, err := os.ReadDir(c.To); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a backup is restored into a directory that is not there yet", c.To)
	}
	target, err := c.open(ctx, t, c.From, false)
	if err != nil {
		return err
	}
	working := strings.TrimRight(c.To, "/") + restoringSuffix
	var fs vfs.FS
	if !c.DryRun {
		if fs, err = vfs.NewOS(working); err != nil {
			return err
		}
	}
	out, err := backup.Restore(ctx, target, fs, o)
	if err != nil && !c.DryRun {
		_ = os.Remove(working) // if nothing is in it
	}
	if fault.Is(err, fault.Exists) {
		return fmt.Errorf("%w; %s is what an earlier restore left: remove it", err, working)
	}
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := os.Rename(working, c.To); err != nil {
			return err
		}
		if parent, err := vfs.NewOS(filepath.Dir(c.To)); err == nil {
			if err := parent.SyncDir("."); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		return t.json(out)
	}
	did := "restored"
	if c.DryRun {
		did = "would be restored"
	}
	fmt.Fprintf(t.out, "backup %s of %s: %s in %s %s\n", out.Backup, out.Taken.Format(time.RFC3339), sizeText(float64(out.Bytes)), counted(out.Files, "file"), did)
	if !out.At.IsZero() {
		fmt.Fprintf(t.out, "to the moment %s; records that retention removed between then and the backup are not in it\n", out.At.Format(time.RFC3339Nano))
	}
	if out.Report != nil {
		for _, f := range out.Report.Notes {
			if f.Kind == disklog.MasterKeyElsewhere {
				fmt.Fprintln(t.out, f.Text)
			}
		}
		fmt.Fprintf(t.out, "%s is sound: %s, %s\n", c.To, counted(out.Report.Streams, "stream"), counted(int(out.Report.Records), "record"))
	}
	return nil
}
