package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestMain lets the test binary be weir, for the tests that kill a server: childServer starts this binary with the mark.
func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" || len(os.Args) > 1 && (os.Args[1] == launchWord || os.Args[1] == enrichWord) {
		main()
		return
	}
	os.Exit(m.Run())
}

// buffer is an output that a test reads while a command writes. changed has room for one word, "look".
type buffer struct {
	mu      sync.Mutex // guards text
	text    bytes.Buffer
	changed chan struct{}
}

func newBuffer() *buffer { return &buffer{changed: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// until waits until the output holds text.
func (b *buffer) until(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	b.untilIt(t, ctx, text, func(all string) bool { return strings.Contains(all, text) })
}

// untilIt waits until the output, as a whole, is what it should be.
func (b *buffer) untilIt(t *testing.T, ctx context.Context, what string, is func(all string) bool) {
	t.Helper()
	for !is(b.String()) {
		select {
		case <-b.changed:
		case <-ctx.Done():
			t.Fatalf("the output never held %s:\n%s", what, b.String())
		}
	}
}

// trial is a terminal for a test: nobody looks, and the environment is the test's own.
type trial struct {
	*terminal
	stdout, stderr *buffer
	env            map[string]string
}

func newTrial(stdin string) *trial {
	tr := &trial{stdout: newBuffer(), stderr: newBuffer(), env: map[string]string{}}
	tr.terminal = &terminal{
		in: strings.NewReader(stdin), out: tr.stdout, err: tr.stderr,
		getenv: func(name string) string { return tr.env[name] },
		size:   func() (int, int) { return 120, 50 },
	}
	return tr
}

// weir runs a command with an environment and gives what it printed and its exit code.
func weir(t *testing.T, env map[string]string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	tr := newTrial(stdin)
	tr.env = env
	code = run(t.Context(), tr.terminal, args)
	return tr.stdout.String(), tr.stderr.String(), code
}
