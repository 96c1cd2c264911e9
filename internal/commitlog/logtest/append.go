package logtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

var appendPromises = []promise{
	{"positions grow, without a gap inside a batch", (*suite).positionsGrow},
	{"the batch is the caller's again", (*suite).batchIsCopied},
	{"an empty batch is Invalid", (*suite).emptyBatch},
	{"key, value, timestamp and headers come back", (*suite).recordsComeBack},
	{"a record of 10 MiB", (*suite).largeRecord},
	{"a batch of 10,000 records is one batch", (*suite).largeBatch},
	{"concurrent appenders: each batch once, in an order that agrees with time", (*suite).concurrentAppenders},
	{"a context that ends leaves the batch whole or absent", (*suite).cancelledAppends},
}

// stampedNow is a batch of one record per value, stamped with the time of day, for logs with a retention.
func stampedNow(values ...string) *batch.Batch {
	b := new(batch.Batch)
	for _, v := range values {
		b.Append(clock.Real.Now().UnixMilli(), nil, []byte(v))
	}
	return b
}

func (s *suite) positionsGrow(t *testing.T) {
	log := s.log(t)
	var expected []string
	last := commitlog.Position(-1)
	for i := range 20 {
		var values []string
		for j := range i%4 + 1 {
			values = append(values, fmt.Sprintf("%d-%d", i, j))
		}
		position := mustAppend(t, log, batchOf(values...))
		if position <= last {
			t.Fatalf("append %d stands at %d, after one that ended at %d", i, position, last)
		}
		last = position + commitlog.Position(len(values)) - 1
		if next := mustBounds(t, log).Next; next <= last {
			t.Fatalf("append %d ends at %d, and the log at %d", i, last, next)
		}
		entries, _ := mustRead(t, log, position, 1<<20)
		wantValues(t, entries, values...)
		for j, e := range entries {
			if e.position != position+commitlog.Position(j) {
				t.Fatalf("record %d of the batch at %d is at %d", j, position, e.position)
			}
		}
		expected = append(expected, values...)
	}
	wantValues(t, readAll(t, log, 0, 1<<20), expected...)
}

func (s *suite) batchIsCopied(t *testing.T) {
	log := s.log(t)
	b := batchOf("first")
	mustAppend(t, log, b)
	b.Reset()
	b.Append(epoch, nil, []byte("xxxxx"))
	b.Bytes()
	mustAppend(t, log, b)
	b.Reset()
	b.Append(epoch, nil, []byte("yyyyy"))
	wantValues(t, readAll(t, log, 0, 1<<20), "first", "xxxxx")
}

func (s *suite) emptyBatch(t *testing.T) {
	log := s.log(t)
	_, err := log.Append(within(t), new(batch.Batch))
	want(t, err, fault.Invalid, "append")
	if got := mustBounds(t, log); got != (commitlog.Bounds{}) {
		t.Errorf("bounds %+v", got)
	}
}

func (s *suite) recordsComeBack(t *testing.T) {
	type rec struct {
		timestamp  int64
		key, value string
		headers    []batch.Header
	}
	records := []rec{
		{epoch, "", "", nil},
		{epoch + 5, "key", "value", []batch.Header{{Key: "w.h", Value: bytes.Repeat([]byte{0xfe}, 16)}}},
		{epoch - 5, "ключ", "\x00\xff", []batch.Header{{Key: "empty"}, {Key: "", Value: []byte("no name")}, {Key: "last", Value: []byte{0}}}},
		{epoch, strings.Repeat("k", 1024), strings.Repeat("v", 70_000), nil},
	}
	log := s.log(t)
	b := new(batch.Batch)
	for _, r := range records {
		b.Append(r.timestamp, []byte(r.key), []byte(r.value), r.headers...)
	}
	mustAppend(t, log, b)
	_, chunk := mustRead(t, log, 0, 1<<20)
	var got batch.Record
	it := batch.Iterate(chunk.Batches)
	for i, r := range records {
		if !it.Next(&got) {
			t.Fatalf("%d records: %v", i, it.Err())
		}
		if got.Timestamp != r.timestamp || string(got.Key) != r.key || string(got.Value) != r.value {
			t.Errorf("record %d: %d, key %.40q, value %.40q", i, got.Timestamp, got.Key, got.Value)
		}
		for _, h := range r.headers {
			if value, ok := got.Header(h.Key); !ok || !bytes.Equal(value, h.Value) {
				t.Errorf("record %d, header %q: %q, %v", i, h.Key, value, ok)
			}
		}
		if got.Headers() != len(r.headers) {
			t.Errorf("record %d: %d headers, want %d", i, got.Headers(), len(r.headers))
		}
	}
}

