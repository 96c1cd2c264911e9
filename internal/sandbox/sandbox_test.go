package sandbox

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/weir-stream/weir/internal/fault"
)

// TestMain is three programs: the tests; the launcher, as cmd/weir is in life; and the function, built with AWS's own library for Go.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" && len(os.Args) == 1:
		lambda.Start(handlers[os.Getenv("_HANDLER")])
	case len(os.Args) > 1 && os.Args[1] == "launch":
		fmt.Fprintln(os.Stderr, Launch(os.Args[2:]))
		os.Exit(1)
	case len(os.Args) > 1 && os.Args[1] == "sleep":
		r, _, err := os.Pipe() // select {} would be a deadlock, which Go's runtime ends
		if err != nil {
			os.Exit(1)
		}
		_, _ = r.Read(make([]byte, 1))
	case len(os.Args) > 1 && os.Args[1] == "eat":
		_ = handlers["eat"].(func(event) error)(event{})
	default:
		code := m.Run()
		if err := closeGroups(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
}

type event struct {
	Text string `json:"text"`
	N    int    `json:"n"`
}

// handlers are functions by the name of their handler.
var handlers = map[string]any{
	"echo": func(ctx context.Context, e event) (map[string]any, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		fmt.Fprintln(os.Stdout, "hello", e.Text)
		return map[string]any{"text": e.Text, "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "pid": os.Getpid(), "region": os.Getenv("AWS_REGION"),
			"custom": os.Getenv("CUSTOM"), "version": lambdacontext.FunctionVersion, "memory": lambdacontext.MemoryLimitInMB}, nil
	},
	"fail":  func(event) error { return errors.New("no such toll") },
	"panic": func(event) error { panic("out of lanes") },
	"exit":  func(event) error { os.Exit(3); return nil },
	"hang":  func(event) error { select {} },
	"eat": func(event) error {
		var all [][]byte
		for {
			part := make([]byte, 8<<20)
			for i := range part {
				part[i] = 1
			}
			all = append(all, part)
			if len(all) > 1<<20 {
				return nil
			}
		}
	},
	"flood": func(event) (int, error) {
		line := strings.Repeat("x", 1000)
		for range 10_000 {
			fmt.Fprintln(os.Stdout, line)
		}
		return 1, nil
	},
	"files": func(event) (int, error) {
		for n := 0; ; n++ {
			if _, err := os.Open("/dev/null"); err != nil {
				return n, nil
			}
			if n > 100_000 {
				return n, nil
			}
		}
	},
	"large": func(event) (string, error) { return strings.Repeat("x", payloadMax+1), nil },
	"child": func(event) (int, error) {
		proc, err := os.StartProcess("/proc/self/exe", []string{"sleeper", "sleep"}, &os.ProcAttr{Env: []string{}})
		if err != nil {
			return 0, err
		}
		return proc.Pid, nil
	},
	// stroke takes half a gigabyte faster than anybody looks, and gives it back.
	"stroke": func(event) (int, error) {
		const all = 512 << 20
		b, err := syscall.Mmap(-1, 0, all, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
		if err != nil {
			return 0, err
		}
		for i := 0; i < all; i += os.Getpagesize() { // populating ends in silence where it is refused
			b[i] = 1
		}
		return all >> 20, syscall.Munmap(b)
	},
	// runaway leaves a process in a session of its own, which can still write to the function's output.
	"runaway": func(event) (int, error) {
		proc, err := os.StartProcess("/proc/self/exe", []string{"sleeper", "sleep"}, &os.ProcAttr{Env: []string{}, Files: []*os.File{nil, os.Stdout}, Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			return 0, err
		}
		return proc.Pid, nil
	},
	// many starts processes until it may not.
	"many": func(event) (int, error) {
		for n := 0; ; n++ {
			if _, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{Env: []string{}}); err != nil || n > 2*processesMax {
				return n, nil
			}
		}
	},
	"eating child": func(event) error {
		proc, err := os.StartProcess("/proc/self/exe", []string{"eater", "eat"}, &os.ProcAttr{Env: []string{}})
		if err != nil {
			return err
		}
		_, err = proc.Wait()
		return err
	},
}

type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line.Text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func newPool(t *testing.T, change func(*Options)) *Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Launcher: []string{self, "launch"}, BootstrapDir: t.TempDir(), Groups: groupsOf(t)}
	if err := WriteBootstraps(o.BootstrapDir); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	p, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// function is one whose code is this test's own binary.
