package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// envCommand is `weir env`.
type envCommand struct {
	endpointFlags
	Shell string `enum:"auto,sh,fish,powershell" default:"auto" help:"sh, fish or powershell; auto looks at $SHELL."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help is what `weir help env` adds.
func (c *envCommand) Help() string {
	return "Use: eval $(weir env). Old tools, such as the AWS CLI of Debian 12, do not read these variables: give them --endpoint-url."
}

// Run prints the variables.
func (c *envCommand) Run(t *terminal) error {
	o, err := c.options(t).Resolve()
	if err != nil {
		return usageError{err}
	}
	variables := [][2]string{
		{"AWS_ENDPOINT_URL", o.Endpoint},
		{"AWS_ENDPOINT_URL_KINESIS", o.Endpoint},
		{"AWS_REGION", o.Region},
		{"AWS_DEFAULT_REGION", o.Region},
		{"AWS_ACCESS_KEY_ID", o.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", o.SecretKey},
	}
	if o.SessionToken != "" {
		variables = append(variables, [2]string{"AWS_SESSION_TOKEN", o.SessionToken})
	}
	if c.CAFile != "" {
		path, err := filepath.Abs(c.CAFile) // whoever evaluates this may go to another directory
		if err != nil {
			return err
		}
		variables = append(variables, [2]string{"AWS_CA_BUNDLE", path})
	}
	if c.JSON {
		all := map[string]string{}
		for _, v := range variables {
			all[v[0]] = v[1]
		}
		return t.json(all)
	}
	for _, v := range variables {
		fmt.Fprintln(t.out, export(c.shell(t), v[0], v[1]))
	}
	return nil
}

func (c *envCommand) shell(t *terminal) string {
	if c.Shell == "auto" && strings.HasSuffix(t.getenv("SHELL"), "/fish") {
		return "fish"
	}
	return c.Shell
}

// export is a line that sets a variable. In sh it ends in a semicolon, so that eval takes all lines as one.
func export(shell, name, value string) string {
	switch shell {
	case "fish":
		return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "';"
	case "powershell":
		return "$env:" + name + " = '" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "';"
}
