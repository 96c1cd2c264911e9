package readers

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/readers -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, s))
}

// The same commands on two states, one of which goes through its bytes at random points, give the same results and bytes; no state that was handed out changes.
func TestReplayIsDeterministic(t *testing.T) {
	r := random(t)
	type kept struct {
		state *checkpointState
		bytes []byte
	}
	var handedOut []kept
	a, b := &checkpointState{}, &checkpointState{}
	refused := 0
	for range 3_000 {
		consumer := fmt.Sprintf("mapping/%d", r.IntN(3))
		var command []byte
		if r.IntN(20) == 0 {
			c := dropCheckpoints{consumer: consumer}
			for range r.IntN(3) {
				c.shards = append(c.shards, fmt.Sprint(r.IntN(5)))
			}
			command = c.encode()
		} else {
			to := Checkpoint{Position: r.Int64N(100) - 1, Done: r.IntN(10) == 0, State: make([]byte, r.IntN(5))}
			command = setCheckpoint{consumer, fmt.Sprint(r.IntN(5)), to}.encode()
		}
		nextA, resultA, errA := a.apply(command)
		nextB, resultB, errB := b.apply(command)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		a, b = nextA, nextB
		if !bytes.Equal(resultA, resultB) || !bytes.Equal(a.encode(), b.encode()) {
			t.Fatalf("%x: %q %q", command, resultA, resultB)
		}
		if len(resultA) > 0 {
			refused++
		}
		if r.IntN(40) == 0 {
			encoded := b.encode()
			var err error
			if b, err = decodeCheckpoints(encoded); err != nil {
				t.Fatal(err)
			}
			handedOut = append(handedOut, kept{a, encoded})
		}
	}
	for _, k := range handedOut {
		if !bytes.Equal(k.state.encode(), k.bytes) {
			t.Fatal("a state changed after it was handed out")
		}
	}
	if refused == 0 || len(handedOut) == 0 {
		t.Error("the test tests little")
	}
}

// Checkpoints survive a restart, from the log and from snapshots; a consumer never goes back; what is dropped is gone.
func TestCheckpointsSurvive(t *testing.T) {
	store := commitlog.NewMemory(clock.Real, commitlog.Forever)
	id := commitlog.ID{Member: 4}
	if err := store.Create(t.Context(), id, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	session := uint64(0)
	run := func(do func(c *Checkpoints)) {
		session++
		c, err := OpenCheckpoints(t.Context(), CheckpointOptions{Log: log, FS: fs, Dir: "checkpoints", Clock: clock.Real, Session: session, SnapshotEvery: 16})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		do(c)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	run(func(c *Checkpoints) {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if err := c.Set(t.Context(), "a", fmt.Sprint(i), Checkpoint{Position: int64(i), State: []byte{byte(i)}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := c.Set(t.Context(), "a", "7", Checkpoint{Position: 6}); !fault.Is(err, fault.WrongState) {
			t.Errorf("went back: %v", err)
		}
		if err := c.Set(t.Context(), "a", "7", Checkpoint{Position: 7, State: make([]byte, stateMax+1)}); !fault.Is(err, fault.Invalid) {
			t.Errorf("too much state: %v", err)
		}
		if err := c.Drop(t.Context(), "a", "8", "no such"); err != nil {
			t.Error(err)
		}
	})
	run(func(c *Checkpoints) {
		for i := range 100 {
			got, has := c.Get("a", fmt.Sprint(i))
			if has != (i != 8) || has && (got.Position != int64(i) || !bytes.Equal(got.State, []byte{byte(i)})) {
				t.Errorf("%d: %+v, %v", i, got, has)
			}
		}
		if err := c.Drop(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	})
	run(func(c *Checkpoints) {
		if left := c.Shards("a"); len(left) != 0 {
			t.Errorf("dropped, and there: %v", left)
		}
	})
}

func FuzzCheckpointCommands(f *testing.F) {
	f.Add(setCheckpoint{"c", "s", Checkpoint{Position: 300, Done: true, State: []byte("x")}}.encode())
	f.Add(dropCheckpoints{"c", []string{"s", "t"}}.encode())
	f.Add(dropCheckpoints{consumer: "c"}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := (&checkpointState{}).apply(b)
		if err != nil {
			return
		}
		if again, err := decodeCheckpoints(s.encode()); err != nil || !bytes.Equal(again.encode(), s.encode()) {
			t.Errorf("%x: %v", b, err)
		}
	})
}

func FuzzCheckpointSnapshot(f *testing.F) {
	s := &checkpointState{}
	f.Add(s.encode())
	for _, c := range []string{"b", "a"} {
		s, _, _ = s.apply(setCheckpoint{c, "s", Checkpoint{Position: -1, State: []byte("x")}}.encode())
		s, _, _ = s.apply(setCheckpoint{c, "r", Checkpoint{Position: 9, Done: true}}.encode())
	}
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeCheckpoints(b)
		if err == nil && !bytes.Equal(s.encode(), b) {
			t.Errorf("%x was written again as %x", b, s.encode())
		}
	})
}
