package multilang

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weir-stream/weir/consumer"
)

// checks is a Checkpointer that remembers, and fails when told to.
type checks struct {
	at    []string
	fails error
}

func (c *checks) Checkpoint(context.Context) error {
	c.at = append(c.at, "all")
	return c.fails
}

func (c *checks) CheckpointAt(_ context.Context, p consumer.Position) error {
	c.at = append(c.at, p.String())
	return c.fails
}

var start = consumer.Start{Shard: "shard-7", From: consumer.Position{SequenceNumber: "TRIM_HORIZON"}}

func batch(c consumer.Checkpointer) consumer.Batch {
	return consumer.Batch{Checkpoint: c, Records: []consumer.Record{{Data: []byte("hello"), PartitionKey: "k", SequenceNumber: "12", SubSequenceNumber: 3}}}
}

func (tr *trial) begin() {
	tr.t.Helper()
	if err := tr.Initialize(tr.ctx, start); err != nil {
		tr.t.Fatal(err)
	}
}

// wait is for what the child prints, which comes beside its answers.
func (tr *trial) wait(lines ...string) {
	tr.t.Helper()
	for _, line := range lines {
		eventually(tr.t, fmt.Sprintf("%q is said", line), func() bool { return tr.said.has(line) })
	}
}

// TestLives shows the lives of a shard's processor from the child's side: each ends with the end of its input, and leaves no process.
func TestLives(t *testing.T) {
	for name, end := range map[string]func(*trial, *checks) error{
		"leaseLost": func(tr *trial, _ *checks) error { tr.LeaseLost(tr.ctx); return nil },
		"shardEnded": func(tr *trial, c *checks) error {
			return tr.ShardEnded(tr.ctx, c)
		},
		"shutdownRequested": func(tr *trial, c *checks) error { return tr.ShutdownRequested(tr.ctx, c) },
	} {
		t.Run(name, func(t *testing.T) {
			tr, c := try(t, "checkpoints"), &checks{}
			tr.begin()
			process := tr.child
			for range 2 {
				if err := tr.ProcessRecords(tr.ctx, batch(c)); err != nil {
					t.Fatal(err)
				}
			}
			if err := end(tr, c); err != nil {
				t.Fatal(err)
			}
			select {
			case <-process.done:
			default:
				t.Error("the child is left")
			}
			var actions []string
			for _, line := range tr.said.all() {
				line = strings.TrimPrefix(line, "shard-7: ")
				if rest, ok := strings.CutPrefix(line, `got {"action":"`); ok {
					line, _, _ = strings.Cut(rest, `"`)
				}
				actions = append(actions, line)
			}
			want := []string{"initialize", "processRecords", "checkpoint", "processRecords", "checkpoint", name}
			made := 2
			if name != "leaseLost" {
				want, made = append(want, "checkpoint"), 3
			}
			if name == "shutdownRequested" {
				want = append(want, "leaseLost")
			}
			want = append(want, "end of input")
			if !slices.Equal(actions, want) {
				t.Errorf("the child got %v, want %v", actions, want)
			}
			if len(c.at) != made {
				t.Errorf("checkpoints %v, want %d", c.at, made)
			}
			if err := tr.failure(); err != nil {
				t.Errorf("failed: %v", err)
			}
		})
	}
}

// TestCheckpoints shows every way to ask for a checkpoint, and the answer to each outcome.
func TestCheckpoints(t *testing.T) {
	tr, c := try(t, "processRecords:checkpoint at"), &checks{}
	tr.begin()
	if err := tr.ProcessRecords(tr.ctx, batch(c)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"12", "12/3", "all"}; !slices.Equal(c.at, want) {
		t.Errorf("checkpoints %v, want %v", c.at, want)
	}
	tr.wait(`got {"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":null,"error":null}`,
		`got {"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3,"error":null}`,
		`got {"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}`)
	for _, row := range []struct {
		fails error
		want  string
	}{
		{consumer.ErrLeaseLost, "ShutdownException"},
		{fmt.Errorf("wrapped: %w", consumer.ErrPosition), "IllegalArgumentException"},
		{&types.ProvisionedThroughputExceededException{}, "ThrottlingException"},
		{&types.RequestLimitExceeded{}, "ThrottlingException"},
		{&types.ResourceNotFoundException{}, "InvalidStateException"},
		{errors.New("no route"), "KinesisClientLibDependencyException"},
	} {
		c.fails = row.fails
		if err := tr.ProcessRecords(tr.ctx, batch(c)); err != nil {
			t.Fatalf("%v: %v", row.fails, err)
		}
		tr.wait(`"error":"` + row.want + `"}`)
	}
	if err := tr.failure(); err != nil {
		t.Errorf("failed: %v", err)
	}
}