func function(t *testing.T, handler string) *Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	return &Function{Key: handler + dir, ARN: "arn:aws:lambda:us-east-1:123456789012:function:f:live", Name: "f", Version: "7", Account: "123456789012", Region: "us-east-1",
		Runtime: "provided.al2023", Handler: handler, Code: dir, MemoryMB: 512, Timeout: 30 * time.Second, Env: []string{"CUSTOM=yes", "AWS_REGION=mars"}}
}

func invoke(t *testing.T, p *Pool, f *Function, id, payload string) Outcome {
	t.Helper()
	out, err := p.Invoke(t.Context(), f, Event{RequestID: id, Payload: []byte(payload), Tail: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A function built with aws-lambda-go gets its event and its environment, its answer comes back, and its process is used again.
func TestInvoke(t *testing.T) {
	var log lines
	p := newPool(t, func(o *Options) { o.Log = log.add })
	f := function(t, "echo")
	first := invoke(t, p, f, "id-1", `{"text":"a"}`)
	var answer struct {
		Text, ID, ARN, Region, Custom, Version string
		PID, Memory                            int
	}
	if err := json.Unmarshal(first.Payload, &answer); err != nil {
		t.Fatalf("%s: %v", first.Payload, err)
	}
	if answer.Text != "a" || answer.ID != "id-1" || answer.ARN != f.ARN || answer.Region != "us-east-1" || answer.Custom != "yes" || answer.Version != "7" || answer.Memory != 512 {
		t.Errorf("answer %+v", answer)
	}
	if !first.Cold || first.Init <= 0 || first.FunctionError != "" {
		t.Errorf("first %+v", first)
	}
	for _, part := range []string{"START RequestId: id-1 Version: 7", "hello a", "END RequestId: id-1", "REPORT RequestId: id-1\tDuration: "} {
		if !strings.Contains(string(first.Log), part) {
			t.Errorf("the log lacks %q:\n%s", part, first.Log)
		}
	}
	pid := answer.PID
	second := invoke(t, p, f, "id-2", `{"text":"b"}`)
	if err := json.Unmarshal(second.Payload, &answer); err != nil || answer.PID != pid || second.Cold || answer.ID != "id-2" {
		t.Errorf("second: %s, cold %v", second.Payload, second.Cold)
	}
	if strings.Contains(string(second.Log), "id-1") {
		t.Errorf("the log of the second has the first:\n%s", second.Log)
	}
	if text := log.String(); !strings.Contains(text, "hello a") || !strings.Contains(text, "hello b") {
		t.Errorf("lines: %s", text)
	}
	if s := p.Stats(); s.Processes != 1 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
	p.Forget(f.Key)
	if s := p.Stats(); s.Processes != 0 {
		t.Errorf("after Forget: %+v", s)
	}
	if third := invoke(t, p, f, "id-3", `{}`); !third.Cold {
		t.Error("a forgotten process answered")
	}
}

// Each row is a way to fail. The next event finds a process all the same.
func TestFailures(t *testing.T) {
	for _, row := range []struct {
		handler string
		change  func(*Function)
		want    []string
		lives   bool // the process; one that panics answers first and goes then
	}{
		{"fail", nil, []string{`"errorMessage":"no such toll"`, `"errorType":"errorString"`}, true},
		{"panic", nil, []string{"out of lanes"}, false},
		{"exit", nil, []string{"Runtime.ExitError", "exit status 3", "RequestId: id"}, false},
		{"hang", func(f *Function) { f.Timeout = 300 * time.Millisecond }, []string{"Sandbox.Timedout", "Task timed out after 0.30 seconds"}, false},
		{"eat", func(f *Function) { f.MemoryMB = 128 }, []string{"Runtime.OutOfMemory", "128 MB"}, false},
		{"eating child", func(f *Function) { f.MemoryMB = 128 }, []string{"Runtime.OutOfMemory", "128 MB"}, false},
		{"large", nil, []string{"Function.ResponseSizeTooLarge"}, true},
	} {
		t.Run(row.handler, func(t *testing.T) {
			p := newPool(t, nil)
			f := function(t, row.handler)
			if row.change != nil {
				row.change(f)
			}
			out := invoke(t, p, f, "id", `{}`)
			if out.FunctionError != "Unhandled" {
				t.Errorf("FunctionError %q", out.FunctionError)
			}
			for _, part := range row.want {
				if !strings.Contains(string(out.Payload), part) {
					t.Errorf("the payload lacks %q: %s", part, out.Payload)
				}
			}
			if s := p.Stats(); (s.Processes == 1) != row.lives && row.handler != "panic" {
				t.Errorf("%+v, lives %v", s, row.lives)
			}
			working := function(t, "echo")
			if out := invoke(t, p, working, "again", `{"text":"x"}`); out.FunctionError != "" {
				t.Errorf("the next event: %s", out.Payload)
			}
		})
	}
}

// What cannot start is the function's failure; what cannot run here at all is refused by name.
func TestNoStart(t *testing.T) {
	p := newPool(t, func(o *Options) { o.InitMax = 20 * time.Second })
	f := function(t, "echo")
	f.Code = t.TempDir() // no bootstrap
	if out := invoke(t, p, f, "id", `{}`); !strings.Contains(string(out.Payload), "Runtime.ExitError") || out.FunctionError != "Unhandled" {
		t.Errorf("without a bootstrap: %+v %s", out, out.Payload)
	}
	f.Runtime = "ruby3.3"
	if _, err := p.Invoke(t.Context(), f, Event{}); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "ruby3.3") {
		t.Errorf("ruby: %v", err)
	}
	if s := p.Stats(); s.Processes != 0 {
		t.Errorf("%+v", s)
	}
}

// A function that writes without end neither fills memory nor stops; what was dropped is counted.
func TestFlood(t *testing.T) {
	var log lines
	p := newPool(t, func(o *Options) { o.Log = log.add })
	out := invoke(t, p, function(t, "flood"), "id", `{}`)
	if string(out.Payload) != "1" || len(out.Log) > tailBytes {
		t.Errorf("payload %s, %d bytes of log", out.Payload, len(out.Log))
	}
	if text := log.String(); len(text) > floodBytes+10_000 || !strings.Contains(text, "bytes of output beyond") {
		t.Errorf("%d bytes of lines", len(text))
	}
}

// The launcher's limits hold, and what a function starts and leaves ends with it.
func TestLimits(t *testing.T) {
	p := newPool(t, nil)
	out := invoke(t, p, function(t, "files"), "id", `{}`)
	var opened int
	if err := json.Unmarshal(out.Payload, &opened); err != nil || opened >= filesOpenMax || opened < 100 {
		t.Errorf("%s files were opened", out.Payload)
	}
	f := function(t, "child")
	var pid int
	if err := json.Unmarshal(invoke(t, p, f, "id", `{}`).Payload, &pid); err != nil || pid == 0 {
		t.Fatal(err)
	}
	p.Forget(f.Key)
	for syscall.Kill(pid, 0) == nil { // gone once its new parent has waited for it
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(state), ") Z ") {
			break
		}
	}
}

// More events than processes: each gets its turn, the processes are no more than there may be, and who gives up leaves no hole.
func TestTurns(t *testing.T) {
	p := newPool(t, func(o *Options) { o.ProcessesMax = 2 })
	var all sync.WaitGroup
	f, g := function(t, "echo"), function(t, "echo")
	for i := range 20 {
		all.Go(func() {
			which := f
			if i%3 == 0 {
				which = g
			}
			if out, err := p.Invoke(t.Context(), which, Event{RequestID: fmt.Sprint(i), Payload: []byte(`{}`)}); err != nil || out.FunctionError != "" {
				t.Errorf("%d: %v %s", i, err, out.Payload)
			}
			if s := p.Stats(); s.Processes > 2 {
				t.Errorf("%+v", s)
			}
		})
	}
	all.Wait()
	hanging, cancel := context.WithCancel(t.Context())
	for range 2 {
		all.Go(func() {
			_, _ = p.Invoke(hanging, function(t, "hang"), Event{RequestID: "h", Payload: []byte(`{}`)})
		})
	}
	for p.Stats().Idle > 0 || p.Stats().Processes < 2 {
		if t.Context().Err() != nil {
			t.Fatal("the hanging ones did not begin")
		}
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := p.Invoke(short, f, Event{}); !fault.Is(err, fault.Throttled) {
		t.Errorf("no process: %v", err)
	}
	cancel()
	all.Wait()
	if out := invoke(t, p, f, "id", `{}`); out.FunctionError != "" {
		t.Errorf("after it: %s", out.Payload)
	}
}

// A remote function gets the event over HTTP, and each of its statuses means what the comment says.
func TestRemote(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch string(body) {
		case `"hang"`:
			<-r.Context().Done()
		case `"fail"`:
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `{"errorType":"E","errorMessage":"m"}`)
		default:
			fmt.Fprintf(w, `{"got":%s,"id":%q}`, body, r.Header.Get("Lambda-Runtime-Aws-Request-Id"))
		}
	}))
	defer server.Close()
	p := newPool(t, nil)
	f := &Function{Key: "r", Name: "r", URL: server.URL, Timeout: 300 * time.Millisecond, MemoryMB: 128}
	if out := invoke(t, p, f, "id-1", `"x"`); string(out.Payload) != `{"got":"x","id":"id-1"}` || out.FunctionError != "" {
		t.Errorf("%+v %s", out, out.Payload)
	}
	if out := invoke(t, p, f, "id", `"fail"`); out.FunctionError != "Unhandled" || string(out.Payload) != `{"errorType":"E","errorMessage":"m"}` {
		t.Errorf("%+v %s", out, out.Payload)
	}
	if out := invoke(t, p, f, "id", `"hang"`); !strings.Contains(string(out.Payload), "Sandbox.Timedout") {
		t.Errorf("%s", out.Payload)
	}
	server.Close()
	if out := invoke(t, p, f, "id", `"x"`); !strings.Contains(string(out.Payload), "Remote.Unreachable") {
		t.Errorf("%s", out.Payload)
	}
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		to, err := w.CreateHeader(func() *zip.FileHeader {
			h := &zip.FileHeader{Name: name, Method: zip.Deflate}
			h.SetMode(0o755)
			return h
		}())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(to, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // a server's umask is no function's matter
	dir := filepath.Join(t.TempDir(), "code")
	if err := Unpack(zipped(t, map[string]string{"bootstrap": "x", "a/b/c.txt": "deep"}), dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a/b/c.txt")); err != nil || string(text) != "deep" {
		t.Errorf("%s %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "bootstrap")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := Unpack(nil, dir); err != nil { // it is there
		t.Error(err)
	}
	for name, code := range map[string][]byte{"no zip": []byte("x"), "outside": zipped(t, map[string]string{"../x": "y"}), "absolute": zipped(t, map[string]string{"/etc/x": "y"})} {
		other := filepath.Join(t.TempDir(), "other")
		if err := Unpack(code, other); !fault.Is(err, fault.Invalid) || !fault.Is(CheckZip(code), fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(other + "*"); len(left) > 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
}
