//go:build unix && !linux

package multilang

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a group of its own.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// awaitExit cannot wait without collecting.
func awaitExit(int) bool { return false }

// killGroup ends a process and everything in its group.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL) // the group may be gone already
}
