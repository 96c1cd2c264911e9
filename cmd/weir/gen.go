package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// genCommand is `weir gen`.
type genCommand struct {
	Tolls genTollsCommand `cmd:"" help:"The log lines of a toll company."`
}

type genTollsCommand struct {
	Seed  uint64 `default:"42" help:"The same seed gives the same bytes."`
	Scale string `enum:"smoke,full" default:"smoke" help:"smoke: three hours, six stations, some 9,000 lines. full: a week, forty stations, 2.4 million."`
	Speed speed  `default:"max" help:"real, max, or how many times faster than real, such as 600."`
	JSON  bool   `name:"json" help:"With files:DIR, print the oracle's totals as JSON."`
	Out   string `default:"-" help:"files:DIR writes rotating log files and oracle.json; - prints the lines."`
}

// Help is what `weir help gen tolls` adds.
func (c *genTollsCommand) Help() string {
	return "One line in a hundred is late, one in two hundred is there twice, one in a thousand is malformed; oracle.json says which, and what must be counted."
}

// Run writes the lines.
func (c *genTollsCommand) Run(ctx context.Context, t *terminal) error {
	scale, err := tolls.ScaleNamed(c.Scale)
	if err != nil {
		return usageError{err}
	}
	generator := tolls.NewGenerator(c.Seed, scale)
	tally := tolls.NewTally(c.Seed, scale)
	write, finish, err := c.open(t, scale)
	if err != nil {
		return err
	}
	pace := newPacer(c.Speed)
	for {
		line, ok := generator.Next()
		if !ok {
			break
		}
		if err := pace.wait(ctx, line.Written); err != nil {
			return errors.Join(err, finish(tally.Oracle()))
		}
		tally.Add(line)
		if err := write(line); err != nil {
			return err
		}
	}
	return finish(tally.Oracle())
}

// open gives where lines go, and what to do at the end.
func (c *genTollsCommand) open(t *terminal, scale tolls.Scale) (write func(tolls.Line) error, finish func(tolls.Oracle) error, err error) {
	dir, toFiles := strings.CutPrefix(c.Out, "files:")
	switch {
	case c.Out == "-" && c.JSON:
		return nil, nil, usagef("--json goes with --out files:DIR")
	case c.Out == "-":
		out := bufio.NewWriterSize(t.out, 64<<10)
		write = func(line tolls.Line) error {
			_, err := out.Write(append(line.Text, '\n'))
			if err == nil && c.Speed != maxSpeed {
				err = out.Flush()
			}
			return err
		}
		return write, func(tolls.Oracle) error { return out.Flush() }, nil
	case !toFiles || dir == "":
		return nil, nil, usagef("--out %q is neither - nor files:DIR; into a stream: weir gen tolls | weir put STREAM --key-field customer", c.Out)
	}
	if old, _ := filepath.Glob(filepath.Join(dir, "plaza-*")); len(old) > 0 {
		return nil, nil, fmt.Errorf("%s holds an earlier run; take another directory", dir)
	}
	logs, err := tolls.OpenLogs(dir, scale.RotateBytes)
	if err != nil {
		return nil, nil, err
	}
	write = func(line tolls.Line) error {
		err := logs.Write(line)
		if err == nil && c.Speed != maxSpeed {
			err = logs.Flush()
		}
		return err
	}
	finish = func(o tolls.Oracle) error {
		text, err := json.MarshalIndent(o, "", "  ")
		if err := errors.Join(err, logs.Close()); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "oracle.json"), append(text, '\n'), 0o666); err != nil {
			return err
		}
		if c.JSON {
			return t.json(map[string]any{"dir": dir, "lines": o.Lines, "bytes": o.Bytes, "vehicles": o.Vehicles, "cents": o.Cents, "rotations": logs.Rotations, "sha256": o.SHA256})
		}
		fmt.Fprintf(t.err, "%s lines, %s in %s, sha256 %s\n", countText(int64(o.Lines)), sizeText(float64(o.Bytes)), dir, o.SHA256)
		return nil
	}
	return write, finish, nil
}

// speed is how many times faster than real the time of a scenario goes; maxSpeed does not wait.
type speed float64

const maxSpeed speed = 0

// UnmarshalText reads real, max or a number.
func (s *speed) UnmarshalText(text []byte) error {
	switch string(text) {
	case "real":
		*s = 1
	case "max":
		*s = maxSpeed
	default:
		n, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "x"), 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("%q is neither real nor max nor a number such as 600", text)
		}
		*s = speed(n)
	}
	return nil
}

func (s speed) String() string {
	switch s {
	case maxSpeed:
		return "as fast as it goes"
	case 1:
		return "real time"
	}
	return strconv.FormatFloat(float64(s), 'f', -1, 64) + " × real time"
}

// pacer lets the scenario's time pass at a speed. The first line comes at once.
type pacer struct {
	speed speed
	begun time.Time
	first time.Time // in the scenario's time
}

func newPacer(s speed) *pacer { return &pacer{speed: s} }

// wait returns when it is at in the scenario.
func (p *pacer) wait(ctx context.Context, at time.Time) error {
	if p.speed == maxSpeed {
		return ctx.Err()
	}
	if p.first.IsZero() {
		p.begun, p.first = time.Now(), at
	}
	due := p.begun.Add(time.Duration(float64(at.Sub(p.first)) / float64(p.speed)))
	if left := time.Until(due); left > 0 {
		return client.Sleep(ctx, left)
	}
	return ctx.Err()
}
