//go:build unix

package node

import (
	"math"
	"syscall"
)

// openFilesMax is how many files the process may have open, as the Go runtime has raised it, if there is a limit.
func openFilesMax() (files int, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 { //nolint:unconvert // signed on some systems
		return 0, false
	}
	return int(limit.Cur), true
}
