package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// line is one that a worker has printed.
type line struct {
	kind     byte
	at       time.Time
	worker   string
	shard    string
	key      string
	number   int
	position string
}

func parse(worker, text string) (line, error) {
	parts := strings.Fields(text)
	if len(parts) < 3 || len(parts[0]) != 1 {
		return line{}, fmt.Errorf("%s printed %q", worker, text)
	}
	millis, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return line{}, err
	}
	l := line{kind: parts[0][0], at: time.UnixMilli(millis), worker: worker, shard: parts[2]}
	if l.kind == 'R' {
		if len(parts) != 6 {
			return line{}, fmt.Errorf("%s printed %q", worker, text)
		}
		l.key, l.position = parts[3], parts[5]
		l.number, err = strconv.Atoi(parts[4])
	}
	return l, err
}

// application is one of both kinds of workers, and what they have said.
type application struct {
	name      string
	mode      string // polling or fan-out
	classpath string
	dir       string // of logs
	workers   map[string]*process

	mu    sync.Mutex // guards everything below
	lines []line
}

// process is one worker. Names of workers in Java end in -java, of those in Go in -go.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	read  chan struct{} // closed when its output has ended
}

func (a *application) startJava(name string) error {
	return a.start(name+"-java", func(worker string) *exec.Cmd {
		return exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", a.classpath, "interop.kcl.Worker", a.name, a.name, worker, a.mode)
	})
}

func (a *application) startGo(name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return a.start(name+"-go", func(worker string) *exec.Cmd { return exec.Command(self, "worker", a.name, worker, a.mode) })
}

func (a *application) start(worker string, command func(worker string) *exec.Cmd) error {
	log, err := os.Create(filepath.Join(a.dir, a.name+"-"+worker+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p := &process{cmd: command(worker), read: make(chan struct{})}
	p.cmd.Stderr = log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	a.workers[worker] = p
	go func() {
		defer close(p.read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			l, err := parse(worker, lines.Text())
			if err != nil {
				continue // half a line of one that was killed
			}
			a.mu.Lock()
			a.lines = append(a.lines, l)
			a.mu.Unlock()
		}
	}()
	return nil
}

// kill ends a worker as a machine does that loses power.
func (a *application) kill(worker string) error {
	p := a.workers[worker]
	delete(a.workers, worker)
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.read
	_ = p.cmd.Wait() // it says that it was killed
	return nil
}

// stop ends the workers as an operator does.
func (a *application) stop() error {
	for _, p := range a.workers {
		if err := p.stdin.Close(); err != nil {
			return err
		}
	}
	for name, p := range a.workers {
		<-p.read
		if err := p.cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		delete(a.workers, name)
	}
	return nil
}

// close kills what is left, and keeps what was said beside the logs.
func (a *application) close() {
	var text strings.Builder
	for _, l := range a.said() {
		fmt.Fprintf(&text, "%c %d %s %s %s %d %s\n", l.kind, l.at.UnixMilli(), l.worker, l.shard, l.key, l.number, l.position)
	}
	_ = os.WriteFile(filepath.Join(a.dir, a.name+".lines"), []byte(text.String()), 0o644) // for who looks into a failure; the failure is said already
	for name := range a.workers {
		_ = a.kill(name) // it may have ended by itself
	}
}

// said is every line in the order of time: the workers share a clock.
func (a *application) said() []line {
	a.mu.Lock()
	defer a.mu.Unlock()
	sorted := slices.Clone(a.lines)
	slices.SortStableFunc(sorted, func(x, y line) int { return x.at.Compare(y.at) })
	return sorted
}

// holders is who processes each shard now.
func (a *application) holders() map[string]string {
	holders := map[string]string{}
	for _, l := range a.said() {
		switch l.kind {
		case 'I':
			holders[l.shard] = l.worker
		case 'L', 'E', 'S':
			if holders[l.shard] == l.worker {
				delete(holders, l.shard)
			}
		}
	}
	return holders
}

// spread is how many shards each worker processes.
func (a *application) spread() map[string]int {
	spread := map[string]int{}
	for _, worker := range a.holders() {
		spread[worker]++
	}
	return spread
}

// seen is how many different records were.
func (a *application) seen() int {
	type one struct {
		key    string
		number int
	}
	seen := map[one]bool{}
	for _, l := range a.said() {
		if l.kind == 'R' {
			seen[one{l.key, l.number}] = true
		}
	}
	return len(seen)
}

// until waits for a condition, or says what did not happen.
func until(ctx context.Context, what string, patience time.Duration, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := condition()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}
