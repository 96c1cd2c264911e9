package record_test

import (
	"crypto/md5"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

func bigOf(k record.HashKey) *big.Int {
	b := new(big.Int).SetUint64(k.Hi)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(k.Lo))
}

// random gives a generator, and says in the test's log how to have the same one again.
func random(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("random values of rand.NewPCG(%d, 1)", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// randomKey has small and large values and the edges between words.
func randomKey(r *rand.Rand) record.HashKey {
	k := record.HashKey{Hi: r.Uint64() >> r.UintN(64), Lo: r.Uint64() >> r.UintN(64)}
	switch r.UintN(8) {
	case 0:
		k.Hi = 0
	case 1:
		k.Lo = ^uint64(0)
	case 2:
		k.Lo = 0
	case 3:
		k.Hi = ^uint64(0)
	}
	return k
}

// Arithmetic and text against math/big.
func TestHashKeyAgainstBig(t *testing.T) {
	r := random(t)
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	for range 20_000 {
		a, b := randomKey(r), randomKey(r)
		bigA, bigB := bigOf(a), bigOf(b)
		if got, want := a.String(), bigA.String(); got != want {
			t.Fatalf("%x in decimal: %s, want %s", a, got, want)
		}
		if parsed, err := record.ParseHashKey(a.String()); err != nil || parsed != a {
			t.Fatalf("parse %s: %v, %v", a, parsed, err)
		}
		if got, want := a.Cmp(b), bigA.Cmp(bigB); got != want {
			t.Fatalf("%s Cmp %s: %d, want %d", a, b, got, want)
		}
		sum := new(big.Int).Add(bigA, bigB)
		if got := bigOf(a.Add(b)); got.Cmp(sum.Mod(sum, modulus)) != 0 {
			t.Fatalf("%s + %s: %s, want %s", a, b, got, sum)
		}
		difference := new(big.Int).Sub(bigA, bigB)
		if got := bigOf(a.Sub(b)); got.Cmp(difference.Mod(difference, modulus)) != 0 {
			t.Fatalf("%s − %s: %s, want %s", a, b, got, difference)
		}
		if a.Next().Prev() != a || a.Next() != a.Add(record.HashKey{Lo: 1}) {
			t.Fatalf("%s: next %s", a, a.Next())
		}
	}
}

func TestParseHashKeyRefuses(t *testing.T) {
	for _, text := range []string{
		"", "00", "01", "-1", "+1", " 1", "1 ", "1e3", "0x1", "१",
		"340282366920938463463374607431768211456", "999999999999999999999999999999999999999",
		"1000000000000000000000000000000000000000", strings.Repeat("9", 100_000),
	} {
		if k, err := record.ParseHashKey(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.50q: %s, %v", text, k, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%.50q: an error of %d bytes", text, len(err.Error()))
		}
	}
	if k, err := record.ParseHashKey("340282366920938463463374607431768211455"); err != nil || k != record.MaxHashKey {
		t.Errorf("the last key: %s, %v", k, err)
	}
}

func TestHashKeyOf(t *testing.T) {
	for _, key := range []string{"", "a", "partition-1", "ключ", strings.Repeat("k", 1024)} {
		sum := md5.Sum([]byte(key))
		if got, want := bigOf(record.HashKeyOf([]byte(key))), new(big.Int).SetBytes(sum[:]); got.Cmp(want) != 0 {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
		if got, want := record.HashKeyOfString(key), record.HashKeyOf([]byte(key)); got != want {
			t.Errorf("%q as a string: %s, want %s", key, got, want)
		}
	}
	long := strings.Repeat("k", 256)
	if n := testing.AllocsPerRun(100, func() { record.HashKeyOfString(long) }); n != 0 {
		t.Errorf("%v allocations for a string", n)
	}
	key := []byte("station-17")
	if n := testing.AllocsPerRun(100, func() { record.HashKeyOf(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHashRangeJSON(t *testing.T) {
	in := record.HashRange{Start: record.HashKey{Lo: 7}, End: record.MaxHashKey}
	text, err := json.Marshal(in)
	if want := `{"start":"7","end":"340282366920938463463374607431768211455"}`; err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
	var out record.HashRange
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%v, %v", out, err)
	}
	for _, bad := range []string{`{"start":7}`, `{"start":"-7"}`, `{"start":"07"}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// The ranges of CreateStream: floor(2^128/n) points each, the last with the rest, and no hole.
func TestUniformRanges(t *testing.T) {
	counts := []int{1, 2, 3, 4, 5, 7, 10, 255, 256, 641, 1000, 10_000} // 641 divides 2^128−1: the case where rounding differs
	whole := new(big.Int).Lsh(big.NewInt(1), 128)
	for _, n := range counts {
		ranges := record.UniformRanges(n)
		if len(ranges) != n || !record.Covers(ranges) {
			t.Fatalf("%d: %d ranges, covering %v", n, len(ranges), record.Covers(ranges))
		}
		want := new(big.Int).Div(whole, big.NewInt(int64(n)))
		for i, r := range ranges {
			if n > 1 && i < n-1 && bigOf(r.End.Sub(r.Start).Next()).Cmp(want) != 0 {
				t.Fatalf("%d: range %d is %s, want %s points", n, i, r, want)
			}
			if !r.Contains(r.Start) || !r.Contains(r.End) || i > 0 && r.Contains(r.Start.Prev()) || i < n-1 && r.Contains(r.End.Next()) {
				t.Fatalf("%d: range %d %s does not contain exactly what it says", n, i, r)
			}
		}
	}
	if record.UniformRanges(0) != nil || record.UniformRanges(-1) != nil {
		t.Error("ranges for no shard")
	}
}

func TestCoversRefuses(t *testing.T) {
	key := func(lo uint64) record.HashKey { return record.HashKey{Lo: lo} }
	end := record.MaxHashKey
	for name, ranges := range map[string][]record.HashRange{
		"nothing":        nil,
		"not from 0":     {{key(1), end}},
		"not to the end": {{key(0), end.Prev()}},
		"hole":           {{key(0), key(4)}, {key(6), end}},
		"overlap":        {{key(0), key(4)}, {key(4), end}},
		"out of order":   {{key(5), end}, {key(0), key(4)}},
		"empty part":     {{key(0), key(4)}, {key(5), key(3)}, {key(4), end}},
		"twice":          {{key(0), end}, {key(0), end}},
	} {
		if record.Covers(ranges) {
			t.Errorf("%s: %v", name, ranges)
		}
	}
}

// Splitting keeps every point, and merging gives the same range again.
func TestSplitThenMerge(t *testing.T) {
	r := random(t)
	for range 5000 {
		start, at, end := randomKey(r), randomKey(r), randomKey(r)
		if start.Cmp(end) > 0 {
			start, end = end, start
		}
		whole := record.HashRange{Start: start, End: end}
		lower, upper, err := whole.Split(at)
		if possible := start.Cmp(at) < 0 && at.Cmp(end) <= 0; possible != (err == nil) {
			t.Fatalf("%s at %s: %v", whole, at, err)
		}
		if err != nil {
			continue
		}
		if merged, err := lower.Merge(upper); err != nil || merged != whole {
			t.Fatalf("%s at %s: %s and %s, merged %s, %v", whole, at, lower, upper, merged, err)
		}
		if _, err := upper.Merge(lower); !fault.Is(err, fault.Invalid) {
			t.Fatalf("merged %s before %s", upper, lower)
		}
		probe := randomKey(r)
		if whole.Contains(probe) != (lower.Contains(probe) != upper.Contains(probe)) {
			t.Fatalf("%s at %s: %s is in %v and %v", whole, at, probe, lower.Contains(probe), upper.Contains(probe))
		}
	}
}

func BenchmarkHashKeyOf(b *testing.B) {
	key := []byte("station-17/lane-4")
	b.ReportAllocs()
	for b.Loop() {
		record.HashKeyOf(key)
	}
}

func FuzzParseHashKey(f *testing.F) {
	for _, seed := range []string{"0", "01", "340282366920938463463374607431768211455", "340282366920938463463374607431768211456", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := record.ParseHashKey(text)
		if err == nil && k.String() != text {
			t.Errorf("%q reads as %s", text, k)
		}
	})
}
