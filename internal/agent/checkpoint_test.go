package agent

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/client/follow"
	"github.com/weir-stream/weir/internal/vfs"
)

func someplaces() FlowPlaces {
	return FlowPlaces{Begun: true, Files: map[string]Place{"/a.log": {
		Saved:  follow.Saved{Path: "/a.log", Position: follow.Position{Offset: 7, Tail: []byte("tail"), ID: "1:2"}, Skipped: []follow.Position{}},
		Header: 2, Updated: time.Unix(1e9, 0).UTC(),
	}}}
}

// Shows that checkpoints are there again, that only one agent has them, and that a file which is damaged, cut short or something else is refused by name and left
// as it is.
func TestCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "checkpoints")
	c, err := OpenCheckpoints(path)
	must(t, err)
	must(t, c.Save("flow", someplaces()))
	if _, err := OpenCheckpoints(path); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	must(t, c.Close())
	c, err = OpenCheckpoints(path)
	must(t, err)
	if got := c.Flow("flow"); !got.Begun || got.Files["/a.log"].Position.Offset != 7 || string(got.Files["/a.log"].Position.Tail) != "tail" || got.Files["/a.log"].Header != 2 {
		t.Errorf("read %+v", got)
	}
	must(t, c.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-10] ^= 1
	for name, text := range map[string][]byte{
		"empty": {}, "cut short": whole[:len(whole)-1], "only a header": whole[:34], "damaged": flipped, "something else": []byte("{}\n"), "sqlite": []byte(sqliteHeader + "rest"),
		"later version": bytes.Replace(whole, []byte("checkpoints 1"), []byte("checkpoints 2"), 1),
	} {
		must(t, os.WriteFile(path, text, 0o600))
		_, err := OpenCheckpoints(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// Shows that a power failure at any moment of a save leaves the checkpoints before it or those it wrote.
func TestCheckpointPowerFailure(t *testing.T) {
	for _, seed := range seeds(100) {
		random := rand.New(rand.NewPCG(seed, 5))
		memory := vfs.NewMem()
		rule := vfs.Rule{Op: vfs.OpMutation, Nth: 1 + random.IntN(8), Times: -1, Part: random.Float64()}
		c, err := openCheckpoints(memory, "/checkpoints")
		must(t, err)
		must(t, c.Save("flow", FlowPlaces{Begun: true}))
		c.fs = vfs.NewFaulty(memory, rule)
		failed := c.Save("flow", someplaces()) != nil
		crashed, err := openCheckpoints(memory.CrashClone(random), "/checkpoints")
		if err != nil {
			t.Fatalf("go test ./internal/agent -run PowerFailure -seed %d: %v", seed, err)
		}
		got := crashed.Flow("flow")
		if !got.Begun || !failed && len(got.Files) != 1 {
			t.Errorf("go test ./internal/agent -run PowerFailure -seed %d: failed %t, and then there is %+v", seed, failed, got)
		}
	}
}

// Shows that flows which save at once all come through, and that an error of one write is made good by the next.
func TestCheckpointsTogether(t *testing.T) {
	c, err := OpenCheckpoints(filepath.Join(t.TempDir(), "checkpoints"))
	must(t, err)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				if err := c.Save(string(rune('a'+i)), someplaces()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, c.Close())
	c, err = OpenCheckpoints(c.path)
	must(t, err)
	defer c.Close()
	if len(c.flows) != 20 {
		t.Errorf("%d flows", len(c.flows))
	}
}

// FuzzCheckpoints shows that no file breaks the reader, and that what it takes it writes again.
func FuzzCheckpoints(f *testing.F) {
	text, err := encodeCheckpoints(map[string]FlowPlaces{"flow": someplaces()})
	must(f, err)
	f.Add(text)
	f.Add([]byte(checkpointHeader + checksum([]byte("{}")) + "\n{}"))
	f.Add([]byte(sqliteHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		flows, err := decodeCheckpoints(text)
		if err != nil {
			return
		}
		again, err := encodeCheckpoints(flows)
		must(t, err)
		twice, err := decodeCheckpoints(again)
		must(t, err)
		a, err := json.Marshal(flows)
		must(t, err)
		b, err := json.Marshal(twice)
		must(t, err)
		if !bytes.Equal(a, b) {
			t.Errorf("%s became %s", a, b)
		}
	})
}
