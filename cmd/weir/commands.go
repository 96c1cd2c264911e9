package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
)

// Exit codes. Scripts depend on them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is every command. The help of a field is the command's line in `weir help`.
type commands struct {
	Dev        devCommand        `cmd:"" help:"Run a server for development: everything on, any key, loopback only."`
	Serve      serveCommand      `cmd:"" help:"Run a server that verifies keys."`
	Init       initCommand       `cmd:"" help:"Make a data directory, a weir.toml and the first key."`
	Config     configCommand     `cmd:"" help:"Look at the configuration of weir serve."`
	Keys       keysCommand       `cmd:"" help:"Make, list, rotate, restrict and delete access keys."`
	Audit      auditCommand      `cmd:"" help:"Print who administered what."`
	Env        envCommand        `cmd:"" help:"Print the environment that points AWS tools at a server."`
	Put        putCommand        `cmd:"" help:"Write lines to a stream, from stdin or files."`
	Agent      agentCommand      `cmd:"" help:"Send the lines of log files to streams, as the Kinesis Agent does and with its agent.json."`
	Tail       tailCommand       `cmd:"" help:"Print the records of a stream as they come."`
	Ls         lsCommand         `cmd:"" help:"List streams, or the shards of one."`
	Status     statusCommand     `cmd:"" help:"Say how a running server is: streams, disk, journal, damage, last backup."`
	Delivery   deliveryCommand   `cmd:"" help:"Say how delivery streams stand."`
	Backup     backupCommand     `cmd:"" help:"Copy a data directory to a folder or an S3 bucket, while the server runs."`
	Restore    restoreCommand    `cmd:"" help:"Make a data directory of a backup, as it was then or at a moment before."`
	Doctor     doctorCommand     `cmd:"" help:"Say whether a data directory is sound, and repair it."`
	Reshard    reshardCommand    `cmd:"" help:"Change how many shards a stream has, while it is written and read."`
	Multilang  multilangCommand  `cmd:"" help:"Run record processors of the Kinesis Client Library in Python, Node, Ruby and others, without Java."`
	Bench      benchCommand      `cmd:"" help:"Measure how fast a server takes and gives records."`
	Demo       demoCommand       `cmd:"" help:"Watch a whole scenario run."`
	Gen        genCommand        `cmd:"" help:"Write the input of a scenario, and what must come out."`
	Completion completionCommand `cmd:"" help:"Print the completion script of a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Help       helpCommand       `cmd:"" help:"Explain weir, or one command."`

	Complete completeCommand `cmd:"" name:"__complete" hidden:""`
}

// usageError is a mistake in what was typed.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exited is the panic by which kong's help ends the parsing.
type exited int

// run parses args, runs the command and gives the exit code.
func run(ctx context.Context, t *terminal, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(exited); ok {
				code = int(e)
				return
			}
			panic(r)
		}
	}()
	parser, err := newParser(t)
	if err != nil {
		fmt.Fprintln(t.err, "weir:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(t.err, "weir:", err)
		fmt.Fprintln(t.err, "See: weir help"+commandOf(err))
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(t)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(t.err, "weir:", err)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitOK // asked to stop, and stopped
	case errors.Is(err, errQuiet):
		return exitFailed
	case errors.Is(err, errUnknown):
		fmt.Fprintln(t.err, "weir:", err)
		return exitUsage
	}
	fmt.Fprintln(t.err, "weir:", err)
	return exitFailed
}

// errUnknown ends a command that can say neither yes nor no with the exit code of what was not understood.
var errUnknown = errors.New("it cannot be told")

// errQuiet fails a command that has said why already.
var errQuiet = errors.New("failed")

func newParser(t *terminal) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("weir"),
		kong.Description("Weir is the Kinesis you run yourself. Any AWS SDK, CLI or agent points at it by endpoint.\n\n"+
			"Begin with: weir demo tolls, or weir dev and then, beside it, weir put --create hello."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	)
}

// commandOf is " put" when the mistake was made behind `weir put`.
func commandOf(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context.Selected() == nil {
		return ""
	}
	return " " + parse.Context.Selected().Path()
}

// helpCommand is `weir help put`, the same as `weir put --help`.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

// Run parses the command again with --help, which prints and ends the parsing.
func (c *helpCommand) Run(t *terminal) error {
	parser, err := newParser(t)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(append(c.Command, "--help")); err != nil {
		return usageError{err}
	}
	return nil
}

// Help is what `weir help help` adds.
func (c *helpCommand) Help() string { return exitCodesHelp }

const exitCodesHelp = "Exit codes of every command: 0 it worked, 1 it failed, 2 it was not understood."
