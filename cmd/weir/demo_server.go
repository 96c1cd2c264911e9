package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/weir-stream/weir/internal/node"
)

// embeddedServer is a scenario.Server in this process. It cannot be killed.
type embeddedServer struct {
	data      string
	testClock string // see node.Config
	logger    *slog.Logger
	node      *node.Node
	endpoint  string
}

// Start starts the node; the first time on a free port, then on the same.
func (s *embeddedServer) Start(ctx context.Context, faults string) (err error) {
	listen := "127.0.0.1:0"
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil {
			return err
		}
		listen = u.Host
	}
	config := node.Config{DataDir: s.data, Listen: listen, Dev: true, Durability: "sync", Faults: faults, TestClock: s.testClock, Logger: s.logger, Launcher: launcher()}
	if s.testClock != "" {
		config.ConsoleListen = "127.0.0.1:0"
	}
	s.node, err = node.Start(ctx, config)
	if err != nil {
		return err
	}
	s.endpoint = "http://" + s.node.Addr()
	return nil
}

// Stop drains the node.
func (s *embeddedServer) Stop(ctx context.Context) error { return stopNode(ctx, s.node) }

// Kill is for a server that is a process of its own.
func (s *embeddedServer) Kill() error {
	return errors.New("a server inside this process cannot be killed")
}

// console is the URL at which the test clock is moved, if there is one.
func (s *embeddedServer) console() string { return "http://" + s.node.ConsoleAddr() }

// Endpoint is the URL of the API.
func (s *embeddedServer) Endpoint() string { return s.endpoint }

// DataDir is the directory of everything durable.
func (s *embeddedServer) DataDir() string { return s.data }

// childServer is a scenario.Server that runs `weir dev` of this binary as a process, which can be killed.
type childServer struct {
	data, log string
	testClock string    // see node.Config
	at        addresses // as of the first start; the same from then on
	process   *exec.Cmd
}

// startTime is how long a server may take to answer. It recovers first, so it is generous.
const startTime = time.Minute

// Start starts the process and waits for the line that says where it listens.
func (s *childServer) Start(ctx context.Context, faults string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	listen, console := "127.0.0.1:0", off
	if s.testClock != "" {
		console = listen
	}
	if s.at.Endpoint != "" {
		listen = strings.TrimPrefix(s.at.Endpoint, "http://")
	}
	if s.at.Console != "" {
		console = strings.TrimPrefix(s.at.Console, "http://")
	}
	args := []string{"dev", "--json", "--data", s.data, "--listen", listen, "--tls-listen", off, "--console-listen", console, "--durability", "sync"}
	if s.testClock != "" {
		args = append(args, "--test-clock="+s.testClock)
	}
	if faults != "" {
		args = append(args, "--faults", faults)
	}
	log, err := os.OpenFile(s.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	// Not exec.CommandContext: the end of the run stops the server in good order.
	process := exec.Command(program, args...)
	process.Env = append(os.Environ(), childMark+"=1")
	process.Stderr = log
	// A Ctrl-C goes to the run, which stops its server itself.
	ownGroup(process)
	out, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	s.process = process
	type answer struct {
		at  addresses
		err error
	}
	ready := make(chan answer, 1) // one answer, so that the goroutine ends also when nobody waits any more
	go func() {
		var a answer
		var line []byte
		if line, a.err = bufio.NewReader(out).ReadBytes('\n'); a.err == nil {
			a.err = json.Unmarshal(line, &a.at)
		}
		ready <- a
	}()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	var a answer
	select {
	case a = <-ready:
	case <-timer.C:
		a.err = fmt.Errorf("not ready after %s", startTime)
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if a.err != nil {
		_ = s.Kill() // it may be gone already
		return fmt.Errorf("weir dev did not start: %w (see %s)", a.err, s.log)
	}
	if s.at == (addresses{}) {
		s.at = a.at
	}
	return nil
}

// childMark tells a test binary that it is to be weir.
const childMark = "WEIR_CHILD"

// Stop asks the process to end, and waits.
func (s *childServer) Stop(ctx context.Context) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended := make(chan error, 1)
	process := s.process
	go func() { ended <- process.Wait() }()
	timer := time.NewTimer(drainTime + 10*time.Second)
	defer timer.Stop()
	select {
	case err := <-ended:
		s.process = nil
		if err != nil {
			return fmt.Errorf("weir dev ended badly: %w (see %s)", err, s.log)
		}
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = process.Process.Kill() // it may have ended just now
	err := <-ended
	s.process = nil
	return errors.Join(fmt.Errorf("weir dev did not stop when it was asked to (see %s)", s.log), err)
}

// Kill ends the process at once.
func (s *childServer) Kill() error {
	if s.process == nil {
		return errors.New("no server to kill")
	}
	err := s.process.Process.Kill()
	_ = s.process.Wait() // its error is the kill
	s.process = nil
	return err
}

// console is the URL at which the test clock is moved, if there is one.
func (s *childServer) console() string { return s.at.Console }

// Endpoint is the URL of the API.
func (s *childServer) Endpoint() string { return s.at.Endpoint }

// DataDir is the directory of everything durable.
func (s *childServer) DataDir() string { return s.data }
