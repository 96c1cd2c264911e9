package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

// TestWrites puts, updates and deletes, with and without conditions, and shows what each answers.
func TestWrites(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	tab := w.makeTable("t", false, nil)
	w.put(tab, item("k", "a", "n", 1))
	for _, row := range []struct {
		name string
		do   Write
		want string // attributes answered, or the error
		left string
	}{
		{"put when absent", Write{Verb: VerbPut, Item: item("k", "a", "n", 2), Condition: condition(t, "attribute_not_exists(k)")}, "The conditional request failed []", "k:a n:1"},
		{"put when absent, old asked for", Write{Verb: VerbPut, Item: item("k", "a", "n", 2), Condition: condition(t, "attribute_not_exists(k)"), ReturnOnFailure: true}, "The conditional request failed [k:a n:1]", "k:a n:1"},
		{"put, old", Write{Verb: VerbPut, Item: item("k", "a", "n", 2), Returning: ReturnAllOld}, "k:a n:1", "k:a n:2"},
		{"update", Write{Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = n + :0, q = :1", num(5), value.String("x")), Returning: ReturnAllNew}, "k:a n:7 q:x", "k:a n:7 q:x"},
		{"update, updated new", Write{Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = :0 REMOVE q", num(8)), Returning: ReturnUpdatedNew}, "n:8", "k:a n:8"},
		{"update, updated old", Write{Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = :0", num(9)), Returning: ReturnUpdatedOld}, "n:8", "k:a n:9"},
		{"update on condition", Write{Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = :0", num(1)), Condition: condition(t, "n = :0", num(8))}, "The conditional request failed []", "k:a n:9"},
		{"update that cannot be", Write{Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = missing_one")}, "The provided expression refers to an attribute that does not exist in the item", "k:a n:9"},
		{"update of a missing item makes it", Write{Verb: VerbUpdate, Item: item("k", "b"), Update: update(t, "ADD n :0", num(3)), Returning: ReturnAllNew}, "k:b n:3", "k:b n:3"},
		{"update without an update makes the key", Write{Verb: VerbUpdate, Item: item("k", "c"), Returning: ReturnAllNew}, "k:c", "k:c"},
		{"delete on condition", Write{Verb: VerbDelete, Item: item("k", "a"), Condition: condition(t, "n > :0", num(100))}, "The conditional request failed []", "k:a n:9"},
		{"delete, old", Write{Verb: VerbDelete, Item: item("k", "a"), Returning: ReturnAllOld}, "k:a n:9", ""},
		{"delete again", Write{Verb: VerbDelete, Item: item("k", "a"), Returning: ReturnAllOld}, "", ""},
	} {
		row.do.Table = tab
		done, err := w.write(row.do)
		var got string
		var failed *ConditionFailed
		switch {
		case errors.As(err, &failed):
			got = fmt.Sprintf("%v [%s]", failed, show(failed.Item))
		case err != nil:
			got = err.Error()
		default:
			got = show(done[0].Attributes)
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
		if left := show(w.get(tab, tab.Key.Of(row.do.Item))); left != row.left {
			t.Errorf("%s leaves %q, want %q", row.name, left, row.left)
		}
	}
	if n := w.table("t").Stats().Items.Load(); n != 2 {
		t.Errorf("%d items are counted, want 2", n)
	}
	big := value.String(strings.Repeat("x", 200<<10))
	w.put(tab, item("k", "big", "a", big))
	if _, err := w.write(Write{Table: tab, Verb: VerbUpdate, Item: item("k", "big"), Update: update(t, "SET b = a, c = a")}); err == nil || err.Error() != "Item size to update has exceeded the maximum allowed size" {
		t.Errorf("an item that grows too large: %v", err)
	}
}

// TestQueryAndScan reads a table with a range key by every kind of key condition, in pages, backwards, by segments.
func TestQueryAndScan(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	tab := w.makeTable("t", true, nil)
	var writes []Write
	for i := -3; i <= 6; i++ {
		writes = append(writes, Write{Table: tab, Verb: VerbPut, Item: item("k", "a", "r", i, "odd", fmt.Sprint(i%2 != 0))})
	}
	for i := range 50 {
		writes = append(writes, Write{Table: tab, Verb: VerbPut, Item: item("k", fmt.Sprint("other", i), "r", i)})
	}
	if _, err := w.write(writes...); err != nil {
		t.Fatal(err)
	}
	only := func(p Page) string {
		var got []string
		for _, it := range p.Items {
			got = append(got, it.Get("r").Number().String())
		}
		return strings.Join(got, " ")
	}
	key := func(text string, values ...value.Value) *expr.KeyCondition {
		k, err := expr.ParseKeyCondition(text, placeholders(t, append([]value.Value{value.String("a")}, values...)), "k", "r")
		if err != nil {
			t.Fatal(err)
		}
		return &k
	}
	for _, row := range []struct {
		rd   Reading
		want string
	}{
		{Reading{Key: key("k = :0")}, "-3 -2 -1 0 1 2 3 4 5 6"},
		{Reading{Key: key("k = :0"), Backward: true}, "6 5 4 3 2 1 0 -1 -2 -3"},
		{Reading{Key: key("k = :0 AND r = :1", num(2))}, "2"},
		{Reading{Key: key("k = :0 AND r < :1", num(0))}, "-3 -2 -1"},
		{Reading{Key: key("k = :0 AND r <= :1", num(0))}, "-3 -2 -1 0"},
		{Reading{Key: key("k = :0 AND r > :1", num(4))}, "5 6"},
		{Reading{Key: key("k = :0 AND r >= :1", num(4))}, "4 5 6"},
		{Reading{Key: key("k = :0 AND r BETWEEN :1 AND :2", num(-1), num(1))}, "-1 0 1"},
		{Reading{Key: key("k = :0"), Filter: condition(t, "odd = :0", value.String("true"))}, "-3 -1 1 3 5"},
		{Reading{Key: key("k = :0"), Limit: 3}, "-3 -2 -1"},
		{Reading{Key: key("k = :0"), Limit: 3, Start: item("k", "a", "r", -1)}, "0 1 2"},
		{Reading{Key: key("k = :0"), Backward: true, Start: item("k", "a", "r", -1)}, "-2 -3"},
	} {
		row.rd.Table = tab
		if got := only(w.read(row.rd)); got != row.want {
			t.Errorf("%+v: %s, want %s", row.rd, got, row.want)
		}
	}
	p := w.read(Reading{Table: tab, Key: key("k = :0"), Limit: 10})
	if show(p.Last) != "k:a r:6" || p.Scanned != 10 {
		t.Errorf("a page that ends with the last item has the last key %q, scanned %d", show(p.Last), p.Scanned)
	}
	seen := map[string]int{}
	for s := range 7 {
		var start value.Item
		for {
			p := w.read(Reading{Table: tab, Segment: s, Segments: 7, Limit: 4, Start: start})
			for _, it := range p.Items {
				seen[show(tab.Key.Of(it))]++
			}
			if start = p.Last; start == nil {
				break
			}
		}
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is in %d segments", name, n)
		}
	}
	if len(seen) != 60 {
		t.Errorf("segments have %d items, want 60", len(seen))
	}
	if _, err := w.region().Read(Reading{Table: tab, Key: key("k = :0 AND r > :1", num(0)), Start: item("k", "a", "r", -1)}); kind(err) != fault.Invalid {
		t.Errorf("a start outside: %v", err)
	}
}

// TestPagesEndAtOneMegabyte reads items of 300 KB.
func TestPagesEndAtOneMegabyte(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	tab := w.makeTable("t", true, nil)
	for i := range 5 {
		w.put(tab, item("k", "a", "r", i, "x", strings.Repeat("x", 300<<10)))
	}
	p := w.read(Reading{Table: tab, Filter: condition(t, "r > :0", num(100))})
	if p.Scanned != 3 || len(p.Items) != 0 || show(p.Last) != "k:a r:2" {
		t.Errorf("a page has scanned %d, passed %d, ends at %s", p.Scanned, len(p.Items), show(p.Last))
	}
}

// TestIndexes makes indexes with the table and later, and holds them against the table through every kind of write.
func TestIndexes(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	byOwner := NewIndex{Name: "byOwner", Key: KeySchema{Hash: KeyAttribute{"holder", value.S}, Range: KeyAttribute{"n", value.N}}, Projection: "INCLUDE", Include: []string{"extra"}}
	tab := w.makeTable("t", false, func(c *CreateTable) { c.Indexes = []NewIndex{byOwner} })
	for i := range 2000 {
		w.put(tab, item("k", fmt.Sprint(i), "holder", fmt.Sprint("o", i%3), "n", i, "extra", "e", "big", "not projected"))
		if i == 1200 { // live, in the middle of writes
			later := byOwner
			later.Name, later.Projection, later.Include = "later", "KEYS_ONLY", nil
			if err := w.region().Propose(context.Background(), UpdateTable{Name: "t", CreateIndex: &later}); err != nil {
				t.Fatal(err)
			}
			tab = w.table("t")
		}
	}
	w.settled()
	tab = w.table("t")
	check := func(when string, want int) {
		t.Helper()
		for _, name := range []string{"byOwner", "later"} {
			ix := tab.Index(name)
			if ix.Status != Active {
				t.Errorf("%s: index %s is %s", when, name, ix.Status)
			}
			n := 0
			var start value.Item
			for {
				p := w.read(Reading{Table: tab, Index: ix, Start: start})
				for _, entry := range p.Items {
					n++
					whole := w.get(tab, tab.Key.Of(entry))
					if got, want := show(entry), show(ix.project(tab, whole)); got != want {
						t.Fatalf("%s: %s has %q, the table %q", when, name, got, want)
					}
				}
				if start = p.Last; start == nil {
					break
				}
			}
			if n != want || ix.Stats().Items.Load() != int64(want) {
				t.Errorf("%s: index %s has %d entries and counts %d, want %d", when, name, n, ix.Stats().Items.Load(), want)
			}
		}
	}
	check("after puts", 2000)
	for i := 0; i < 2000; i += 2 {
		u := update(t, "SET holder = :0", value.String("other"))
		switch i % 3 {
		case 1:
			u = update(t, "REMOVE n")
		case 2:
			u = update(t, "SET big = :0", value.String("changed"))
		}
		if _, err := w.write(Write{Table: tab, Verb: VerbUpdate, Item: item("k", fmt.Sprint(i)), Update: u}); err != nil {
			t.Fatal(err)
		}
	}
	check("after updates", 2000-333)
	if _, err := w.write(Write{Table: tab, Verb: VerbPut, Item: item("k", "x", "holder", 5)}); err == nil ||
		err.Error() != "One or more parameter values were invalid: Type mismatch for Index Key holder Expected: S Actual: N IndexName: byOwner" {
		t.Errorf("an index key of another type: %v", err)
	}
	w.admin(UpdateTable{Name: "t", DeleteIndex: "later"})
	if tab = w.table("t"); tab.Index("later") != nil {
		t.Error("a deleted index is there")
	}
}

// TestTransactions shows that all or nothing is done, why, and that a token makes asking twice safe.
func TestTransactions(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	tab := w.makeTable("t", false, nil)
	ctx := context.Background()
	w.put(tab, item("k", "a", "n", 1))
	writes := []Write{
		{Table: tab, Verb: VerbPut, Item: item("k", "new")},
		{Table: tab, Verb: VerbCheck, Item: item("k", "a"), Condition: condition(t, "n = :0", num(2)), ReturnOnFailure: true},
		{Table: tab, Verb: VerbUpdate, Item: item("k", "u"), Update: update(t, "SET n = missing_one")},
	}
	_, err := w.region().Write(ctx, writes, true, "")
	var stopped *Canceled
	if !errors.As(err, &stopped) {
		t.Fatalf("a transaction that cannot be: %v", err)
	}
	var codes []string
	for _, r := range stopped.Reasons {
		codes = append(codes, r.Code)
	}
	if !slices.Equal(codes, []string{"None", "ConditionalCheckFailed", "ValidationError"}) || show(stopped.Reasons[1].Item) != "k:a n:1" {
		t.Errorf("reasons %v, item %s", codes, show(stopped.Reasons[1].Item))
	}
	if it := w.get(tab, item("k", "new")); it != nil {
		t.Errorf("a canceled transaction has left %s", show(it))
	}
	add := []Write{{Table: tab, Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "ADD n :0", num(1))}, {Table: tab, Verb: VerbDelete, Item: item("k", "x")}}
	for range 3 {
		if _, err := w.region().Write(ctx, add, true, "token"); err != nil {
			t.Fatal(err)
		}
	}
	if got := show(w.get(tab, item("k", "a"))); got != "k:a n:2" {
		t.Errorf("three times with one token: %s", got)
	}
	var mismatch *TokenMismatch
	if _, err := w.region().Write(ctx, add[:1], true, "token"); !errors.As(err, &mismatch) {
		t.Errorf("another transaction with that token: %v", err)
	}
}

// TestChanges shows the four views, and that what changes nothing is no change.
func TestChanges(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	for view, want := range map[string]string{
		"KEYS_ONLY":          "INSERT k:a |  > ; MODIFY k:a |  > ; REMOVE k:a |  > ",
		"NEW_IMAGE":          "INSERT k:a |  > k:a n:1; MODIFY k:a |  > k:a n:2; REMOVE k:a |  > ",
		"OLD_IMAGE":          "INSERT k:a |  > ; MODIFY k:a | k:a n:1 > ; REMOVE k:a | k:a n:2 > ",
		"NEW_AND_OLD_IMAGES": "INSERT k:a |  > k:a n:1; MODIFY k:a | k:a n:1 > k:a n:2; REMOVE k:a | k:a n:2 > ",
	} {
		tab := w.makeTable(view, false, func(c *CreateTable) { c.View = view })
		w.put(tab, item("k", "a", "n", 1))
		w.put(tab, item("k", "a", "n", 1))
		for range 2 {
			if _, err := w.write(Write{Table: tab, Verb: VerbUpdate, Item: item("k", "a"), Update: update(t, "SET n = :0", num(2))}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := w.write(Write{Table: tab, Verb: VerbDelete, Item: item("k", "a")}); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(w.changesOf(tab), "; "); got != want {
			t.Errorf("%s: %s, want %s", view, got, want)
		}
	}
}

// TestExpiry moves the clock over an item's expiry, and over the day that changes are kept.
func TestExpiry(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	w := begin(t, vfs.NewMem(), now, 0)
	tab := w.makeTable("t", false, func(c *CreateTable) { c.View = "NEW_AND_OLD_IMAGES" })
	at := func(d time.Duration) int { return int(now.Now().Add(d).Unix()) }
	w.put(tab, item("k", "before", "ttl", at(time.Hour))) // before expiry is switched on
	w.admin(UpdateTTL{Name: "t", Attribute: "ttl", Enabled: true})
	tab = w.table("t")
	w.put(tab, item("k", "after", "ttl", at(2*time.Hour)))
	w.put(tab, item("k", "never", "ttl", "text"))
	w.put(tab, item("k", "long ago", "ttl", at(-6*365*24*time.Hour)))
	w.put(tab, item("k", "moved", "ttl", at(time.Hour)))
	w.put(tab, item("k", "moved", "ttl", at(50*time.Hour)))
	names := func() string {
		var got []string
		for _, it := range w.read(Reading{Table: tab}).Items {
			got = append(got, it.Get("k").Text)
		}
		slices.Sort(got)
		return strings.Join(got, ", ")
	}
	until := func(d time.Duration, want string) {
		t.Helper()
		now.Advance(d)
		deadline := time.Now().Add(20 * time.Second)
		for names() != want || !w.engine.Settled() {
			if time.Now().After(deadline) {
				t.Fatalf("after %s there are %s, want %s", d, names(), want)
			}
			now.Advance(time.Second)
			wait()
		}
	}
	until(0, "after, before, long ago, moved, never")
	until(time.Hour+time.Minute, "after, long ago, moved, never")
	until(time.Hour, "long ago, moved, never")
	changes := w.changesOf(tab)
	if last := changes[len(changes)-1]; !strings.HasPrefix(last, "REMOVE k:after | k:after") || !strings.HasSuffix(last, "by service") {
		t.Errorf("the last change is %q", last)
	}
	until(25*time.Hour, "long ago, moved, never")
	if changes := w.changesOf(tab); len(changes) != 0 {
		t.Errorf("a day later there are changes: %q", changes)
	}
	w.admin(UpdateTTL{Name: "t", Attribute: "ttl", Enabled: false})
	until(100*time.Hour, "long ago, moved, never")
}

// TestRestart stops and starts the engine, with a checkpoint every few commands and without any: everything is there.
func TestRestart(t *testing.T) {
	for _, every := range []int{5, 0} {
		w := begin(t, vfs.NewMem(), clock.Real, every)
		tab := w.makeTable("t", false, func(c *CreateTable) { c.View = "NEW_IMAGE" })
		for i := range 43 {
			w.put(tab, item("k", fmt.Sprint(i), "n", i))
		}
		before, stats := w.changesOf(tab), w.table("t").Stats().Bytes.Load()
		w.stop()
		w.start()
		tab = w.table("t")
		if got := w.changesOf(tab); !slices.Equal(got, before) || len(got) != 43 {
			t.Errorf("every %d: %d changes before, %d after", every, len(before), len(got))
		}
		if n := len(w.read(Reading{Table: tab}).Items); n != 43 || tab.Stats().Bytes.Load() != stats {
			t.Errorf("every %d: %d items, %d bytes of %d", every, n, tab.Stats().Bytes.Load(), stats)
		}
		w.put(tab, item("k", "more"))
	}
}

// TestFullDisk fills the disk under a loaded table, with a checkpoint due: writes are refused, reads go on, and all is well when there is room.
func TestFullDisk(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	w := begin(t, faulty, clock.Real, 10)
	tab := w.makeTable("t", false, func(c *CreateTable) { c.View = "NEW_IMAGE" })
	for i := range 25 {
		w.put(tab, item("k", fmt.Sprint(i)))
	}
	faulty.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpAllocate, Times: -1, Err: vfs.ErrNoSpace})
	refused := 0
	for i := range 30 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if _, err := w.region().Write(ctx, []Write{{Table: tab, Verb: VerbPut, Item: item("k", fmt.Sprint("full", i))}}, false, ""); err != nil {
			if kind(err) != fault.Full && kind(err) != fault.Throttled {
				t.Errorf("a write on a full disk: %v", err)
			}
			refused++
		}
		cancel()
		if refused == 3 {
			break
		}
	}
	if refused == 0 {
		t.Error("nothing is refused on a full disk")
	}
	if it := w.get(tab, item("k", "24")); it == nil {
		t.Error("reads do not go on")
	}
	faulty.Heal()
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := w.write(Write{Table: tab, Verb: VerbPut, Item: item("k", "healed")})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after there is room: %v", err)
		}
		wait()
	}
	w.stop()
	w.start()
	if got := len(w.read(Reading{Table: w.table("t")}).Items); got < 26 {
		t.Errorf("%d items are left", got)
	}
}

// FuzzCommand gives the machine's decoders any bytes: they refuse, or what they read is whole.
func FuzzCommand(f *testing.F) {
	tab := &Table{ID: 1, Key: KeySchema{Hash: KeyAttribute{"k", value.S}}}
	f.Add(string(encodeWrites([]Write{{Table: tab, Verb: VerbUpdate, Item: item("k", "a"), Update: expr.Update{{Act: expr.ActRemove, Path: expr.Path{{Name: "x"}}}}}}, true, "token", []byte("digest"))[1:]))
	f.Add(string(failed("x")))
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := decodeWrites(s); err == nil {
			for _, w := range c.writes {
				w.condition.True(nil)
			}
		}
		_, _ = resultOf([]byte(s))
		_, _ = decodeChange([]byte("12345678"), []byte(s))
		if seq, err := ParseSequence(s); err == nil && seq.String() != s {
			t.Errorf("%q is read as %s", s, seq)
		}
	})
}

// TestAwaitChange waits at the end of a stream, and is woken by the next write.
func TestAwaitChange(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	tab := w.makeTable("t", false, func(c *CreateTable) { c.View = "KEYS_ONLY" })
	stream := w.region().Tables().Stream(tab.Stream)
	_, end, err := w.region().ChangeBounds(stream)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() { woken <- w.region().AwaitChange(context.Background(), end) }()
	w.put(tab, item("k", "a"))
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	if changes, _, err := w.region().Changes(stream, end, 10); err != nil || len(changes) != 1 {
		t.Errorf("%d changes, %v", len(changes), err)
	}
}
