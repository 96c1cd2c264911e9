package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// language is one family of clients: how to get it, and what to run.
type language struct {
	name    string
	folder  string   // where its scripts are; empty means as its name
	clients []string // what its scripts have a row about, each at least once
	install func(ctx context.Context, p place) error
	scripts func(p place) []*exec.Cmd
}

// languages in the order they run. Versions are pinned beside each one's scripts.
var languages = []language{
	{
		name:    "python",
		clients: []string{"AWS CLI", "boto3"},
		install: installPython,
		scripts: func(p place) []*exec.Cmd {
			python := filepath.Join(p.cache, "python", "bin", "python")
			var scripts []*exec.Cmd
			for _, name := range []string{
				"cli.py", "cli_reshard.py", "boto.py", "boto_reshard.py", "cli_objects.py", "boto_objects.py", "cli_functions.py", "boto_functions.py", "boto_tables.py",
			} {
				scripts = append(scripts, script(nil, python, "-B", filepath.Join(p.source, "python", name)))
			}
			return scripts
		},
	},
	{
		name:    "js",
		clients: []string{"AWS SDK for JavaScript v3"},
		install: func(ctx context.Context, p place) error {
			dir := filepath.Join(p.cache, "js")
			return once(dir, filepath.Join(p.source, "js", "package.json"), func() error {
				// Node looks for packages above the script, so the script goes where they are.
				if err := copyFile(filepath.Join(p.source, "js", "package.json"), filepath.Join(dir, "package.json")); err != nil {
					return err
				}
				return output(ctx, dir, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
			})
		},
		scripts: func(p place) []*exec.Cmd {
			var scripts []*exec.Cmd
			for _, name := range []string{"kinesis.js", "reshard.js", "functions.js"} {
				at := filepath.Join(p.cache, "js", name)
				if err := copyFile(filepath.Join(p.source, "js", name), at); err != nil {
					return []*exec.Cmd{script(nil, "false")} // reported as the script's failure; nothing else would tell
				}
				scripts = append(scripts, script(nil, "node", at))
			}
			return scripts
		},
	},
	{
		name:    "java",
		clients: []string{"AWS SDK for Java v2"},
		install: func(ctx context.Context, p place) error {
			// Maven knows what is current; it is asked every time, offline when nothing changed.
			return output(ctx, filepath.Join(p.source, "java"), "mvn", "-B", "-q",
				"-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+filepath.Join(p.cache, "java"), "compile")
		},
		scripts: func(p place) []*exec.Cmd {
			built := filepath.Join(p.cache, "java")
			path := strings.Join([]string{filepath.Join(built, "classes"), filepath.Join(built, "lib", "*")}, string(os.PathListSeparator))
			return []*exec.Cmd{script(nil, "java", "-cp", path, "interop.Kinesis"), script(nil, "java", "-cp", path, "interop.Reshard")}
		},
	},
	{
		name:    "kcl",
		clients: []string{"Kinesis Client Library for Java", "Kinesis Producer Library for Java"}, // the Kinesis Client Library 3 and 2, whole, and the Kinesis Producer Library
		install: func(ctx context.Context, p place) error {
			var failed []error
			for _, version := range []string{"kcl3", "kcl2"} {
				failed = append(failed, os.RemoveAll(filepath.Join(p.cache, version, "lib"))) // or jars of earlier versions stay beside the new ones
				failed = append(failed, output(ctx, filepath.Join(p.source, "kcl"), "mvn", "-B", "-q", "-P"+version,
					"-Dmaven.repo.local="+filepath.Join(p.cache, "m2"), "-Dinterop.target="+filepath.Join(p.cache, version), "compile"))
			}
			return errors.Join(failed...)
		},
		scripts: func(p place) []*exec.Cmd {
			var paths []string
			for _, version := range []string{"kcl3", "kcl2"} {
				built := filepath.Join(p.cache, version)
				paths = append(paths, strings.Join([]string{filepath.Join(built, "classes"), filepath.Join(built, "lib", "*")}, string(os.PathListSeparator)))
			}
			return []*exec.Cmd{script(nil, "java", "-cp", paths[0], "interop.kcl.Proof", paths[0], paths[1])}
		},
	},
	mixed,
	kplMix,
	oldPython,
	cli2,
	multilang,
	weirMultilang,
	flink,
	objectsPeer,
	spark,
}

// installPython makes the environment with the current AWS CLI and boto3.
func installPython(ctx context.Context, p place) error {
	venv, list := filepath.Join(p.cache, "python"), filepath.Join(p.source, "python", "requirements.txt")
	return once(venv, list, func() error {
		return errors.Join(
			output(ctx, p.root, "python3", "-m", "venv", "--clear", venv),
			output(ctx, p.root, filepath.Join(venv, "bin", "pip"), "install", "--quiet", "-r", list),
		)
	})
}

func languageNames() []string {
	var names []string
	for _, one := range languages {
		names = append(names, one.name)
	}
	return names
}

// script is a command to run later, with more environment.
func script(env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	return cmd
}

// once installs into dir unless that was done for the same list of packages before.
func once(dir, list string, install func() error) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	mark := filepath.Join(dir, ".installed")
	want := hex.EncodeToString(sum[:])
	got, err := os.ReadFile(mark)
	if err == nil && string(got) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := install(); err != nil {
		return err
	}
	return os.WriteFile(mark, []byte(want), 0o644)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
