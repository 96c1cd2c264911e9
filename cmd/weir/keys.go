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
	Rotate keysRotateCommand `cmd:"" help:"Make a second key of the same user, and let the first one end."`
	Policy keysPolicyCommand `cmd:"" help:"Attach, list and remove the policies of a key's user."`
	Master keysMasterCommand `cmd:"" help:"Make, rotate and remove the master keys that streams are encrypted under."`
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
	User     string    `json:"user"` // empty for the root of the account
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	Disabled bool      `json:"disabled"`
	Policies bool      `json:"policies"` // the user has some; otherwise the key may do everything in its account
}

func keyRowOf(k auth.Key) keyRow {
	return keyRow{k.ID, k.Secret, k.Account, k.User, k.Name, k.Created, k.Expires, k.Disabled, k.Policies != nil}
}

// sayMade prints a key that was just made.
func (f keysFlags) sayMade(t *terminal, key auth.Key) error {
	if f.JSON {
		return t.json(keyRowOf(key))
	}
	fmt.Fprintf(t.out, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", key.ID, key.Secret)
	fmt.Fprintln(t.err, "The secret is shown this once.")
	if key.Policies == nil {
		fmt.Fprintf(t.err, "No policy is attached: the key may do everything in account %s.\n", key.Account)
	}
	return nil
}

type keysCreateCommand struct {
	keysFlags
	Name    string   `arg:"" optional:"" help:"What people call the key."`
	Account string   `default:"000000000000" help:"Account of the key, twelve digits."`
	User    string   `help:"Whose key it is. Else a user called as the key is; the root of the account when it has no name." placeholder:"NAME"`
	Policy  []string `help:"Attach the policy in a file to the user; may be given several times. Without one the key may do everything in its account." placeholder:"FILE"`
}

// Run makes a key.
func (c *keysCreateCommand) Run(t *terminal) error {
	spec := auth.Spec{Account: c.Account, Name: c.Name, User: c.User}
	for _, file := range c.Policy {
		p, err := readPolicy(t, file, "")
		if err != nil {
			return err
		}
		spec.Policies = append(spec.Policies, p)
	}
	store, err := c.open(t, true)
	if err != nil {
		return err
	}
	key, err := store.Make(spec)
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	return c.sayMade(t, key)
}

type keysRotateCommand struct {
	keysFlags
	ID          string        `arg:"" help:"The access key id of the key that ends."`
	ExpireAfter time.Duration `name:"expire-after" default:"24h" help:"When the old key ends; 0s is at once." placeholder:"DURATION"`
}

// Run makes a successor.
func (c *keysRotateCommand) Run(t *terminal) error {
	if c.ExpireAfter < 0 {
		return usagef("--expire-after %s is in the past", c.ExpireAfter)
	}
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	key, err := store.Rotate(c.ID, c.ExpireAfter)
	if err != nil {
		return explainKey(err, c.ID)
	}
	old, _, err := store.Lookup(c.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.err, "%s ends at %s.\n", old.ID, old.Expires.Format(time.RFC3339))
	return c.sayMade(t, key)
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
	cells := [][]string{{"KEY", "ACCOUNT", "USER", "NAME", "CREATED", "STATE", "MAY"}}
	for _, k := range keys {
		rows = append(rows, keyRowOf(k))
		user, may := k.User, "everything"
		if user == "" {
			user = "(root)"
		}
		if k.Policies != nil {
			may = "as its policies say"
		}
		cells = append(cells, []string{k.ID, k.Account, user, k.Name, k.Created.Format(time.RFC3339), stateOf(k), may})
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

// stateOf says in words whether a key can be used.
func stateOf(k auth.Key) string {
	switch now := clock.Real.Now(); {
	case k.Disabled:
		return "disabled"
	case !k.UsableAt(now):
		return "ended"
	case !k.Expires.IsZero():
		return "until " + k.Expires.Format(time.RFC3339)
	}
	return "enabled"
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
