package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/fault"
)

// keysPolicyCommand is `weir keys policy`. Policies are the user's: what is done to one key of a user holds for all.
type keysPolicyCommand struct {
	Attach keysAttachCommand   `cmd:"" help:"Attach a policy, or replace the one of its name."`
	List   keysPoliciesCommand `cmd:"" help:"List the policies of a key's user."`
	Remove keysDetachCommand   `cmd:"" help:"Remove a policy."`
}

// readPolicy reads a policy of a user from a file. It is called as the file is, unless it has a name. What the server will not be able to judge is
// said on stderr.
func readPolicy(t *terminal, file, name string) (auth.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return auth.Policy{}, err
	}
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	doc, err := policy.ParseIdentity(text)
	if err != nil {
		return auth.Policy{}, usageError{fmt.Errorf("%s: %w", file, err)}
	}
	if unknown := doc.Unknown(); unknown != "" {
		fmt.Fprintf(t.err, "%s: %s is not known to this version of Weir: every request that its statement is on will be refused.\n", file, unknown)
	}
	return auth.Policy{Name: name, Document: text}, nil
}

type keysAttachCommand struct {
	keysFlags
	ID   string `arg:"" help:"The access key id of a key of the user."`
	File string `arg:"" help:"The policy document, JSON."`
	Name string `help:"What the policy is called. Else as the file, without its ending." placeholder:"NAME"`
}

// Run attaches a policy.
func (c *keysAttachCommand) Run(t *terminal) error {
	p, err := readPolicy(t, c.File, c.Name)
	if err != nil {
		return err
	}
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	if err := store.Attach(c.ID, p); err != nil {
		return explainPolicy(err, c.ID)
	}
	return c.sayPolicy(t, c.ID, p.Name, "attached")
}

type keysPoliciesCommand struct {
	keysFlags
	ID string `arg:"" help:"The access key id of a key of the user."`
}

// Run lists policies.
func (c *keysPoliciesCommand) Run(t *terminal) error {
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	policies, err := store.Policies(c.ID)
	if err != nil {
		return explainKey(err, c.ID)
	}
	if c.JSON {
		if policies == nil {
			policies = []auth.Policy{}
		}
		return t.json(policies)
	}
	if len(policies) == 0 {
		fmt.Fprintln(t.err, "no policies: the key may do everything in its account")
	}
	for _, p := range policies {
		fmt.Fprintf(t.out, "%s\n%s\n", t.paint(bold, p.Name), p.Document)
	}
	return nil
}

type keysDetachCommand struct {
	keysFlags
	ID   string `arg:"" help:"The access key id of a key of the user."`
	Name string `arg:"" help:"What the policy is called."`
	All  bool   `help:"Remove the last one too, after which the user may do everything in the account."`
}

// Run removes a policy.
func (c *keysDetachCommand) Run(t *terminal) error {
	store, err := c.open(t, false)
	if err != nil {
		return err
	}
	err = store.Detach(c.ID, c.Name, c.All)
	if fault.Is(err, fault.Invalid) {
		return usageError{fmt.Errorf("%w; --all removes it all the same, weir keys disable switches the key off", err)}
	}
	if err != nil {
		return err
	}
	return c.sayPolicy(t, c.ID, c.Name, "removed")
}

func (f keysFlags) sayPolicy(t *terminal, id, name, state string) error {
	if f.JSON {
		return t.json(map[string]string{"accessKeyId": id, "policy": name, "state": state})
	}
	fmt.Fprintf(t.out, "policy %s is %s\n", name, state)
	return nil
}

func explainPolicy(err error, id string) error {
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	return explainKey(err, id)
}
