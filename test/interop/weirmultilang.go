package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
)

// weirMultilang is record processors of the KCL's libraries for Python and Node under weir multilang, without Java.
//
// Of amazon_kclpy the source package is unpacked and not installed: its installation fetches the Java daemon that weir multilang takes the place of.
var weirMultilang = language{
	name:    "weirmultilang",
	clients: []string{"amazon_kclpy (KCL for Python)", "aws-kcl (KCL for Node)"},
	install: func(ctx context.Context, p place) error {
		source, cache := filepath.Join(p.source, "weirmultilang"), filepath.Join(p.cache, "weirmultilang")
		python, node := filepath.Join(cache, "python"), filepath.Join(cache, "node")
		return errors.Join(
			output(ctx, p.root, "go", "build", "-o", filepath.Join(cache, "weir"), "./cmd/weir"),
			output(ctx, p.root, "go", "build", "-o", filepath.Join(cache, "proof"), "./test/interop/weirmultilang"),
			once(python, filepath.Join(source, "requirements.txt"), func() error {
				return errors.Join(
					output(ctx, p.root, "python3", "-m", "venv", "--clear", filepath.Join(python, "venv")),
					output(ctx, python, filepath.Join(python, "venv", "bin", "pip"), "download", "--quiet", "--no-deps", "--no-binary", "amazon_kclpy", "-d", "packages",
						"-r", filepath.Join(source, "requirements.txt")),
					output(ctx, python, "sh", "-c", "for package in packages/*.tar.gz; do tar xzf $package --strip-components=1; done"),
				)
			}),
			once(node, filepath.Join(source, "package.json"), func() error {
				if err := copyFile(filepath.Join(source, "package.json"), filepath.Join(node, "package.json")); err != nil {
					return err
				}
				return output(ctx, node, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
			}),
		)
	},
	scripts: func(p place) []*exec.Cmd {
		source, cache := filepath.Join(p.source, "weirmultilang"), filepath.Join(p.cache, "weirmultilang")
		proof, weir := filepath.Join(cache, "proof"), filepath.Join(cache, "weir")
		return []*exec.Cmd{
			script([]string{"PYTHONPATH=" + filepath.Join(cache, "python"), "PYTHONDONTWRITEBYTECODE=1"}, proof, "python", weir, "python3 "+filepath.Join(source, "processor.py")),
			script([]string{"NODE_PATH=" + filepath.Join(cache, "node", "node_modules")}, proof, "node", weir, "node "+filepath.Join(source, "processor.js")),
		}
	},
}
