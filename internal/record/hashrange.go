package record

import "github.com/weir-stream/weir/internal/fault"

// HashRange is the part of the key space that a shard takes: from Start to End, both inclusive.
type HashRange struct {
	Start HashKey `json:"start"`
	End   HashKey `json:"end"`
}

// FullRange is the whole key space.
var FullRange = HashRange{End: MaxHashKey}

// Contains says whether k is in the range.
func (r HashRange) Contains(k HashKey) bool { return r.Start.Cmp(k) <= 0 && k.Cmp(r.End) <= 0 }

// String is the range in decimal, as [start, end].
func (r HashRange) String() string { return "[" + r.Start.String() + ", " + r.End.String() + "]" }

// Split cuts the range so that the second part begins at at. Invalid unless both parts hold something: Start < at ≤ End.
// (AWS wants more distance, Start+1 < at < End, which the caller checks with AWS's words.)
func (r HashRange) Split(at HashKey) (lower, upper HashRange, err error) {
	if at.Cmp(r.Start) <= 0 || at.Cmp(r.End) > 0 {
		return HashRange{}, HashRange{}, fault.New(fault.Invalid, "split of hash range %s at %s leaves one part empty", r, at)
	}
	return HashRange{r.Start, at.Prev()}, HashRange{at, r.End}, nil
}

// Middle is where the upper half of the range begins: Start + size/2. The range must hold more than one point.
func (r HashRange) Middle() HashKey {
	half, _ := r.End.Sub(r.Start).div(2)
	return r.Start.Add(half).Next()
}

// Width is one less than how many points the range holds, which so fits a HashKey.
func (r HashRange) Width() HashKey { return r.End.Sub(r.Start) }

// Merge is the range that r and next make when next begins where r ends. Invalid when it does not.
func (r HashRange) Merge(next HashRange) (HashRange, error) {
	if r.End == MaxHashKey || r.End.Next() != next.Start {
		return HashRange{}, fault.New(fault.Invalid, "hash range %s does not end where %s begins", r, next)
	}
	return HashRange{r.Start, next.End}, nil
}

// UniformRanges cuts the key space into n ranges of floor(2^128/n) points each, the last of which takes the rest too: what AWS does
// at CreateStream. None for n < 1.
func UniformRanges(n int) []HashRange {
	if n < 1 {
		return nil
	}
	if n == 1 {
		return []HashRange{FullRange}
	}
	width, rest := MaxHashKey.div(uint64(n))
	if rest == uint64(n)-1 { // 2^128 is one more than MaxHashKey
		width = width.Next()
	}
	ranges := make([]HashRange, n)
	var start HashKey
	for i := range ranges {
		next := start.Add(width)
		ranges[i] = HashRange{start, next.Prev()}
		start = next
	}
	ranges[n-1].End = MaxHashKey
	return ranges
}

// Covers says whether ranges, in order of Start, take every point of the key space exactly once.
func Covers(ranges []HashRange) bool {
	var expected HashKey
	for i, r := range ranges {
		if r.Start != expected || r.End.Cmp(r.Start) < 0 {
			return false
		}
		if r.End == MaxHashKey {
			return i == len(ranges)-1
		}
		expected = r.End.Next()
	}
	return false
}