// TestNoCheckpointer shows the answer where there is nothing to checkpoint.
func TestNoCheckpointer(t *testing.T) {
	tr := try(t, "initialize:checkpoint")
	tr.begin()
	tr.wait(`"error":"InvalidStateException"}`)
}

// TestShardEndIsInsistedOn shows that a child that does not checkpoint at the end of its shard is told again, and that the last record's position is as good as none.
func TestShardEndIsInsistedOn(t *testing.T) {
	tr, c := try(t, "good"), &checks{}
	tr.begin()
	for range 2 {
		if err := tr.ShardEnded(tr.ctx, c); err == nil || !strings.Contains(err.Error(), "not checkpointed") {
			t.Fatal(err)
		}
	}
	if tr.child == nil || tr.failure() != nil {
		t.Error("the child was given up")
	}
	tr, c = try(t, "shardEnded:checkpoint at"), &checks{}
	tr.begin()
	if err := tr.ProcessRecords(tr.ctx, batch(c)); err != nil {
		t.Fatal(err)
	}
	if err := tr.ShardEnded(tr.ctx, c); err != nil {
		t.Fatal(err)
	}
	if want := []string{"12", "all", "all"}; !slices.Equal(c.at, want) {
		t.Errorf("checkpoints %v, want %v", c.at, want)
	}
	tr, c = try(t, "shardEnded:checkpoint"), &checks{fails: errors.New("no route")}
	tr.begin()
	if err := tr.ShardEnded(tr.ctx, c); err == nil {
		t.Error("a checkpoint that failed counts")
	}
	c.fails = nil
	if err := tr.ShardEnded(tr.ctx, c); err != nil {
		t.Error(err)
	}
}

// TestHarmless shows what a child may print without harm, and that it is passed on.
func TestHarmless(t *testing.T) {
	tr := try(t, "processRecords:garbage")
	tr.begin()
	if err := tr.ProcessRecords(tr.ctx, batch(&checks{})); err != nil {
		t.Fatal(err)
	}
	tr.wait("shard-7: DEBUG working", `shard-7: {"action":"status","responseFor":`, `shard-7: ["status"]`, `sent "initialize", which has no meaning`)
	tr = try(t, "processRecords:long")
	tr.begin()
	if err := tr.ProcessRecords(tr.ctx, batch(&checks{})); err != nil {
		t.Fatal(err)
	}
	dropped := 0
	for _, line := range tr.said.all() {
		if strings.Contains(line, "dropped a line of more than 1048576 bytes") {
			dropped++
		}
	}
	if dropped != 2 {
		t.Errorf("%d lines dropped, want 2", dropped)
	}
	big := consumer.Batch{Checkpoint: &checks{}, Records: []consumer.Record{{Data: make([]byte, 10<<20), PartitionKey: "k", SequenceNumber: "1"}}}
	if err := tr.ProcessRecords(tr.ctx, big); err != nil {
		t.Fatal(err)
	}
}

// TestMisbehaviour shows what a child may not do, a row for each: what is said of it, and that the processor takes no more calls and leaves no process.
func TestMisbehaviour(t *testing.T) {
	for _, row := range []struct {
		mode, says string
		timers     int // so many must be armed before the clock goes on; 0 for a clock that stands
	}{
		{"processRecords:die", "processRecords: the processor ended: exit status 3", 0},
		{"processRecords:die with children", "processRecords: the processor ended: exit status 3", 0},
		{"processRecords:checkpoint and die", "processRecords: the processor ended: exit status 3", 0},
		{"processRecords:wrong", `a status for "somethingElse"`, 0},
		{"processRecords:null", `a status for ""`, 0},
		{"processRecords:hang", "has not answered within 10s", 2},
		{"processRecords:hang with children", "has not answered within 10s", 2},
		{"processRecords:flood", "has not answered within 10s", 2},
		{"processRecords:close", "closed its standard input or output", 3},
		{"processRecords:deaf", "closed its standard input or output", 3},
	} {
		t.Run(row.mode, func(t *testing.T) {
			t.Parallel()
			tr := try(t, row.mode)
			tr.begin()
			process := tr.child
			result := make(chan error, 1)
			go func() { result <- tr.ProcessRecords(tr.ctx, batch(&checks{})) }()
			var err error
			tr.wait(`got {"action":"processRecords"`)
			if strings.HasSuffix(row.mode, "hang with children") {
				tr.wait(": child ")
			}
			eventually(t, "the call ends", func() bool {
				if row.timers > 0 && tr.clock.Waiting() >= row.timers {
					tr.clock.Advance(time.Second)
				}
				select {
				case err = <-result:
					return true
				default:
					return false
				}
			})
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error %v, want one that says %q", err, row.says)
			}
			if again := tr.ProcessRecords(tr.ctx, batch(&checks{})); !errors.Is(again, err) {
				t.Errorf("the next call: %v", again)
			}
			if err := tr.ShutdownRequested(tr.ctx, &checks{}); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			tr.LeaseLost(tr.ctx)
			if why := tr.failure(); !errors.Is(why, err) {
				t.Errorf("the round fails with %v", why)
			}
			select {
			case <-process.done:
			default:
				t.Error("the child is left")
			}
			if strings.Contains(row.mode, "with children") {
				tr.wait(": child ")
				eventually(t, "the child's child is gone", func() bool { return !alive(t, tr.said.all()) })
			}
			if row.mode == "processRecords:hang" && !tr.said.has("the processor has been at processRecords for") {
				t.Error("nobody was warned")
			}
		})
	}
}

