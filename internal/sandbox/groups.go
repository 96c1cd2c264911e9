package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// Groups gives each process of a function a control group of its own, in which the kernel bounds what the process and everything that it starts may take together.
type Groups interface {
	// Make makes an empty group. Whoever gets it removes it.
	Make(memoryMB int) (Group, error)
	// Close removes what OpenGroups made. Every Group is to be removed before.
	Close() error
}

// Group bounds one process of a function and its descendants, whatever they do to get away from each other.
type Group interface {
	// Enter has a command that is not started yet begin in the group, so that nothing of it is ever outside. The caller calls entered once it has been started.
	Enter(cmd *exec.Cmd) (entered func(), err error)
	// PeakMB is the most that the group has had of memory, files that it reads and writes included, as far as the kernel keeps them for it. 0 is unknown.
	PeakMB() int
	// OutOfMemory says whether the kernel killed what is in the group because it wanted more than it may have.
	OutOfMemory() bool
	// Kill ends everything in the group, and returns before it is gone.
	Kill()
	// Remove kills what is left in the group, waits until it is gone, and removes the group. Fault: Unavailable, something would not end.
	Remove() error
}

// The names and figures of control groups (Documentation/admin-guide/cgroup-v2.rst of the kernel, read 2026-11).
const (
	serverGroup   = "weir-server" // where a server goes to be out of the way: a group with controllers for its children has no processes of its own
	groupsControl = "+memory +pids"
	emptyMax      = 5 * time.Second // how long what was killed may take to go: a process in the middle of a disk's answer takes as long as that
	emptyLook     = time.Millisecond
)

// processesMax is Lambda's quota of processes and threads: of a function where there are control groups, and of all functions together where not.
const processesMax = 1024

// tree is control groups as the kernel shows them, a directory for each: dir/1, dir/2, … It is safe for concurrent use.
type tree struct {
	dir   string // the group above those of processes
	files kernelFiles
	clock clock.Clock
	wait  time.Duration // emptyMax
	last  atomic.Int64  // the number of the last group made
}

// kernelFiles is how groups are changed: a seam, because a directory of the disk does not come with the files that the kernel puts into a new group. Reading needs none.
type kernelFiles struct {
	mkdir, rmdir func(dir string) error
	write        func(file, text string) error
}

// cgroupFiles are the kernel's own.
var cgroupFiles = kernelFiles{
	mkdir: func(dir string) error { return os.Mkdir(dir, 0o755) },
	rmdir: os.Remove,
	write: func(file, text string) error { // one write, and never a new file
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Close())
	},
}

// openTree makes the group base/name for groups of processes, and removes what a killed server has left there. pid is the server, which is in base or in its serverGroup: when it
// is the only process in base it goes into the latter, because the kernel wants base empty; when others are there they are not ours to move.
//
// Fault: Unsupported, with what is in the way.
func openTree(base, name string, pid int, files kernelFiles, c clock.Clock) (*tree, error) {
	t := &tree{dir: filepath.Join(base, name), files: files, clock: c, wait: emptyMax}
	given, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return nil, fault.As(fault.Unsupported, err, "control group of the server")
	}
	for _, needed := range []string{"memory", "pids"} {
		if !slices.Contains(strings.Fields(string(given)), needed) {
			return nil, fault.New(fault.Unsupported, "the control group of the server, %s, is not given the controller %q", base, needed)
		}
	}
	if err := t.handDown(base); errors.Is(err, syscall.EBUSY) {
		if err = t.stepAside(base, pid); err == nil {
			err = t.handDown(base)
		}
		if err != nil {
			return nil, fault.As(fault.Unsupported, err, "control group of the server")
		}
	} else if err != nil {
		return nil, fault.As(fault.Unsupported, err, "control group of the server")
	}
	if err := t.clear(); err != nil {
		return nil, fault.As(fault.Unsupported, err, "control groups of an earlier run")
	}
	if err := files.mkdir(t.dir); err != nil {
		return nil, fault.As(fault.Unsupported, err, "control group of functions")
	}
	if err := t.handDown(t.dir); err != nil {
		return nil, fault.As(fault.Unsupported, errors.Join(err, files.rmdir(t.dir)), "control group of functions")
	}
	return t, nil
}

