package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// spark is Spark Streaming with its Kinesis source.
var spark = language{
	name:    "spark",
	clients: []string{"Spark Streaming, `spark-streaming-kinesis-asl`"},
	install: func(ctx context.Context, p place) error {
		built := filepath.Join(p.cache, "spark")
		return errors.Join(
			installPython(ctx, p),
			os.RemoveAll(filepath.Join(built, "lib")), // or jars of earlier versions stay beside the new ones
			output(ctx, filepath.Join(p.source, "spark"), "mvn", "-B", "-q", "-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+built, "compile"))
	},
	scripts: func(p place) []*exec.Cmd {
		return []*exec.Cmd{script(nil, filepath.Join(p.cache, "python", "bin", "python"), "-B", filepath.Join(p.source, "spark", "proof.py"), filepath.Join(p.cache, "spark"))}
	},
}
