package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a function's process may take beside memory, which watchMemory bounds (address space is no measure: Node reserves gigabytes).
const (
	filesOpenMax = 1024    // Lambda quotas: file descriptors
	processesMax = 1024    // Lambda quotas: processes and threads, counted by the system over the user
	fileBytesMax = 1 << 30 // of one file; /tmp has 512 MB by default
)

// launchArgs is what Launch is told.
func launchArgs(o *Options, _ *Function) []string {
	return []string{strconv.Itoa(o.UID), strconv.Itoa(o.GID)}
}

// Launch is the first thing that a function's process runs: it sets the limits that are inherited, gives up what Weir may do, and becomes the function. args
// are what launchArgs gave, "--", and the function's command. It returns only with an error.
func Launch(args []string) error {
	if len(args) < 4 || args[2] != "--" {
		return fmt.Errorf("launch is Weir's own: UID GID -- COMMAND")
	}
	uid, uidErr := strconv.Atoi(args[0])
	gid, gidErr := strconv.Atoi(args[1])
	if uidErr != nil || gidErr != nil {
		return fmt.Errorf("launch: %q and %q are no ids", args[0], args[1])
	}
	limits := map[int]uint64{unix.RLIMIT_NOFILE: filesOpenMax, unix.RLIMIT_FSIZE: fileBytesMax, unix.RLIMIT_CORE: 0}
	if uid != 0 {
		limits[unix.RLIMIT_NPROC] = processesMax // counted over everything a user runs: sensible only for one who runs nothing else
	}
	for which, most := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(which, &now); err != nil {
			return fmt.Errorf("launch: limits: %w", err)
		}
		most = min(most, now.Max)
		if err := unix.Setrlimit(which, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("launch: limits: %w", err)
		}
	}
	if uid != 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("launch: groups: %w", err)
		}
		if err := syscall.Setgid(gid); err != nil {
			return fmt.Errorf("launch: group %d: %w", gid, err)
		}
		if err := syscall.Setuid(uid); err != nil {
			return fmt.Errorf("launch: user %d: %w", uid, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("launch: no new privileges: %w", err)
	}
	command := args[3:]
	return fmt.Errorf("launch %s: %w", command[0], syscall.Exec(command[0], command, os.Environ()))
}

// own makes a process the head of a group of its own that ends with Weir.
func own(cmd *exec.Cmd, _ *Options) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process and what it started.
func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already is what we want
}

// residentMB is how much memory a process has in use, itself only; 0 when it is gone.
func residentMB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize() >> 20
}
