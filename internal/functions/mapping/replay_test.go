package mapping

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fold/commands"
)

func randomCommand(r *rand.Rand, c *Catalog) Command {
	uuid := fmt.Sprint("u", r.IntN(4))
	was := int64(r.IntN(3))
	if m := c.mappings[uuid]; m != nil && r.IntN(4) > 0 {
		was = m.Changed
	}
	config := Defaults()
	config.BatchSize += r.IntN(3)
	function := functionARN(fmt.Sprint("f", r.IntN(3)))
	switch r.IntN(7) {
	case 0:
		return Create{UUID: uuid, Account: account, Region: region, Function: function, Source: "s", Starting: Starting{"AT_TIMESTAMP", start}, Config: config, Enabled: r.IntN(2) == 0, Tags: map[string]string{"a": "b"}}
	case 1:
		return Update{UUID: uuid, Was: was, Function: function, Config: config, Enabled: r.IntN(2) == 0}
	case 2:
		return Delete{uuid}
	case 3, 4:
		return Settled{uuid, was}
	case 5:
		return Gone{uuid}
	default:
		return Processed{uuid, fmt.Sprint(r.IntN(3))}
	}
}

// The same commands on two catalogs, one of which goes through its bytes at random points, give the same results and bytes; no catalog that was handed out changes.
func TestReplayIsDeterministic(t *testing.T) {
	r := random(t)
	type kept struct {
		catalog *Catalog
		bytes   []byte
	}
	var handedOut []kept
	a, b := &Catalog{}, &Catalog{}
	at, position := start, commitlog.Position(0)
	done := map[string]int{}
	for range 3_000 {
		at, position = at.Add(time.Duration(r.IntN(1000))*time.Millisecond), position+1+r.Int64N(3)
		c := randomCommand(r, a)
		command, err := commands.Encode(c.kind(), c)
		must(t, err)
		nextA, resultA, errA := Apply(a, at, position, command)
		nextB, resultB, errB := Apply(b, at, position, command)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if commands.DecodeResult(resultA, nil) == nil && !bytes.Equal(a.Encode(), nextA.Encode()) {
			done[c.kind()]++
		}
		a, b = nextA, nextB
		if !bytes.Equal(resultA, resultB) || !bytes.Equal(a.Encode(), b.Encode()) {
			t.Fatalf("%s: %s %s", command, resultA, resultB)
		}
		if r.IntN(40) == 0 {
			encoded := b.Encode()
			b, err = DecodeCatalog(encoded)
			must(t, err)
			handedOut = append(handedOut, kept{a, encoded})
		}
	}
	for _, k := range handedOut {
		if !bytes.Equal(k.catalog.Encode(), k.bytes) {
			t.Fatal("a catalog changed after it was handed out")
		}
	}
	for kind := range known {
		if done[kind] == 0 {
			t.Errorf("%s was never done", kind)
		}
	}
}

func FuzzApply(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	c := &Catalog{}
	for i := range 50 {
		command := randomCommand(r, c)
		b, err := commands.Encode(command.kind(), command)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		if next, _, err := Apply(c, start, int64(i), b); err == nil {
			c = next
		}
	}
	before := c.Encode()
	f.Fuzz(func(t *testing.T, b []byte) {
		next, _, err := Apply(c, start, 100, b)
		if err != nil {
			return
		}
		if again, err := DecodeCatalog(next.Encode()); err == nil && !bytes.Equal(again.Encode(), next.Encode()) {
			t.Error("a catalog's bytes give another")
		}
		if !bytes.Equal(c.Encode(), before) {
			t.Error("a catalog was changed")
		}
	})
}

func FuzzWindow(f *testing.F) {
	f.Add(windowFor(start.UnixMilli(), 60).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := decodeWindow(b); err == nil && w != nil {
			if again, err := decodeWindow(w.encode()); err != nil || string(again.State) == "" && string(w.State) != "" {
				t.Errorf("%s: %v", b, err)
			}
		}
	})
}
