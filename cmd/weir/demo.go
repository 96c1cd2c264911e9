package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/scenario"
	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// demoCommand is `weir demo`.
type demoCommand struct {
	Tolls  demoTollsCommand  `cmd:"" help:"A toll company's log files flow into a stream."`
	Offers demoOffersCommand `cmd:"" help:"People sign up with an Internet provider, and a function makes them offers."`
}

type demoTollsCommand struct {
	Data   string `default:".weir-demo" help:"Directory of the demo: log files, and the server's data. A second start goes on there."`
	Seed   uint64 `default:"42" help:"The same seed gives the same bytes."`
	Scale  string `enum:"smoke,full," default:"" help:"smoke: three hours, six stations, some 9,000 lines. full: a week, forty stations, 2.4 million. Else full to watch, smoke to check." placeholder:"SCALE"`
	Speed  speed  `default:"600" help:"real, max, or how many times faster than real. A check is always max."`
	Listen string `default:"127.0.0.1:4566" help:"Address of the API. When it is taken, the demo takes a free port."`

	Fault string `help:"With --check, break something on the way: F1 kill -9 at 20 instants, F4 deliver twice, F5 reshard twice under load, F6 disk full, F8 torn journal, F1+F5 kill while it reshards." placeholder:"F1…F8"`
	checkFlags
}

// Help is what `weir help demo tolls` adds.
func (c *demoTollsCommand) Help() string {
	return "Forty stations write log files, which are rotated by rename and by copy and truncate. The lines are followed into the stream " +
		tolls.Stream + " of a server inside this process, and read back from it. Ctrl-C ends it. --check passes when every line comes back with " +
		"the same bytes, each customer's lines are in their order and the totals of each station are the oracle's; under a fault other than F5, " +
		"duplicates are allowed and nothing acknowledged may be missing."
}

// Run shows, or checks.
func (c *demoTollsCommand) Run(ctx context.Context, t *terminal) error {
	if err := c.refuse(c.Fault); err != nil {
		return err
	}
	if c.Scale == "" {
		c.Scale = map[bool]string{true: "smoke", false: "full"}[c.Check]
	}
	scale, err := tolls.ScaleNamed(c.Scale)
	if err != nil {
		return usageError{err}
	}
	if c.Check {
		return c.check(ctx, t, scale)
	}
	return c.watch(ctx, t, scale)
}

// check runs the scenario without a terminal.
func (c *demoTollsCommand) check(ctx context.Context, t *terminal, scale tolls.Scale) error {
	fault, err := scenario.ParseFault(c.Fault, tolls.Faults...)
	if err != nil {
		return usageError{err}
	}
	dir, err := os.MkdirTemp("", "weir-tolls-")
	if err != nil {
		return err
	}
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o777); err != nil {
		return err
	}
	report, err := tolls.Check(ctx, tolls.CheckOptions{
		Seed: c.Seed, Scale: scale, Fault: fault, Dir: logs, Server: checkServer(t, dir, fault != "", ""),
		Client: demoClient,
		Say:    func(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) },
	})
	if err != nil {
		return fmt.Errorf("%w (seed %d, scale %s, left in %s)", err, c.Seed, c.Scale, dir)
	}
	return c.conclude(t, dir, report, report.Passed, report.Differences.Lines())
}

// checkFlags are those of every check of a scenario.
type checkFlags struct {
	Check bool `help:"Do not show anything: run in a fresh directory on free ports, read what came out, compare with the oracle."`
	Keep  bool `help:"With --check, leave the directory there. It stays after a failure anyway."`
	JSON  bool `name:"json" help:"With --check, print the report as JSON."`
}

// refuse says which flags make no sense without --check.
func (c *checkFlags) refuse(fault string) error {
	if !c.Check && (fault != "" || c.JSON || c.Keep) {
		return usagef("--fault, --json and --keep go with --check")
	}
	return nil
}

// conclude prints a report, and removes the directory of a run that passed.
func (c *checkFlags) conclude(t *terminal, dir string, report interface{ Line() string }, passed bool, differences []string) (err error) {
	if c.JSON {
		err = t.json(report)
	} else {
		_, err = fmt.Fprintln(t.out, report.Line())
	}
	if !passed {
		for _, line := range differences {
			fmt.Fprintln(t.err, line)
		}
		fmt.Fprintf(t.err, "What was written and stored is in %s\n", dir)
		return errQuiet
	}
	if c.Keep {
		fmt.Fprintf(t.err, "kept %s\n", dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// demoServer is a scenario.Server whose clock may be a test clock.
type demoServer interface {
	scenario.Server
	console() string // URL of where it is moved, once the server has started
}

// checkServer is the server of a check. Only a process of its own can be killed. testClock is node.Config's: empty is real time.
func checkServer(t *terminal, dir string, own bool, testClock string) demoServer {
	if own {
		return &childServer{data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log"), testClock: testClock}
	}
	return &embeddedServer{data: filepath.Join(dir, "data"), testClock: testClock, logger: t.logger("error")}
}

// demoClient talks to a server of ours. It tries each request once: the trying again is put's and tail's.
func demoClient(endpoint string) (*kinesis.Client, error) {
	return client.NewKinesis(client.Options{Endpoint: endpoint, AccessKey: client.DefaultAccessKey, SecretKey: client.DefaultSecretKey,
		Region: client.DefaultRegion, MaxAttempts: 1, Getenv: func(string) string { return "" }})
}
