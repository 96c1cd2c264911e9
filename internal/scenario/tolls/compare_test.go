package tolls

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// compared writes all lines of a seed, reads what edit makes of them, and compares. Each line is acknowledged at, and read
// from, the place that its index names.
func compared(t *testing.T, deduped bool, edit func(i int, line Line) [][]byte) Differences {
	t.Helper()
	c := NewCompare()
	all := generate(5, Smoke)
	for i, line := range all {
		c.Written(line)
		c.Acked("s", fmt.Sprint(i), line.Text)
	}
	for i, line := range all {
		for _, text := range edit(i, line) {
			c.Read("s", fmt.Sprint(i), text)
		}
	}
	return c.Result(deduped, OracleOf(5, Smoke))
}

// Shows that every kind of difference is found, and that duplicates are one only where they count. A row harms one line.
func TestCompareFindsDifferences(t *testing.T) {
	all := generate(5, Smoke)
	index := func(ok func(Line) bool) int {
		for i, line := range all {
			if ok(line) {
				return i
			}
		}
		t.Fatal("no such line")
		return 0
	}
	plain := index(func(l Line) bool { return l.Seq == 3 })
	malformed := index(func(l Line) bool { return l.Malformed })
	again := index(func(l Line) bool { return l.Again })
	for _, row := range []struct {
		name           string
		at             int
		read           func([]byte) [][]byte
		exact, lenient string // what is said with and without duplicates counted; empty is equal
	}{
		{"as written", plain, func(b []byte) [][]byte { return [][]byte{b} }, "", ""},
		{"missing", plain, func([]byte) [][]byte { return nil }, "1 missing", "1 missing"},
		{"malformed one missing", malformed, func([]byte) [][]byte { return nil }, "1 missing", "1 missing"},
		{"second copy missing", again, func([]byte) [][]byte { return nil }, "1 missing", "1 acknowledged and missing"},
		{"once too often", plain, func(b []byte) [][]byte { return [][]byte{b, b} }, "1 too often", ""},
		{"a byte changed", plain, func(b []byte) [][]byte { return [][]byte{append(bytes.Clone(b[:len(b)-1]), ' ')} }, "1 with other bytes", "1 with other bytes"},
		{"a byte more", malformed, func(b []byte) [][]byte { return [][]byte{append(bytes.Clone(b), '\n')} }, "1 with other bytes", "1 with other bytes"},
		{"a stranger", plain, func(b []byte) [][]byte { return [][]byte{b, []byte("hello")} }, "never written", "never written"},
		{"a vehicle that never was", plain, func(b []byte) [][]byte { return [][]byte{b, []byte(`{"txn_id":"T000999999"}`)} }, "never written", "never written"},
	} {
		for _, deduped := range []bool{false, true} {
			want := row.exact
			if deduped {
				want = row.lenient
			}
			d := compared(t, deduped, func(i int, line Line) [][]byte {
				if i == row.at {
					return row.read(line.Text)
				}
				return [][]byte{line.Text}
			})
			said := strings.Join(d.Lines(), "\n")
			if d.None() != (want == "") || !strings.Contains(said, want) {
				t.Errorf("%s, deduped %v: %q, want %q", row.name, deduped, said, want)
			}
		}
	}
}

// Shows that an acknowledgement counts only at its own place: a line that is there under another number was not kept.
func TestCompareAckedPlace(t *testing.T) {
	c := NewCompare()
	line := generate(5, Smoke)[0]
	c.Written(line)
	c.Acked("s", "1", line.Text)
	c.Read("s", "2", line.Text)
	if d := c.Result(true, Oracle{}); d.AckedMissing.Count != 1 || d.AckedMissing.First[0] != TxnID(line.Seq) {
		t.Errorf("%+v", d.AckedMissing)
	}
}

// Shows that a customer's lines must come in the order in which they were sent, whichever shards they are in: one that comes late is
// found, a second copy that comes late is not, and neither is the order between customers.
func TestCompareOrder(t *testing.T) {
	all := generate(5, Smoke)
	byCustomer := map[int][]Line{}
	for _, line := range all {
		if !line.Malformed && !line.Again {
			byCustomer[line.Customer] = append(byCustomer[line.Customer], line)
		}
	}
	var mine, other []Line
	for _, line := range all {
		switch lines := byCustomer[line.Customer]; {
		case len(lines) >= 3 && mine == nil:
			mine = lines[:3]
		case len(lines) >= 2 && mine != nil && line.Customer != mine[0].Customer && other == nil:
			other = lines[:2]
		}
	}
	for _, row := range []struct {
		read string // of 0, 1, 2, a customer's lines, and a, b, another's
		late int    // of the reordered lines, -1 for none
	}{{"012ab", -1}, {"a0b12", -1}, {"ab012", -1}, {"01a2b01", -1}, {"0120ab", -1}, {"021ab", 1}, {"1a2b0", 0}} {
		lines := map[rune]Line{'0': mine[0], '1': mine[1], '2': mine[2], 'a': other[0], 'b': other[1]}
		c := NewCompare()
		for _, line := range all {
			c.Written(line)
		}
		for i, which := range "0a1b2" {
			c.Acked("s", fmt.Sprint(i), lines[which].Text)
		}
		for i, which := range row.read {
			shard := "parent"
			if i > 2 {
				shard = "child"
			}
			c.Read(shard, fmt.Sprint(i), lines[which].Text)
		}
		d := c.Result(true, Oracle{})
		switch {
		case row.late < 0 && d.Reordered.Count != 0:
			t.Errorf("%s: %v", row.read, d.Reordered)
		case row.late >= 0 && (d.Reordered.Count != 1 || d.Reordered.First[0] != TxnID(mine[row.late].Seq) || d.None() || !strings.Contains(strings.Join(d.Lines(), "\n"), "1 after a later one")):
			t.Errorf("%s: %v, %q", row.read, d.Reordered, d.Lines())
		}
	}
}

// Shows that wrong totals are found even when every line is right: the oracle is not made from the lines.
func TestCompareTotals(t *testing.T) {
	o := OracleOf(5, Smoke)
	o.Stations["ST-07"].Cents++
	o.Stations["ST-06"].HalfHours["2026-04-01T14:30Z"]--
	c := NewCompare()
	for i, line := range generate(5, Smoke) {
		c.Written(line)
		c.Read("s", fmt.Sprint(i), line.Text)
	}
	d := c.Result(false, o)
	if len(d.Totals) != 2 || !strings.HasPrefix(d.Totals[0], "ST-06 from 2026-04-01T14:30Z: 100") || !strings.HasPrefix(d.Totals[1], "ST-07: ") {
		t.Errorf("%q", d.Totals)
	}
}

// Shows that no bytes a stream may hold upset the reading of a line, and that what it reads is what the line says.
func FuzzParseLine(f *testing.F) {
	for _, line := range generate(5, Smoke)[:3] {
		f.Add(line.Text)
	}
	f.Add([]byte(`{"txn_id":"T00000000`))
	f.Add([]byte("T9999999999999999999"))
	f.Add([]byte(`{"txn_id":"T000000001","ts":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		vehicle, err := ParseLine(text)
		if err == nil && !bytes.Contains(text, []byte("T")) && !bytes.Contains(text, []byte(`\u`)) {
			t.Errorf("%q has no id, and %d was read", text, vehicle.Seq)
		}
		if key := Key(text); key == "" {
			t.Errorf("%q has no key", text)
		}
	})
}
