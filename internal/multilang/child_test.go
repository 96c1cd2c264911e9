package multilang

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// childMode is the variable that makes the test's own binary a child, and says how it behaves.
const childMode = "WEIR_MULTILANG_TEST_CHILD"

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if file, ok := strings.CutPrefix(mode, "record:"); ok {
		record(file)
		return
	}
	switch mode {
	case "":
		os.Exit(serve(m))
	case "daemon":
		daemon()
	case "stay": // whatever becomes of its input and output
		forever()
	default:
		behave(mode)
	}
}

// behave is a record processor. It prints what it gets on standard error, and answers as a processor of the KCL does, unless its mode says otherwise.
func behave(mode string) {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	next := func() map[string]any {
		line, err := in.ReadString('\n')
		if err != nil {
			fmt.Fprintln(os.Stderr, "end of input")
			if mode == "stubborn" {
				forever()
			}
			os.Exit(0)
		}
		if len(line) < 10_000 {
			fmt.Fprint(os.Stderr, "got ", line)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			os.Exit(99)
		}
		return m
	}
	say := func(text string) { fmt.Fprintf(os.Stdout, "\n%s\n", text) }
	checkpoint := func(rest string) {
		say(`{"action":"checkpoint"` + rest + `}`)
		next()
	}
	for {
		m := next()
		action := m["action"].(string)
		at, _, _ := strings.Cut(mode, ":")
		if at == action { // what the mode says of this action
			switch _, how, _ := strings.Cut(mode, ":"); how {
			case "die":
				os.Exit(3)
			case "hang":
				forever()
			case "hang with children":
				linger()
				forever()
			case "die with children":
				linger()
				os.Exit(3)
			case "wrong":
				say(`{"action":"status","responseFor":"somethingElse"}`)
			case "null":
				say(`{"action":"status"}`)
			case "close":
				os.Stdout.Close()
				forever()
			case "garbage":
				say("DEBUG working")
				say(`{"action":"status","responseFor":`)
				say(`{"action":"initialize","shardId":"x"}`)
				say(`["status"]`)
			case "long":
				fmt.Fprintln(os.Stdout, strings.Repeat("x", lineBytesMax+1))
				fmt.Fprintln(os.Stdout, strings.Repeat("y", 3*lineBytesMax))
			case "flood":
				for {
					say("x")
				}
			case "checkpoint":
				checkpoint("")
			case "checkpoint at":
				checkpoint(`,"sequenceNumber":"12"`)
				checkpoint(`,"sequenceNumber":"12","subSequenceNumber":3`)
				checkpoint(`,"sequenceNumber":null,"subSequenceNumber":null`)
			case "checkpoint and die":
				say(`{"action":"checkpoint"}`)
				os.Exit(3)
			case "deaf":
				os.Stdin.Close()
				say(`{"action":"checkpoint"}`)
				forever()
			}
		}
		if mode == "checkpoints" && (action == actionProcessRecords || action == actionShardEnded || action == actionShutdownRequested) {
			checkpoint("")
		}
		say(`{"action":"status","responseFor":"` + action + `"}`)
		if mode == "idle" || mode == "leaves" && action == actionInitialize {
			os.Exit(4)
		}
	}
}

// linger starts a process that stays, with this one's pipes, and says its number.
func linger() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childMode + "=stubborn"}
	in, _ := cmd.StdinPipe() // its input does not end with ours
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		os.Exit(98)
	}
	fmt.Fprintf(os.Stderr, "child %d %v\n", cmd.Process.Pid, in != nil)
}

// said is what was said, with the shard before it.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(shard, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, shard+": "+text)
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func (s *said) has(text string) bool {
	return slices.ContainsFunc(s.all(), func(line string) bool { return strings.Contains(line, text) })
}

// patience is how long a test waits for something that should take a moment.
const patience = 60 * time.Second

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s until %s", patience, what)
		case <-tick.C:
		}
	}
}

// trial is a processor of one shard with a child of a mode, on a clock that stands.
type trial struct {
	*processor
	t     *testing.T
	clock *clock.Manual
	said  *said
	ctx   context.Context
}

func try(t *testing.T, mode string) *trial {
	t.Helper()
	tr := &trial{t: t, clock: clock.NewManual(time.Unix(1_000_000, 0)), said: &said{}, ctx: t.Context()}
	r := &round{
		settings:    &Settings{Command: []string{os.Args[0]}, Timeout: 10 * time.Second, WarnAfter: 3 * time.Second},
		environment: append(os.Environ(), childMode+"="+mode), clock: tr.clock, say: tr.said.say,
		halt: make(chan struct{}), failures: make(chan error, 1), children: map[*child]bool{},
	}
	tr.processor = &processor{round: r, shard: "shard-7"}
	t.Cleanup(func() {
		r.end()
		if t.Failed() {
			t.Log(strings.Join(tr.said.all(), "\n"))
		}
	})
	return tr
}

// failure is the round's, if there is one.
func (tr *trial) failure() error {
	select {
	case err := <-tr.round.failures:
		return err
	default:
		return nil
	}
}

// forever stays for as long as a test may take. An empty select would be taken for a deadlock.
func forever() { <-time.NewTimer(time.Hour).C }
