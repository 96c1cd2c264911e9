package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// machineGroups are this machine's control groups, for every test of this package that runs processes; nil, with the reason, where it gives none.
var machineGroups = sync.OnceValues(func() (Groups, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return OpenGroups(fmt.Sprintf("weir-test-%d", os.Getpid()), []string{self, "launch"}, clock.Real)
})

// groupsOf gives a pool the control groups of this machine, and says which.
func groupsOf(t *testing.T) Groups {
	t.Helper()
	groups, err := machineGroups()
	if err != nil {
		t.Logf("without control groups: %v", err)
		return nil // and not a Groups that holds nil
	}
	t.Logf("with control groups in %s", groups.(*tree).dir)
	return groups
}

// closeGroups is for the end of the tests.
func closeGroups() error {
	if groups, err := machineGroups(); err == nil {
		return groups.Close()
	}
	return nil
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// Groups have the limits that were asked for; a server finds what a killed one left and removes it, with what lives in it; nothing is left after Close. It runs on a fake kernel,
// and on this machine's where that gives groups.
func TestGroups(t *testing.T) {
	k, base := newFakeKernel(t, "cpu memory pids", "17\n")
	open := map[string]func() (Groups, error){"fake": func() (Groups, error) { return openTree(base, "functions", 17, k.files(), clock.Real) }}
	if groupsOf(t) != nil {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		open["machine"] = func() (Groups, error) {
			return OpenGroups(fmt.Sprintf("weir-test-%d-again", os.Getpid()), []string{self, "launch"}, clock.Real)
		}
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			killed, err := open()
			if err != nil {
				t.Fatal(err)
			}
			made, err := killed.Make(256)
			if err != nil {
				t.Fatal(err)
			}
			dir := made.(*group).dir
			for file, want := range map[string]string{"memory.max": "268435456", "memory.oom.group": "1", "pids.max": "1024"} {
				if got := textOf(t, filepath.Join(dir, file)); got != want {
					t.Errorf("%s is %q, want %q", file, got, want)
				}
			}
			if made.OutOfMemory() {
				t.Error("a group without processes had too little memory")
			}
			var left *exec.Cmd
			if name == "fake" {
				if got := made.PeakMB(); got != 3 {
					t.Errorf("peak %d", got)
				}
				if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte("oom 1\noom_kill 2\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				if !made.OutOfMemory() {
					t.Error("two were killed, and nobody says so")
				}
				if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("18\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				if got := textOf(t, filepath.Join(base, serverGroup, "cgroup.procs")); got != "17" {
					t.Errorf("the server's group has %q", got)
				}
			} else {
				left = exec.Command("/proc/self/exe", "sleep")
				entered, err := made.Enter(left)
				if err != nil {
					t.Fatal(err)
				}
				if err := left.Start(); err != nil {
					t.Fatal(err)
				}
				entered()
				if got := textOf(t, filepath.Join(dir, "cgroup.procs")); got != strconv.Itoa(left.Process.Pid) {
					t.Errorf("the group has %q, the process is %d", got, left.Process.Pid)
				}
			}
			next, err := open() // and nobody closed the first
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the group of a killed server is still there: %v", err)
			}
			if left != nil {
				if err := left.Wait(); err == nil || err.Error() != "signal: killed" {
					t.Errorf("what lived in it ended with %v", err)
				}
			}
			if err := next.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// Each row is a machine that gives no groups, and what is said of it.
func TestNoGroups(t *testing.T) {
	denied := func(name string) func(string) error {
		return func(file string) error {
			if filepath.Base(file) == name {
				return syscall.EACCES
			}
			return nil
		}
	}
	for name, row := range map[string]struct {
		controllers, procs string
		refuses            func(string) error
		want               string
	}{
		"no memory":       {"cpu pids", "17\n", nil, `not given the controller "memory"`},
		"no pids":         {"cpu memory", "17\n", nil, `not given the controller "pids"`},
		"others":          {"memory pids", "17\n18\n", nil, "other processes than the server"},
		"not ours":        {"memory pids", "17\n", denied("cgroup.subtree_control"), "permission denied"},
		"cannot go aside": {"memory pids", "17\n", denied("cgroup.procs"), "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			k, base := newFakeKernel(t, row.controllers, row.procs)
			k.refuses = row.refuses
			_, err := openTree(base, "functions", 17, k.files(), clock.Real)
			if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if _, err := os.Stat(filepath.Join(base, "functions")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it left a group: %v", err)
			}
		})
	}
}

// A limit that cannot be set makes no group.
func TestGroupWithoutLimit(t *testing.T) {
	k, base := newFakeKernel(t, "memory pids", "")
	groups, err := openTree(base, "functions", 17, k.files(), clock.Real)
	if err != nil {
		t.Fatal(err)
	}
	k.refuses = func(file string) error {
		if filepath.Base(file) == "pids.max" {
			return syscall.EIO
		}
		return nil
	}
	if _, err := groups.Make(128); !fault.Is(err, fault.Unavailable) {
		t.Errorf("made, with %v", err)
	}
	if entries, err := filepath.Glob(filepath.Join(base, "functions", "[0-9]*")); err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	k.refuses = nil
	made, err := groups.Make(128)
	if err != nil {
		t.Fatal(err)
	}
	groups.wait = 5 * time.Millisecond
	if err := os.WriteFile(filepath.Join(made.(*group).dir, "cgroup.procs"), []byte("18"), 0o644); err != nil {
		t.Fatal(err)
	}
	k.refuses = func(file string) error { // 18 does not die
		if filepath.Base(file) == "cgroup.kill" {
			return syscall.EIO
		}
		return nil
	}
	if err := made.Remove(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("removed, with %v", err)
	}
}

// The group of a process, by what /proc says on different machines.
func TestOwnGroup(t *testing.T) {
	const v2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
	const v1 = "30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	for name, row := range map[string]struct{ mounts, own, want, refused string }{
		"service":   {v2, "0::/system.slice/weir.service\n", "/sys/fs/cgroup/system.slice/weir.service", ""},
		"root":      {v2, "0::/\n", "/sys/fs/cgroup", ""},
		"hybrid":    {v1 + strings.Replace(v2, "/sys/fs/cgroup", "/sys/fs/cgroup/unified", 1), "4:memory:/x\n0::/y\n", "/sys/fs/cgroup/unified/y", ""},
		"container": {"29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abc/in\n", "/sys/fs/cgroup/in", ""},
		"elsewhere": {"29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abcd\n", "", "not mounted"},
		"outside":   {v2, "0::/../other\n", "", "not mounted"},
		"spaces":    {`29 23 0:26 / /a\040b rw - cgroup2 c rw` + "\n", "0::/x\n", "/a b/x", ""},
		"version 1": {v1, "4:memory:/x\n", "", "no control groups of version 2"},
		"nothing":   {"", "", "", "no control groups of version 2"},
	} {
		got, err := ownGroup(row.mounts, row.own)
		if got != row.want || (row.refused == "") != (err == nil) || err != nil && (!fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), row.refused)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What a control group adds to the other limits: memory that is taken in one stroke, what ran away from its parent, and processes without end. Where the machine gives no groups
// the same functions show what is then not held: what docs/operate/functions.md says.
func TestBeyondLooking(t *testing.T) {
	grouped := groupsOf(t) != nil
	p := newPool(t, nil)
	f := function(t, "stroke")
	f.MemoryMB = 128
	out := invoke(t, p, f, "id", `{}`)
	killed := strings.Contains(string(out.Payload), outOfMemory)
	if grouped && (!killed || out.MemoryMB > 128) {
		t.Errorf("%s, at most %d MB", out.Payload, out.MemoryMB)
	}
	if !killed && string(out.Payload) != "512" {
		t.Errorf("neither killed nor done: %s", out.Payload)
	}
	f = function(t, "runaway")
	var pid int
	if _, err := fmt.Sscan(string(invoke(t, p, f, "id", `{}`).Payload), &pid); err != nil || pid == 0 {
		t.Fatal(err)
	}
	p.Forget(f.Key)
	alive := func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && !strings.Contains(string(state), ") Z ")
	}
	if alive() == grouped {
		t.Errorf("with groups: %v; the runaway lives: %v", grouped, alive())
	}
	_ = syscall.Kill(pid, syscall.SIGKILL) // gone already with groups
	if !grouped {
		return // as root without another user nothing counts processes then
	}
	f = function(t, "many")
	f.MemoryMB, f.Timeout = 3008, 5*time.Minute // a machine that is emulated takes its time over a thousand processes
	var many int
	if _, err := fmt.Sscan(string(invoke(t, p, f, "id", `{}`).Payload), &many); err != nil || many < 10 || many >= processesMax {
		t.Errorf("%d processes: %v", many, err)
	}
	p.Forget(f.Key)
	if left, err := os.ReadDir(p.options.Groups.(*tree).dir); err != nil || slices.ContainsFunc(left, os.DirEntry.IsDir) {
		t.Errorf("groups are left: %v, %v", left, err)
	}
}

