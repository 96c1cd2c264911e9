package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-stream/weir/internal/scenario"
	"github.com/weir-stream/weir/internal/scenario/offers"
)

type demoOffersCommand struct {
	Seed    uint64 `default:"42" help:"The same seed gives the same sign-ups."`
	Speed   speed  `default:"real" help:"real is 200 sign-ups a second; max, or how many times faster than real. A check has --pace."`
	Mapping string `enum:"standard,fan-out,window" default:"standard" help:"How the function gets sign-ups. standard: of the stream. fan-out: of a consumer that is registered with it. window: in batches of 300 seconds, with --check."`
	Listen  string `default:"127.0.0.1:4566" help:"Address of the API. When it is taken, the demo takes a free port."`

	Scale string `enum:"smoke,full," default:"" help:"With --check. smoke: 2,000 sign-ups. full: 120,000, those of ten minutes. Else smoke." placeholder:"SCALE"`
	Pace  string `enum:"max,real,test," default:"" help:"With --check. max: as fast as it goes. real: 200 a second, with a bound on how long an offer takes. test: ten minutes on a test clock, a second at a time. Else max, and test with a window." placeholder:"PACE"`
	Fault string `help:"With --check, break something on the way: F1 kill -9 at 20 instants, F2 the app answers 500 for a while, F3 the function fails three times on two sign-ups, F5 reshard twice under load, F9 take the function's concurrency away and give it back; F1+F5 and the like, several at once." placeholder:"F1…F9"`
	checkFlags
}

// Help is what `weir help demo offers` adds.
func (c *demoOffersCommand) Help() string {
	return "People in thirty countries sign up, two in a hundred of them from an unknown place. The sign-ups go into the stream " + offers.SignUps + " of a server inside this process, where an event source mapping " +
		"gives them to the function " + offers.Function + ": this program, with a bandwidth table in its zip file. It writes an offer for each to the stream " + offers.Offers + " and tells the provider's app, by HTTP. Ctrl-C ends it, and nothing stays. " +
		"--check passes when each sign-up has the oracle's offer in both, each user's in their order; under a fault other than F5 and F9, duplicates are allowed. " +
		fmt.Sprintf("With --pace real and no fault, 99 of 100 offers must be read within %s of the put, with --mapping fan-out within %s. With --pace test and no fault, everybody must have an offer at the end of each second of the clock; ",
			offers.Standard.Bound(), offers.FanOut.Bound()) +
		"with --mapping window, the function must have exactly one invocation for each window and shard, at the window's end."
}

// Run shows, or checks.
func (c *demoOffersCommand) Run(ctx context.Context, t *terminal) error {
	if err := c.refuse(c.Fault); err != nil {
		return err
	}
	if c.Check {
		return c.check(ctx, t)
	}
	if c.Scale != "" || c.Pace != "" || c.Mapping == string(offers.Windowed) {
		return usagef("--scale, --pace and --mapping window go with --check")
	}
	return c.watch(ctx, t)
}

// check runs the scenario without a terminal.
func (c *demoOffersCommand) check(ctx context.Context, t *terminal) error {
	fault, err := scenario.ParseFaults(c.Fault, offers.Faults...)
	if err != nil {
		return usageError{err}
	}
	options := offers.CheckOptions{
		Seed: c.Seed, Count: map[string]int{"full": offers.FullCount}[c.Scale], Pace: offers.Pace(c.Pace), Mapping: offers.Mapping(c.Mapping), Fault: fault, Client: demoClient,
		Say: func(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) },
	}
	if err := options.Validate(); err != nil {
		return usageError{err}
	}
	dir, err := os.MkdirTemp("", "weir-offers-")
	if err != nil {
		return err
	}
	if options.Command, err = enrichCommand(dir); err != nil {
		return err
	}
	testClock := ""
	if options.Pace == offers.Stepped {
		testClock = offers.Start.Format(time.RFC3339)
	}
	server := checkServer(t, dir, fault != "", testClock)
	options.Server, options.Console = server, server.console
	report, err := offers.Check(ctx, options)
	if err != nil {
		return fmt.Errorf("%w (seed %d, left in %s)", err, c.Seed, dir)
	}
	return c.conclude(t, dir, &report, report.Passed, report.Lines())
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
