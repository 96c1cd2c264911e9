package tolls

import (
	"slices"
	"testing"

	"github.com/weir-stream/weir/internal/scenario"
)

// Shows that two readings are the same only when every customer's records are, each once and in one order; that the customers are
// interleaved otherwise is no difference.
func TestOrder(t *testing.T) {
	read := func(records ...string) *order {
		o := newOrder()
		for _, r := range records {
			o.add("s", r, []byte(`{"customer":"C`+r[:1]+`"}`))
		}
		return o
	}
	want := read("a1", "a2", "b1", "b2")
	for _, row := range []struct {
		got  *order
		want int
	}{
		{read("b1", "a1", "b2", "a2"), 0}, {read("a2", "a1", "b1", "b2"), 1}, {read("a1", "a2", "b1"), 1}, {read("a1", "a2"), 1},
		{read("a1", "a2", "b1", "b2", "c1"), 1}, {read("a1", "a2", "a2", "b1", "b2", "b2"), 2}, {read(), 2},
	} {
		if n := row.got.differs(want); n != row.want {
			t.Errorf("%d customers, want %d", n, row.want)
		}
	}
}

// Shows when a fault happens: as often as it says, in ascending order, the last kill after the last line, and of kills and reshards
// together a kill at each reshard, after it.
func TestPlan(t *testing.T) {
	for fault, times := range map[scenario.Fault]int{
		"": 0, scenario.KillServer: 20, scenario.Reshard: 2, scenario.DiskFull: 3, scenario.TornJournal: 5, scenario.KillDuringReshard: 22, scenario.DuplicateDelivery: 0,
	} {
		c := &check{CheckOptions: CheckOptions{Fault: fault}, random: newRandom(5)}
		instants := c.plan(1000)
		if len(instants) != times || !slices.IsSortedFunc(instants, func(a, b instant) int { return a.acked - b.acked }) {
			t.Errorf("%q: %v", fault, instants)
		}
		if fault.Has(scenario.KillServer) && instants[len(instants)-1] != (instant{1000, scenario.KillServer}) {
			t.Errorf("%q: %v", fault, instants)
		}
		for i, one := range instants {
			if fault == scenario.KillDuringReshard && one.fault == scenario.Reshard && instants[i+1] != (instant{one.acked, scenario.KillServer}) {
				t.Errorf("%q: %v", fault, instants)
			}
		}
	}
}
