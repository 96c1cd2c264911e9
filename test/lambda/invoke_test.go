package lambda

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// machine is what this runs on, as Go calls it.
const machine = runtime.GOARCH

// An invocation answers with what the function said, what it wrote, and which version ran; and the function has what AWS promises in its environment.
func TestInvoke(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", nil)
	client := base64.StdEncoding.EncodeToString([]byte(`{"client":{"app_title":"till"}}`))
	out, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`"x"`), LogType: types.LogTypeTail, ClientContext: &client})
	s.must(err)
	got := answer[echoed](s, out)
	if out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || got.Event != "x" || got.ARN != s.arn("f") || got.Client != "till" {
		t.Errorf("%+v %+v", out, got)
	}
	for name, want := range map[string]string{"AWS_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "_HANDLER": "echo",
		"AWS_ENDPOINT_URL": "http://" + shared.node.Addr(), "AWS_ACCESS_KEY_ID": s.account, "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f"} {
		if got.Env[name] != want {
			t.Errorf("%s is %q, want %q", name, got.Env[name], want)
		}
	}
	if os.Getuid() == 0 && got.UID == 0 {
		t.Error("a function runs as root")
	}
	for _, part := range []string{"START RequestId: " + got.ID + " Version: $LATEST", "event x", "END RequestId: " + got.ID, "REPORT RequestId: " + got.ID} {
		if !strings.Contains(tail(out), part) {
			t.Errorf("the log lacks %q:\n%s", part, tail(out))
		}
	}
	if again := answer[echoed](s, s.call("f", `"y"`)); again.PID != got.PID {
		t.Error("the second call did not find the process warm")
	}
	dry, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
	s.must(err)
	if dry.StatusCode != 204 {
		t.Errorf("%+v", dry)
	}
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{`)})
	s.refused(err, "InvalidRequestContentException", "Could not parse request body into json")
	large := []byte(`"` + strings.Repeat("x", 6<<20) + `"`)
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: large})
	s.refused(err, "RequestTooLargeException", "6291456")
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: large[len(large)-1<<20-5:], InvocationType: types.InvocationTypeEvent})
	s.refused(err, "RequestTooLargeException", "1048576")
}

// Each row is a way to fail, and what its caller sees. The next event finds a function all the same.
func TestFaults(t *testing.T) {
	s := shared.session(t)
	s.create("good", "echo", nil)
	for _, row := range []struct {
		handler string
		change  func(*sdk.CreateFunctionInput)
		want    []string
	}{
		{"fail", nil, []string{`"errorMessage":"no such toll"`}},
		{"exit", nil, []string{"Runtime.ExitError", "exit status 3"}},
		{"hang", func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(1) }, []string{"Sandbox.Timedout", "Task timed out after 1.00 seconds"}},
		{"eat", func(in *sdk.CreateFunctionInput) { in.MemorySize = aws.Int32(128) }, []string{"Runtime.OutOfMemory", "128 MB"}},
		{"echo", func(in *sdk.CreateFunctionInput) {
			in.Code.ZipFile = zipped(t, map[string]string{"readme": "no bootstrap"})
		}, []string{"Runtime.ExitError"}},
	} {
		name := fmt.Sprint(row.handler, len(row.want))
		s.create(name, row.handler, row.change)
		out := s.call(name, `{}`)
		if aws.ToString(out.FunctionError) != "Unhandled" || out.StatusCode != 200 {
			t.Errorf("%s: %+v", row.handler, out)
		}
		for _, part := range row.want {
			if !strings.Contains(string(out.Payload), part) {
				t.Errorf("%s: the payload lacks %q: %s", row.handler, part, out.Payload)
			}
		}
		answer[echoed](s, s.call("good", `{}`))
	}
	s.create("flood", "flood", nil)
	out := s.call("flood", `{}`)
	if string(out.Payload) != "1" || len(tail(out)) > 4096 || !strings.Contains(tail(out), "bytes of output beyond") {
		t.Errorf("%s\n%s", out.Payload, tail(out))
	}
}

// A function calls the server back with what its environment has.
func TestCallsBack(t *testing.T) {
	s := shared.session(t)
	s.create("f", "streams", nil)
	if got := answer[[]string](s, s.call("f", `{}`)); !slices.Equal(got, []string{"made-by-a-function"}) {
		t.Errorf("%v", got)
	}
}

// A function goes on when its caller leaves.
func TestCallerLeaves(t *testing.T) {
	s := shared.session(t)
	s.create("f", "late", nil)
	l := listen(t)
	hold, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer hold.Close()
	ctx, leave := context.WithCancel(s.ctx)
	gone := make(chan error, 1)
	go func() {
		_, err := s.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: fmt.Appendf(nil, `{"To":%q,"Hold":%q}`, l.Addr(), hold.Addr())})
		gone <- err
	}()
	held, err := hold.Accept()
	s.must(err)
	if _, text := l.next(s); text != "begun" {
		t.Fatalf("heard %q", text)
	}
	leave()
	if err := <-gone; err == nil {
		t.Error("the caller did not leave")
	}
	s.create("other", "echo", nil) // the server has had time to notice
	answer[echoed](s, s.call("other", `{}`))
	s.must(held.Close())
	if _, text := l.next(s); text != "done" {
		t.Errorf("heard %q", text)
	}
}

// A server that speaks TLS alone is trusted by its functions, which may not look into the data directory.
func TestCallsBackOverTLS(t *testing.T) {
	dir := t.TempDir()
	server := startFor(t, node.Config{Dev: true, DataDir: dir, TLSListen: "127.0.0.1:0"})
	pem, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	t.Cleanup(transport.CloseIdleConnections)
	account := nextAccount()
	s := &session{Client: over(transport, "https://"+server.node.TLSAddr(), account, "any"), t: t, ctx: t.Context(), server: server, account: account}
	s.create("f", "streams", nil)
	if got := answer[[]string](s, s.call("f", `{}`)); !slices.Equal(got, []string{"made-by-a-function"}) {
		t.Errorf("%v", got)
	}
}

// Reserved concurrency stops a function, and is counted for the account.
func TestConcurrency(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", nil)
	s.create("g", "echo", nil)
	_, err := s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)})
	s.must(err)
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f")})
	s.refused(err, "TooManyRequestsException", "Rate Exceeded.")
	var throttled *types.TooManyRequestsException
	if !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded {
		t.Errorf("%+v", throttled)
	}
	answer[echoed](s, s.call("g", `{}`))
	_, err = s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("g"), ReservedConcurrentExecutions: aws.Int32(901)})
	s.refused(err, "InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum")
	_, err = s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("g"), ReservedConcurrentExecutions: aws.Int32(900)})
	s.must(err)
	got, err := s.GetFunctionConcurrency(s.ctx, &sdk.GetFunctionConcurrencyInput{FunctionName: aws.String("g")})
	s.must(err)
	account, err := s.GetAccountSettings(s.ctx, &sdk.GetAccountSettingsInput{})
	s.must(err)
	if *got.ReservedConcurrentExecutions != 900 || account.AccountLimit.ConcurrentExecutions != 1000 || *account.AccountLimit.UnreservedConcurrentExecutions != 100 || account.AccountUsage.FunctionCount != 2 {
		t.Errorf("%+v %+v %+v", got, account.AccountLimit, account.AccountUsage)
	}
	_, err = s.DeleteFunctionConcurrency(s.ctx, &sdk.DeleteFunctionConcurrencyInput{FunctionName: aws.String("f")})
	s.must(err)
	answer[echoed](s, s.call("f", `{}`))
}

// A remote function gets its events by HTTP; the same function runs here when the variable goes.
func TestRemote(t *testing.T) {
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == `"fail"` {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(w, `{"got":%s,"arn":%q}`, body, r.Header.Get("Lambda-Runtime-Invoked-Function-Arn"))
	}))
	defer remote.Close()
	s := shared.session(t)
	s.create("f", "echo", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": remote.URL}}
		in.Runtime = types.RuntimeRuby32 // elsewhere there is one
	})
	if out := s.call("f", `"x"`); string(out.Payload) != `{"got":"x","arn":"`+s.arn("f")+`"}` || out.FunctionError != nil {
		t.Errorf("%s", out.Payload)
	}
	if out := s.call("f", `"fail"`); aws.ToString(out.FunctionError) != "Unhandled" {
		t.Errorf("%+v", out)
	}
	_, err := s.UpdateFunctionConfiguration(s.ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Environment: &types.Environment{}, Runtime: types.RuntimeProvidedal2023})
	s.must(err)
	s.active("f")
	if got := answer[echoed](s, s.call("f", `"x"`)); got.Event != "x" {
		t.Errorf("%+v", got)
	}
}

// The console's metrics count what came of invocations.
func TestMetrics(t *testing.T) {
	s := startFor(t, node.Config{Dev: true}).session(t)
	s.create("good", "echo", nil)
	s.create("bad", "fail", nil)
	s.call("good", `{}`)
	s.call("good", `{}`)
	s.call("bad", `{}`)
	_, err := s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("bad"), ReservedConcurrentExecutions: aws.Int32(0)})
	s.must(err)
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("bad")})
	s.refused(err, "TooManyRequestsException", "")
	answer, err := http.Get("http://" + s.server.node.ConsoleAddr() + "/metrics")
	s.must(err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	s.must(err)
	for _, line := range []string{`weir_function_invocations_total{outcome="answered"} 2`, `weir_function_invocations_total{outcome="failed"} 1`, `weir_function_invocations_total{outcome="throttled"} 1`,
		"weir_function_init_seconds_count 2", "weir_function_seconds_count 3", "weir_function_processes 2", "weir_function_events_waiting 0"} {
		if !strings.Contains(string(page), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// More callers than there are processes: each gets an answer.
func TestManyAtOnce(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", nil)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			out, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: fmt.Appendf(nil, "%d", i)})
			if err != nil || out.FunctionError != nil {
				t.Errorf("%d: %v %+v", i, err, out)
			}
		})
	}
	all.Wait()
}

// In weir serve keys are verified, policies say who may, and a function has a key of its own that works.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	fs, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.OpenStore(fs, clock.Real, nil)
	if err != nil {
		t.Fatal(err)
	}
	account := nextAccount()
	root, err := keys.Create(account, "")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := keys.Make(auth.Spec{Account: account, Name: "reader", Policies: []auth.Policy{{Name: "invoke", Document: policyText(`"lambda:InvokeFunction"`)}}})
	if err != nil {
		t.Fatal(err)
	}
	server := startFor(t, node.Config{DataDir: dir})
	s := &session{Client: client(t, "http://"+server.node.Addr(), root.ID, root.Secret), t: t, ctx: t.Context(), server: server, account: account}
	limited := &session{Client: client(t, "http://"+server.node.Addr(), reader.ID, reader.Secret), t: t, ctx: t.Context(), server: server, account: account}
	_, err = limited.CreateFunction(s.ctx, limited.input("f", "streams"))
	limited.refused(err, "AccessDeniedException", "not authorized to perform: lambda:CreateFunction on resource: "+limited.arn("f"))
	_, err = limited.ListFunctions(s.ctx, &sdk.ListFunctionsInput{})
	limited.refused(err, "AccessDeniedException", "lambda:ListFunctions")
	s.create("f", "streams", nil)
	if got := answer[[]string](limited, limited.call("f", `{}`)); !slices.Equal(got, []string{"made-by-a-function"}) {
		t.Errorf("%v", got)
	}
	all, err := keys.List()
	s.must(err)
	if made := slices.DeleteFunc(all, func(k auth.Key) bool { return k.User != "weir-functions" }); len(made) != 1 || made[0].Account != account {
		t.Errorf("%+v", made)
	}
}
