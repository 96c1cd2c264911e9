package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/vfs"
)

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string
}

// clockTicks is the unit of CPU times in /proc: USER_HZ, 100 on every Linux that Go runs on.
const clockTicks = 100

// start runs a command and waits until addr takes connections.
func start(addr string, log string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addr: addr}
	for deadline := time.Now().Add(60 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return p, nil
		}
		if time.Now().After(deadline) || cmd.Process.Signal(syscall.Signal(0)) != nil {
			p.kill()
			text, _ := os.ReadFile(log)
			return nil, fmt.Errorf("%s does not answer on %s:\n%s", name, addr, text)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// cpu is the CPU time that the process has used, user and system, in seconds.
func (p *process) cpu() (float64, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTicks, errors.Join(err1, err2)
}

// memory is a line of /proc/PID/status in MB of 10^6 bytes: VmRSS is what is resident now, VmHWM the most there was.
func (p *process) memory(line string) (float64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if rest, ok := strings.CutPrefix(scanner.Text(), line+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("no %s", line)
}

// key is a pair of AWS keys.
type key struct{ id, secret string }

// freeAddr is a loopback address that nothing listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve starts `weir serve` on a data directory, made with a key if it is new.
func (b *bench) serve(dir string) (*process, key, error) {
	keyFile := filepath.Join(dir, "bench-key")
	var k key
	if text, err := os.ReadFile(keyFile); err == nil {
		k.id, k.secret, _ = strings.Cut(string(text), " ")
	} else {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, k, err
		}
		if k, err = createKey(dir); err != nil {
			return nil, k, err
		}
		if err := os.WriteFile(keyFile, []byte(k.id+" "+k.secret), 0o600); err != nil {
			return nil, k, err
		}
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, k, err
	}
	p, err := start(addr, filepath.Join(dir, "serve.log"), b.weir, "serve", "--listen", addr, "--tls-listen", "off", "--console-listen", "off", "--limits", "off", "--data", dir)
	return p, k, err
}

// createKey makes an access key in a data directory, as `weir keys create` does.
func createKey(dir string) (key, error) {
	fs, err := vfs.NewOS(dir)
	if err != nil {
		return key{}, err
	}
	keys, err := auth.OpenStore(fs, clock.Real, nil)
	if err != nil {
		return key{}, err
	}
	made, err := keys.Create(auth.DefaultAccount, "bench")
	return key{made.ID, made.Secret}, err
}

func (b *bench) floor(dir string) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return start(addr, filepath.Join(dir, "floor.log"), b.self, "floor", addr, dir)
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, "\t :"))
		}
	}
	return "unknown CPU"
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// drive runs request after request on writers connections for a while and counts the answers with status 200.
func drive(ctx context.Context, addr string, writers int, duration time.Duration, request func(worker, i int) []byte) (count int, latencies []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	type result struct {
		latencies []time.Duration
		err       error
	}
	results := make(chan result, writers)
	for worker := range writers {
		go func() {
			var r result
			defer func() { results <- r }()
			c, err := dial(addr)
			if err != nil {
				r.err = err
				return
			}
			defer c.Close()
			for i := 0; ctx.Err() == nil; i++ {
				began := time.Now()
				var answer []byte
				if answer, r.err = c.do(request(worker, i)); r.err == nil {
					r.err = putAnswer(answer)
				}
				if r.err != nil {
					return
				}
				r.latencies = append(r.latencies, time.Since(began))
			}
		}()
	}
	for range writers {
		r := <-results
		latencies = append(latencies, r.latencies...)
		err = errors.Join(err, r.err)
	}
	slices.Sort(latencies)
	return len(latencies), latencies, err
}

// conn is a bare HTTP/1.1 client: as little work as a client can do, since it shares the cores with the server.
type conn struct {
	net.Conn
	r    *bufio.Reader
	body []byte
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 1<<16)}, nil
}

// do sends a whole request and reads a whole answer, which is valid until the next call.
func (c *conn) do(request []byte) ([]byte, error) {
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200"))
	line := string(status)
	size := 0
	for {
		header, err := c.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(header) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(header, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if cap(c.body) < size {
		c.body = make([]byte, size)
	}
	c.body = c.body[:size]
	if _, err := io.ReadFull(c.r, c.body); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s %s", strings.TrimSpace(line), c.body)
	}
	return c.body, nil
}
