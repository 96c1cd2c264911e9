// Command weir is Weir: the server, and what people type to use it.
//
// It owns the command line: flags, files of configuration, what is printed where, exit codes. Each command has a file of its
// name. Work on a stream goes through the AWS API like anyone's; only dev, serve and demo start a server, which package node
// puts together.
//
// Exit codes: 0 it worked, 1 it failed, 2 it was not understood.
//
// Read commands.go, then the file of the command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == launchWord {
		os.Exit(launch(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == enrichWord {
		os.Exit(enrich())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once.
	go func() {
		<-ctx.Done()
		stop()
	}()
	os.Exit(run(ctx, systemTerminal(), os.Args[1:]))
}
