package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/agent"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// watch is the demo as a person sees it: the stations write, an agent follows the files into the stream, the stream is read, and the screen shows all three.
func (c *demoTollsCommand) watch(ctx context.Context, t *terminal, scale tolls.Scale) error {
	state, err := openDemo(c.Data, c.Seed, c.Scale)
	if err != nil {
		return err
	}
	n, err := startDemoNode(ctx, t, filepath.Join(c.Data, "data"), c.Listen)
	if err != nil {
		return explainStart(err, node.Config{DataDir: c.Data})
	}
	endpoint := "http://" + n.Addr()
	api, err := demoClient(endpoint)
	if err == nil {
		_, err = client.EnsureStream(ctx, api, tolls.Stream, 4)
	}
	if err != nil {
		return errors.Join(err, stopNode(ctx, n))
	}
	d := &demo{command: c, scale: scale, state: state, api: api, endpoint: endpoint, figures: newFigures(scale)}
	screen := newScreen(t, d.figures, screenText{Endpoint: endpoint, Console: "http://" + n.ConsoleAddr(), Speed: c.Speed, Seed: c.Seed, Scale: c.Scale, Data: c.Data})

	err = untilEnough(ctx, n, d.write, d.feed, d.read, screen.run)
	screen.close()
	err = errors.Join(err, stopNode(ctx, n))
	fmt.Fprintln(t.out, d.figures.last(c.Data))
	return err
}

// untilEnough runs the parts of a demo. All end when one fails, or the server, or when the person has seen enough, which is no error.
func untilEnough(ctx context.Context, n *node.Node, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	wg.Go(func() {
		select {
		case <-n.Done():
			cancel(errors.Join(errors.New("the server ended"), n.Err()))
		case <-ctx.Done():
		}
	})
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// startDemoNode starts the server of a demo on the usual ports, or on free ones instead of those that are taken.
func startDemoNode(ctx context.Context, t *terminal, data, listen string) (*node.Node, error) {
	config := node.Config{DataDir: data, Listen: listen, ConsoleListen: defaultSettings().ConsoleListen, Dev: true, Durability: "sync", Logger: t.logger("error"), Launcher: launcher()}
	n, err := node.Start(ctx, config)
	for _, taken := range []*string{&config.ConsoleListen, &config.Listen} {
		if errors.Is(err, syscall.EADDRINUSE) {
			*taken = "127.0.0.1:0"
			n, err = node.Start(ctx, config)
		}
	}
	return n, err
}

// demoState is what a second start must know, in demo.json.
type demoState struct {
	path  string
	Seed  uint64 `json:"seed"`
	Scale string `json:"scale"`
	// Positions are those of a version before there was an agent. Its directory cannot be gone on with: all lines would come again.
	Positions map[string]any `json:"positions,omitempty"`
}

// openDemo reads the state of an earlier run in dir, or begins one.
func openDemo(dir string, seed uint64, scale string) (*demoState, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &demoState{path: filepath.Join(dir, "demo.json"), Seed: seed, Scale: scale}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o777); err != nil {
			return nil, err
		}
		return s, s.save()
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s is not what a demo wrote: %w", s.path, err)
	}
	if s.Seed != seed || s.Scale != scale {
		return nil, fmt.Errorf("%s holds a demo with --seed %d --scale %s; go on with those, or take another directory with --data", dir, s.Seed, s.Scale)
	}
	if len(s.Positions) > 0 {
		return nil, fmt.Errorf("%s holds a demo of an earlier version; remove it, or take another directory with --data", dir)
	}
	return s, nil
}

func (s *demoState) save() error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", text, 0o666); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

func (s *demoState) logs() string { return filepath.Join(filepath.Dir(s.path), "logs") }

// demo is the running scenario.
type demo struct {
	command  *demoTollsCommand
	scale    tolls.Scale
	state    *demoState
	api      *kinesis.Client
	endpoint string
	figures  *figures
}

// write is the stations. A second start draws the same lines again and leaves out those that the files hold.
func (d *demo) write(ctx context.Context) (err error) {
	logs, err := tolls.OpenLogs(d.state.logs(), d.scale.RotateBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	held, err := logs.Count()
	if err != nil {
		return err
	}
	generator := tolls.NewGenerator(d.command.Seed, d.scale)
	pace := newPacer(d.command.Speed)
	flushed := time.Now()
	for ctx.Err() == nil {
		line, ok := generator.Next()
		if !ok {
			d.figures.finished()
			return nil
		}
		if which := line.Station % 2; held[which] > 0 {
			held[which]--
			d.figures.wrote(line, logs.Rotations)
			continue
		}
		// Lines come in bursts finer than the eye; the file has them twenty times a second.
		if time.Since(flushed) > 50*time.Millisecond {
			if err := logs.Flush(); err != nil {
				return err
			}
			flushed = time.Now()
		}
		if err := pace.wait(ctx, line.Written); err != nil {
			return nil
		}
		if err := logs.Write(line); err != nil {
			return err
		}
		d.figures.wrote(line, logs.Rotations)
	}
	return nil
}

// feed runs an agent with an agent.json of its own, as weir agent would, and tells the screen what it sends.
func (d *demo) feed(ctx context.Context) error {
	dir := filepath.Dir(d.state.path)
	path := filepath.Join(dir, "agent.json")
	if err := tolls.WriteAgentConfig(path, d.state.logs(), filepath.Join(dir, "agent"), d.endpoint); err != nil {
		return err
	}
	config, err := agent.ReadConfig(path)
	if err != nil {
		return err
	}
	services, err := agent.NewServices(ctx, config, agent.ServiceOptions{Version: versionText(), Getenv: func(string) string { return "" }})
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Options{Config: config, Services: services})
	if err != nil {
		return err
	}
	done := make(chan error, 1) // one answer
	go func() { done <- a.Run(ctx) }()
	var before agent.FlowStatus
	tell := func() {
		now := a.Status().Flows[0]
		d.figures.put(int(now.Sent-before.Sent), int(now.SentBytes-before.SentBytes))
		switch {
		case now.Lost > before.Lost:
			d.figures.note("lines were lost before they were read")
		case now.Waiting != "" && now.Waiting != before.Waiting:
			d.figures.note("the agent is waiting: " + now.Waiting)
		}
		before = now
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			tell()
		case err := <-done:
			tell()
			return errors.Join(err, a.Close())
		}
	}
}

// read reads the stream from its oldest record, so that the figures of a second start are whole again.
func (d *demo) read(ctx context.Context) error {
	reader := tail.New(d.api, tolls.Stream, tail.Options{Retried: func(cause error) { d.figures.note("reading is waiting: " + rootOf(cause).Error()) }})
	return reader.Run(ctx, func(b tail.Batch) error {
		d.figures.read(b)
		return nil
	})
}