func (s *suite) largeRecord(t *testing.T) {
	log := s.log(t)
	const size = 10 << 20
	mustAppend(t, log, batchOf("before"))
	position := mustAppend(t, log, batchOf(strings.Repeat("x", size)))
	mustAppend(t, log, batchOf("after"))
	entries, _ := mustRead(t, log, position, 1) // however little is asked for, one batch comes
	if len(entries) < 1 || len(entries[0].value) != size || strings.Trim(entries[0].value, "x") != "" {
		t.Fatalf("%d records", len(entries))
	}
	if all := readAll(t, log, 0, 1<<20); len(all) != 3 || all[2].value != "after" {
		t.Errorf("%d records", len(all))
	}
}

func (s *suite) largeBatch(t *testing.T) {
	log := s.log(t)
	const records = 10_000
	b := new(batch.Batch)
	for i := range records {
		b.Append(epoch, nil, fmt.Appendf(nil, "%d", i))
	}
	position := mustAppend(t, log, b)
	entries, _ := mustRead(t, log, position+records/2, 1)
	if len(entries) == 0 || entries[0].position != position+records/2 || entries[0].value != fmt.Sprint(records/2) {
		t.Errorf("from the middle: %v", entries[:min(1, len(entries))])
	}
	all := readAll(t, log, 0, 1<<16)
	if len(all) != records || all[records-1].position != position+records-1 {
		t.Errorf("%d records", len(all))
	}
}

// call is one Append as seen from outside. Times are ticks of a counter that all callers share.
type call struct {
	name         string
	begun, ended int64
	position     commitlog.Position
	records      int
	err          error
}

// appendConcurrently runs writers that append batches of one to four records, each named after its batch, until stop says so (it is
// asked with the error of the last append).
func appendConcurrently(t *testing.T, log commitlog.Log, writers int, stop func(appended int, err error) bool) []call {
	t.Helper()
	var ticks atomic.Int64
	var running sync.WaitGroup
	calls := make([][]call, writers)
	ctx := within(t)
	for w := range writers {
		running.Go(func() {
			for i := 0; ; i++ {
				c := call{name: fmt.Sprintf("%d/%d", w, i), records: (w+i)%4 + 1}
				b := new(batch.Batch)
				for j := range c.records {
					b.Append(epoch+int64(i), nil, fmt.Appendf(nil, "%s %d", c.name, j))
				}
				c.begun = ticks.Add(1)
				c.position, c.err = log.Append(ctx, b)
				c.ended = ticks.Add(1)
				calls[w] = append(calls[w], c)
				if stop(i+1, c.err) {
					return
				}
			}
		})
	}
	running.Wait()
	return slices.Concat(calls...)
}

