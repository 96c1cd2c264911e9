package logtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

var positionAtPromises = []promise{
	{"the first at or after, with growing timestamps", (*suite).positionAtGrowing},
	{"the lowest position, where timestamps do not grow", (*suite).positionAtMixed},
	{"none gives Bounds.Next", (*suite).positionAtNone},
	{"a resolution of one millisecond", (*suite).positionAtResolution},
	{"not below what is trimmed", (*suite).positionAtTrimmed},
	{"in a sealed log", (*suite).positionAtSealed},
}

func wantPositionAt(t *testing.T, log commitlog.Log, at time.Time, expected commitlog.Position) {
	t.Helper()
	got, err := log.PositionAt(within(t), at)
	if err != nil || got != expected {
		t.Errorf("position at epoch%+v: %d, %v, want %d", at.Sub(time.UnixMilli(epoch)), got, err, expected)
	}
}

func at(millis int64) time.Time { return time.UnixMilli(epoch + millis) }

func (s *suite) positionAtGrowing(t *testing.T) {
	log := s.log(t)
	var bases []commitlog.Position
	for i := range int64(10) {
		bases = append(bases, mustAppend(t, log, stamped(i*100, i*100+10, i*100+10, i*100+20)))
	}
	for i, base := range bases {
		m := int64(i * 100)
		wantPositionAt(t, log, at(m-79), base)
		wantPositionAt(t, log, at(m), base)
		wantPositionAt(t, log, at(m+1), base+1)
		wantPositionAt(t, log, at(m+10), base+1)
		wantPositionAt(t, log, at(m+11), base+3)
		wantPositionAt(t, log, at(m+20), base+3)
	}
	wantPositionAt(t, log, time.Unix(0, 0), bases[0])
	wantPositionAt(t, log, at(-1_000_000), bases[0])
}

func (s *suite) positionAtMixed(t *testing.T) {
	log := s.log(t)
	first := mustAppend(t, log, stamped(0, 10, 30))
	second := mustAppend(t, log, stamped(5, 20))
	third := mustAppend(t, log, stamped(40, 1, 35))
	wantPositionAt(t, log, at(0), first)
	wantPositionAt(t, log, at(1), first+1)
	wantPositionAt(t, log, at(15), first+2)
	wantPositionAt(t, log, at(25), first+2)
	wantPositionAt(t, log, at(35), third)
	mustTrim(t, log, second)
	wantPositionAt(t, log, at(5), second)
	wantPositionAt(t, log, at(6), second+1)
	wantPositionAt(t, log, at(21), third)
	wantPositionAt(t, log, at(41), mustBounds(t, log).Next)
}

func (s *suite) positionAtNone(t *testing.T) {
	log := s.log(t)
	wantPositionAt(t, log, at(0), 0)
	mustAppend(t, log, stamped(0, 1))
	wantPositionAt(t, log, at(2), mustBounds(t, log).Next)
	wantPositionAt(t, log, at(1<<40), mustBounds(t, log).Next)
}

func (s *suite) positionAtResolution(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, stamped(0, 1, 2))
	wantPositionAt(t, log, at(1).Add(-time.Nanosecond), base+1)
	wantPositionAt(t, log, at(1), base+1)
	wantPositionAt(t, log, at(1).Add(time.Nanosecond), base+2) // a timestamp of 1 ms is before this
	wantPositionAt(t, log, at(2).Add(time.Nanosecond), mustBounds(t, log).Next)
}

func (s *suite) positionAtTrimmed(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, stamped(0, 10, 20))
	mustTrim(t, log, base+1)
	wantPositionAt(t, log, at(0), base+1)
	end := mustBounds(t, log).Next
	mustTrim(t, log, end)
	wantPositionAt(t, log, at(0), end)
}

func (s *suite) positionAtSealed(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, stamped(0, 10))
	end := mustSeal(t, log)
	wantPositionAt(t, log, at(1), base+1)
	wantPositionAt(t, log, at(11), end)
	wantPositionAt(t, log, at(1<<40), end)
}

