package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// kclpy is the version of amazon_kclpy, whose processor side is used as it is. Its installation wants to download the daemon's jars, which
// Maven does here, so it is unpacked and not installed.
const kclpy = "3.2.0"

// multilang is the MultiLangDaemon of the Kinesis Client Library for Java, with processors in Python and in Node.
var multilang = language{
	name:    "multilang",
	clients: []string{"MultiLangDaemon of the KCL for Java", "weir multilang with amazon_kclpy"},
	install: func(ctx context.Context, p place) error {
		built, source := filepath.Join(p.cache, "multilang"), filepath.Join(p.source, "multilang")
		if err := installPython(ctx, p); err != nil {
			return err
		}
		repository := "-Dmaven.repo.local=" + filepath.Join(p.cache, "m2")
		if err := errors.Join(
			os.RemoveAll(filepath.Join(built, "lib")), // or jars of earlier versions stay beside the new ones
			os.RemoveAll(filepath.Join(built, "kcl35", "lib")),
			output(ctx, source, "mvn", "-B", "-q", repository, "-Dinterop.target="+built, "compile"),
			output(ctx, source, "mvn", "-B", "-q", "-Pkcl35", repository, "-Dinterop.target="+filepath.Join(built, "kcl35"), "compile"),
			output(ctx, p.root, "go", "build", "-o", filepath.Join(p.cache, "weir"), "./cmd/weir"),
		); err != nil {
			return err
		}
		packages := filepath.Join(built, "processors")
		return once(packages, filepath.Join(source, "package.json"), func() error {
			if err := copyFile(filepath.Join(source, "package.json"), filepath.Join(packages, "package.json")); err != nil {
				return err
			}
			return errors.Join(
				output(ctx, packages, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock"),
				output(ctx, packages, filepath.Join(p.cache, "python", "bin", "pip"), "download", "--quiet", "--no-deps", "--no-binary", ":all:", "amazon_kclpy=="+kclpy),
				output(ctx, packages, "tar", "-xzf", "amazon_kclpy-"+kclpy+".tar.gz"),
			)
		})
	},
	scripts: func(p place) []*exec.Cmd {
		built := filepath.Join(p.cache, "multilang")
		packages := filepath.Join(built, "processors")
		return []*exec.Cmd{script(nil, filepath.Join(p.cache, "python", "bin", "python"), "-B", filepath.Join(p.source, "multilang", "proof.py"),
			filepath.Join(built, "lib"), filepath.Join(built, "kcl35", "lib"), filepath.Join(packages, "amazon_kclpy-"+kclpy), packages, filepath.Join(p.cache, "weir"))}
	},
}
