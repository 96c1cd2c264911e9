package main

import (
	"context"

	"github.com/weir-stream/weir/internal/node"
)

// serveCommand is `weir serve`.
type serveCommand struct {
	serverFlags
	Config string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print the addresses as JSON when ready."`
}

// Help is what `weir help serve` adds.
func (c *serveCommand) Help() string {
	return "A flag goes before $WEIR_LISTEN, $WEIR_DATA_DIR and so on, those before the file, and the file before the defaults, " +
		"which weir config show prints. Without keys it refuses to listen beyond loopback."
}

// Run runs the server until it is asked to stop.
func (c *serveCommand) Run(ctx context.Context, t *terminal) error {
	s, err := serveSettings(c.Config, t)
	if err != nil {
		return usageError{err}
	}
	s = c.over(s)
	if err := s.validate(); err != nil {
		return usageError{err}
	}
	config := s.config(t)
	return runServer(ctx, config, func(n *node.Node) {
		if c.JSON {
			_ = t.jsonLine(addressesOf(n, config)) // whoever started this and went away is no reason to stop
			return
		}
		banner(t, "weir serve", n, config)
	})
}

// serveSettings are the defaults, under the file, under the environment.
func serveSettings(file string, t *terminal) (settings, error) {
	s := defaultSettings()
	if path := configFile(file, t.getenv); path != "" {
		var err error
		if s, err = readFile(s, path); err != nil {
			return s, err
		}
	}
	return environment(s, t.getenv), nil
}
