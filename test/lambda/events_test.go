package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/node"
)

// policyText is a policy that allows one action.
func policyText(action string) json.RawMessage {
	return json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + action + `,"Resource":"*"}]}`)
}

// listener hears what the functions called report say: an id and a text each.
type listener struct {
	net.Listener
	heard chan [2]string // capacity 64: more than any test lets happen
}

func listen(t *testing.T) *listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &listener{l, make(chan [2]string, 64)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			conn.Close()
			id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			h.heard <- [2]string{id, text}
		}
	}()
	return h
}

// next is what is heard next.
func (l *listener) next(s *session) (id, text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	select {
	case h := <-l.heard:
		return h[0], h[1]
	case <-ctx.Done():
		s.t.Fatal("nothing was heard")
		return "", ""
	}
}

// nothing checks that nothing more was heard. It follows a drain, after which nothing can come.
func (l *listener) nothing(s *session, when string) {
	s.t.Helper()
	select {
	case h := <-l.heard:
		s.t.Errorf("%s: %v", when, h)
	default:
	}
}

// event sends an asynchronous event to a function.
func (s *session) event(name string, payload map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(payload)
	s.must(err)
	out, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: &name, Payload: text, InvocationType: types.InvocationTypeEvent})
	s.must(err)
	if out.StatusCode != 202 || len(out.Payload) > 0 {
		s.t.Errorf("%+v", out)
	}
}

// An event that fails is tried again after a minute and after two more, with one id, and what became of it goes to its destination; one that succeeds runs once. The
// clock of the server is the test's: an hour takes milliseconds.
func TestEvents(t *testing.T) {
	server := startFor(t, node.Config{Dev: true, TestClock: "2026-11-18T13:00:00Z"})
	s := server.session(t)
	for _, name := range []string{"good", "bad", "after"} {
		s.create(name, "report", nil)
	}
	_, err := s.PutFunctionEventInvokeConfig(s.ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("bad"),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(s.arn("after"))}}})
	s.must(err)
	l := listen(t)
	to := l.Addr().String()

	s.event("good", map[string]any{"to": to, "say": "once"})
	if _, text := l.next(s); text != "once" {
		t.Errorf("heard %q", text)
	}
	s.event("bad", map[string]any{"to": to, "say": "fails", "fail": true})
	id, text := l.next(s)
	if text != "fails" {
		t.Errorf("heard %q", text)
	}
	for _, wait := range []string{"59s", "1s", "119s", "1s"} {
		s.advance(wait)
		if wait != "1s" {
			l.nothing(s, "before its time")
			continue
		}
		if again, text := l.next(s); again != id || text != "fails" {
			t.Errorf("heard %q of %s, want id %s", text, again, id)
		}
	}
	if other, text := l.next(s); text != "RetriesExhausted of fails after 3" || other == id {
		t.Errorf("heard %q", text)
	}
	s.advance("1h")
	l.nothing(s, "an hour later")

	// An event of a function that may not run waits, and is given up when it is too old.
	_, err = s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("bad"), ReservedConcurrentExecutions: aws.Int32(0)})
	s.must(err)
	_, err = s.UpdateFunctionEventInvokeConfig(s.ctx, &sdk.UpdateFunctionEventInvokeConfigInput{FunctionName: aws.String("bad"), MaximumEventAgeInSeconds: aws.Int32(120)})
	s.must(err)
	s.event("bad", map[string]any{"to": to, "say": "waits"})
	s.advance("119s")
	l.nothing(s, "while it waits")
	for range 10 {
		s.advance("1m")
	}
	if _, text := l.next(s); text != "EventAgeExceeded of waits after 0" {
		t.Errorf("heard %q", text)
	}
}

