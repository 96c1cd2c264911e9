package tolls

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
)

// shownMax is how many ids of each kind of difference are named; the counts are always whole.
const shownMax = 20

// Differences is how what was read differs from what was written. All empty is equal.
type Differences struct {
	Missing      IDs      `json:"missing"`      // never read, or with duplicates counted, read too seldom
	Changed      IDs      `json:"changed"`      // read with other bytes
	Repeated     IDs      `json:"repeated"`     // read more often than written; a difference only when duplicates count
	AckedMissing IDs      `json:"ackedMissing"` // acknowledged, and not at the place that was acknowledged
	Reordered    IDs      `json:"reordered"`    // read after a line of the same customer that was sent later
	Foreign      []string `json:"foreign"`      // read and never written
	Totals       []string `json:"totals"`       // totals that are not the oracle's
	Along        []string `json:"along"`        // what a reader that ran along read otherwise
}

// IDs counts txn ids and names the first of them.
type IDs struct {
	Count int      `json:"count"`
	First []string `json:"first"`
}

func (i *IDs) add(seq int) {
	if i.Count++; len(i.First) < shownMax {
		i.First = append(i.First, TxnID(seq))
	}
}

// None says whether there is no difference.
func (d *Differences) None() bool {
	ids := d.Missing.Count + d.Changed.Count + d.Repeated.Count + d.AckedMissing.Count + d.Reordered.Count
	return ids+len(d.Foreign)+len(d.Totals)+len(d.Along) == 0
}

// Lines gives the differences as sentences.
func (d *Differences) Lines() []string {
	var all []string
	for _, kind := range []struct {
		what string
		ids  IDs
	}{{"missing", d.Missing}, {"with other bytes", d.Changed}, {"too often", d.Repeated}, {"acknowledged and missing", d.AckedMissing},
		{"after a later one of their customer", d.Reordered}} {
		if kind.ids.Count > 0 {
			all = append(all, fmt.Sprintf("%d %s: %v", kind.ids.Count, kind.what, kind.ids.First))
		}
	}
	for _, text := range d.Foreign {
		all = append(all, fmt.Sprintf("never written: %q", text))
	}
	return append(append(all, d.Totals...), d.Along...)
}

// Compare holds what was written and acknowledged against what is read. Written comes first, then Acked in the order of sending,
// then Read, a shard after its parents; used by one goroutine at a time. It keeps about fifteen bytes for a line and twenty for
// an acknowledgement.
//
// Order: the first copies of a customer's lines are read in the order in which they were first acknowledged, whichever shards
// they are in. A copy that was sent again after a lost answer may stand anywhere behind.
type Compare struct {
	hashSeed maphash.Seed
	hashes   []uint64 // of the text of vehicle i
	written  []uint8  // how often vehicle i was written
	read     []uint8  // how often it was read, with the same bytes
	sent     []uint32 // the place of vehicle i among what was acknowledged, from 1; 0 is never
	sends    uint32   // how many places there are
	acked    map[uint64]int32
	latest   map[uint64]uint32 // by customer: the place of what was read last
	count    int               // lines read
	totals   map[string]*StationTotals
	diff     Differences
}

// NewCompare begins with nothing.
func NewCompare() *Compare {
	return &Compare{hashSeed: maphash.MakeSeed(), acked: map[uint64]int32{}, latest: map[uint64]uint32{}, totals: map[string]*StationTotals{}}
}

// Written notes a line of the generator.
func (c *Compare) Written(line Line) {
	for len(c.hashes) <= line.Seq {
		c.hashes, c.written, c.read, c.sent = append(c.hashes, 0), append(c.written, 0), append(c.read, 0), append(c.sent, 0)
	}
	c.hashes[line.Seq] = maphash.Bytes(c.hashSeed, line.Text)
	c.written[line.Seq]++
}

// Acked notes that text was acknowledged at a place.
func (c *Compare) Acked(shard, sequence string, text []byte) {
	if seq, ok := seqOf(text); ok {
		c.acked[c.place(shard, sequence, text)] = int32(seq)
		if c.sends++; seq < len(c.sent) && c.sent[seq] == 0 {
			c.sent[seq] = c.sends
		}
	}
}

// Read notes a record that was read.
func (c *Compare) Read(shard, sequence string, text []byte) {
	c.count++
	delete(c.acked, c.place(shard, sequence, text))
	seq, ok := seqOf(text)
	if !ok || seq >= len(c.hashes) {
		if len(c.diff.Foreign) < shownMax {
			c.diff.Foreign = append(c.diff.Foreign, string(text[:min(len(text), 100)]))
		}
		return
	}
	if maphash.Bytes(c.hashSeed, text) != c.hashes[seq] {
		c.diff.Changed.add(seq)
		return
	}
	if c.read[seq]++; c.read[seq] == 0 {
		c.read[seq]-- // stays at the most it can hold
	}
	if c.read[seq] == 1 {
		c.total(text)
		c.order(seq, text)
	}
}

// order notes the first reading of a line, and whether a later one of its customer was read before.
func (c *Compare) order(seq int, text []byte) {
	customer := maphash.String(c.hashSeed, Key(text))
	if place := c.sent[seq]; place == 0 || place > c.latest[customer] {
		c.latest[customer] = max(place, c.latest[customer])
		return
	}
	c.diff.Reordered.add(seq)
}

// Result compares. With deduped, how often a line was read does not matter.
func (c *Compare) Result(deduped bool, oracle Oracle) Differences {
	d := c.diff
	for seq, times := range c.written {
		switch read := c.read[seq]; {
		case read == 0 && times > 0, !deduped && read < times:
			d.Missing.add(seq)
		case !deduped && read > times:
			d.Repeated.add(seq)
		}
	}
	for _, seq := range slices.Sorted(maps.Values(c.acked)) {
		d.AckedMissing.add(int(seq))
	}
	d.Totals = compareTotals(c.totals, oracle)
	return d
}

func (c *Compare) place(shard, sequence string, text []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(c.hashSeed)
	h.WriteString(shard)
	h.WriteByte(0)
	h.WriteString(sequence)
	h.WriteByte(0)
	h.Write(text)
	return h.Sum64()
}

// total counts a readable line in its station, from nothing but its text.
func (c *Compare) total(text []byte) {
	vehicle, err := ParseLine(text)
	if err != nil {
		return
	}
	totals := c.totals[vehicle.Station]
	if totals == nil {
		totals = &StationTotals{HalfHours: map[string]int{}}
		c.totals[vehicle.Station] = totals
	}
	totals.Vehicles++
	totals.Cents += vehicle.Cents
	totals.HalfHours[slotName(vehicle.At)]++
}

func compareTotals(got map[string]*StationTotals, oracle Oracle) []string {
	var all []string
	say := func(format string, args ...any) {
		if len(all) < shownMax {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	for name := range got {
		if oracle.Stations[name] == nil {
			say("%s: no such station in the oracle", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(oracle.Stations)) {
		want, have := oracle.Stations[name], got[name]
		if have == nil {
			have = &StationTotals{}
		}
		if have.Vehicles != want.Vehicles || have.Cents != want.Cents {
			say("%s: %d vehicles and %d cents, the oracle has %d and %d", name, have.Vehicles, have.Cents, want.Vehicles, want.Cents)
		}
		for _, slot := range slices.Sorted(maps.Keys(want.HalfHours)) {
			if have.HalfHours[slot] != want.HalfHours[slot] {
				say("%s from %s: %d vehicles, the oracle has %d", name, slot, have.HalfHours[slot], want.HalfHours[slot])
			}
		}
	}
	return all
}
