package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// keysMasterCommand is `weir keys master`. It works on the file of master keys; what is wrapped under them only a running server knows, which
// is asked over its console.
type keysMasterCommand struct {
	List   mastersListCommand   `cmd:"" help:"List master keys, without the keys."`
	Create mastersCreateCommand `cmd:"" help:"Make a master key."`
	Rotate mastersRotateCommand `cmd:"" help:"Make a new version of a master key, which wraps from now on."`
	Rewrap mastersRewrapCommand `cmd:"" help:"Let the running server wrap every data key under the newest versions."`
	Remove mastersRemoveCommand `cmd:"" help:"Remove a version of a master key that nothing needs any more, for good."`
}

// masterFlags say where the master keys are, and the server.
type masterFlags struct {
	keysFlags
	MasterKeyFile string `name:"master-key-file" help:"File of the master keys. Else the one of the configuration, else master-keys.json in the data directory." placeholder:"FILE"`
	Console       string `help:"Console address of the running server. Else the one of the configuration." placeholder:"ADDR"`
}

// settings are those of the server whose keys are meant.
func (f masterFlags) settings(t *terminal) (settings, error) {
	s, err := serveSettings(f.Config, t)
	if err != nil {
		return s, usageError{err}
	}
	for _, one := range []struct {
		flag string
		into *string
	}{{f.Data, &s.DataDir}, {f.MasterKeyFile, &s.MasterKeyFile}, {f.Console, &s.ConsoleListen}} {
		if one.flag != "" {
			*one.into = one.flag
		}
	}
	return s, nil
}

func (f masterFlags) open(t *terminal) (*envelope.Ring, settings, error) {
	s, err := f.settings(t)
	if err != nil {
		return nil, s, err
	}
	if _, err := os.Stat(s.DataDir); errors.Is(err, fs.ErrNotExist) {
		return nil, s, fmt.Errorf("there is no data directory %s; weir init makes one, --data names another", s.DataDir)
	}
	files, err := vfs.NewOS(s.DataDir)
	if err != nil {
		return nil, s, err
	}
	ring, err := node.OpenMasters(files, s.MasterKeyFile, t.logger("error"))
	return ring, s, err
}

// ask asks the running server which versions are needed, or to wrap anew.
func (f masterFlags) ask(ctx context.Context, s settings, method, path string) (state console.MasterState, err error) {
	if s.ConsoleListen == off {
		return state, errors.New("the server's console is off, and nobody else knows what is wrapped under which key")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.ConsoleListen+path, nil)
	if err != nil {
		return state, usageError{err}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return state, fmt.Errorf("no server answers on the console address %s, and it must: %w", s.ConsoleListen, err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		return state, fmt.Errorf("the server on %s answers %s: %w", s.ConsoleListen, answer.Status, err)
	}
	if state.Error != "" {
		return state, errors.New(state.Error)
	}
	return state, nil
}

// masterRow is a version of a master key as it is printed. DataKeys is null when no server could be asked.
type masterRow struct {
	Name     string    `json:"name"`
	Version  int       `json:"version"`
	Created  time.Time `json:"created"`
	Wraps    bool      `json:"wraps"`    // new data keys are wrapped under it
	DataKeys *int      `json:"dataKeys"` // wrapped under it
}

type mastersListCommand struct{ masterFlags }

// Run lists master keys.
func (c *mastersListCommand) Run(ctx context.Context, t *terminal) error {
	ring, s, err := c.open(t)
	if err != nil {
		return err
	}
	masters, err := ring.List()
	if err != nil {
		return err
	}
	state, unknown := c.ask(ctx, s, http.MethodGet, "/_weir/master-keys")
	rows, cells := []masterRow{}, [][]string{{"MASTER KEY", "VERSION", "CREATED", "WRAPS", "DATA KEYS"}}
	for _, m := range masters {
		for i, v := range m.Versions {
			row := masterRow{m.Name, v.Version, v.Created, i == len(m.Versions)-1, nil}
			needed := "?"
			if unknown == nil {
				n := state.Needed[fmt.Sprintf("%s:%d", m.Name, v.Version)]
				row.DataKeys, needed = &n, strconv.Itoa(n)
			}
			rows = append(rows, row)
			cells = append(cells, []string{m.Name, strconv.Itoa(v.Version), v.Created.Format(time.RFC3339), map[bool]string{true: "yes", false: "no"}[row.Wraps], needed})
		}
	}
	if c.JSON {
		return t.json(rows)
	}
	if unknown != nil {
		fmt.Fprintln(t.err, unknown)
	}
	if len(rows) == 0 {
		fmt.Fprintln(t.err, "no master keys; aws/kinesis is made when a stream is first encrypted under alias/aws/kinesis")
		return nil
	}
	t.table(cells)
	return nil
}

type mastersCreateCommand struct {
	masterFlags
	Name string `arg:"" help:"What it is called: streams are encrypted under alias/NAME."`
}

// Run makes a master key.
func (c *mastersCreateCommand) Run(t *terminal) error {
	ring, _, err := c.open(t)
	if err != nil {
		return err
	}
	if err := ring.Create(c.Name); fault.Is(err, fault.Invalid) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	return c.say(t, c.Name, 1, "wraps")
}

type mastersRotateCommand struct {
	masterFlags
	Name string `arg:"" help:"The master key."`
}

// Run makes a new version.
func (c *mastersRotateCommand) Run(t *terminal) error {
	ring, _, err := c.open(t)
	if err != nil {
		return err
	}
	version, err := ring.Rotate(c.Name)
	if err != nil {
		return err
	}
	return c.say(t, c.Name, version, "wraps")
}

type mastersRewrapCommand struct{ masterFlags }

// Run asks the server.
func (c *mastersRewrapCommand) Run(ctx context.Context, t *terminal) error {
	s, err := c.settings(t)
	if err != nil {
		return err
	}
	state, err := c.ask(ctx, s, http.MethodPost, "/_weir/master-keys/rewrap")
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(state)
	}
	fmt.Fprintf(t.out, "%d data keys were wrapped anew\n", state.Rewrapped)
	return nil
}

type mastersRemoveCommand struct {
	masterFlags
	Name    string `arg:"" help:"The master key."`
	Version int    `arg:"" help:"Its version."`
}

// Run removes a version, once the server has said that nothing is wrapped under it.
func (c *mastersRemoveCommand) Run(ctx context.Context, t *terminal) error {
	ring, s, err := c.open(t)
	if err != nil {
		return err
	}
	state, err := c.ask(ctx, s, http.MethodGet, "/_weir/master-keys")
	if err != nil {
		return err
	}
	if n := state.Needed[fmt.Sprintf("%s:%d", c.Name, c.Version)]; n > 0 {
		return fmt.Errorf("%d data keys are wrapped under %s:%d; weir keys master rewrap wraps them under the newest version", n, c.Name, c.Version)
	}
	if err := ring.Remove(c.Name, c.Version); err != nil {
		return err
	}
	return c.say(t, c.Name, c.Version, "removed")
}

func (f masterFlags) say(t *terminal, name string, version int, state string) error {
	if f.JSON {
		return t.json(map[string]any{"name": name, "version": version, "state": state})
	}
	if state == "removed" {
		fmt.Fprintf(t.out, "%s:%d is removed; backups that need it can no longer be read\n", name, version)
		return nil
	}
	fmt.Fprintf(t.out, "%s:%d wraps new data keys; keep a copy of the file of master keys apart from the data\n", name, version)
	return nil
}