var trimPromises = []promise{
	{"exact, also inside a batch", (*suite).trimExact},
	{"behind Bounds.First does nothing", (*suite).trimBehind},
	{"past Bounds.Next is Invalid", (*suite).trimPast},
	{"everything, and appending goes on", (*suite).trimEverything},
	{"works on a sealed log", (*suite).trimSealed},
}

func (s *suite) trimExact(t *testing.T) {
	log := s.log(t)
	var all []entry
	for i := range 5 {
		mustAppend(t, log, batchOf(fmt.Sprintf("%d-0", i), fmt.Sprintf("%d-1", i), fmt.Sprintf("%d-2", i)))
	}
	all = readAll(t, log, 0, 1<<20)
	for i, e := range all {
		mustTrim(t, log, e.position)
		wantFirst(t, log, e.position, e.position)
		if e.position > 0 {
			_, err := log.Read(within(t), e.position-1, 100)
			want(t, err, fault.Trimmed, fmt.Sprintf("read below %d", e.position))
		}
		rest := readAll(t, log, e.position, 1)
		if len(rest) != len(all)-i || rest[0] != e {
			t.Fatalf("trimmed before %s: %v", e, rest)
		}
	}
}

// wantFirst checks where a log begins after a trim before a position: there, or later if no record lies between.
func wantFirst(t *testing.T, log commitlog.Log, before, firstRecord commitlog.Position) {
	t.Helper()
	if got := mustBounds(t, log); got.First < before || got.First > firstRecord || got.First > got.Next {
		t.Errorf("trimmed before %d, first record at %d: bounds %+v", before, firstRecord, got)
	}
}

func (s *suite) trimBehind(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, batchOf("a", "b", "c"))
	mustTrim(t, log, base+2)
	bounds := mustBounds(t, log)
	for _, before := range []commitlog.Position{base + 1, base, 0, -1, -1 << 63} {
		mustTrim(t, log, before)
		if got := mustBounds(t, log); got != bounds {
			t.Errorf("trim before %d: bounds %+v, were %+v", before, got, bounds)
		}
	}
}

func (s *suite) trimPast(t *testing.T) {
	log := s.log(t)
	want(t, log.Trim(within(t), 1), fault.Invalid, "trim an empty log before 1")
	mustAppend(t, log, batchOf("a", "b"))
	end := mustBounds(t, log).Next
	want(t, log.Trim(within(t), end+1), fault.Invalid, "trim past the end")
	want(t, log.Trim(within(t), 1<<63-1), fault.Invalid, "trim far past the end")
	wantValues(t, readAll(t, log, 0, 1<<20), "a", "b")
}

func (s *suite) trimEverything(t *testing.T) {
	log := s.log(t)
	for i := range 3 {
		mustAppend(t, log, batchOf("a", "b"))
		end := mustBounds(t, log).Next
		mustTrim(t, log, end)
		if got := mustBounds(t, log); got.First != end || got.Next != end {
			t.Fatalf("trimmed before %d: bounds %+v", end, got)
		}
		entries, chunk := mustRead(t, log, end, 1<<20)
		if len(entries) != 0 || chunk.Next != end {
			t.Fatalf("trimmed before %d: %v", end, entries)
		}
		value := fmt.Sprint("after ", i)
		if position := mustAppend(t, log, batchOf(value)); position < end {
			t.Fatalf("appended at %d, the end was %d", position, end)
		}
		wantValues(t, readAll(t, log, end, 1<<20), value)
	}
}

func (s *suite) trimSealed(t *testing.T) {
	log := s.log(t)
	base := mustAppend(t, log, batchOf("a", "b"))
	end := mustSeal(t, log)
	mustTrim(t, log, base+1)
	wantValues(t, readAll(t, log, base+1, 1<<20), "b")
	mustTrim(t, log, end)
	if got := mustBounds(t, log); got != (commitlog.Bounds{First: end, Next: end, Sealed: true}) {
		t.Errorf("bounds %+v", got)
	}
	want(t, log.Trim(within(t), end+1), fault.Invalid, "trim past the end")
}

