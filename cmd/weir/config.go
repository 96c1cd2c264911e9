package main

import (
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

// configCommand is `weir config`.
type configCommand struct {
	Check configCheckCommand `cmd:"" help:"Say everything that is wrong with a configuration."`
	Show  configShowCommand  `cmd:"" help:"Print the configuration that weir serve would run with."`
}

type configCheckCommand struct {
	Config string `arg:"" optional:"" help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print the result as JSON."`
}

// Run reads the file as serve would.
func (c *configCheckCommand) Run(t *terminal) error {
	s, err := serveSettings(c.Config, t)
	if err == nil {
		err = s.validate()
	}
	if c.JSON {
		result := struct {
			OK     bool   `json:"ok"`
			Errors string `json:"errors,omitempty"`
		}{OK: err == nil}
		if err != nil {
			result.Errors = err.Error()
		}
		if printErr := t.json(result); printErr != nil || err == nil {
			return printErr
		}
		return errQuiet
	}
	if err != nil {
		return err
	}
	from := configFile(c.Config, t.getenv)
	if from == "" {
		from = "no file: the defaults and the environment"
	}
	fmt.Fprintf(t.out, "fine (%s)\n", from)
	return nil
}

type configShowCommand struct {
	Config string `arg:"" optional:"" help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print JSON instead of TOML."`
}

// Run prints the settings.
func (c *configShowCommand) Run(t *terminal) error {
	s, err := serveSettings(c.Config, t)
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(s)
	}
	text, err := toml.Marshal(s)
	if err != nil {
		return err
	}
	_, err = t.out.Write(text)
	return err
}