// lost is groups that were taken away while the server runs: all of them, or the limits of those that are there.
type lost struct{ limits bool }

func (l lost) Make(int) (Group, error) {
	if l.limits {
		return l, nil
	}
	return nil, fault.New(fault.Unavailable, "memory.max is gone")
}
func (l lost) Enter(*exec.Cmd) (func(), error) { return func() {}, nil }
func (l lost) PeakMB() int                     { return 0 }
func (l lost) OutOfMemory() bool               { return false }
func (l lost) Kill()                           {}
func (l lost) Remove() error                   { return nil }
func (l lost) Close() error                    { return nil }

// A function runs when its group cannot be made any more, or bounds nothing any more, and its memory is looked at as without groups.
func TestLostGroups(t *testing.T) {
	for _, limits := range []bool{false, true} {
		var log bytes.Buffer
		p := newPool(t, func(o *Options) { o.Groups, o.Logger = lost{limits}, slog.New(slog.NewTextHandler(&log, nil)) })
		if out := invoke(t, p, function(t, "echo"), "id", `{}`); out.FunctionError != "" || out.MemoryMB > 128 {
			t.Errorf("%v: %+v %s", limits, out, out.Payload)
		}
		f := function(t, "eat")
		f.MemoryMB = 128
		if out := invoke(t, p, f, "id", `{}`); !strings.Contains(string(out.Payload), outOfMemory) {
			t.Errorf("%v: %s", limits, out.Payload)
		}
		if said := strings.Contains(log.String(), "without a control group"); said == limits {
			t.Errorf("%v: the log has %q", limits, log.String())
		}
	}
}
