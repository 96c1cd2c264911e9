//go:build !unix

package multilang

import (
	"os"
	"os/exec"
)

// ownGroup does nothing where there are no process groups.
func ownGroup(*exec.Cmd) {}

// awaitExit cannot wait without collecting.
func awaitExit(int) bool { return false }

// killGroup ends the process alone.
func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may be gone already
	}
}
