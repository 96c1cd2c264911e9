// Command bench measures Weir against floors that run in the same minute on the same machine.
//
// It owns the tables of docs/benchmarks.md: each starts `weir serve` with real signatures, durability sync and limits off as a process of its
// own, drives it with ready-made signed requests, reads the server's CPU seconds from the kernel, and does the same to the floor. Ratios are what
// counts: absolute figures move with the machine. Benchmarks of single functions live beside them (go test -bench).
//
// Read put.go for a table, then floor.go for what it is held against.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "floor" {
		exit(runFloor(os.Args[2:]))
		return
	}
	only := flag.String("only", "", "comma-separated tables to run: put, producer, get, push, reshard, connections, memory, first, items, functions, restart; empty runs all")
	seconds := flag.Int("seconds", 10, "how long each side of a comparison is driven, in seconds")
	rounds := flag.Int("rounds", 3, "how often each comparison is repeated; the median ratio is reported")
	gib := flag.Int("gib", 10, "how much is on disk when the restart is timed, in GiB")
	binary := flag.String("weir", "", "the weir binary to measure; empty builds this checkout's")
	out := flag.String("o", "", "also write the report to this file")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := newBench(*binary, *seconds, *rounds)
	if err == nil {
		err = b.run(ctx, *only, *gib)
		b.close()
	}
	if b != nil && *out != "" && err == nil {
		err = os.WriteFile(*out, []byte(preamble+b.report.String()), 0o644)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// preamble says what the figures mean, above those of the last run.
const preamble = `# Benchmarks

Written by ` + "`make bench`" + ` (` + "`go run ./test/bench -o docs/benchmarks.md`" + `). Ratios are what counts: each table's floor runs in the same minute on
the same cores, and absolute figures move with the machine.

The floor of the put tables is a bare net/http server that reads the body, hashes it as a signature needs, finds the data, decodes base64 with the
same SIMD routine, and appends to one growing file with one fdatasync for everyone who waits. It checks nothing, routes nothing, and
can find nothing again. The floor of the get table is a handler that builds the same answer from records that lie ready in memory: it reads no log.

Weir runs as ` + "`weir serve`" + ` with real signatures and durability sync, as a process of its own; client and server share the cores. CPU is
user and system time of the server's process, from /proc. Functions run in ` + "`weir dev`" + `. Benchmarks of single parts are beside them: ` + "`go test -bench . ./internal/...`" + `.

`

// bench is one run of the tables.
type bench struct {
	dir      string // scratch, removed at the end
	weir     string // the built binary
	self     string // this binary, which is the floor too
	duration time.Duration
	rounds   int
	report   strings.Builder
}

func newBench(binary string, seconds, rounds int) (*bench, error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, weir: filepath.Join(dir, "weir"), self: self, duration: time.Duration(seconds) * time.Second, rounds: rounds}
	if binary != "" {
		b.weir = binary
		return b, nil
	}
	build := exec.Command("go", "build", "-o", b.weir, "github.com/weir-stream/weir/cmd/weir")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		b.close()
		return nil, fmt.Errorf("build weir: %w", err)
	}
	return b, nil
}

func (b *bench) close() { os.RemoveAll(b.dir) }

func (b *bench) run(ctx context.Context, only string, gib int) error {
	b.printf("Machine: %s, %d cores, %s, %s. %d s a side, %d rounds, median.\n\n", cpuModel(), runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(), int(b.duration.Seconds()), b.rounds)
	type table struct {
		name string
		run  func(context.Context) error
	}
	tables := []table{
		{"put", b.put},
		{"producer", b.producer},
		{"get", b.get},
		{"push", b.push},
		{"reshard", b.reshard},
		{"connections", b.connections},
		{"memory", b.memory},
		{"first", b.first},
		{"items", b.items},
		{"functions", b.functions},
		{"restart", func(ctx context.Context) error { return b.restart(ctx, gib) }},
	}
	for _, name := range strings.Split(only, ",") {
		known := slices.ContainsFunc(tables, func(t table) bool { return t.name == name })
		if name != "" && !known {
			return fmt.Errorf("there is no table %q", name)
		}
	}
	for _, table := range tables {
		if only != "" && !strings.Contains(","+only+",", ","+table.name+",") {
			continue
		}
		if err := table.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	return nil
}

func (b *bench) printf(format string, args ...any) {
	fmt.Printf(format, args...)
	fmt.Fprintf(&b.report, format, args...)
}
