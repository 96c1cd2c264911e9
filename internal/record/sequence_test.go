package record_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

func randomSequence(r *rand.Rand) record.SequenceNumber {
	s := record.SequenceNumber{
		ShardCreated:  r.Int64N(1<<36) >> r.UintN(36),
		Shard:         r.Uint32() >> r.UintN(32),
		Position:      r.Int64() >> r.UintN(63),
		ArrivalSecond: r.Int64N(1<<36) >> r.UintN(36),
		Behind:        r.UintN(4) == 0,
	}
	switch r.UintN(8) {
	case 0:
		s.Position = record.StartPosition
	case 1:
		s.Position = record.EndPosition
	}
	s.Position = min(s.Position, record.EndPosition)
	return s
}

// bigSequence builds the number field by field, in hexadecimal, as the layout is written down.
func bigSequence(s record.SequenceNumber) *big.Int {
	behind := 0
	if s.Behind {
		behind = 1
	}
	hex := fmt.Sprintf("2%09x%x%016x%02x%09x%08x2", s.ShardCreated, s.Shard&0xf, s.Position+1, behind, s.ArrivalSecond, s.Shard)
	b, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic(hex)
	}
	return b
}

// Every number is the one the layout says, is what the KCL validates, and reads back as itself.
func TestSequenceNumberAgainstBig(t *testing.T) {
	r := random(t)
	for range 20_000 {
		s := randomSequence(r)
		text, want := s.String(), bigSequence(s)
		if text != want.String() {
			t.Fatalf("%+v: %s, want %s", s, text, want)
		}
		if want.BitLen() != 186 {
			t.Fatalf("%s has %d bits", text, want.BitLen())
		}
		if version := new(big.Int).Rsh(want, 184); version.Int64() != 2 {
			t.Fatalf("%s: version %s", text, version)
		}
		shard := new(big.Int).Rsh(want, 4)
		if shard.And(shard, big.NewInt(0xffffffff)); shard.Int64() != int64(s.Shard) {
			t.Fatalf("%s: shard %s, want %d", text, shard, s.Shard)
		}
		if parsed, err := record.ParseSequenceNumber(text); err != nil || parsed != s {
			t.Fatalf("parse %s: %+v, %v, want %+v", text, parsed, err, s)
		}
		other := randomSequence(r)
		if r.UintN(2) == 0 {
			other.ShardCreated, other.Shard = s.ShardCreated, s.Shard
		}
		if got, want := s.Compare(other), want.Cmp(bigSequence(other)); got != want {
			t.Fatalf("%+v against %+v: %d, want %d", s, other, got, want)
		}
	}
}

// What users compare: start < first record < … < last record < end, and everything of a child above everything of its parent.
func TestSequenceNumberOrder(t *testing.T) {
	const created, closed = 1_790_000_000, 1_790_003_600
	at := func(position, second int64) record.SequenceNumber {
		return record.SequenceNumber{ShardCreated: created, Shard: 3, Position: position, ArrivalSecond: second}
	}
	inOrder := []record.SequenceNumber{
		record.StartingSequenceNumber(created, 3),
		at(0, created),
		at(1, created+9), // the clock may step back between records
		{ShardCreated: created, Shard: 3, Position: 1, ArrivalSecond: created + 9, Behind: true},
		{ShardCreated: created, Shard: 3, Position: 1, ArrivalSecond: created + 14, Behind: true}, // grows while nothing comes
		at(2, created+5),
		at(1<<62, closed),
		record.EndingSequenceNumber(created, 3, closed),
		record.StartingSequenceNumber(closed+1, 4),
		{ShardCreated: closed + 1, Shard: 4, Position: 0, ArrivalSecond: closed + 1},
	}
	compare := func(a, b record.SequenceNumber) int { return strings.Compare(a.String(), b.String()) } // same length
	if !slices.IsSortedFunc(inOrder, compare) || !slices.IsSortedFunc(inOrder, record.SequenceNumber.Compare) {
		t.Errorf("%v", inOrder)
	}
	ending := fmt.Sprintf("%x", bigSequence(record.EndingSequenceNumber(created, 3, closed)))
	if !regexp.MustCompile(`^20[0-9a-f]{8}37fffffffffffffff000[0-9a-f]{8}000000032$`).MatchString(ending) {
		t.Errorf("ending sequence number %s", ending)
	}
}

