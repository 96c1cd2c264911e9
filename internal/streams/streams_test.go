package streams_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// Every test here runs the real control plane over the in-memory log, with a clock that is moved by hand.

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

const account, region = "123456789012", "eu-west-3"

type fixture struct {
	*testing.T
	ctx     context.Context
	clock   *clock.Manual
	store   commitlog.Store
	control *controller.Controller
	streams *streams.Streams
}

// setUp runs the parts; with limits, those of a shard.
func setUp(t *testing.T, limits ...*meter.Limits) *fixture {
	return setUpWith(t, func(o *streams.Options) { o.Limits = append(limits, nil)[0] })
}

// setUpWith is setUp with other options.
func setUpWith(t *testing.T, change func(*streams.Options)) *fixture {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fixture{T: t, ctx: ctx, clock: clock.NewManual(start)}
	f.store = commitlog.NewMemory(f.clock, commitlog.Forever)
	must(t, f.store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	log, err := f.store.Open(ctx, commitlog.ID{})
	must(t, err)
	f.control, err = controller.Open(ctx, controller.Options{Log: log, FS: vfs.NewMem(), Dir: "control", Clock: f.clock, Session: 1})
	must(t, err)
	options := streams.Options{Store: f.store, Control: f.control, Clock: f.clock, Secret: make([]byte, 32), Random: rand.Reader}
	change(&options)
	f.streams, err = streams.New(options)
	must(t, err)
	done := make(chan error, 2)
	go func() { done <- f.control.Run(ctx) }()
	go func() { done <- f.streams.Run(ctx, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a stream and waits until it takes records.
func (f *fixture) create(name string, shards int) *catalog.Stream {
	f.Helper()
	must(f.T, f.control.Propose(f.ctx, catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: shards}))
	return f.await(name, func(s *catalog.Stream) bool { return s != nil && s.Status == catalog.Active })
}

func (f *fixture) await(name string, is func(*catalog.Stream) bool) *catalog.Stream {
	f.Helper()
	state := f.control.State()
	for {
		if s := state.Stream(account, region, name); is(s) {
			return s
		}
		var err error
		state, err = f.control.Await(f.ctx, state.Version())
		must(f.T, err)
	}
}

// put puts records with the key "k" unless the text is key=text.
func (f *fixture) put(s *catalog.Stream, texts ...string) []streams.Result {
	f.Helper()
	p, err := f.streams.Begin(f.ctx, s)
	must(f.T, err)
	for _, text := range texts {
		key, _, found := strings.Cut(text, "=")
		if !found {
			key = "k"
		}
		copy(p.Add([]byte(key), nil, len(text)), text)
	}
	p.Commit(f.ctx)
	var results []streams.Result
	for i := range texts {
		results = append(results, p.Result(i))
	}
	p.Release()
	return results
}

func (f *fixture) iterator(s *catalog.Stream, shard string, at streams.Start) string {
	f.Helper()
	token, err := f.streams.Iterator(f.ctx, s, shard, at)
	must(f.T, err)
	return token
}

func (f *fixture) get(token string, limit int) streams.Batch {
	f.Helper()
	got, err := f.streams.Get(f.ctx, token, limit, nil, anyone)
	must(f.T, err)
	return got
}

func anyone(*catalog.Stream) error { return nil }

func texts(records []batch.Record) string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Value))
	}
	return strings.Join(out, " ")
}

