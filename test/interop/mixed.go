package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mixed is the Kinesis Client Library 3.5 for Java and the package consumer in one application.
var mixed = language{
	name:    "mixed",
	clients: []string{"KCL for Java with package consumer, polling", "KCL for Java with package consumer, fan-out"},
	install: func(ctx context.Context, p place) error {
		return errors.Join(
			output(ctx, filepath.Join(p.source, "kcl"), "mvn", "-B", "-q", "-Pkcl3", "-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+filepath.Join(p.cache, "kcl3"), "compile"),
			output(ctx, p.root, "go", "build", "-o", filepath.Join(p.cache, "mixed"), "./test/interop/mixed"),
		)
	},
	scripts: func(p place) []*exec.Cmd {
		built := filepath.Join(p.cache, "kcl3")
		path := strings.Join([]string{filepath.Join(built, "classes"), filepath.Join(built, "lib", "*")}, string(os.PathListSeparator))
		return []*exec.Cmd{script(nil, filepath.Join(p.cache, "mixed"), "proof", path)}
	},
}
