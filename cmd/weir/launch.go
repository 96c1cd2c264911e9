package main

import (
	"fmt"
	"os"

	"github.com/weir-stream/weir/internal/sandbox"
)

// launchWord is the command by which a server starts the process of a function. Nobody else types it, so that help does not have it; it is looked for before anything else is
// set up, because every cold start waits for it.
const launchWord = "launch-function"

// launch becomes a function. It returns only when that failed.
func launch(args []string) int {
	fmt.Fprintln(os.Stderr, "weir:", sandbox.Launch(args))
	return exitFailed
}

// launcher is the command that does so.
func launcher() []string {
	self, err := os.Executable()
	if err != nil {
		return nil // functions then run elsewhere, or not at all, and say so
	}
	return []string{self, launchWord}
}
