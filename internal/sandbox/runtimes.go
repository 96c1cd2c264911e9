package sandbox

import (
	"embed"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

//go:embed bootstrap
var bootstraps embed.FS

// WriteBootstraps puts the programs that stand between an interpreter and a handler into a directory of the machine, where Options.BootstrapDir points.
// Everyone may read them: functions may run as somebody else.
func WriteBootstraps(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.Chmod(dir, 0o755) // whatever the server's umask is
	}
	if err != nil {
		return fault.As(fault.Unavailable, err, "bootstraps of functions")
	}
	entries, err := bootstraps.ReadDir("bootstrap")
	if err != nil {
		return fault.As(fault.Internal, err, "bootstraps of functions")
	}
	for _, entry := range entries {
		text, err := bootstraps.ReadFile(path.Join("bootstrap", entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, entry.Name()), text, 0o644)
		}
		if err == nil {
			err = os.Chmod(filepath.Join(dir, entry.Name()), 0o644)
		}
		if err != nil {
			return fault.As(fault.Unavailable, err, "bootstraps of functions")
		}
	}
	return nil
}

// onPath finds the interpreter of a runtime on this machine: the first on the path that whoever functions run as may run.
func (o *Options) onPath(runtime string) (string, error) {
	program := interpreters[family(runtime)]
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		found, err := exec.LookPath(filepath.Join(dir, program))
		if err == nil && (o.UID == 0 || openToAll(found)) {
			return found, nil
		}
	}
	return "", fault.New(fault.Unsupported, "runtime %s needs %s on this machine, where functions may run it", runtime, program)
}

var interpreters = map[string]string{"nodejs": "node", "python": "python3"}

// openToAll says whether any user may run a program: it and every directory above it let others in.
func openToAll(program string) bool {
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(path)
		if parent == path {
			return true
		}
		path = parent
	}
}

// family is what a runtime is a version of: provided, nodejs or python; empty for others.
func family(runtime string) string {
	for _, name := range []string{"provided", "nodejs", "python"} {
		if strings.HasPrefix(runtime, name) {
			return name
		}
	}
	return ""
}

// Supported says whether functions of a runtime can run at all. Unsupported, with what is missing, when they cannot.
func Supported(runtime string) error {
	switch family(runtime) {
	case "provided":
		return nil
	case "":
		return fault.New(fault.Unsupported, "runtime %s is not supported by this version of Weir: provided.*, nodejs* and python* are", runtime)
	}
	if _, err := exec.LookPath(interpreters[family(runtime)]); err != nil {
		return fault.As(fault.Unsupported, err, "runtime %s needs %s on this machine", runtime, interpreters[family(runtime)])
	}
	return nil
}

// command is what a process of f runs.
func (o *Options) command(f *Function) ([]string, error) {
	switch family(f.Runtime) {
	case "provided":
		return []string{filepath.Join(f.Code, "bootstrap")}, nil
	case "nodejs":
		program, err := o.Interpreters(f.Runtime)
		return []string{program, filepath.Join(o.BootstrapDir, "bootstrap.mjs")}, err
	case "python":
		program, err := o.Interpreters(f.Runtime)
		return []string{program, "-u", filepath.Join(o.BootstrapDir, "bootstrap.py")}, err
	}
	return nil, Supported(f.Runtime)
}