// wantHistory compares what a log holds with the calls that made it: every acknowledged batch once, whole and where it was said to be;
// any other at most once and whole, and only if its outcome is unknown; and in an order that agrees with time.
func wantHistory(t *testing.T, calls []call, entries []entry) {
	t.Helper()
	byName := map[string]*call{}
	for i := range calls {
		byName[calls[i].name] = &calls[i]
	}
	seen := map[string]bool{}
	var inOrder []*call
	for i := 0; i < len(entries); {
		name, _, _ := strings.Cut(entries[i].value, " ")
		c := byName[name]
		if c == nil || seen[name] {
			t.Fatalf("%s: a batch that was appended twice or never", entries[i])
		}
		seen[name] = true
		if c.err != nil && !unknownOutcome(c.err) {
			t.Fatalf("%s is there, and its append said for certain that it is not: %v", name, c.err)
		}
		base := entries[i].position
		if c.err == nil && c.position != base {
			t.Fatalf("%s stands at %d, acknowledged at %d", name, base, c.position)
		}
		for j := range c.records {
			if i == len(entries) || entries[i].value != fmt.Sprintf("%s %d", name, j) || entries[i].position != base+commitlog.Position(j) {
				t.Fatalf("%s: record %d of %d is not at %d", name, j, c.records, base+commitlog.Position(j))
			}
			i++
		}
		inOrder = append(inOrder, c)
	}
	for _, c := range calls {
		if c.err == nil && !seen[c.name] {
			t.Fatalf("%s was acknowledged at %d and is not there", c.name, c.position)
		}
	}
	// Of two acknowledged batches, the later one in the log must not have ended before the earlier one began.
	latest := &call{}
	for _, c := range inOrder {
		if c.err != nil {
			continue
		}
		if c.ended < latest.begun {
			t.Fatalf("%s was acknowledged before %s began, and stands behind it", c.name, latest.name)
		}
		if c.begun > latest.begun {
			latest = c
		}
	}
}

// unknownOutcome says whether an append that ended with err may have happened all the same.
func unknownOutcome(err error) bool {
	return fault.IsUnknown(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (s *suite) concurrentAppenders(t *testing.T) {
	log := s.log(t)
	const writers, each = 8, 40
	var followed []entry
	var following sync.WaitGroup
	total := 0
	for w := range writers {
		for i := range each {
			total += (w+i)%4 + 1
		}
	}
	following.Go(func() { followed = follow(t, log, total) })
	calls := appendConcurrently(t, log, writers, func(appended int, err error) bool { return appended == each || err != nil })
	following.Wait()
	for _, c := range calls {
		if c.err != nil {
			t.Fatalf("%s: %v", c.name, c.err)
		}
	}
	all := readAll(t, log, 0, 1<<14)
	wantHistory(t, calls, all)
	if !slices.Equal(all, followed) {
		t.Errorf("a reader that followed saw %d records, one that came later %d, or others", len(followed), len(all))
	}
}

// follow reads a log as it grows until it has seen total records. Only t.Error, since it is no test's goroutine.
func follow(t *testing.T, log commitlog.Log, total int) []entry {
	var seen []entry
	ctx := within(t)
	for from := commitlog.Position(0); len(seen) < total; {
		if err := log.Wait(ctx, from); err != nil {
			t.Errorf("wait for %d: %v", from, err)
			return seen
		}
		chunk, err := log.Read(ctx, from, 1<<14)
		if err != nil {
			t.Errorf("read from %d: %v", from, err)
			return seen
		}
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			if r.Position >= from {
				seen = append(seen, entry{r.Position, r.Timestamp, string(r.Value)})
			}
		}
		from = chunk.Next
	}
	return seen
}

func (s *suite) cancelledAppends(t *testing.T) {
	log := s.log(t)
	r := random(t)
	var calls []call
	for i := range 60 {
		c := call{name: fmt.Sprintf("c/%d", i), begun: int64(2 * i), ended: int64(2*i + 1), records: 3}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		if i%3 == 0 {
			cancel() // before it begins
		}
		spins := r.IntN(200)
		go func() {
			defer close(done)
			for range spins { // somewhere in the middle
				if ctx.Err() != nil {
					return
				}
			}
			cancel()
		}()
		c.position, c.err = log.Append(ctx, batchOf(c.name+" 0", c.name+" 1", c.name+" 2"))
		<-done
		cancel()
		if c.err != nil && !errors.Is(c.err, context.Canceled) {
			t.Fatalf("%s: %v", c.name, c.err)
		}
		calls = append(calls, c)
	}
	last := call{name: "last", begun: 1000, ended: 1001, records: 1}
	last.position = mustAppend(t, log, batchOf("last 0"))
	calls = append(calls, last)

	entries := readAll(t, log, 0, 1<<20)
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.begun, b.begun) })
	wantHistory(t, calls, entries)
}
