package tables

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

const (
	account = "000000000000"
	region  = "us-east-1"
)

// world is a disk, a clock, and an engine that runs on them.
type world struct {
	tb     testing.TB
	fs     vfs.FS
	clock  clock.Clock
	every  int // SnapshotEvery
	engine *Engine
	store  *disklog.Store
	stop   func()
}

// begin runs an engine until the test ends or stop is called.
func begin(tb testing.TB, fs vfs.FS, now clock.Clock, every int) *world {
	tb.Helper()
	w := &world{tb: tb, fs: fs, clock: now, every: every}
	w.start()
	tb.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.tb.Helper()
	logger := slog.New(slog.DiscardHandler)
	store, err := disklog.Open(disklog.Options{FS: w.fs, Dir: "log", Clock: clock.Real})
	if err != nil {
		w.tb.Fatal(err)
	}
	manual := false
	if _, is := w.clock.(*clock.Manual); is {
		manual = true
	}
	w.store = store
	w.engine, err = Open(context.Background(), Options{Store: store, FS: w.fs, Dir: "tables", Clock: w.clock, Random: rand.Reader, TestClock: manual, SnapshotEvery: w.every, Logger: logger})
	if err != nil {
		w.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.engine.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ran, w.engine.Close(), store.Close()); err != nil {
			w.tb.Error(err)
		}
	}
}

func (w *world) region() *Region {
	w.tb.Helper()
	r, err := w.engine.Make(context.Background(), account, region)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

func (w *world) admin(command any) {
	w.tb.Helper()
	if err := w.region().Propose(context.Background(), command); err != nil {
		w.tb.Fatal(err)
	}
	w.settled()
}

// settled waits until no table waits for anything.
func (w *world) settled() {
	w.tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for w.region().Tables().unsettled() != nil {
		if time.Now().After(deadline) {
			w.tb.Fatal("tables do not settle")
		}
		wait()
	}
}

// wait lets others run for a moment.
func wait() {
	timer := time.NewTimer(time.Millisecond)
	<-timer.C
}

func (w *world) table(name string) *Table {
	w.tb.Helper()
	t := w.region().Tables().Tables[name]
	if t == nil {
		w.tb.Fatalf("no table %s", name)
	}
	return t
}

// makeTable makes a table with the key k (S), or k and r (N) when ranged.
func (w *world) makeTable(name string, ranged bool, change func(*CreateTable)) *Table {
	w.tb.Helper()
	cmd := CreateTable{Name: name, Key: KeySchema{Hash: KeyAttribute{"k", value.S}}, OnDemand: true}
	if ranged {
		cmd.Key.Range = KeyAttribute{"r", value.N}
	}
	if change != nil {
		change(&cmd)
	}
	w.admin(cmd)
	return w.table(name)
}

func num(i int) value.Value { return value.Numeric(value.NumberOf(int64(i))) }

func item(pairs ...any) value.Item {
	it := value.Item{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			it = it.With(pairs[i].(string), value.String(v))
		case int:
			it = it.With(pairs[i].(string), num(v))
		case value.Value:
			it = it.With(pairs[i].(string), v)
		}
	}
	return it
}

func (w *world) write(writes ...Write) ([]Done, error) {
	return w.region().Write(context.Background(), writes, false, "")
}

func (w *world) put(t *Table, it value.Item) {
	w.tb.Helper()
	if _, err := w.write(Write{Table: t, Verb: VerbPut, Item: it}); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) get(t *Table, key value.Item) value.Item {
	w.tb.Helper()
	it, _, err := w.region().Get(t, key)
	if err != nil {
		w.tb.Fatal(err)
	}
	return it
}

// condition parses one with :0, :1, … as its values.
func condition(tb testing.TB, text string, values ...value.Value) *expr.Node {
	tb.Helper()
	n, err := expr.ParseCondition("ConditionExpression", text, placeholders(tb, values))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func update(tb testing.TB, text string, values ...value.Value) expr.Update {
	tb.Helper()
	u, err := expr.ParseUpdate(text, placeholders(tb, values))
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func placeholders(tb testing.TB, values []value.Value) *expr.Placeholders {
	tb.Helper()
	named := map[string]value.Value{}
	for i, v := range values {
		named[fmt.Sprintf(":%d", i)] = v
	}
	if len(named) == 0 {
		named = nil
	}
	p, err := expr.NewPlaceholders(nil, named)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// show is an item as these tests write it.
func show(it value.Item) string {
	var parts []string
	for _, a := range it {
		text := a.Value.Text
		if a.Value.Kind == value.N {
			text = a.Value.Number().String()
		}
		parts = append(parts, a.Name+":"+text)
	}
	return strings.Join(parts, " ")
}

func (w *world) read(rd Reading) Page {
	w.tb.Helper()
	p, err := w.region().Read(rd)
	if err != nil {
		w.tb.Fatal(err)
	}
	return p
}

// changesOf is every change of a table's stream, in one line each.
func (w *world) changesOf(t *Table) []string {
	w.tb.Helper()
	changes, _, err := w.region().Changes(w.region().Tables().Stream(t.Stream), 0, 1<<30)
	if err != nil {
		w.tb.Fatal(err)
	}
	var lines []string
	for _, ch := range changes {
		line := fmt.Sprintf("%s %s | %s > %s", ch.Event, show(ch.Keys), show(ch.Old), show(ch.New))
		if ch.ByService {
			line += " by service"
		}
		lines = append(lines, line)
	}
	return lines
}

func kind(err error) fault.Kind { return fault.KindOf(err) }

// placeholdersOf parses conditions that must be right.
func placeholdersOf(values map[string]value.Value) func(text string) *expr.Node {
	return func(text string) *expr.Node {
		p, err := expr.NewPlaceholders(nil, values)
		if err != nil {
			panic(err)
		}
		n, err := expr.ParseCondition("ConditionExpression", text, p)
		if err != nil {
			panic(err)
		}
		return n
	}
}
