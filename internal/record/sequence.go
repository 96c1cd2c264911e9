package record

import (
	"cmp"
	"errors"
	"math"
	"math/bits"

	"github.com/weir-stream/weir/internal/fault"
)

// SequenceNumber says where and when a record was taken in. It is computed from the shard and the record's place, never stored, and
// written as a decimal number in the layout that the Kinesis Client Library validates before it accepts a checkpoint:
//
//	bits      width  field
//	184–187       4  version, 2: the number has exactly 186 bits, and so always 56 decimal digits
//	148–183      36  ShardCreated
//	144–147       4  the lowest four bits of Shard
//	 80–143      64  Position + 1; the top bit is 0
//	 72–79        8  0, or 1 when Behind
//	 36–71       36  ArrivalSecond
//	  4–35       32  Shard
//	  0–3         4  2
//
// So numbers of one shard grow with Position, and those of a child are above its parent's because the child was created in a later second.
// The field holds Position + 1 so that the number a shard starts with, whose field is 0, is below that of its first record,
// and the one it ends with, whose field is 2^63−1, is above that of its last.
//
// Source: SequenceNumberValidator of the KCL for version, length and shard; the rest as observed of Kinesis.
type SequenceNumber struct {
	ShardCreated  int64  // seconds since 1970, 0 ≤ … < 2^36
	Shard         uint32 // the number in the shard's id
	Position      int64  // the record's position in its shard; StartPosition and EndPosition are special
	ArrivalSecond int64  // seconds since 1970, 0 ≤ … < 2^36
	// Behind makes it the number of no record, but of the gap behind the record at Position: above the number of that record whenever it arrived,
	// and below that of the next. It is where a reader who has had the record goes on (ContinuationSequenceNumber of SubscribeToShard).
	Behind bool
}

// The positions of no record.
const (
	StartPosition = -1                // before every record: a shard's StartingSequenceNumber
	EndPosition   = math.MaxInt64 - 1 // behind every record: a closed shard's EndingSequenceNumber
)

const (
	sequenceVersion = 2
	sequenceTail    = 2 // the lowest four bits
	sequenceDigits  = 56
	secondsEnd      = 1 << 36

	// SequenceDigitsMax is the longest decimal that the APIs take for a sequence number: 0|([1-9]\d{0,128}).
	SequenceDigitsMax = 129
)

// Why ParseSequenceNumber refuses, for errors.Is.
var (
	// ErrSequenceSyntax is a text that is no sequence number of any service: not 0|([1-9]\d{0,128}).
	ErrSequenceSyntax = errors.New("not 0 or up to 129 digits that do not begin with 0")
	// ErrSequenceLayout is a number that no shard can have given out.
	ErrSequenceLayout = errors.New("not in the layout of a shard's sequence numbers")
)

// StartingSequenceNumber is below the number of every record of the shard.
func StartingSequenceNumber(shardCreated int64, shard uint32) SequenceNumber {
	return SequenceNumber{ShardCreated: shardCreated, Shard: shard, Position: StartPosition, ArrivalSecond: shardCreated}
}

// EndingSequenceNumber is above the number of every record of the shard, which was closed in the second closed.
func EndingSequenceNumber(shardCreated int64, shard uint32, closed int64) SequenceNumber {
	return SequenceNumber{ShardCreated: shardCreated, Shard: shard, Position: EndPosition, ArrivalSecond: closed}
}

// Compare is −1, 0 or +1 as the number that s is written as is below, at or above that of other.
func (s SequenceNumber) Compare(other SequenceNumber) int {
	return cmp.Or(
		cmp.Compare(s.ShardCreated, other.ShardCreated),
		cmp.Compare(s.Shard&0xf, other.Shard&0xf),
		cmp.Compare(s.Position, other.Position),
		cmp.Compare(s.behind(), other.behind()),
		cmp.Compare(s.ArrivalSecond, other.ArrivalSecond),
		cmp.Compare(s.Shard, other.Shard),
	)
}

