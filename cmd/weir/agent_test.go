package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/agent"
)

var agentSeed = flag.Uint64("agentseed", 0, "repeats one run of the agent's crash suite")

// streamed is what a reader has read of a stream, in order.
type streamed struct {
	mu    sync.Mutex
	more  *sync.Cond
	lines []string
	seen  map[string]bool
	ended bool
}

// until waits until so many different lines came, and gives up after a minute without any.
func (s *streamed) until(t *testing.T, n int, why func() string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.seen) < n && !s.ended {
		before := len(s.seen)
		timer := time.AfterFunc(time.Minute, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended = s.ended || len(s.seen) == before
			s.more.Broadcast()
		})
		s.more.Wait()
		timer.Stop()
	}
	if len(s.seen) < n {
		t.Fatalf("%d lines of %d came:\n%s", len(s.seen), n, why())
	}
}

// agentProcess is `weir agent` of this binary as a process.
type agentProcess struct {
	config, log string
	process     *exec.Cmd
}

func (a *agentProcess) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(a.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	a.process = exec.Command(os.Args[0], "agent", "-c", a.config)
	a.process.Env = append(os.Environ(), childMark+"=1")
	a.process.Stderr = log
	ownGroup(a.process)
	if err := a.process.Start(); err != nil {
		t.Fatal(err)
	}
}

func (a *agentProcess) kill() {
	_ = a.process.Process.Kill() // it may have ended
	_ = a.process.Wait()         // its error is the kill
}

func (a *agentProcess) logText() string {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-6000):])
}