// Records come back in order, with growing sequence numbers that say where and when they were put; each answer has another iterator.
func TestPutThenGet(t *testing.T) {
	f := setUp(t)
	s := f.create("tolls", 1)
	f.put(s, "a", "b")
	f.clock.Advance(1500 * time.Millisecond)
	results := f.put(s, "c")
	token := f.iterator(s, "shardId-000000000000", streams.Start{Type: streams.TrimHorizon})
	first := f.get(token, 2)
	if texts(first.Records) != "a b" || first.MillisBehind != 1 {
		t.Errorf("first: %q, %d ms behind", texts(first.Records), first.MillisBehind)
	}
	second := f.get(first.Next, 2)
	if texts(second.Records) != "c" || second.MillisBehind != 0 {
		t.Errorf("second: %q, %d ms behind", texts(second.Records), second.MillisBehind)
	}
	if got := second.Shard.SequenceOf(&second.Records[0]); got != results[0].Sequence || got.ArrivalSecond != start.Unix()+1 || got.Position != 2 {
		t.Errorf("sequence %+v, put said %+v", got, results[0].Sequence)
	}
	third := f.get(second.Next, 2)
	if len(third.Records) != 0 || third.Next == "" || third.Next == second.Next {
		t.Errorf("an empty answer must have a new iterator: %+v", third)
	}
	if again := f.get(token, 10); texts(again.Records) != "a b c" {
		t.Errorf("an old iterator must still work: %q", texts(again.Records))
	}
}

// MillisBehind counts to the oldest record that is left.
func TestMillisBehind(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	f.put(s, "a")
	f.clock.Advance(2 * time.Second)
	f.put(s, "b")
	f.clock.Advance(3 * time.Second)
	got := f.get(f.iterator(s, "0", streams.Start{}), 1)
	if got.MillisBehind != 3000 {
		t.Errorf("%d ms behind, want 3000: b is that old", got.MillisBehind)
	}
}

// Keys go where their MD5 belongs, explicit hash keys where they say, and the shards together take every key.
func TestRouting(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 7)
	p, err := f.streams.Begin(f.ctx, s)
	must(t, err)
	var want []string
	add := func(key record.HashKey, explicit *record.HashKey, name string) {
		for i := range s.Shards {
			if s.Shards[i].Range.Contains(key) {
				want = append(want, streams.ShardID(s.Shards[i].Number))
			}
		}
		p.Add([]byte(name), explicit, 0)
	}
	for i := range 200 {
		name := fmt.Sprint("customer-", i)
		add(record.HashKeyOf([]byte(name)), nil, name)
	}
	for i := range s.Shards {
		for _, key := range []record.HashKey{s.Shards[i].Range.Start, s.Shards[i].Range.End} {
			add(key, &key, "x")
		}
	}
	p.Commit(f.ctx)
	for i := range want {
		if got := p.Result(i); got.Err != nil || got.ShardID != want[i] {
			t.Errorf("record %d: %s %v, want %s", i, got.ShardID, got.Err, want[i])
		}
	}
	p.Release()
}

