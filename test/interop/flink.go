package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// flink is Apache Flink with its Kinesis connector, a cluster of processes.
var flink = language{
	name:    "flink",
	clients: []string{"Apache Flink, polling", "Apache Flink, fan-out"},
	install: func(ctx context.Context, p place) error {
		built := filepath.Join(p.cache, "flink")
		return errors.Join(
			os.RemoveAll(filepath.Join(built, "lib")), // or jars of earlier versions stay beside the new ones
			output(ctx, filepath.Join(p.source, "flink"), "mvn", "-B", "-q", "-Pconnector4",
				"-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+built, "compile"))
	},
	scripts: func(p place) []*exec.Cmd {
		built := filepath.Join(p.cache, "flink")
		path := strings.Join([]string{filepath.Join(built, "classes"), filepath.Join(built, "lib", "*")}, string(os.PathListSeparator))
		// Flink's serializers look into collections, as its own scripts allow.
		return []*exec.Cmd{script(nil, "java", "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", path, "interop.flink.Proof")}
	},
}
