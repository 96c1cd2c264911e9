package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// oldPython is the AWS CLI and boto3 of December 2022: their S3 has no checksums that nobody asked for, their endpoints other rules.
var oldPython = language{
	name: "oldpython", folder: "python",
	clients: []string{"AWS CLI", "boto3"},
	install: func(ctx context.Context, p place) error {
		venv, list := filepath.Join(p.cache, "oldpython"), filepath.Join(p.source, "python", "requirements-old.txt")
		return once(venv, list, func() error {
			return errors.Join(
				output(ctx, p.root, "python3", "-m", "venv", "--clear", venv),
				// The constraint has to reach the builds that pip starts, which its option does not.
				output(ctx, p.root, "env", "PIP_CONSTRAINT="+filepath.Join(p.source, "python", "constraints-old.txt"),
					filepath.Join(venv, "bin", "pip"), "install", "--quiet", "-r", list),
			)
		})
	},
	scripts: func(p place) []*exec.Cmd {
		python := filepath.Join(p.cache, "oldpython", "bin", "python")
		var scripts []*exec.Cmd
		for _, name := range []string{"cli.py", "boto.py", "boto_reshard.py", "boto_objects.py", "boto_tables.py"} {
			scripts = append(scripts, script(nil, python, "-B", filepath.Join(p.source, "python", name)))
		}
		return scripts
	},
}

// cli2 is the AWS CLI 2, which no Python registry has: Debian's packages of it, unpacked into the cache and not installed.
var cli2 = language{
	name: "cli2", folder: "python",
	clients: []string{"AWS CLI"},
	install: func(ctx context.Context, p place) error {
		dir := filepath.Join(p.cache, "cli2")
		if _, err := os.Stat(filepath.Join(dir, "usr", "bin", "aws")); err == nil {
			return nil
		}
		wanted, err := missingPackages(ctx, "awscli")
		if err != nil { // the machine may have no lists of packages yet
			if err := output(ctx, p.root, "apt-get", "update", "-qq"); err != nil {
				return err
			}
			if wanted, err = missingPackages(ctx, "awscli"); err != nil {
				return err
			}
		}
		packages := filepath.Join(dir, "packages")
		if err := os.MkdirAll(packages, 0o755); err != nil {
			return err
		}
		if err := output(ctx, packages, "apt-get", append([]string{"download", "-qq"}, wanted...)...); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(packages, "*.deb"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := output(ctx, dir, "dpkg-deb", "--extract", file, dir); err != nil {
				return err
			}
		}
		return nil
	},
	scripts: func(p place) []*exec.Cmd {
		dir := filepath.Join(p.cache, "cli2")
		env := []string{"PYTHONPATH=" + filepath.Join(dir, "usr", "lib", "python3", "dist-packages"), "WEIR_AWS=" + filepath.Join(dir, "usr", "bin", "aws")}
		var scripts []*exec.Cmd
		for _, name := range []string{"cli.py", "cli_functions.py"} {
			scripts = append(scripts, script(env, "/usr/bin/python3", "-B", filepath.Join(p.source, "python", name))) // Debian's, which its packages are for
		}
		return scripts
	},
}

// missingPackages is what Debian would install for a package, itself with it, and the machine does not have.
func missingPackages(ctx context.Context, name string) ([]string, error) {
	said, err := exec.CommandContext(ctx, "apt-get", "install", "--simulate", "--no-install-recommends", name).Output()
	if err != nil {
		return nil, fmt.Errorf("apt-get install --simulate %s: %w", name, err)
	}
	var wanted []string
	for line := range strings.Lines(string(said)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "Inst" {
			wanted = append(wanted, words[1])
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("nothing to unpack of %s: it is installed", name)
	}
	return wanted, nil
}