// alive says whether the process runs whose number a child said.
func alive(t *testing.T, lines []string) bool {
	t.Helper()
	for _, line := range lines {
		if _, rest, ok := strings.Cut(line, ": child "); ok {
			pid, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(line)
			}
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil { // there is no /proc, or no such process
				process, err := os.FindProcess(pid)
				return err == nil && process.Signal(syscall.Signal(0)) == nil
			}
			return !strings.Contains(string(state), ") Z ") // a zombie waits for whoever collects orphans
		}
	}
	t.Fatal("no child's number was said")
	return false
}

// TestStartFails shows that a program that is not there, or ends at once, is told with its name.
func TestStartFails(t *testing.T) {
	tr := try(t, "good")
	tr.round.settings.Command = []string{"/does/not/exist.py"}
	if err := tr.Initialize(tr.ctx, start); err == nil || !strings.Contains(err.Error(), "/does/not/exist.py") {
		t.Error(err)
	}
	if tr.failure() == nil {
		t.Error("the round goes on")
	}
	tr = try(t, "initialize:die")
	if err := tr.Initialize(tr.ctx, start); err == nil || !strings.Contains(err.Error(), "initialize: the processor ended: exit status 3") {
		t.Error(err)
	}
}

// TestDiesIdle shows that a child that ends between two calls is noticed at once.
func TestDiesIdle(t *testing.T) {
	tr := try(t, "leaves")
	_ = tr.Initialize(tr.ctx, start) // the child may be gone before or after
	var why error
	eventually(t, "the round fails", func() bool { why = tr.failure(); return why != nil })
	if !strings.Contains(why.Error(), "exit status 4") {
		t.Error(why)
	}
	if err := tr.ProcessRecords(tr.ctx, batch(&checks{})); err == nil {
		t.Error("a dead child processed records")
	}
}

// TestStubborn shows that a child that does not end with its input is killed after a while.
func TestStubborn(t *testing.T) {
	tr := try(t, "stubborn")
	tr.begin()
	done := make(chan struct{})
	go func() { tr.LeaseLost(tr.ctx); close(done) }()
	tr.wait("end of input")
	tr.clock.BlockUntil(1)
	tr.clock.Advance(closeGrace)
	<-done
	tr.wait("did not end with its input")
}

// TestHalt shows that a call that waits ends when the daemon has no more patience, and that the end of a lease alone does not end it: the child must answer first.
func TestHalt(t *testing.T) {
	tr := try(t, "processRecords:hang")
	tr.begin()
	ctx, lose := context.WithCancel(tr.ctx)
	result := make(chan error, 1)
	go func() { result <- tr.ProcessRecords(ctx, batch(&checks{})) }()
	tr.wait(`got {"action":"processRecords"`)
	lose()
	select {
	case err := <-result:
		t.Fatalf("ended with the lease: %v", err)
	default:
	}
	close(tr.round.halt)
	if err := <-result; !errors.Is(err, errHalted) {
		t.Error(err)
	}
}

// TestLeaseLostMeanwhile shows that a checkpoint after the end of the lease is answered as in Java.
func TestLeaseLostMeanwhile(t *testing.T) {
	tr := try(t, "processRecords:checkpoint")
	tr.begin()
	ctx, lose := context.WithCancel(tr.ctx)
	lose()
	if err := tr.ProcessRecords(ctx, batch(&checks{fails: context.Canceled})); err != nil {
		t.Fatal(err)
	}
	tr.wait(`"error":"ShutdownException"}`)
}
