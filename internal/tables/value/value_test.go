package value

import (
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

var seed = flag.Uint64("seed", 0, "repeat a random test; 0 takes another each time")

func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("repeat with: go test ./internal/tables/value -run %s -seed %d", t.Name(), s)
	return rand.New(rand.NewPCG(s, 1))
}

// TestNumbers shows what requests may write, and how answers write it.
func TestNumbers(t *testing.T) {
	for _, row := range []struct{ in, out string }{
		{"0", "0"}, {"-0", "0"}, {"0.000", "0"}, {"00012", "12"}, {"+5", "5"}, {"1.50", "1.5"}, {"-1.50", "-1.5"}, {".5", "0.5"}, {"5.", "5"},
		{"1e3", "1000"}, {"1E-3", "0.001"}, {"12.34e1", "123.4"}, {"100", "100"}, {"0e999", "0"},
		{"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
		{"1e125", "1" + strings.Repeat("0", 125)}, {"1e-130", "0." + strings.Repeat("0", 129) + "1"},
		{"100000000000000000000000000000000000000000", "100000000000000000000000000000000000000000"}, // 42 digits, one significant
		{"1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
		{"1e99999999999999999999", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"123456789012345678901234567890123456789", "Attempting to store more than 38 significant digits in a Number"},
		{"", "The parameter cannot be converted to a numeric value"},
		{"b", "The parameter cannot be converted to a numeric value: b"}, {"1e", "The parameter cannot be converted to a numeric value: 1e"},
		{"1e+-3", "The parameter cannot be converted to a numeric value: 1e+-3"}, {"--1", "The parameter cannot be converted to a numeric value: --1"},
		{".", "The parameter cannot be converted to a numeric value: ."}, {"Infinity", "The parameter cannot be converted to a numeric value: Infinity"},
		{"1 ", "The parameter cannot be converted to a numeric value: 1 "}, {"-", "The parameter cannot be converted to a numeric value: -"},
	} {
		n, err := ParseNumber(row.in)
		got := n.String()
		if err != nil {
			got = err.Error()
		}
		if got != row.out {
			t.Errorf("%q is %q, want %q", row.in, got, row.out)
		}
	}
}

// anyNumber is text of a number in range, often one that is close to others.
func anyNumber(r *rand.Rand) string {
	digits := 1 + r.IntN(5)
	if r.IntN(4) == 0 {
		digits = 1 + r.IntN(38)
	}
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	for range digits {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	exponent := r.IntN(7) - 3
	if r.IntN(4) == 0 {
		exponent = r.IntN(200) - 110
	}
	return fmt.Sprintf("%se%d", b.String(), exponent)
}

// TestNumbersKeepTheirOrder holds order, sums and text against exact fractions.
func TestNumbersKeepTheirOrder(t *testing.T) {
	r := random(t)
	for range 20000 {
		ta, tb := anyNumber(r), anyNumber(r)
		a, errA := ParseNumber(ta)
		b, errB := ParseNumber(tb)
		if errA != nil || errB != nil {
			continue
		}
		ra, _ := new(big.Rat).SetString(ta)
		rb, _ := new(big.Rat).SetString(tb)
		if got := strings.Compare(string(a), string(b)); got != ra.Cmp(rb) {
			t.Fatalf("%s against %s is %d, want %d", ta, tb, got, ra.Cmp(rb))
		}
		if back, _ := new(big.Rat).SetString(a.String()); back == nil || back.Cmp(ra) != 0 {
			t.Fatalf("%s is written %s", ta, a)
		}
		sum, want := new(big.Rat).Add(ra, rb), "sum"
		if r.IntN(2) == 0 {
			sum, want = new(big.Rat).Sub(ra, rb), "difference"
		}
		got, err := Add(a, b, want == "difference")
		if err != nil {
			continue // more than 38 digits, which TestSums shows
		}
		if back, _ := new(big.Rat).SetString(got.String()); back.Cmp(sum) != 0 {
			t.Fatalf("%s of %s and %s is %s", want, ta, tb, got)
		}
	}
}

// TestSums shows the edges of arithmetic.
func TestSums(t *testing.T) {
	for _, row := range []struct {
		a, b string
		sub  bool
		want string
	}{
		{"1", "2", false, "3"}, {"1", "2", true, "-1"}, {"0.1", "0.2", false, "0.3"}, {"5", "5", true, "0"},
		{"9223372036854775807", "1", false, "9223372036854775808"}, {"0", "1e100", true, "-1" + strings.Repeat("0", 100)},
		{"1e37", "1", false, "10000000000000000000000000000000000001"},
		{"1e38", "1", false, "Attempting to store more than 38 significant digits in a Number"},
		{"9e125", "9e125", false, "Number overflow. Attempting to store a number with magnitude larger than supported range"},
	} {
		a, errA := ParseNumber(row.a)
		b, errB := ParseNumber(row.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		n, err := Add(a, b, row.sub)
		got := n.String()
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s, %s, subtract %v: %s, want %s", row.a, row.b, row.sub, got, row.want)
		}
	}
}

// anyValue is a value of any type, not deep.
func anyValue(r *rand.Rand, depth int) Value {
	text := func() string {
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = byte(r.IntN(4)) * 85 // 0 and 255 are the hard ones
		}
		return string(b)
	}
	number := func() Number {
		n, err := ParseNumber(anyNumber(r))
		if err != nil {
			return Zero
		}
		return n
	}
	kinds := 9
	if depth > 2 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		return String(text())
	case 1:
		return Binary([]byte(text()))
	case 2:
		return Numeric(number())
	case 3:
		return Bool(r.IntN(2) == 0)
	case 4:
		return Null()
	case 5:
		v, err := NewSet(SS, []string{text() + "a", text() + "b"})
		if err != nil {
			return Null()
		}
		return v
	case 6:
		v, err := NewSet(NS, []string{string(number()), string(number())})
		if err != nil {
			return Null()
		}
		return v
	case 7:
		list := make([]Value, r.IntN(4))
		for i := range list {
			list[i] = anyValue(r, depth+1)
		}
		return Value{Kind: L, List: list}
	default:
		return Value{Kind: M, Map: anyItem(r, depth+1)}
	}
}

func anyItem(r *rand.Rand, depth int) Item {
	it := Item{}
	for range r.IntN(12) {
		it = it.With(fmt.Sprintf("n%02d", r.IntN(30)), anyValue(r, depth))
	}
	return it
}

// TestMerged holds one merge against many single changes.
func TestMerged(t *testing.T) {
	r := random(t)
	for range 1000 {
		it := anyItem(r, 0)
		want := it
		var changes Item
		for _, n := range r.Perm(30)[:r.IntN(12)] {
			c := Attribute{Name: fmt.Sprintf("n%02d", n), Value: anyValue(r, 3)}
			if r.IntN(3) == 0 {
				c.Value = Value{}
				want = want.Without(c.Name)
			} else {
				want = want.With(c.Name, c.Value)
			}
			changes = append(changes, c)
		}
		if got := it.Merged(changes); !EqualItems(got, want) {
			t.Fatalf("%v with %v is %v, want %v", it, changes, got, want)
		}
	}
}

// TestItemsComeBack encodes any items and reads them back.
func TestItemsComeBack(t *testing.T) {
	r := random(t)
	for range 2000 {
		it := anyItem(r, 0)
		back, err := DecodeItem(string(AppendItem(nil, it)))
		if err != nil || !EqualItems(it, back) || it.Size() != back.Size() {
			t.Fatalf("%v came back as %v, %v", it, back, err)
		}
	}
}

// TestKeysKeepTheirOrder holds the order of key bytes against the order of values, and cuts keys apart again.
func TestKeysKeepTheirOrder(t *testing.T) {
	r := random(t)
	part := func(kind Kind) Value {
		for {
			if v := anyValue(r, 9); v.Kind == kind {
				return v
			}
		}
	}
	for range 3000 {
		first, second := []Kind{S, N, B}[r.IntN(3)], []Kind{S, N, B}[r.IntN(3)]
		a1, a2, b1, b2 := part(first), part(second), part(first), part(second)
		ka, kb := AppendKey(AppendKey(nil, a1), a2), AppendKey(AppendKey(nil, b1), b2)
		want, _ := Compare(a1, b1)
		if want == 0 {
			want, _ = Compare(a2, b2)
		}
		if got := strings.Compare(string(ka), string(kb)); got != want {
			t.Fatalf("(%q %q) against (%q %q) is %d, want %d", a1.Text, a2.Text, b1.Text, b2.Text, got, want)
		}
		got1, rest, err1 := CutKey(string(ka), first)
		got2, rest, err2 := CutKey(rest, second)
		if err1 != nil || err2 != nil || rest != "" || !Equal(got1, a1) || !Equal(got2, a2) {
			t.Fatalf("(%q %q) is cut into %q and %q, rest %q, %v %v", a1.Text, a2.Text, got1.Text, got2.Text, rest, err1, err2)
		}
	}
}

// TestSizes shows what DynamoDB counts.
func TestSizes(t *testing.T) {
	number := func(text string) Value {
		n, err := ParseNumber(text)
		if err != nil {
			t.Fatal(err)
		}
		return Numeric(n)
	}
	for _, row := range []struct {
		name string
		v    Value
		want int
	}{
		{"text", String("häh"), 4}, {"bytes", Binary(make([]byte, 10)), 10}, {"true", Bool(true), 1}, {"null", Null(), 1}, {"0", number("0"), 1},
		{"5", number("5"), 2}, {"-5", number("-5"), 3}, {"123", number("123"), 3}, {"empty list", Value{Kind: L}, 3},
		{"list", Value{Kind: L, List: []Value{String("ab"), Null()}}, 3 + 3 + 2}, {"map", Value{Kind: M, Map: Item{{"k", String("ab")}}}, 3 + 1 + 1 + 2},
		{"set", Value{Kind: SS, Set: []string{"a", "bc"}}, 3},
	} {
		if got := row.v.Size(); got != row.want {
			t.Errorf("%s takes %d, want %d", row.name, got, row.want)
		}
	}
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(string(AppendItem(nil, Item{{"a", String("b")}, {"c", Value{Kind: L, List: []Value{Bool(true)}}}})))
	f.Fuzz(func(t *testing.T, s string) {
		it, err := DecodeItem(s)
		if err != nil {
			return
		}
		back, err := DecodeItem(string(AppendItem(nil, it)))
		if err != nil || !EqualItems(it, back) {
			t.Errorf("%q decodes to %v, and that to %v, %v", s, it, back, err)
		}
		it.Size()
	})
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"1", "-1.5e-100", "00.100", "9e125"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseNumber(text)
		if err != nil {
			return
		}
		back, err := ParseNumber(n.String())
		if err != nil || back != n {
			t.Errorf("%q is %q, and that %q, %v", text, n, back, err)
		}
		v, rest, err := CutKey(string(AppendKey(nil, Numeric(n))), N)
		if err != nil || rest != "" || v.Number() != n {
			t.Errorf("%q as a key is %q, rest %q, %v", text, v.Text, rest, err)
		}
	})
}

func FuzzCutKey(f *testing.F) {
	f.Add("a\x00\x01", byte(1))
	f.Fuzz(func(t *testing.T, key string, kind byte) {
		if v, rest, err := CutKey(key, Kind(kind%3)+S); err == nil {
			_ = v.Number().String()
			_ = rest
		}
	})
}
