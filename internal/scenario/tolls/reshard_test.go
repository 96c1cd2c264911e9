package tolls

import (
	"math/big"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/scenario"
)

// Shows that a shard is split where AWS allows it, whatever is drawn: above its second key and below its last.
func TestSplitKey(t *testing.T) {
	for _, row := range []struct{ start, end, least, most string }{
		{"0", "340282366920938463463374607431768211455", "2", "340282366920938463463374607431768211454"},
		{"170141183460469231731687303715884105728", "340282366920938463463374607431768211455", "170141183460469231731687303715884105730", "340282366920938463463374607431768211454"},
		{"7", "10", "9", "9"},
	} {
		shard := types.Shard{HashKeyRange: &types.HashKeyRange{StartingHashKey: aws.String(row.start), EndingHashKey: aws.String(row.end)}}
		for _, part := range []float64{0, 1e-12, 0.3, 0.5, 0.999999999999} {
			at, _ := new(big.Int).SetString(splitKey(shard, part), 10)
			if at.Cmp(hashKey(&row.least)) < 0 || at.Cmp(hashKey(&row.most)) > 0 {
				t.Errorf("%s to %s at %g: %s", row.start, row.end, part, at)
			}
		}
	}
}

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