var sealPromises = []promise{
	{"nothing is appended after", (*suite).sealEnds},
	{"asking twice gives the same answer", (*suite).sealTwice},
	{"an empty log ends where it begins", (*suite).sealEmpty},
	{"a trimmed log", (*suite).sealTrimmed},
	{"racing appends stand below the end or are not acknowledged", (*suite).sealRace},
	{"racing seals agree", (*suite).sealRacesSeal},
}

func (s *suite) sealEnds(t *testing.T) {
	log := s.log(t)
	position := mustAppend(t, log, batchOf("a", "b"))
	end := mustSeal(t, log)
	if end < position+2 {
		t.Errorf("sealed at %d, last record at %d", end, position+1)
	}
	_, err := log.Append(within(t), batchOf("c"))
	want(t, err, fault.Sealed, "append")
	if fault.IsUnknown(err) {
		t.Errorf("append to a sealed log has no unknown outcome: %v", err)
	}
	if got := mustBounds(t, log); got != (commitlog.Bounds{Next: end, Sealed: true}) {
		t.Errorf("bounds %+v, sealed at %d", got, end)
	}
	wantValues(t, readAll(t, log, 0, 1<<20), "a", "b")
	entries, chunk := mustRead(t, log, end, 100)
	if len(entries) != 0 || chunk.Next != end || !chunk.Bounds.Sealed {
		t.Errorf("read at the end: %v, next %d, bounds %+v", entries, chunk.Next, chunk.Bounds)
	}
	_, err = log.Read(within(t), end+1, 100)
	want(t, err, fault.Invalid, "read behind the end")
}

func (s *suite) sealTwice(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a"))
	end := mustSeal(t, log)
	for range 3 {
		if again := mustSeal(t, log); again != end {
			t.Errorf("sealed at %d, then at %d", end, again)
		}
	}
}

func (s *suite) sealEmpty(t *testing.T) {
	log := s.log(t)
	if end := mustSeal(t, log); end != 0 {
		t.Errorf("sealed at %d", end)
	}
	if entries := readAll(t, log, 0, 1<<20); len(entries) != 0 {
		t.Errorf("%v", entries)
	}
}

func (s *suite) sealTrimmed(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a", "b"))
	next := mustBounds(t, log).Next
	mustTrim(t, log, next)
	if end := mustSeal(t, log); end < next {
		t.Errorf("sealed at %d, was at %d", end, next)
	}
}

func (s *suite) sealRace(t *testing.T) {
	for range 5 {
		log := s.log(t)
		enough := make(chan struct{})
		sealed := make(chan commitlog.Position, 1)
		ctx := within(t)
		go func() {
			<-enough
			end, err := log.Seal(ctx)
			if err != nil {
				t.Errorf("seal: %v", err)
			}
			sealed <- end
		}()
		var once onceAt
		calls := appendConcurrently(t, log, 4, func(appended int, err error) bool {
			once.at(appended == 5, func() { close(enough) })
			return err != nil
		})
		end := <-sealed
		for _, c := range calls {
			if c.err == nil && c.position+commitlog.Position(c.records) > end {
				t.Errorf("%s was acknowledged at %d, sealed at %d", c.name, c.position, end)
			}
			if c.err != nil && !fault.Is(c.err, fault.Sealed) {
				t.Errorf("%s: %v", c.name, c.err)
			}
		}
		wantHistory(t, calls, readAll(t, log, 0, 1<<20))
		if got := mustBounds(t, log); !got.Sealed || got.Next != end {
			t.Errorf("sealed at %d, bounds %+v", end, got)
		}
	}
}

func (s *suite) sealRacesSeal(t *testing.T) {
	log := s.log(t)
	mustAppend(t, log, batchOf("a"))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends := make(chan commitlog.Position, 8)
	for range cap(ends) {
		go func() {
			end, err := log.Seal(ctx)
			if err != nil {
				t.Errorf("seal: %v", err)
			}
			ends <- end
		}()
	}
	first := <-ends
	for range cap(ends) - 1 {
		if end := <-ends; end != first {
			t.Errorf("sealed at %d and at %d", first, end)
		}
	}
}
