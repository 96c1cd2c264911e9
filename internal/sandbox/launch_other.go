//go:build !linux

package sandbox

import (
	"errors"
	"os/exec"
)

func launchArgs(*Options, bool) []string { return nil }

// Launch is for Linux: elsewhere functions run as remote ones.
func Launch([]string) error {
	return errors.New("functions run as processes on Linux only; elsewhere give a function a URL")
}

func own(*exec.Cmd, *Options) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func residentMB(int) int { return 0 }
