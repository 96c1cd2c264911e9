package sandbox

import (
	"path/filepath"
	"strconv"
	"strings"
)

// environment is what the process finds in its environment ("Defined runtime environment variables", Lambda developer guide, read 2026-11). What is set
// here a function's own variables cannot replace.
func (p *process) environment() []string {
	f := p.f
	family, _, _ := strings.Cut(f.Runtime, ".")
	set := []string{
		"AWS_LAMBDA_RUNTIME_API=" + p.api.address(),
		"_HANDLER=" + f.Handler,
		"LAMBDA_TASK_ROOT=" + f.Code,
		"LAMBDA_RUNTIME_DIR=" + p.options.BootstrapDir,
		"AWS_REGION=" + f.Region,
		"AWS_DEFAULT_REGION=" + f.Region,
		"AWS_EXECUTION_ENV=AWS_Lambda_" + family,
		"AWS_LAMBDA_FUNCTION_NAME=" + f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=" + f.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + p.out.stream,
		"TMPDIR=" + p.scratch,
		"HOME=" + p.scratch,
		"TZ=:UTC",
	}
	reserved := map[string]bool{}
	for _, pair := range set {
		name, _, _ := strings.Cut(pair, "=")
		reserved[name] = true
	}
	own := map[string]bool{}
	var env []string
	for _, pair := range f.Env {
		name, _, _ := strings.Cut(pair, "=")
		if !reserved[name] {
			own[name] = true
			env = append(env, pair)
		}
	}
	for _, pair := range []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "LD_LIBRARY_PATH=" + filepath.Join(f.Code, "lib")} {
		if name, _, _ := strings.Cut(pair, "="); !own[name] {
			env = append(env, pair)
		}
	}
	return append(env, set...)
}

// Reserved says whether a variable's name is one that a function cannot set.
func Reserved(name string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
		return true
	}
	return false
}
