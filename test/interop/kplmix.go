package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kplMix is the producer library in one stream with the Kinesis Producer Library, read by the Kinesis Client Library and opened by AWS's de-aggregator for Node. The Java side is that of kcl.
var kplMix = language{
	name:    "kpl-mix",
	clients: []string{"KPL for Java with package producer", "aws-kinesis-agg for Node"},
	install: func(ctx context.Context, p place) error {
		dir := filepath.Join(p.cache, "kpl-mix")
		list := filepath.Join(p.source, "kpl-mix", "package.json")
		return errors.Join(
			once(dir, list, func() error {
				if err := copyFile(list, filepath.Join(dir, "package.json")); err != nil {
					return err
				}
				return output(ctx, dir, "npm", "install", "--silent", "--no-audit", "--no-fund")
			}),
			copyFile(filepath.Join(p.source, "kpl-mix", "deaggregate.js"), filepath.Join(dir, "deaggregate.js")), // beside its packages
			output(ctx, p.root, "go", "build", "-o", filepath.Join(dir, "prove"), "./test/interop/kpl-mix"),
			output(ctx, filepath.Join(p.source, "kcl"), "mvn", "-B", "-q", "-Pkcl3",
				"-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+filepath.Join(p.cache, "kcl3"), "compile"),
		)
	},
	scripts: func(p place) []*exec.Cmd {
		dir, built := filepath.Join(p.cache, "kpl-mix"), filepath.Join(p.cache, "kcl3")
		path := strings.Join([]string{filepath.Join(built, "classes"), filepath.Join(built, "lib", "*")}, string(os.PathListSeparator))
		return []*exec.Cmd{script(nil, filepath.Join(dir, "prove"), path, filepath.Join(dir, "deaggregate.js"))}
	},
}
