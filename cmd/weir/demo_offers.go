package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/weir-stream/weir/internal/scenario"
	"github.com/weir-stream/weir/internal/scenario/offers"
)

type demoOffersCommand struct {
	Seed   uint64 `default:"42" help:"The same seed gives the same sign-ups."`
	Speed  speed  `default:"real" help:"real is 200 sign-ups a second; max, or how many times faster than real. A check is always max."`
	Listen string `default:"127.0.0.1:4566" help:"Address of the API. When it is taken, the demo takes a free port."`

	Fault string `help:"With --check, break something on the way: F1 kill -9 at 20 instants, F2 the app answers 500 for a while, F3 the function fails three times on two sign-ups, F5 reshard twice under load." placeholder:"F1…F5"`
	checkFlags
}

// Help is what `weir help demo offers` adds.
func (c *demoOffersCommand) Help() string {
	return "People in thirty countries sign up, two in a hundred of them from an unknown place. The sign-ups go into the stream " + offers.SignUps + " of a server inside this process, where an event source mapping " +
		"gives them to the function " + offers.Function + ": this program, with a bandwidth table in its zip file. It writes an offer for each to the stream " + offers.Offers + " and tells the provider's app, by HTTP. Ctrl-C ends it, and nothing stays. " +
		"--check passes when each of 2,000 sign-ups has the oracle's offer in both, each user's in their order; under a fault other than F5, duplicates are allowed."
}

// Run shows, or checks.
func (c *demoOffersCommand) Run(ctx context.Context, t *terminal) error {
	if err := c.refuse(c.Fault); err != nil {
		return err
	}
	if c.Check {
		return c.check(ctx, t)
	}
	return c.watch(ctx, t)
}

// check runs the scenario without a terminal.
func (c *demoOffersCommand) check(ctx context.Context, t *terminal) error {
	fault, err := scenario.ParseFault(c.Fault, offers.Faults...)
	if err != nil {
		return usageError{err}
	}
	dir, err := os.MkdirTemp("", "weir-offers-")
	if err != nil {
		return err
	}
	command, err := enrichCommand(dir)
	if err != nil {
		return err
	}
	report, err := offers.Check(ctx, offers.CheckOptions{
		Seed: c.Seed, Fault: fault, Server: checkServer(t, dir, fault != ""), Client: demoClient, Command: command,
		Say: func(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) },
	})
	if err != nil {
		return fmt.Errorf("%w (seed %d, left in %s)", err, c.Seed, dir)
	}
	return c.conclude(t, dir, report, report.Passed, report.Differences.Lines())
}

// enrichWord is the command by which the function of the offers becomes this program. Nobody else types it, as with launchWord.
const enrichWord = "enrich-sign-ups"

// enrich is the function.
func enrich() int {
	fmt.Fprintln(os.Stderr, "weir:", offers.Serve())
	return exitFailed
}

// enrichCommand is the command that does so. It is a copy of this program in dir, which everybody on the machine may run: functions of a server that is root
// run as nobody, who may not run what lies in somebody's home.
func enrichCommand(dir string) (command []string, err error) {
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := mayEnter(dir); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	from, err := os.Open(self)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	program := filepath.Join(dir, "weir")
	to, err := os.OpenFile(program, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(to, from)
	if end := to.Close(); err == nil {
		err = end
	}
	if err == nil {
		err = os.Chmod(program, 0o755) // whatever the umask is
	}
	return []string{program, enrichWord}, err
}

// mayEnter says whether everybody may enter a directory and those above it.
func mayEnter(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("the function runs as nobody, who may not enter %s; the variable TMPDIR takes another directory", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
