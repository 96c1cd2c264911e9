package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a function's process may take beside memory, which its control group or watchMemory bounds (address space is no measure: Node reserves gigabytes).
const (
	filesOpenMax = 1024    // Lambda quotas: file descriptors
	fileBytesMax = 1 << 30 // of one file; /tmp has 512 MB by default
)

// launchArgs is what Launch is told.
func launchArgs(o *Options, grouped bool) []string {
	counted := "alone"
	if grouped {
		counted = inGroup
	}
	return []string{strconv.Itoa(o.UID), strconv.Itoa(o.GID), strconv.Itoa(os.Getpid()), counted}
}

// inGroup tells Launch that a control group counts processes.
const inGroup = "grouped"

// Launch is the first thing that a function's process runs: it sets the limits that are inherited, gives up what Weir may do, and becomes the function. args
// are what launchArgs gave, "--", and the function's command. It returns only with an error.
func Launch(args []string) error {
	runtime.LockOSThread() // what prctl says holds for the thread that then becomes the function
	if len(args) < 6 || args[4] != "--" {
		return fmt.Errorf("launch is Weir's own: UID GID SERVER alone|grouped -- COMMAND")
	}
	uid, uidErr := strconv.Atoi(args[0])
	gid, gidErr := strconv.Atoi(args[1])
	if uidErr != nil || gidErr != nil {
		return fmt.Errorf("launch: %q and %q are no ids", args[0], args[1])
	}
	limits := map[int]uint64{unix.RLIMIT_NOFILE: filesOpenMax, unix.RLIMIT_FSIZE: fileBytesMax, unix.RLIMIT_CORE: 0}
	if uid != 0 && args[3] != inGroup {
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
	// The signal at the parent's death, which own has set, went with the user.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("launch: end with the server: %w", err)
	}
	if strconv.Itoa(os.Getppid()) != args[2] {
		return fmt.Errorf("launch: the server is gone")
	}
	command := args[5:]
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

// residentMB is how much memory a process and its descendants have in use; 0 when it is gone. Pages that they share count for each.
func residentMB(pid int) int {
	pages := 0
	for _, pid := range descendants(pid, nil) {
		pages += residentPages(pid)
	}
	return pages * os.Getpagesize() >> 20
}

// familyMax bounds the walk over descendants: a function that has more has more to fear from its limit of processes.
const familyMax = processesMax

// descendants is a process and what it started, as far as that has not been left by its parent.
func descendants(pid int, found []int) []int {
	found = append(found, pid)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(found) >= familyMax {
		return found
	}
	for _, thread := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		if err != nil {
			continue // it ended, or the kernel has no such file
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil && len(found) < familyMax {
				found = descendants(child, found)
			}
		}
	}
	return found
}

func residentPages(pid int) int {
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
	return pages
}
