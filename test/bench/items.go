package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// items runs the engine's conditional writes beside Pebble alone, which writes the same bytes with a sync of its own, as Go's benchmark does both in one process.
func (b *bench) items(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "ConditionalWrite", "-benchtime", fmt.Sprint(b.duration),
		"-count", fmt.Sprint(b.rounds), "github.com/weir-stream/weir/internal/tables")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	taken := map[string][]float64{} // nanoseconds of CPU for one write, by side
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[len(fields)-1] != "cpu-ns/op" {
			continue
		}
		var ns float64
		if _, err := fmt.Sscan(fields[len(fields)-2], &ns); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		for _, side := range []string{"pebble", "engine"} {
			if strings.Contains(fields[0], "/"+side) {
				taken[side] = append(taken[side], ns)
			}
		}
	}
	if len(taken["pebble"]) == 0 || len(taken["engine"]) == 0 {
		return fmt.Errorf("no figures in %q", out)
	}
	middle := func(side string) float64 {
		slices.Sort(taken[side])
		return taken[side][len(taken[side])/2] / 1000
	}
	engine, pebble := middle("engine"), middle("pebble")
	b.printf("| tables, conditional writes of an item of 300 bytes, in the engine, without HTTP, 32 writers | Weir: CPU µs | Pebble alone, the same bytes: CPU µs | ratio |\n|---|--:|--:|--:|\n")
	b.printf("| `go test -bench ConditionalWrite ./internal/tables` | %.1f | %.1f | **%.2f** |\n\n", engine, pebble, engine/pebble)
	return nil
}
