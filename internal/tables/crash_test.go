package tables

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

var seed = flag.Uint64("seed", 0, "repeat a random test; 0 takes another each time")

func seedOf(t *testing.T) uint64 {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("repeat with: go test ./internal/tables -run %s -seed %d", t.Name(), s)
	return s
}

// TestPowerLoss writes from several sides, takes what power loss may leave of the disk at a random moment, opens it, and holds it against what was acknowledged
// and against itself: the table is what its changes add up to, indexes are what the table projects, a transaction is whole. A checkpoint is made every few commands.
func TestPowerLoss(t *testing.T) { crash(t, 12, (*vfs.Mem).CrashClone) }

// TestKill is TestPowerLoss for the death of the process alone.
func TestKill(t *testing.T) {
	crash(t, 8, func(m *vfs.Mem, _ *rand.Rand) *vfs.Mem { return m.KillClone() })
}

const (
	crashWriters = 4
	crashKeys    = 5
	crashMoney   = 1000
)

func crash(t *testing.T, rounds int, clone func(*vfs.Mem, *rand.Rand) *vfs.Mem) {
	base := seedOf(t)
	for round := range rounds {
		r := rand.New(rand.NewPCG(base, uint64(round)))
		mem := vfs.NewMem()
		w := begin(t, mem, clock.Real, 3+r.IntN(40))
		tab := w.makeTable("t", false, func(c *CreateTable) {
			c.View = "NEW_AND_OLD_IMAGES"
			c.Indexes = []NewIndex{{Name: "byG", Key: KeySchema{Hash: KeyAttribute{"g", value.S}}, Projection: "ALL"}}
		})
		w.put(tab, item("k", "left", "n", crashMoney))
		w.put(tab, item("k", "right", "n", 0))

		var acknowledged, begun [crashWriters][crashKeys]atomic.Int64
		var moved, moving atomic.Int64
		ctx, cancel := context.WithCancel(context.Background())
		var writers sync.WaitGroup
		reached := make(chan struct{})
		enough := int64(20 + r.IntN(300))
		var total atomic.Int64
		region := w.region()
		for i := range crashWriters {
			own := rand.New(rand.NewPCG(base, uint64(1000*round+i)))
			writers.Go(func() {
				for ctx.Err() == nil {
					k := own.IntN(crashKeys)
					n := begun[i][k].Add(1)
					var err error
					switch own.IntN(3) {
					case 0:
						moving.Add(1)
						_, err = region.Write(ctx, []Write{
							{Table: tab, Verb: VerbUpdate, Item: item("k", "left"), Update: update(t, "SET n = n - :0", num(1))},
							{Table: tab, Verb: VerbUpdate, Item: item("k", "right"), Update: update(t, "SET n = n + :0", num(1))},
							{Table: tab, Verb: VerbPut, Item: item("k", fmt.Sprint(i, "-", k), "n", int(n), "g", fmt.Sprint(n%5))},
						}, true, "")
						if err == nil {
							moved.Add(1)
						}
					case 1:
						_, err = region.Write(ctx, []Write{{Table: tab, Verb: VerbUpdate, Item: item("k", fmt.Sprint(i, "-", k)), Update: update(t, "SET n = :0, g = :1", num(int(n)), value.String(fmt.Sprint(n%3)))}}, false, "")
					default:
						_, err = region.Write(ctx, []Write{
							{Table: tab, Verb: VerbPut, Item: item("k", fmt.Sprint(i, "-", k), "n", int(n))},
							{Table: tab, Verb: VerbDelete, Item: item("k", fmt.Sprint("none", i))},
						}, false, "")
					}
					if err == nil {
						acknowledged[i][k].Store(n)
						if total.Add(1) == enough {
							close(reached)
						}
					}
				}
			})
		}
		<-reached
		var known [crashWriters][crashKeys]int64
		for i := range known {
			for k := range known[i] {
				known[i][k] = acknowledged[i][k].Load()
			}
		}
		knownMoved := moved.Load()
		image := clone(mem, r)
		cancel()
		writers.Wait()
		w.stop()

		after := begin(t, image, clock.Real, 5)
		tab = after.table("t")
		items := consistent(after, tab)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		for i := range known {
			for k := range known[i] {
				n, _ := items[fmt.Sprint(i, "-", k)].Get("n").Number().Int64()
				if n < known[i][k] || n > begun[i][k].Load() {
					t.Errorf("round %d: item %d-%d has %d; %d was acknowledged, %d the last begun", round, i, k, n, known[i][k], begun[i][k].Load())
				}
			}
		}
		left, _ := items["left"].Get("n").Number().Int64()
		right, _ := items["right"].Get("n").Number().Int64()
		if left+right != crashMoney || right < knownMoved || right > moving.Load() {
			t.Errorf("round %d: %d and %d; %d moves were acknowledged, %d begun", round, left, right, knownMoved, moving.Load())
		}
		after.put(tab, item("k", "still writes", "g", "x"))
		consistent(after, tab)
		after.stop()
	}
}

// consistent holds a table against its changes, its index and its counts, and gives its items by key.
func consistent(w *world, tab *Table) map[string]value.Item {
	t := w.tb
	t.Helper()
	items := map[string]value.Item{}
	var bytes int64
	for _, it := range w.read(Reading{Table: tab}).Items {
		items[it.Get("k").Text] = it
		bytes += int64(it.Size())
	}
	if tab.Stats().Items.Load() != int64(len(items)) || tab.Stats().Bytes.Load() != bytes {
		t.Errorf("the table counts %d items and %d bytes, and has %d and %d", tab.Stats().Items.Load(), tab.Stats().Bytes.Load(), len(items), bytes)
	}
	changes, _, err := w.region().Changes(w.region().Tables().Stream(tab.Stream), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]value.Item{}
	for _, ch := range changes {
		key := ch.Keys.Get("k").Text
		if !value.EqualItems(sum[key], ch.Old) {
			t.Errorf("a change of %s begins with %q, where the changes before it end with %q", key, show(ch.Old), show(sum[key]))
		}
		if sum[key] = ch.New; ch.New == nil {
			delete(sum, key)
		}
	}
	if len(sum) != len(items) {
		t.Errorf("changes add up to %d items, the table has %d", len(sum), len(items))
	}
	for key, it := range sum {
		if !value.EqualItems(it, items[key]) {
			t.Errorf("changes add up to %q, the table has %q", show(it), show(items[key]))
		}
	}
	ix := tab.Index("byG")
	indexed := w.read(Reading{Table: tab, Index: ix}).Items
	want := 0
	for _, it := range items {
		if it.Has("g") {
			want++
		}
	}
	if len(indexed) != want || ix.Stats().Items.Load() != int64(want) {
		t.Errorf("the index has %d entries and counts %d, want %d", len(indexed), ix.Stats().Items.Load(), want)
	}
	for _, it := range indexed {
		if !value.EqualItems(it, items[it.Get("k").Text]) {
			t.Errorf("the index has %q, the table %q", show(it), show(items[it.Get("k").Text]))
		}
	}
	return items
}
