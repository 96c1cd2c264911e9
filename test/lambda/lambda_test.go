// Package lambda drives the functions of a running Weir with the AWS SDK for Go, unmodified but for its endpoint.
//
// It owns the proof that each operation of docs/aws/lambda.md does what the table says. Functions are this test's own program, built with aws-lambda-go; Node and Python ones are
// in test/interop.
//
// Read TestMain, then life_test.go.
package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/sandbox"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

// shared is one server for all tests: each test has an account of its own.
var shared *server

// program is a copy of this test's binary that everybody on the machine may run, since functions of a server that is root run as nobody.
var program string

// TestMain is four programs: the tests; the launcher, as cmd/weir is in life; a function, built with AWS's own library for Go; and a server that is there to be killed.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" && len(os.Args) == 1:
		lambda.Start(handlers[os.Getenv("_HANDLER")])
	case len(os.Args) > 1 && os.Args[1] == "launch-function":
		fmt.Fprintln(os.Stderr, sandbox.Launch(os.Args[2:]))
		os.Exit(1)
	case len(os.Args) > 1 && os.Args[1] == "serve":
		os.Exit(serve(os.Args[2]))
	default:
		os.Exit(run(m))
	}
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-lambda-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := copySelf(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared, err = start(node.Config{DataDir: filepath.Join(dir, "data"), Dev: true}); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		return 1
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		return 1
	}
	return code
}

// copySelf puts program into dir.
func copySelf(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	program = filepath.Join(dir, "function")
	if err := os.WriteFile(program, text, 0o755); err != nil {
		return err
	}
	return os.Chmod(program, 0o755)
}

// server is a running node.
type server struct{ node *node.Node }

func start(config node.Config) (*server, error) {
	config.ConsoleListen = "127.0.0.1:0"
	if config.TLSListen == "" {
		config.Listen = "127.0.0.1:0"
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	config.Launcher = []string{self, "launch-function"}
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	n, err := node.Start(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &server{n}, nil
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.node.Stop(ctx)
}

// startFor runs a server for one test.
func startFor(t *testing.T, config node.Config) *server {
	t.Helper()
	if config.DataDir == "" {
		config.DataDir = t.TempDir()
	}
	s, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error("stop:", err)
		}
	})
	return s
}

// session is one test's view of a server: an account that nobody else uses. The SDK does not retry: a test must see each answer.
type session struct {
	*sdk.Client
	t       *testing.T
	ctx     context.Context
	server  *server
	account string
}

var accounts atomic.Int64

func nextAccount() string { return fmt.Sprintf("%012d", 200_000_000_000+accounts.Add(1)) }

func (s *server) session(t *testing.T) *session {
	t.Helper()
	account := nextAccount()
	return &session{Client: client(t, "http://"+s.node.Addr(), account, "any"), t: t, ctx: t.Context(), server: s, account: account}
}

func client(t *testing.T, endpoint, key, secret string) *sdk.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true) // over HTTP/1.1 the SDK closes its body early
	t.Cleanup(transport.CloseIdleConnections)
	return over(transport, endpoint, key, secret)
}

func over(transport *http.Transport, endpoint, key, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}),
	})
}

// arn is a function of the session, with what stands behind its name.
func (s *session) arn(name string) string {
	return "arn:aws:lambda:us-east-1:" + s.account + ":function:" + name
}

const role = "arn:aws:iam::123456789012:role/functions"

// zipped is a zip file of some files, all of which may be run.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		to, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(to, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// code is a function whose bootstrap is this program. What it does is the handler's name; comment makes it another code.
func code(t testing.TB, comment string) []byte {
	return zipped(t, map[string]string{"bootstrap": "#!/bin/sh\n# " + comment + "\nexec " + program + "\n"})
}

// input is a function that does what handler says.
func (s *session) input(name, handler string) *sdk.CreateFunctionInput {
	return &sdk.CreateFunctionInput{FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimeProvidedal2023, Handler: &handler, Timeout: aws.Int32(20),
		MemorySize: aws.Int32(512), Code: &types.FunctionCode{ZipFile: code(s.t, "")}}
}

// create makes a function and waits until it is Active, as tools do.
func (s *session) create(name, handler string, change func(*sdk.CreateFunctionInput)) *sdk.CreateFunctionOutput {
	s.t.Helper()
	in := s.input(name, handler)
	if change != nil {
		change(in)
	}
	out, err := s.CreateFunction(s.ctx, in)
	s.must(err)
	s.active(name)
	return out
}

// active waits until a function is neither Pending nor being updated.
func (s *session) active(name string) {
	s.t.Helper()
	eventually(s.t, name+" to be Active", func() bool {
		f, err := s.GetFunction(s.ctx, &sdk.GetFunctionInput{FunctionName: &name})
		s.must(err)
		return f.Configuration.State == types.StateActive && f.Configuration.LastUpdateStatus == types.LastUpdateStatusSuccessful
	})
}

// call invokes a function and gives its answer.
func (s *session) call(name, payload string) *sdk.InvokeOutput {
	s.t.Helper()
	out, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: &name, Payload: []byte(payload), LogType: types.LogTypeTail})
	s.must(err)
	return out
}

// answer is what a function answered, read into T.
func answer[T any](s *session, out *sdk.InvokeOutput) (v T) {
	s.t.Helper()
	if out.FunctionError != nil {
		s.t.Fatalf("%s: %s", *out.FunctionError, out.Payload)
	}
	s.must(json.Unmarshal(out.Payload, &v))
	return v
}

func (s *session) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// refused checks that err is AWS's error of this code, and that its message has a part.
func (s *session) refused(err error, code, part string) {
	s.t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), part) {
		s.t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

// advance moves the server's test clock and waits until what was due has been done.
func (s *session) advance(by string) {
	s.t.Helper()
	body := strings.NewReader(`{"advance":"` + by + `","drain":true}`)
	answer, err := http.Post("http://"+s.server.node.ConsoleAddr()+"/_weir/clock", "application/json", body)
	s.must(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("advance by %s: %s: %s", by, answer.Status, text)
	}
}
