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
	Tolls demoTollsCommand `cmd:"" help:"A toll company's log files flow into a stream."`
}

type demoTollsCommand struct {
	Data   string `default:".weir-demo" help:"Directory of the demo: log files, and the server's data. A second start goes on there."`
	Seed   uint64 `default:"42" help:"The same seed gives the same bytes."`
	Scale  string `enum:"smoke,full," default:"" help:"smoke: three hours, six stations, some 9,000 lines. full: a week, forty stations, 2.4 million. Else full to watch, smoke to check." placeholder:"SCALE"`
	Speed  speed  `default:"600" help:"real, max, or how many times faster than real. A check is always max."`
	Listen string `default:"127.0.0.1:4566" help:"Address of the API. When it is taken, the demo takes a free port."`

	Check bool   `help:"Do not show anything: run in a fresh directory on free ports, read the stream back, compare with the oracle."`
	Fault string `help:"With --check, break something on the way: F1 kill -9 at 20 instants, F4 deliver twice, F5 reshard twice under load, F6 disk full, F8 torn journal, F1+F5 kill while it reshards." placeholder:"F1…F8"`
	Keep  bool   `help:"With --check, leave the directory there. It stays after a failure anyway."`
	JSON  bool   `name:"json" help:"With --check, print the report as JSON."`
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
	if !c.Check && (c.Fault != "" || c.JSON || c.Keep) {
		return usagef("--fault, --json and --keep go with --check")
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
	fault, err := scenario.ParseFault(c.Fault)
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
	var server scenario.Server = &embeddedServer{data: filepath.Join(dir, "data"), logger: t.logger("error")}
	if fault != "" {
		// Only a process of its own can be killed.
		server = &childServer{data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log")}
	}
	report, err := tolls.Check(ctx, tolls.CheckOptions{
		Seed: c.Seed, Scale: scale, Fault: fault, Dir: logs, Server: server,
		Client: func(endpoint string) (*kinesis.Client, error) {
			return client.NewKinesis(client.Options{Endpoint: endpoint, AccessKey: client.DefaultAccessKey, SecretKey: client.DefaultSecretKey,
				Region: client.DefaultRegion, MaxAttempts: 1, Getenv: func(string) string { return "" }})
		},
		Say: func(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) },
	})
	if err != nil {
		return fmt.Errorf("%w (seed %d, scale %s, left in %s)", err, c.Seed, c.Scale, dir)
	}
	if c.JSON {
		err = t.json(report)
	} else {
		_, err = fmt.Fprintln(t.out, report.Line())
	}
	if !report.Passed {
		for _, line := range report.Differences.Lines() {
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