// The configuration of asynchronous events is kept for each version and alias; destinations that are not there are refused by name.
func TestEventInvokeConfig(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", func(in *sdk.CreateFunctionInput) { in.Publish = true })
	_, err := s.GetFunctionEventInvokeConfig(s.ctx, &sdk.GetFunctionEventInvokeConfigInput{FunctionName: aws.String("f")})
	s.refused(err, "ResourceNotFoundException", "The function "+s.arn("f:$LATEST")+" doesn't have an EventInvokeConfig")
	_, err = s.UpdateFunctionEventInvokeConfig(s.ctx, &sdk.UpdateFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(1)})
	s.refused(err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
	put, err := s.PutFunctionEventInvokeConfig(s.ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(0), MaximumEventAgeInSeconds: aws.Int32(60)})
	s.must(err)
	if *put.FunctionArn != s.arn("f:$LATEST") || *put.MaximumRetryAttempts != 0 || *put.MaximumEventAgeInSeconds != 60 || put.LastModified.IsZero() {
		t.Errorf("%+v", put)
	}
	_, err = s.PutFunctionEventInvokeConfig(s.ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("1"), MaximumRetryAttempts: aws.Int32(2)})
	s.must(err)
	updated, err := s.UpdateFunctionEventInvokeConfig(s.ctx, &sdk.UpdateFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(1)})
	s.must(err)
	if *updated.MaximumRetryAttempts != 1 || *updated.MaximumEventAgeInSeconds != 60 {
		t.Errorf("%+v", updated)
	}
	list, err := s.ListFunctionEventInvokeConfigs(s.ctx, &sdk.ListFunctionEventInvokeConfigsInput{FunctionName: aws.String("f")})
	s.must(err)
	if len(list.FunctionEventInvokeConfigs) != 2 || *list.FunctionEventInvokeConfigs[1].FunctionArn != s.arn("f:1") {
		t.Errorf("%+v", list)
	}
	for destination, says := range map[string]string{
		"arn:aws:sqs:us-east-1:123456789012:q": "arn:aws:sqs:us-east-1:123456789012:q is not supported",
		"arn:aws:sns:us-east-1:123456789012:t": "is not supported",
		"arn:aws:s3:::bucket":                  "is not supported",
		s.arn("nobody"):                        "there is no such function",
	} {
		_, err = s.PutFunctionEventInvokeConfig(s.ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"),
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(destination)}}})
		s.refused(err, "InvalidParameterValueException", says)
	}
	_, err = s.DeleteFunctionEventInvokeConfig(s.ctx, &sdk.DeleteFunctionEventInvokeConfigInput{FunctionName: aws.String("f")})
	s.must(err)
	_, err = s.GetFunctionEventInvokeConfig(s.ctx, &sdk.GetFunctionEventInvokeConfigInput{FunctionName: aws.String("f")})
	s.refused(err, "ResourceNotFoundException", "doesn't have")
}

// serve is the server that is there to be killed: it says where it is and waits.
func serve(dir string) int {
	s, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, s.node.Addr())
	select {}
}

// running is a server in a process of its own.
type running struct {
	cmd  *exec.Cmd
	addr string
}

func startProcess(t *testing.T, dir string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: exec.Command(self, "serve", dir)}
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the server did not start: ", err)
	}
	r.addr = strings.TrimSpace(line)
	return r
}

// kill is kill -9.
func (r *running) kill() {
	_ = r.cmd.Process.Kill() // dead already is what we want
	_ = r.cmd.Wait()
}

// A server that is killed between acknowledging events and being done with them runs them after its restart: one that was under way again, and those that waited. Those that
// were done before do not run again. Functions do not outlive their server.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	r := startProcess(t, dir)
	account := nextAccount()
	s := &session{Client: client(t, "http://"+r.addr, account, "any"), t: t, ctx: t.Context(), account: account}
	s.create("f", "report", nil)
	_, err := s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(1)})
	s.must(err)
	l := listen(t)
	to := l.Addr().String()
	s.event("f", map[string]any{"to": to, "say": "done"})
	l.next(s)
	eventually(t, "the event to be done", func() bool { // they run one at a time
		_, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"to":"` + to + `","say":"sync"}`)})
		return err == nil
	})
	l.next(s)
	s.event("f", map[string]any{"to": to, "say": "pid", "hang": true})
	id, text := l.next(s)
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("heard %q", text)
	}
	s.event("f", map[string]any{"to": to, "say": "waits"}) // acknowledged, and throttled by the one that hangs
	r.kill()
	eventually(t, "the function to end with its server", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })

	r = startProcess(t, dir)
	s.Client = client(t, "http://"+r.addr, account, "any")
	_, err = s.PutFunctionConcurrency(s.ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(2)})
	s.must(err)
	heard := map[string]string{}
	for len(heard) < 2 {
		again, text := l.next(s)
		if _, err := strconv.Atoi(text); err == nil {
			text = "under way"
		}
		heard[text] = again
	}
	if heard["under way"] != id || heard["waits"] == "" {
		t.Errorf("heard %v", heard)
	}
}

// zombie says whether a process has ended and nobody has waited for it yet.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}
