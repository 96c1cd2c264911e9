package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/weir-stream/weir/internal/node"
)

// devCommand is `weir dev`. The environment's WEIR_ variables hold here too; a weir.toml is for serve.
type devCommand struct {
	serverFlags
	TestClock testClock `name:"test-clock" help:"Stand the clock still, now or at an RFC 3339 time; POST /_weir/clock on the console address moves it." placeholder:"TIME"`
	Faults    string    `hidden:"" help:"Break the disk on purpose."`
	JSON      bool      `name:"json" help:"Print the addresses as JSON when ready."`
}

// Help is what `weir help dev` adds.
func (c *devCommand) Help() string {
	return "Ready when the ports answer. What was acknowledged is on disk: kill -9 and the same command bring everything back. " +
		"Defaults: --listen 127.0.0.1:4566 --tls-listen 127.0.0.1:4567 --console-listen 127.0.0.1:4560 --data .weir --durability sync --limits off. " +
		"An access key of twelve digits is the account."
}

// Run runs the server until it is asked to stop.
func (c *devCommand) Run(ctx context.Context, t *terminal) error {
	s := c.over(environment(devSettings(), t.getenv))
	if err := s.validate(); err != nil {
		return usageError{err}
	}
	config := s.config(t)
	config.Dev, config.TestClock, config.Faults = true, string(c.TestClock), c.Faults
	return runServer(ctx, config, func(n *node.Node) {
		if c.JSON {
			_ = t.jsonLine(addressesOf(n, config)) // whoever started this and went away is no reason to stop
			return
		}
		banner(t, "weir dev", n, config)
	})
}

// addresses is what a script wants to know of a server that is ready.
type addresses struct {
	Endpoint string `json:"endpoint"`
	TLS      string `json:"tls,omitempty"`
	Console  string `json:"console,omitempty"`
	Data     string `json:"data"`
}

func addressesOf(n *node.Node, c node.Config) addresses {
	a := addresses{Endpoint: "http://" + n.Addr(), Data: c.DataDir}
	if n.TLSAddr() != "" {
		a.TLS = "https://" + n.TLSAddr()
	}
	if n.ConsoleAddr() != "" {
		a.Console = "http://" + n.ConsoleAddr()
	}
	return a
}

// banner says that the server is ready, where, and what to try.
func banner(t *terminal, what string, n *node.Node, c node.Config) {
	a := addressesOf(n, c)
	fmt.Fprintf(t.out, "%s\n", t.paint(bold, what+" is ready"))
	keys := "keys made by weir keys create"
	if c.Dev {
		keys = "any key, loopback only"
	}
	fmt.Fprintf(t.out, "  API      %s   %s\n", t.paint(cyan, a.Endpoint), keys)
	if a.TLS != "" {
		fmt.Fprintf(t.out, "  TLS      %s   trust %s\n", t.paint(cyan, a.TLS), caFile(c.DataDir))
	}
	if a.Console != "" {
		fmt.Fprintf(t.out, "  console  %s/metrics\n", t.paint(cyan, a.Console))
	}
	fmt.Fprintf(t.out, "  data     %s   an acknowledgement means: %s\n", c.DataDir, durabilityText(c.Durability))
	if c.TestClock != "" {
		fmt.Fprintf(t.out, "  clock    stands still; move it: curl -d '{\"advance\":\"10m\"}' %s/_weir/clock\n", a.Console)
	}
	if c.Dev {
		fmt.Fprintf(t.out, "Try, in another terminal:\n  eval $(weir env --endpoint %s)\n  aws kinesis create-stream --stream-name hello --shard-count 1 --endpoint-url %s\n  echo hello world | weir put hello\n  weir tail --from trim-horizon hello\n", a.Endpoint, a.Endpoint)
	}
}

func durabilityText(durability string) string {
	switch durability {
	case "sync":
		return "on disk"
	case "os":
		return "with the operating system, lost if the machine fails"
	}
	return "on disk after " + durability + ", lost if the machine fails before"
}

// testClock is a flag with a value that may be left out: --test-clock, or --test-clock=2026-04-01T13:00:00Z.
type testClock string

// IsBool lets the flag stand alone.
func (*testClock) IsBool() bool { return true }

// Decode takes the value behind "=", if there is one.
func (c *testClock) Decode(ctx *kong.DecodeContext) error {
	*c = "now"
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	value := fmt.Sprint(ctx.Scan.Pop().Value)
	if value != "now" {
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return fmt.Errorf("%q is neither now nor an RFC 3339 time such as 2026-04-01T13:00:00Z", value)
		}
	}
	*c = testClock(value)
	return nil
}
