package tables

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

// fingerprint is everything that a machine has: its snapshot and every key of its database.
func (w *world) fingerprint() (snapshot string, keys int, sum [32]byte) {
	w.tb.Helper()
	m := w.region().machine
	it, err := m.db.Iterate(nil, nil, false)
	if err != nil {
		w.tb.Fatal(err)
	}
	h := sha256.New()
	for it.Next() {
		v, err := it.Value()
		if err != nil {
			w.tb.Fatal(err)
		}
		fmt.Fprintf(h, "%x=%x\n", it.Key(), v)
		keys++
	}
	if err := it.Close(); err != nil {
		w.tb.Fatal(err)
	}
	return string(m.Snapshot()()), keys, [32]byte(h.Sum(nil))
}

// TestSameLogSameState does everything that changes tables, at random, and folds the log again from its beginning: state and database are the same, byte for byte.
func TestSameLogSameState(t *testing.T) {
	base := seedOf(t)
	r := rand.New(rand.NewPCG(base, 0))
	now := clock.NewManual(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	w := begin(t, vfs.NewMem(), now, 0)
	ctx := context.Background()
	names := []string{"one", "two"}
	byG := NewIndex{Name: "byG", Key: KeySchema{Hash: KeyAttribute{"g", value.S}}, Projection: "INCLUDE", Include: []string{"n"}}
	do := func(command any) { _ = w.region().Propose(ctx, command) } // a refusal is part of the log as well
	for _, name := range names {
		w.makeTable(name, false, func(c *CreateTable) { c.View = "NEW_AND_OLD_IMAGES" })
	}
	view, off := "KEYS_ONLY", ""
	for i := range 600 {
		name := names[r.IntN(2)]
		now.Advance(time.Duration(r.IntN(3)) * 100 * time.Millisecond)
		switch r.IntN(60) {
		case 0:
			do(UpdateTable{Name: name, CreateIndex: &byG})
		case 1:
			do(UpdateTable{Name: name, DeleteIndex: "byG"})
		case 2:
			do(UpdateTTL{Name: name, Attribute: "ttl", Enabled: r.IntN(2) == 0})
		case 3:
			do(UpdateTable{Name: name, View: &view})
		case 4:
			do(UpdateTable{Name: name, View: &off})
		case 5:
			do(DeleteTable{Name: name})
		case 6:
			do(CreateTable{Name: name, Key: KeySchema{Hash: KeyAttribute{"k", value.S}}, OnDemand: true, View: "NEW_IMAGE", Tags: map[string]string{"b": "1", "a": "2"}})
		case 7:
			do(ChangeTags{Name: name, Add: map[string]string{fmt.Sprint("t", r.IntN(3)): "x"}, Remove: []string{"a"}})
		}
		tab := w.region().Tables().Tables[name]
		if tab == nil {
			continue
		}
		it := item("k", fmt.Sprint(r.IntN(20)), "n", i, "ttl", int(now.Now().Unix())+r.IntN(20))
		if r.IntN(2) == 0 {
			it = it.With("g", value.String(fmt.Sprint(r.IntN(4))))
		}
		writes := []Write{{Table: tab, Verb: VerbPut, Item: it}}
		token := ""
		switch r.IntN(4) {
		case 0:
			writes[0] = Write{Table: tab, Verb: VerbDelete, Item: tab.Key.Of(it)}
		case 1:
			writes[0] = Write{Table: tab, Verb: VerbUpdate, Item: tab.Key.Of(it), Update: update(t, "SET g = :0 ADD n :1", value.String("u"), num(1)), Returning: ReturnAllNew}
		case 2:
			writes = append(writes, Write{Table: tab, Verb: VerbUpdate, Item: item("k", "sum"), Update: update(t, "ADD n :0", num(1)), Condition: condition(t, "attribute_not_exists(n) OR n < :0", num(1000))})
			token = fmt.Sprint("token", r.IntN(50))
		}
		_, _ = w.region().Write(ctx, writes, len(writes) > 1, token)
	}
	w.settled()
	deadline := time.Now().Add(20 * time.Second)
	for !w.engine.Settled() && time.Now().Before(deadline) { // ticks that are due
		now.Advance(time.Second)
		wait()
	}
	snapshot, keys, sum := w.fingerprint()
	w.stop()
	w.every = 1 << 30
	w.start()
	w.settled()
	if again, keysAgain, sumAgain := w.fingerprint(); again != snapshot || sumAgain != sum {
		t.Errorf("folded again the state differs: %d keys and %d\n%s\n%s", keys, keysAgain, snapshot, again)
	}
	if keys < 50 {
		t.Errorf("only %d keys: the test does nothing", keys)
	}
}
