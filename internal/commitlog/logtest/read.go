package logtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

var readPromises = []promise{
	{"nothing there gives an empty chunk whose Next is from", (*suite).readNothing},
	{"from the middle of a batch", (*suite).readFromTheMiddle},
	{"about maxBytes, but at least one batch", (*suite).readLimits},
	{"beyond the end is Invalid", (*suite).readBeyondTheEnd},
	{"what was acknowledged is seen at once", (*suite).readYourWrites},
	{"a chunk stays as it was", (*suite).chunkStays},
}

func (s *suite) readNothing(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a", "b"))
	end := mustBounds(t, log).Next
	chunk, err := log.Read(within(t), end, 1<<20)
	if err != nil || len(chunk.Batches) != 0 || chunk.Next != end || chunk.Bounds != (commitlog.Bounds{Next: end}) {
		t.Errorf("%d bytes, next %d, bounds %+v, %v", len(chunk.Batches), chunk.Next, chunk.Bounds, err)
	}
}

func (s *suite) readFromTheMiddle(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a0", "a1"))
	base := mustAppend(t, log, batchOf("b0", "b1", "b2", "b3"))
	mustAppend(t, log, batchOf("c0"))
	for i := range 4 {
		from := base + commitlog.Position(i)
		entries, _ := mustRead(t, log, from, 1)
		if len(entries) == 0 || entries[0].position != from || entries[0].value != fmt.Sprintf("b%d", i) {
			t.Errorf("from %d: %v", from, entries)
		}
		wantValues(t, readAll(t, log, from, 1), append([]string{"b0", "b1", "b2", "b3"}[i:], "c0")...)
	}
}

func (s *suite) readLimits(t *testing.T) {
	log := s.log(t)
	var expected []string
	largest := 0
	for i := range 30 {
		value := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*37%1000))
		expected = append(expected, value)
		b := batchOf(value)
		largest = max(largest, b.Size())
		mustAppend(t, log, b)
	}
	for _, maxBytes := range []int{-1, 0, 1, 100, 1000, 4000, 1 << 30} {
		wantValues(t, readAll(t, log, 0, maxBytes), expected...)
		for from := commitlog.Position(0); ; {
			entries, chunk := mustRead(t, log, from, maxBytes)
			if len(chunk.Batches) > max(maxBytes, 0)+largest {
				t.Errorf("asked for %d bytes, got %d; the largest batch has %d", maxBytes, len(chunk.Batches), largest)
			}
			if chunk.Next == from {
				break
			}
			if len(entries) == 0 {
				t.Errorf("from %d: no batch, and it is not the end", from)
			}
			from = chunk.Next
		}
	}
}

func (s *suite) readBeyondTheEnd(t *testing.T) {
	log := s.log(t)
	for range 2 {
		end := mustBounds(t, log).Next
		for _, from := range []commitlog.Position{end + 1, end + 1000, 1<<63 - 1} {
			_, err := log.Read(within(t), from, 100)
			want(t, err, fault.Invalid, fmt.Sprintf("read from %d of %d", from, end))
		}
		mustAppend(t, log, batchOf("a"))
	}
}

func (s *suite) readYourWrites(t *testing.T) {
	log := s.log(t)
	for i := range 50 {
		value := fmt.Sprint(i)
		position := mustAppend(t, log, batchOf(value))
		entries, chunk := mustRead(t, log, position, 1<<20)
		wantValues(t, entries, value)
		if chunk.Next <= position || chunk.Bounds.Next < chunk.Next {
			t.Fatalf("append at %d; read continues at %d, bounds %+v", position, chunk.Next, chunk.Bounds)
		}
	}
}

func (s *suite) chunkStays(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a", "b"))
	_, early := mustRead(t, log, 0, 1<<20)
	before := string(early.Batches)
	for range 20 {
		mustAppend(t, log, batchOf(strings.Repeat("z", 1000)))
	}
	mustRead(t, log, 0, 1<<20)
	mustTrim(t, log, mustBounds(t, log).Next)
	if string(early.Batches) != before {
		t.Error("the bytes of an earlier chunk changed")
	}
	var r batch.Record
	if it := batch.Iterate(early.Batches); !it.Next(&r) || string(r.Value) != "a" {
		t.Error("an earlier chunk cannot be read any more")
	}
}
