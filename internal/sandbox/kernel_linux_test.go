package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fakeKernel is control groups on a disk: a new group has its files, and a write means what it means to the kernel as far as directories can tell. Its processes are numbers.
type fakeKernel struct {
	root    string // is no group of somebody: it may have processes and hand controllers down
	refuses func(file string) error
}

// groupFiles are those of a new group with memory and pids, and what is in them (cgroup-v2.rst).
var groupFiles = map[string]string{
	"cgroup.procs": "", "cgroup.subtree_control": "", "cgroup.kill": "", "memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0", "memory.peak": "3145728",
	"memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n", "pids.max": "max",
}

func (k *fakeKernel) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.controllers"), above, 0o644); err != nil {
		return err
	}
	for name, text := range groupFiles {
		if (strings.HasPrefix(name, "memory.") || strings.HasPrefix(name, "pids.")) && !strings.Contains(string(above), name[:4]) {
			continue // its controller is not handed down
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (k *fakeKernel) rmdir(dir string) error {
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(procs) > 0 || slices.ContainsFunc(entries, os.DirEntry.IsDir) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: syscall.EBUSY}
	}
	return os.RemoveAll(dir)
}

func (k *fakeKernel) write(file, text string) error {
	if k.refuses != nil {
		if err := k.refuses(file); err != nil {
			return &os.PathError{Op: "write", Path: file, Err: err}
		}
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	dir := filepath.Dir(file)
	switch filepath.Base(file) {
	case "cgroup.subtree_control":
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		if len(procs) > 0 && dir != k.root {
			return &os.PathError{Op: "write", Path: file, Err: syscall.EBUSY}
		}
		return os.WriteFile(file, []byte(strings.ReplaceAll(text, "+", "")), 0o644)
	case "cgroup.procs": // it leaves the group above, which is all that a server does
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.procs"), nil, 0o644); err != nil {
			return err
		}
	case "cgroup.kill":
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), nil, 0o644)
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// newFakeKernel has a group base with these controllers and processes.
func newFakeKernel(t *testing.T, controllers, procs string) (k *fakeKernel, base string) {
	t.Helper()
	k = &fakeKernel{root: t.TempDir()}
	if err := os.WriteFile(filepath.Join(k.root, "cgroup.subtree_control"), []byte(controllers), 0o644); err != nil {
		t.Fatal(err)
	}
	base = filepath.Join(k.root, "service")
	if err := k.mkdir(base); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "cgroup.procs"), []byte(procs), 0o644); err != nil {
		t.Fatal(err)
	}
	return k, base
}

func (k *fakeKernel) files() kernelFiles { return kernelFiles{k.mkdir, k.rmdir, k.write} }