// Valid says whether every field fits the layout.
func (s SequenceNumber) Valid() bool {
	return s.ShardCreated >= 0 && s.ShardCreated < secondsEnd && s.ArrivalSecond >= 0 && s.ArrivalSecond < secondsEnd &&
		s.Position >= StartPosition && s.Position <= EndPosition
}

// String is s in decimal: 56 digits. Of what is not Valid it is some other 56 digits.
func (s SequenceNumber) String() string { return string(s.AppendTo(make([]byte, 0, sequenceDigits))) }

// AppendTo appends s in decimal, 56 digits, to dst and gives the extended slice. It allocates only when dst lacks room.
func (s SequenceNumber) AppendTo(dst []byte) []byte {
	hi, mid, lo := s.words()
	// Long division by 10^19, twice. Each first word is below 10^19, so that no quotient overflows: hi has 58 bits,
	// and the number over 10^19 has 123.
	midQuotient, rest := bits.Div64(hi, mid, tenTo19)
	loQuotient, low := bits.Div64(rest, lo, tenTo19)
	high, middle := bits.Div64(midQuotient, loQuotient, tenTo19)

	var digits [sequenceDigits]byte
	putDigits(digits[37:], low)
	putDigits(digits[18:37], middle)
	putDigits(digits[:18], high)
	return append(dst, digits[:]...)
}

// behind is bits 72–79.
func (s SequenceNumber) behind() uint64 {
	if s.Behind {
		return 1
	}
	return 0
}

// words is the number as three words, the top one first.
func (s SequenceNumber) words() (hi, mid, lo uint64) {
	created, place, arrival := uint64(s.ShardCreated)&(secondsEnd-1), uint64(s.Position+1)&math.MaxInt64, uint64(s.ArrivalSecond)&(secondsEnd-1)
	hi = sequenceVersion<<56 | created<<20 | uint64(s.Shard&0xf)<<16 | place>>48
	mid = place<<16 | s.behind()<<8 | arrival>>28
	lo = arrival<<36 | uint64(s.Shard)<<4 | sequenceTail
	return hi, mid, lo
}

// ParseSequenceNumber reads decimal. It takes only what AppendTo writes: whatever it gives is written as the same text.
// Invalid otherwise, with ErrSequenceSyntax or ErrSequenceLayout inside.
func ParseSequenceNumber(text string) (SequenceNumber, error) {
	if !isDecimal(text, SequenceDigitsMax) {
		return SequenceNumber{}, fault.As(fault.Invalid, ErrSequenceSyntax, "sequence number %q", clip(text))
	}
	if len(text) != sequenceDigits {
		return SequenceNumber{}, fault.As(fault.Invalid, ErrSequenceLayout, "sequence number %s", text)
	}
	high, middle, low := digitsOf(text[:18]), digitsOf(text[18:37]), digitsOf(text[37:])
	hi, mid, lo := uint64(0), uint64(0), high
	for _, digits := range [2]uint64{middle, low} {
		carry, newMid, newLo := mulAdd(mid, lo, tenTo19, digits)
		hi, mid, lo = hi*tenTo19+carry, newMid, newLo // hi is 0 but in the last round, and the product has at most 186 bits
	}
	s := SequenceNumber{
		ShardCreated:  int64(hi >> 20 & (secondsEnd - 1)),
		Shard:         uint32(lo >> 4),
		Position:      int64(hi&0xffff<<48|mid>>16) - 1,
		ArrivalSecond: int64(mid&0xff<<28 | lo>>36),
		Behind:        mid>>8&0xff == 1,
	}
	if againHi, againMid, againLo := s.words(); againHi != hi || againMid != mid || againLo != lo {
		return SequenceNumber{}, fault.As(fault.Invalid, ErrSequenceLayout, "sequence number %s", text)
	}
	return s, nil
}

// digitsOf is the value of at most 19 digits.
func digitsOf(text string) (v uint64) {
	for i := range len(text) {
		v = v*10 + uint64(text[i]-'0')
	}
	return v
}