// The five ways to begin, on records at 0 s, 10 s and 20 s.
func TestIteratorTypes(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	var seq []string
	for _, text := range []string{"a", "b", "c"} {
		seq = append(seq, f.put(s, text)[0].Sequence.String())
		f.clock.Advance(10 * time.Second)
	}
	beginning := record.StartingSequenceNumber(s.Shards[0].Created.Unix(), 0).String()
	for _, row := range []struct {
		name  string
		start streams.Start
		want  string
	}{
		{"trim horizon", streams.Start{Type: streams.TrimHorizon}, "a b c"},
		{"latest", streams.Start{Type: streams.Latest}, ""},
		{"at", streams.Start{Type: streams.AtSequence, Sequence: seq[1]}, "b c"},
		{"after", streams.Start{Type: streams.AfterSequence, Sequence: seq[1]}, "c"},
		{"after the last", streams.Start{Type: streams.AfterSequence, Sequence: seq[2]}, ""},
		{"at the shard's beginning", streams.Start{Type: streams.AtSequence, Sequence: beginning}, "a b c"},
		{"after the shard's beginning", streams.Start{Type: streams.AfterSequence, Sequence: beginning}, "a b c"},
		{"at a record's time", streams.Start{Type: streams.AtTimestamp, Timestamp: start.Add(10 * time.Second)}, "b c"},
		{"a millisecond later", streams.Start{Type: streams.AtTimestamp, Timestamp: start.Add(10*time.Second + time.Millisecond)}, "c"},
		{"long ago", streams.Start{Type: streams.AtTimestamp, Timestamp: start.Add(-1000 * time.Hour)}, "a b c"},
		{"now", streams.Start{Type: streams.AtTimestamp, Timestamp: start.Add(30 * time.Second)}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := texts(f.get(f.iterator(s, "shardId-000000000000", row.start), 10).Records); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// What makes no sense is refused in AWS's words.
func TestIteratorRefusals(t *testing.T) {
	f := setUp(t)
	s, other := f.create("s", 2), f.create("other", 2)
	f.clock.Advance(5 * time.Second)
	third := f.create("third", 2)
	of := func(stream *catalog.Stream, key string) string { return f.put(stream, key+"=x")[0].Sequence.String() }
	zero, one := "", ""
	for i := 0; zero == "" || one == ""; i++ {
		key := fmt.Sprint(i)
		if r := f.put(s, key+"=x")[0]; r.ShardID == "shardId-000000000000" {
			zero = r.Sequence.String()
		} else {
			one = r.Sequence.String()
		}
	}
	_ = other
	for _, row := range []struct {
		name, shard string
		start       streams.Start
		kind        fault.Kind
		says        string
	}{
		{"other shard", "0", streams.Start{Type: streams.AtSequence, Sequence: one}, fault.Invalid,
			"Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in a call to a shard with shardId-000000000000"},
		{"other stream", "0", streams.Start{Type: streams.AtSequence, Sequence: record.StartingSequenceNumber(third.Shards[0].Created.Unix(), 0).String()}, fault.Invalid,
			"is invalid because it did not come from this stream."},
		{"no number", "0", streams.Start{Type: streams.AfterSequence, Sequence: "12"}, fault.Invalid,
			"StartingSequenceNumber 12 used in GetShardIterator on shard shardId-000000000000 in stream s under account " + account + " is invalid."},
		{"future", "0", streams.Start{Type: streams.AtTimestamp, Timestamp: f.clock.Now().Add(time.Second)}, fault.Invalid, "cannot be greater than the currentTimestampInMillis"},
		{"no shard", "shardId-000000000007", streams.Start{}, fault.NotFound, "Shard shardId-000000000007 in stream s under account " + account + " does not exist"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := f.streams.Iterator(f.ctx, s, row.shard, row.start)
			if !fault.Is(err, row.kind) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := f.streams.CheckOrdering(f.ctx, s, zero); err != nil {
		t.Errorf("a record's own number is a fine ordering: %v", err)
	}
	for _, bad := range []string{"7", of(third, "k")} {
		if err := f.streams.CheckOrdering(f.ctx, s, bad); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "ExclusiveMinimumSequenceNumber "+bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// An iterator lives five minutes to the millisecond, survives quotes, and cannot be made up or changed.
func TestIteratorLife(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	token := f.iterator(s, "0", streams.Start{})
	f.clock.Advance(5 * time.Minute)
	f.get(`"`+token+`"`, 1)
	f.clock.Advance(time.Millisecond)
	if _, err := f.streams.Get(f.ctx, token, 1, nil, anyone); !fault.Is(err, fault.Expired) ||
		err.Error() != "Iterator expired. The iterator was created at time Wed Nov 18 13:00:00 UTC 2026 while right now it is Wed Nov 18 13:05:00 UTC 2026 which is further in the future than the tolerated delay of 300000 milliseconds." {
		t.Errorf("%v", err)
	}
	fresh := f.iterator(s, "0", streams.Start{})
	page, err := f.streams.StreamPageToken(account, region, "x")
	must(t, err)
	for _, bad := range []string{"", "AAAA", fresh[:len(fresh)-4], fresh[:40] + "AAAA" + fresh[44:], page} {
		if _, err := f.streams.Get(f.ctx, bad, 1, nil, anyone); !fault.Is(err, fault.Invalid) || err.Error() != "Invalid ShardIterator." {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Records end exactly at the horizon, and what has expired stays so when retention grows again.
func TestRetentionIsExact(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	f.put(s, "a")
	f.clock.Advance(time.Hour)
	f.put(s, "b")
	f.clock.Advance(23 * time.Hour)
	all := func() string {
		f.Helper()
		stream := f.control.State().Stream(account, region, "s")
		return texts(f.get(f.iterator(stream, "0", streams.Start{}), 10).Records)
	}
	if got := all(); got != "a b" {
		t.Errorf("24 h after a: %q", got)
	}
	old := f.iterator(s, "0", streams.Start{})
	f.clock.Advance(time.Millisecond)
	if got := all(); got != "b" {
		t.Errorf("a millisecond later: %q", got)
	}
	if got := texts(f.get(old, 10).Records); got != "b" {
		t.Errorf("an iterator from before passes over what has expired: %q", got)
	}
	must(t, f.control.Propose(f.ctx, catalog.IncreaseRetention{Account: account, Region: region, Name: "s", Hours: 48}))
	if got := all(); got != "b" {
		t.Errorf("longer retention brought back what had expired: %q", got)
	}
	f.clock.Advance(24 * time.Hour)
	if got := all(); got != "b" {
		t.Errorf("b has 48 h now: %q", got)
	}
	must(t, f.control.Propose(f.ctx, catalog.DecreaseRetention{Account: account, Region: region, Name: "s", Hours: 24}))
	if got := all(); got != "" {
		t.Errorf("shorter retention counts at once: %q", got)
	}
}

// A deleted stream is gone with its logs and its name is free; the next of that name begins empty and does not know the old iterators.
func TestDeleteAndCreateAgain(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 3)
	f.put(s, "a")
	token := f.iterator(s, "0", streams.Start{})
	must(t, f.control.Propose(f.ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s"}))
	f.await("s", func(s *catalog.Stream) bool { return s == nil })
	if _, err := f.streams.Get(f.ctx, token, 1, nil, anyone); !fault.Is(err, fault.NotFound) {
		t.Errorf("iterator of a deleted stream: %v", err)
	}
	if logs, err := f.store.Logs(f.ctx); err != nil || len(logs) != 1 {
		t.Errorf("logs left: %v %v", logs, err)
	}
	again := f.create("s", 1)
	if again.Group == s.Group || again.ID == s.ID {
		t.Error("the new stream has the old one's identity")
	}
	if got := texts(f.get(f.iterator(again, "0", streams.Start{}), 10).Records); got != "" {
		t.Errorf("the new stream has %q", got)
	}
}

// A put that stands ready when its stream is deleted says so for every record.
func TestPutIntoDeletedStream(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	p, err := f.streams.Begin(f.ctx, s)
	must(t, err)
	p.Add([]byte("k"), nil, 0)
	must(t, f.control.Propose(f.ctx, catalog.DeleteStream{Account: account, Region: region, Name: "s"}))
	f.await("s", func(s *catalog.Stream) bool { return s == nil })
	p.Commit(f.ctx)
	if r := p.Result(0); !fault.Is(r.Err, fault.NotFound) {
		t.Errorf("%v", r.Err)
	}
	p.Release()
}

// GetRecords stops at 10 MiB, but gives one record however large.
func TestGetStopsAtTenMiB(t *testing.T) {
	f := setUp(t)
	s := f.create("s", 1)
	p, err := f.streams.Begin(f.ctx, s)
	must(t, err)
	for range 3 {
		p.Add([]byte("k"), nil, 4<<20)
	}
	p.Commit(f.ctx)
	p.Release()
	first := f.get(f.iterator(s, "0", streams.Start{}), 10)
	second := f.get(first.Next, 10)
	if len(first.Records) != 2 || len(second.Records) != 1 {
		t.Errorf("%d then %d records", len(first.Records), len(second.Records))
	}
}

func TestParseShardID(t *testing.T) {
	for _, row := range []struct {
		id   string
		want uint32
		ok   bool
	}{
		{"shardId-000000000012", 12, true}, {"shardId-12", 12, true}, {"12", 12, true}, {"2147483647", 2147483647, true},
		{"2147483648", 0, false}, {"", 0, false}, {"shardId-", 0, false}, {"shard-1", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1x", 0, false},
	} {
		if got, ok := streams.ParseShardID(row.id); ok != row.ok || ok && got != row.want {
			t.Errorf("%q: %d %v", row.id, got, ok)
		}
	}
}
