package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// OpenGroups makes a place for control groups of version 2 beside the server's own, under a name that no other server of the machine has, and removes what a killed server left
// there. launcher is started and killed in a group, to see that this can be done.
//
// Fault: Unsupported, with what is in the way: no control groups, only those of version 1, a group that is not the server's to divide, a kernel before 5.14.
func OpenGroups(name string, launcher []string, c clock.Clock) (Groups, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fault.As(fault.Unsupported, err, "control groups")
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fault.As(fault.Unsupported, err, "control groups")
	}
	base, err := ownGroup(string(mounts), string(own))
	if err != nil {
		return nil, err
	}
	if filepath.Base(base) == serverGroup { // another server of this process went there, or the one that became this one
		base = filepath.Dir(base)
	}
	t, err := openTree(base, name, os.Getpid(), cgroupFiles, c)
	if err != nil {
		return nil, err
	}
	if err := t.try(launcher); err != nil {
		_ = t.Close() // the next start tries again
		return nil, fault.As(fault.Unsupported, err, "a process in a control group of its own")
	}
	return t, nil
}

// ownGroup finds the directory of the group that a process is in, by what the kernel says in its mountinfo and cgroup files (proc(5), cgroups(7)).
func ownGroup(mounts, own string) (string, error) {
	within := ""
	for line := range strings.Lines(own) {
		if rest, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); is {
			within = rest
		}
	}
	if within == "" {
		return "", fault.New(fault.Unsupported, "this machine has no control groups of version 2")
	}
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		root, at := unescaped.Replace(fields[3]), unescaped.Replace(fields[4])
		rest, inside := strings.CutPrefix(within, strings.TrimSuffix(root, "/"))
		if !inside || rest != "" && rest[0] != '/' || strings.Contains(root, "..") || strings.Contains(rest, "..") {
			continue // it shows another part of the tree
		}
		return filepath.Join(at, rest), nil
	}
	return "", fault.New(fault.Unsupported, "the control group of the server, %s of version 2, is not mounted", within)
}

// unescaped undoes what mountinfo does to names.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// trialMB is the memory of the trial: enough for a launcher to begin.
const trialMB = 64

// try starts the launcher in a group and kills it there.
func (t *tree) try(launcher []string) error {
	g, err := t.Make(trialMB)
	if err != nil {
		return err
	}
	cmd := exec.Command(launcher[0], launcher[1:]...)
	entered, err := g.Enter(cmd)
	if err == nil {
		err = cmd.Start()
		entered()
	}
	if err == nil {
		g.Kill()
		_ = cmd.Wait() // killed, or ended because it was told nothing
	}
	if gone := g.Remove(); err == nil {
		err = gone
	}
	return err
}

// cloneInto has a command begin in the group that dir is.
func cloneInto(cmd *exec.Cmd, dir *os.File) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	return nil
}
