package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// target is what a client must know of a server.
type target struct {
	http, https string // endpoints
	ca          string // file with the certificate to trust
	function    string // file with a function in Go, built for Lambda
}

func parseTarget(text string) (target, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return target{}, fmt.Errorf("-against %s: want HTTP,HTTPS,CA", text)
	}
	return target{http: parts[0], https: parts[1], ca: parts[2]}, nil
}

// buildFunction builds the function in Go, as people do for provided.al2023.
func buildFunction(ctx context.Context, p place) (string, error) {
	function := filepath.Join(p.cache, "function", "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", function, "./test/interop/function")
	cmd.Dir, cmd.Env = p.root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the function in Go: %w\n%s", err, said)
	}
	return function, nil
}

// server is a weir dev of our own.
type server struct {
	target
	cmd  *exec.Cmd
	dir  string     // its data and its log
	done chan error // receives the process's end, once; capacity 1
}

// readyTimeout is for a first start on a busy machine.
const readyTimeout = 30 * time.Second

// startServer builds weir and runs it on free ports with a fresh data directory, until it answers.
func startServer(ctx context.Context, p place) (*server, error) {
	if err := os.MkdirAll(p.cache, 0o755); err != nil {
		return nil, err
	}
	binary := filepath.Join(p.cache, "weir")
	if err := output(ctx, p.root, "go", "build", "-o", binary, "./cmd/weir"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-interop-")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer log.Close()
	data := filepath.Join(dir, "data")
	s := &server{dir: dir, done: make(chan error, 1),
		target: target{http: "http://" + ports[0], https: "https://" + ports[1], ca: filepath.Join(data, caFile)}}
	s.cmd = exec.Command(binary, "dev", "--data", data, "--listen", ports[0], "--tls-listen", ports[1], "--console-listen", ports[2])
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() { s.done <- s.cmd.Wait() }()
	if err := s.ready(ctx, ports); err != nil {
		return nil, fmt.Errorf("%w\n%s%w", err, s.log(), s.stop())
	}
	return s, nil
}

// caFile is where a data directory keeps the certificate of the server's own authority.
const caFile = "tls/ca.pem"

// ready waits until every port answers.
func (s *server) ready(ctx context.Context, ports []string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var dialer net.Dialer
	for _, port := range ports {
		for {
			conn, err := dialer.DialContext(ctx, "tcp", port)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case err := <-s.done:
				s.done <- err
				return fmt.Errorf("weir dev ended: %w", err)
			case <-ctx.Done():
				return fmt.Errorf("weir dev does not answer on %s after %s", port, readyTimeout)
			case <-tick.C:
			}
		}
	}
	return nil
}

// stop asks the server to end, as an operator would, and removes what it left.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error says that it has ended already
	select {
	case err := <-s.done:
		if err != nil {
			return fmt.Errorf("weir dev ended: %w", err)
		}
		return os.RemoveAll(s.dir)
	case <-time.After(readyTimeout):
		return errors.Join(fmt.Errorf("weir dev did not end within %s", readyTimeout), s.cmd.Process.Kill())
	}
}

// log is what the server has said.
func (s *server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// freePorts is n addresses on this machine that nobody listens on at this moment. All are held until
// the last is known, so that none comes twice.
func freePorts(n int) (addresses []string, err error) {
	var held []net.Listener
	for range n {
		listener, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			err = listenErr
			break
		}
		held = append(held, listener)
		addresses = append(addresses, listener.Addr().String())
	}
	for _, listener := range held {
		err = errors.Join(err, listener.Close())
	}
	return addresses, err
}
