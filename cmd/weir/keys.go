package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// defaultAccount is the account of a key that names none.
const defaultAccount = "000000000000"

// keysCommand is `weir keys`. It works on the data directory; a server that runs there sees a change within a second.
type keysCommand struct {
	Create keysCreateCommand `cmd:"" help:"Make a key and print its secret, this once."`
	List   keysListCommand   `cmd:"" help:"List keys, without their secrets."`
	Switch keysSwitchCommand `cmd:"" name:"disable" help:"Switch a key off, or on again with --enable."`
	Delete keysDeleteCommand `cmd:"" help:"Delete a key for good."`
}

// keysFlags say where the keys are.
type keysFlags struct {
	Data   string `help:"Data directory of the server. Else the one that weir serve would use." placeholder:"DIR"`
	Config string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (f keysFlags) open(t *terminal, create bool) (*auth.Store, error) {
	data := f.Data
	if data == "" {
		s, err := serveSettings(f.Config, t)
		if err != nil {
			return nil, usageError{err}
		}
		data = s.DataDir
	}
	return openKeys(data, create)
}

// openKeys opens the keys in a data directory, and makes the directory if create says so.
func openKeys(data string, create bool) (*auth.Store, error) {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("there is no data directory %s; weir init makes one, --data names another", data)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	files, err := vfs.NewOS(data)
	if err != nil {
		return nil, err
	}
	return auth.OpenStore(files, clock.Real, nil)
}

// caFile is where a server with this data directory keeps the certificate of its authority.
func caFile(data string) string { return filepath.Join(data, "tls", "ca.pem") }

// keyRow is a key as it is printed. The secret is there only when it was just made.
type keyRow struct {
	ID       string    `json:"accessKeyId"`
	Secret   string    `json:"secretAccessKey,omitempty"`
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled"`
}

type keysCreateCommand struct {
	keysFlags
	Name    string `arg:"" optional:"" help:"What people call the key."`
	Account string `default:"000000000000" help:"Account of the key, twelve digits."`
}

// Run makes a key.
func (c *keysCreateCommand) Run(t *terminal) error {
	store, err := c.open(t, true)
	if err != nil {
		return err
	}
	key, err := store.Create(c.Account, c.Name)
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(keyRow{ID: key.ID, Secret: key.Secret, Account: key.Account, Name: key.Name, Created: key.Created})
	}
	fmt.Fprintf(t.out, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", key.ID, key.Secret)
	fmt.Fprintln(t.err, "The secret is shown this once.")
	return nil
}

type keysListCommand struct{ keysFlags }

// Run lists the keys.
func (c *keysListCommand) Run(t *terminal) error {
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	keys, err := store.List()
	if err != nil {
		return err
	}
	rows := make([]keyRow, 0, len(keys))
	cells := [][]string{{"KEY", "ACCOUNT", "NAME", "CREATED", "STATE"}}
	for _, k := range keys {
		rows = append(rows, keyRow{ID: k.ID, Account: k.Account, Name: k.Name, Created: k.Created, Disabled: k.Disabled})
		state := "enabled"
		if k.Disabled {
			state = "disabled"
		}
		cells = append(cells, []string{k.ID, k.Account, k.Name, k.Created.Format(time.RFC3339), state})
	}
	if c.JSON {
		return t.json(rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(t.err, "no keys; weir keys create makes one")
		return nil
	}
	t.table(cells)
	return nil
}

type keysSwitchCommand struct {
	keysFlags
	ID     string `arg:"" help:"The access key id."`
	Enable bool   `help:"Switch the key on again."`
}

// Run switches a key.
func (c *keysSwitchCommand) Run(t *terminal) error {
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	if err := store.Disable(c.ID, !c.Enable); err != nil {
		return explainKey(err, c.ID)
	}
	return c.say(t, c.ID, map[bool]string{false: "disabled", true: "enabled"}[c.Enable])
}

type keysDeleteCommand struct {
	keysFlags
	ID string `arg:"" help:"The access key id."`
}

// Run deletes a key.
func (c *keysDeleteCommand) Run(t *terminal) error {
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	if err := store.Delete(c.ID); err != nil {
		return explainKey(err, c.ID)
	}
	return c.say(t, c.ID, "deleted")
}

func (f keysFlags) say(t *terminal, id, state string) error {
	if f.JSON {
		return t.json(map[string]string{"accessKeyId": id, "state": state})
	}
	fmt.Fprintf(t.out, "%s is %s\n", id, state)
	return nil
}

func explainKey(err error, id string) error {
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("there is no key %q; weir keys list shows those there are", id)
	}
	return err
}