// Shows, with real processes, that kill -9 of the agent and of the server while files are rotated by rename, by copy and truncate, by names with the time and
// by removal loses no line and keeps each file's order, and that no kill repeats more than one buffer. Repeat a run with -agentseed.
func TestAgentSurvives(t *testing.T) {
	seed := *agentSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat it with: go test ./cmd/weir -run TestAgentSurvives -agentseed %d", seed)
	random := rand.New(rand.NewPCG(seed, 4))
	const bufferRecords = 40
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(logs, 0o777))
	server := &childServer{data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log")}
	must(server.Start(t.Context(), ""))
	defer func() { must(server.Stop(context.Background())) }()
	api, err := demoClient(server.Endpoint())
	must(err)
	_, err = client.EnsureStream(t.Context(), api, "lines", 1)
	must(err)

	a := &agentProcess{config: filepath.Join(dir, "agent.json"), log: filepath.Join(dir, "agent.log")}
	checkpoints := filepath.Join(dir, "state", "checkpoints")
	must(os.WriteFile(a.config, fmt.Appendf(nil, `{
		"checkpointFile": %q, "kinesis.endpoint": %q,
		"flows": [{"filePattern": %q, "kinesisStream": "lines", "initialPosition": "START_OF_FILE",
			"maxBufferAgeMillis": 1000, "maxBufferSizeRecords": %d, "minTimeBetweenFilePollsMillis": 10, "retryMaxBackoffMillis": 200}]}`,
		checkpoints, server.Endpoint(), filepath.Join(logs, "*.log*"), bufferRecords), 0o600))
	a.start(t)
	defer func() { a.kill() }()

	// The reader.
	got := &streamed{seen: map[string]bool{}}
	got.more = sync.NewCond(&got.mu)
	reading, stop := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		err := tail.New(api, "lines", tail.Options{Idle: 10 * time.Millisecond, Patience: forever}).Run(reading, func(b tail.Batch) error {
			got.mu.Lock()
			defer got.mu.Unlock()
			for _, r := range b.Records {
				line := strings.TrimSuffix(string(r.Data), "\n")
				got.lines = append(got.lines, line)
				got.seen[line] = true
			}
			got.more.Broadcast()
			return nil
		})
		got.mu.Lock()
		defer got.mu.Unlock()
		got.ended = true
		got.more.Broadcast()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("reading: %v", err)
		}
	})
	defer reader.Wait()
	defer stop()

	// The writer, who rotates.
	written := map[string][]string{}
	n := 0
	write := func(name string, lines int) {
		file, err := os.OpenFile(filepath.Join(logs, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		must(err)
		var text bytes.Buffer
		for range lines {
			n++
			line := fmt.Sprintf("%s#%d %s", name, n, strings.Repeat("x", random.IntN(100)))
			written[name] = append(written[name], line)
			text.WriteString(line + "\n")
		}
		_, err = file.Write(text.Bytes())
		must(errors.Join(err, file.Close()))
	}
	path := func(name string) string { return filepath.Join(logs, name) }
	shift := func(name string) {
		for i := 20; i >= 1; i-- {
			if err := os.Rename(path(fmt.Sprintf("%s.%d", name, i)), path(fmt.Sprintf("%s.%d", name, i+1))); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	kills := 0
	names := []string{"a.log", "b.log"}
	for round := range 16 {
		for _, name := range names {
			write(name, 1+random.IntN(150))
		}
		switch name := names[random.IntN(len(names))]; round % 6 {
		case 0:
			shift(name)
			must(os.Rename(path(name), path(name+".1")))
			write(name, 1+random.IntN(30))
		case 1:
			shift(name)
			text, err := os.ReadFile(path(name))
			must(err)
			must(os.WriteFile(path(name+".1"), text, 0o600))
			must(os.Truncate(path(name), 0))
			write(name, 1+random.IntN(30))
		case 2:
			write(fmt.Sprintf("timed-%03d.log", round), 1+random.IntN(100))
		case 3:
			got.until(t, n, a.logText)
			must(os.Remove(path(name)))
		}
		// Somewhere in what was just written, mostly.
		got.until(t, n-random.IntN(200)-1, a.logText)
		switch {
		case round%4 == 1:
			a.kill()
			kills++
			a.start(t)
		case round%4 == 3:
			must(server.Kill())
			kills++
			if random.IntN(2) == 0 { // both
				a.kill()
				kills++
				a.start(t)
			}
			must(server.Start(t.Context(), ""))
		}
	}
	got.until(t, n, a.logText)

	// A good end leaves nothing to repeat.
	must(a.process.Process.Signal(syscall.SIGTERM))
	must(a.process.Wait())
	status, err := agent.ReadStatus(agent.StatusPath(checkpoints))
	must(err)
	if !status.Ended || status.Flows[0].Queued != 0 || status.Flows[0].BytesBehind != 0 {
		t.Errorf("status after the end: %+v", status)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	repeated := len(got.lines) - len(got.seen)
	if most := kills * bufferRecords; repeated > most {
		t.Errorf("%d lines were repeated in %d kills, and a buffer has %d", repeated, kills, bufferRecords)
	}
	t.Logf("%d lines, %d kills, %d repeated", n, kills, repeated)
	first := map[string][]string{}
	once := map[string]bool{}
	for _, line := range got.lines {
		if name, _, _ := strings.Cut(line, "#"); !once[line] {
			once[line] = true
			first[name] = append(first[name], line)
		}
	}
	for name, want := range written {
		if !slices.Equal(first[name], want) {
			t.Errorf("%s: %d lines came of %d, or not in their order; %s", name, len(first[name]), len(want), a.logText())
		}
	}
}

// Shows what weir agent --check, status and service print, and how mistakes are said: all at once, each with its flow and key.
func TestAgentCommand(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "agent.json")
	keep := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep("agent.json", `{"checkpointFile": "DIR/state/checkpoints", "kinesis.endpoint": "127.0.0.1", "maxBufferAge": 7,
		"flows": [{"filePattern": "DIR/logs/*.log", "kinesisStream": "s", "partitionKeyOption": "ROUND_ROBIN"}, {"filePattern": "/x/"}]}`)
	_, stderr, code := weir(t, nil, "", "agent", "-c", config, "--check")
	for _, want := range []string{"flows[0]: partitionKeyOption: \"ROUND_ROBIN\"", "flows[1]: filePattern:", "flows[1]: kinesisStream:"} {
		if !strings.Contains(stderr, want) || code != exitFailed {
			t.Errorf("exit %d, and stderr has no %q:\n%s", code, want, stderr)
		}
	}
	keep("agent.json", `{"checkpointFile": "DIR/state/checkpoints", "kinesis.endpoint": "http://127.0.0.1:1", // nobody
		"publishQueueCapacity": 1, "shutdownTimeoutMillis": 300, "flows": [{"filePattern": "DIR/logs/*.log", "kinesisStream": "s", "publishQueueCapacity": 5}]}`)
	keep("agent.d/more.json", `{"flows": [{"filePattern": "DIR/logs/csv", "deliveryStream": "d", "initialPosition": "START_OF_FILE", "maxBufferAgeMillis": 1000,
		"dataProcessingOptions": [{"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"]}]}]}`)
	keep("logs/a.log", "first\nlast\n")
	keep("logs/csv", "1,2\n")
	stdout, stderr, code := weir(t, nil, "", "agent", "--configuration", config, "--check", "--json")
	var p agent.Preview
	if err := json.Unmarshal([]byte(stdout), &p); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	if len(p.Flows) != 2 || p.Flows[0].Files[0].Offset != 11 || !p.Flows[0].Sample || p.Flows[1].Sample || p.Flows[1].Records[0].Data != `{"a":"1","b":"2"}`+"\n" {
		t.Errorf("preview %s", stdout)
	}
	if len(p.Notes) != 2 || p.Notes[0].Key != "publishQueueCapacity" {
		t.Errorf("notes %v", p.Notes)
	}
	stdout, _, _ = weir(t, nil, "", "agent", "-c", config, "--check")
	for _, want := range []string{"fh:d:" + dir + "/logs/csv", "from byte 11 (end)", "has no effect", `{"a":"1","b":"2"}`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("--check has no %q:\n%s", want, stdout)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("--check made the folder of checkpointFile")
	}
	if _, stderr, code := weir(t, nil, "", "agent", "status", "-c", config); code != exitUsage || !strings.Contains(stderr, "no agent has run") {
		t.Errorf("status before: exit %d, %s", code, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tr := newTrial("")
	tr.env = map[string]string{}
	done := make(chan int, 1)
	go func() { done <- run(ctx, tr.terminal, []string{"agent", "-c", config}) }()
	tr.stderr.until(t, t.Context(), "waiting: not everything was taken")
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit %d: %s", code, tr.stderr)
	}
	stdout, _, code = weir(t, nil, "", "agent", "status", "-c", config)
	for _, want := range []string{"not running: it ended", "csv", "at byte 4", "refused", "1 record"} {
		if !strings.Contains(stdout, want) || code != exitFailed {
			t.Errorf("exit %d, and the status has no %q:\n%s", code, want, stdout)
		}
	}
	stdout, _, code = weir(t, nil, "", "agent", "service", "-c", config)
	if code != exitOK || !strings.Contains(stdout, " agent --configuration "+config+"\n") {
		t.Errorf("service: exit %d\n%s", code, stdout)
	}
	keep("state/checkpoints", "SQLite format 3\x00 and so on")
	if _, stderr, code := weir(t, nil, "", "agent", "-c", config); code != exitFailed || !strings.Contains(stderr, "SQLite file of the Kinesis Agent") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
