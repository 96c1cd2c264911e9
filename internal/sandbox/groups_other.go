//go:build !linux

package sandbox

import (
	"os"
	"os/exec"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// OpenGroups is for Linux. Fault: Unsupported.
func OpenGroups(string, []string, clock.Clock) (Groups, error) {
	return nil, fault.New(fault.Unsupported, "control groups are Linux's")
}

func cloneInto(*exec.Cmd, *os.File) error {
	return fault.New(fault.Unsupported, "control groups are Linux's")
}
