// Command awsmodel turns AWS service models into wire shapes.
//
// It owns the way from a model of botocore to Go source: strip cuts a model down to what a server uses, and
// that is committed under tools/models; generate writes internal/wire/shapes from the committed files. Both
// refuse what they do not know, by name, so that a new feature of the models is noticed and not dropped. What
// the generated tables mean belongs to package wire.
//
// Read model.go (what is kept), then strip.go, generate.go and source.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const usage = `awsmodel strip [-operations N] [-keep A,B,C] service-2.json stripped.json
	cut a model of botocore down to what a server uses; with -operations, refuse one that has not N;
	with -keep, only those operations keep their shapes, and of all others the name is left
awsmodel generate -models DIR -out DIR
	write the Go package of every model in DIR
`

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "awsmodel:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("awsmodel "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	switch command {
	case "strip":
		operations := flags.Int("operations", 0, "how many operations the model must have; 0 for any number")
		keep := flags.String("keep", "", "the operations that keep their shapes, with commas between them; empty for all")
		if err := flags.Parse(args); err != nil {
			return err
		}
		if flags.NArg() != 2 {
			return fmt.Errorf("strip wants two files\n%s", usage)
		}
		var kept []string
		if *keep != "" {
			kept = strings.Split(*keep, ",")
		}
		return stripFile(flags.Arg(0), flags.Arg(1), *operations, kept)
	case "generate":
		models := flags.String("models", "", "folder of stripped models")
		out := flags.String("out", "", "folder of the generated packages")
		if err := flags.Parse(args); err != nil {
			return err
		}
		if *models == "" || *out == "" || flags.NArg() != 0 {
			return fmt.Errorf("generate wants -models and -out\n%s", usage)
		}
		return generateAll(*models, *out)
	}
	return fmt.Errorf("unknown command %q\n%s", command, usage)
}

func stripFile(from, to string, operations int, keep []string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	stripped, err := strip(data, operations, keep)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, stripped, 0o644)
}

func generateAll(models, out string) error {
	paths, err := filepath.Glob(filepath.Join(models, "*.json"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("no model in %s", models)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pkg, files, err := generate(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		folder := filepath.Join(out, pkg)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for name, source := range files {
			if err := os.WriteFile(filepath.Join(folder, name), source, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