// handDown gives the children of a group the controllers that it needs.
func (t *tree) handDown(dir string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	has, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fields := strings.Fields(string(has))
	if slices.Contains(fields, "memory") && slices.Contains(fields, "pids") {
		return nil
	}
	return t.files.write(file, groupsControl)
}

// stepAside moves the server out of base when nobody else is there.
func (t *tree) stepAside(base string, pid int) error {
	text, err := os.ReadFile(filepath.Join(base, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, other := range strings.Fields(string(text)) {
		if other != strconv.Itoa(pid) {
			return fmt.Errorf("%s has other processes than the server: a group of its own, which systemd gives with Delegate=yes, has none", base)
		}
	}
	dir := filepath.Join(base, serverGroup)
	if err := t.files.mkdir(dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return t.files.write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
}

// clear removes the group of an earlier run and those in it.
func (t *tree) clear() error {
	entries, err := os.ReadDir(t.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := (&group{t, filepath.Join(t.dir, entry.Name())}).Remove(); err != nil {
				return err
			}
		}
	}
	return t.files.rmdir(t.dir)
}

// Make is Groups.
func (t *tree) Make(memoryMB int) (Group, error) {
	g := &group{t, filepath.Join(t.dir, strconv.FormatInt(t.last.Add(1), 10))}
	if err := t.files.mkdir(g.dir); err != nil {
		return nil, fault.As(fault.Unavailable, err, "control group")
	}
	for _, limit := range []struct {
		file, value string
		optional    bool
	}{
		{"memory.max", strconv.Itoa(memoryMB << 20), false},
		{"memory.swap.max", "0", true}, // a kernel without swap has no such file
		{"memory.oom.group", "1", false},
		{"pids.max", strconv.Itoa(processesMax), false},
	} {
		if err := t.files.write(filepath.Join(g.dir, limit.file), limit.value); err != nil && !(limit.optional && errors.Is(err, os.ErrNotExist)) {
			return nil, fault.As(fault.Unavailable, errors.Join(err, t.files.rmdir(g.dir)), "control group")
		}
	}
	return g, nil
}

// Close is Groups. The server stays where it went.
func (t *tree) Close() error {
	return fault.As(fault.Unavailable, t.clear(), "control group of functions")
}

// group is one directory of a tree.
type group struct {
	tree *tree
	dir  string
}

// Enter is Group.
func (g *group) Enter(cmd *exec.Cmd) (func(), error) {
	dir, err := os.Open(g.dir)
	if err != nil {
		return nil, err
	}
	if err := cloneInto(cmd, dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return func() { _ = dir.Close() }, nil // opened to be pointed at
}

// PeakMB is Group.
func (g *group) PeakMB() int {
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.peak"))
	if err != nil { // a kernel before 5.19
		text, err = os.ReadFile(filepath.Join(g.dir, "memory.current"))
	}
	if err != nil {
		return 0
	}
	bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return int(bytes >> 20)
}

// OutOfMemory is Group.
func (g *group) OutOfMemory() bool {
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	if err != nil {
		return false
	}
	return counted(string(text), "oom_kill") > 0
}

// Kill is Group.
func (g *group) Kill() {
	_ = g.tree.files.write(filepath.Join(g.dir, "cgroup.kill"), "1") // what will not end Remove tells
}

// Remove is Group.
func (g *group) Remove() error {
	until := g.tree.clock.Now().Add(g.tree.wait)
	for {
		g.Kill() // again, because what was forked while it was killed is alive
		err := g.tree.files.rmdir(g.dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || g.tree.clock.Now().After(until) {
			return fault.As(fault.Unavailable, err, "control group")
		}
		timer := g.tree.clock.NewTimer(emptyLook)
		<-timer.C()
	}
}

// counted is a number of a file of "name number" lines; 0 when it is not there.
func counted(text, name string) int {
	for line := range strings.Lines(text) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return 0
}