func TestParseSequenceNumberRefuses(t *testing.T) {
	valid := record.StartingSequenceNumber(1_790_000_000, 3)
	wrongBits := func(bit uint) string {
		b := bigSequence(valid)
		return b.SetBit(b, int(bit), b.Bit(int(bit))^1).String()
	}
	for _, row := range []struct {
		text   string
		reason error
	}{
		{"", record.ErrSequenceSyntax},
		{"01", record.ErrSequenceSyntax},
		{"-1", record.ErrSequenceSyntax},
		{"12x", record.ErrSequenceSyntax},
		{" " + valid.String(), record.ErrSequenceSyntax},
		{strings.Repeat("1", 130), record.ErrSequenceSyntax},
		{strings.Repeat("1", 1_000_000), record.ErrSequenceSyntax},
		{"0", record.ErrSequenceLayout},
		{"1", record.ErrSequenceLayout},
		{strings.Repeat("1", 129), record.ErrSequenceLayout},
		{strings.Repeat("9", 56), record.ErrSequenceLayout},
		{"1" + strings.Repeat("0", 55), record.ErrSequenceLayout},
		{wrongBits(0), record.ErrSequenceLayout},
		{wrongBits(4), record.ErrSequenceLayout},   // the shard's low bits stand in two places
		{wrongBits(73), record.ErrSequenceLayout},  // always 0; bit 72 is Behind
		{wrongBits(143), record.ErrSequenceLayout}, // top bit of the position
		{wrongBits(144), record.ErrSequenceLayout},
		{wrongBits(184), record.ErrSequenceLayout},
		{wrongBits(185), record.ErrSequenceLayout},
	} {
		s, err := record.ParseSequenceNumber(row.text)
		if !fault.Is(err, fault.Invalid) || !errors.Is(err, row.reason) {
			t.Errorf("%.60q: %+v, %v", row.text, s, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%.60q: an error of %d bytes", row.text, len(err.Error()))
		}
	}
}

func TestSequenceNumberValid(t *testing.T) {
	ok := record.SequenceNumber{ShardCreated: 1, Position: 2, ArrivalSecond: 3}
	if !ok.Valid() || !record.StartingSequenceNumber(1, 2).Valid() || !record.EndingSequenceNumber(1, 2, 3).Valid() {
		t.Error("a good one is not valid")
	}
	for name, change := range map[string]func(*record.SequenceNumber){
		"created before 1970": func(s *record.SequenceNumber) { s.ShardCreated = -1 },
		"created too late":    func(s *record.SequenceNumber) { s.ShardCreated = 1 << 36 },
		"arrived before 1970": func(s *record.SequenceNumber) { s.ArrivalSecond = -1 },
		"arrived too late":    func(s *record.SequenceNumber) { s.ArrivalSecond = 1 << 36 },
		"before the start":    func(s *record.SequenceNumber) { s.Position = -2 },
		"behind the end":      func(s *record.SequenceNumber) { s.Position = record.EndPosition + 1 },
	} {
		s := ok
		if change(&s); s.Valid() {
			t.Errorf("%s: %+v is valid", name, s)
		}
	}
}

func TestSequenceNumberAppendsWithoutAllocating(t *testing.T) {
	s, dst := randomSequence(random(t)), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = s.AppendTo(dst[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// One number per record put and per record read: 56 digits, 7 divisions by 10^8 and 3 by 10^19, no allocation.
func BenchmarkSequenceNumberAppendTo(b *testing.B) {
	s := record.SequenceNumber{ShardCreated: 1_790_000_000, Shard: 3, Position: 123_456_789, ArrivalSecond: 1_790_000_777}
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		s.Position++
		dst = s.AppendTo(dst[:0])
	}
}

func BenchmarkParseSequenceNumber(b *testing.B) {
	text := record.SequenceNumber{ShardCreated: 1_790_000_000, Shard: 3, Position: 123_456_789, ArrivalSecond: 1_790_000_777}.String()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.ParseSequenceNumber(text); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseSequenceNumber(f *testing.F) {
	for _, seed := range []string{"0", "01", "49537279973004700513262647557344055618854783392326844418", strings.Repeat("9", 56),
		record.StartingSequenceNumber(1_790_000_000, 3).String(), record.EndingSequenceNumber(0, 1<<32-1, 1<<36-1).String()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := record.ParseSequenceNumber(text)
		if err == nil && (s.String() != text || !s.Valid()) {
			t.Errorf("%q reads as %s (valid %v)", text, s, s.Valid())
		}
	})
}
