package consumer

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/record"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// leasesOf reads leases written as shard:owner, shard:owner<handingOff for one that is being handed over, with ! behind for one that has expired, and $ for one that is finished.
func leasesOf(text string) []*observed {
	var all []*observed
	for _, word := range strings.Fields(text) {
		o := &observed{lease: &lease{checkpoint: Position{SequenceNumber: TrimHorizon}}, since: noon.Add(-time.Second), handoffEnds: noon.Add(time.Minute)}
		for done := false; !done; {
			switch {
			case strings.HasSuffix(word, "!"):
				o.since = noon.Add(-time.Minute)
			case strings.HasSuffix(word, "$"):
				o.checkpoint.SequenceNumber = ShardEnd
			default:
				done = true
				continue
			}
			word = word[:len(word)-1]
		}
		o.shard, o.owner, _ = strings.Cut(word, ":")
		o.owner, o.handingOff, _ = strings.Cut(o.owner, "<")
		if o.owner == "" {
			o.since = time.Time{}
		}
		all = append(all, o)
	}
	return all
}

// TestPlan shows what a leader does, row by row: moves are written as shard>worker, with ~ in front if the owner is asked first.
func TestPlan(t *testing.T) {
	for _, row := range []struct{ leases, workers, want string }{
		{"1: 2: 3: 4:", "a b", "1>a 2>b 3>a 4>b"},
		{"1:a 2:a 3:a 4:a", "a b", "~1>b ~2>b"},
		{"1:a 2:a 3:a", "a b", "~1>b"},
		{"1:a 2:b 3:c", "a b c d", ""},
		{"1:a 2:a 3:a 4:a 5:a 6:a 7:a 8:a 9:a", "a b c d", "~1>b ~2>c ~3>d ~4>b ~5>c ~6>d"}, // 3, 2, 2, 2
		{"1:a! 2:b 3:c", "a b c", "1>a"},
		{"1:a! 2:b 3:c 4:a", "a b c", "1>b"},                 // not back to who let it expire
		{"1:a! 2:a!", "a", "1>a 2>a"},                        // unless there is nobody else
		{"1:gone 2:a 3:a", "a b", "~2>b"},                    // a heartbeat is enough to keep a lease
		{"1:gone! 2:a 3:b", "a b", "1>a"},                    //
		{"1:b<a 2:a 3:b", "a b", ""},                         // under way counts for who gets it
		{"1:b<a 2:a 3:a 4:a", "a b", "~2>b"},                 // 3 and 1 would be too far apart
		{"1:a$ 2:a$ 3:a 4:b", "a b", ""},                     // finished ones count for nothing
		{"1:$ 2:a 3:a 4:b", "a b", "1>b"},                    // but have an owner
		{"1:b<a! 2:a", "a b", "1>b"},                         // the one who was to finish has died
		{"1:a 2:a", "", ""},                                  //
		{"1:a 2:a 3:a 4:a 5:b", "a b c", "~1>c ~2>b"},        // 2, 2, 1
		{"1: 2:a 3:a 4:a 5:b 6:b", "a b c", "1>c ~2>c"},      // places first, then moves
		{"1:x 2:x 3:x 4:x", "a b", ""},                       // all in other hands
		{"1:a 2:a 3:a 4:a 5:a! 6:", "a b", "6>b 5>b ~1>b"},   // those without an owner first
		{"1:a 2:a 3:b 4:b 5:c 6:c 7:c 8:c", "a b c", "~5>a"}, // and one of 3, 3, 2 is enough
	} {
		t.Run(row.leases+" for "+row.workers, func(t *testing.T) {
			var got []string
			for _, m := range plan(noon, leasesOf(row.leases), strings.Fields(row.workers), rules{failover: 10 * time.Second, maxLeases: 100, graceful: true}) {
				word := m.lease.shard + ">" + m.to
				if m.graceful {
					word = "~" + word
				}
				got = append(got, word)
			}
			if text := strings.Join(got, " "); text != row.want {
				t.Errorf("got %q, want %q", text, row.want)
			}
		})
	}
}

// TestPlanLimits shows the limit of leases, handing over without asking, and a handoff that has taken too long.
func TestPlanLimits(t *testing.T) {
	moves := plan(noon, leasesOf("1: 2: 3:"), []string{"a"}, rules{failover: time.Second, maxLeases: 2, graceful: true})
	if len(moves) != 2 {
		t.Errorf("%d of 3 leases went to a worker that may have 2", len(moves))
	}
	moves = plan(noon, leasesOf("1:a 2:a"), []string{"a", "b"}, rules{failover: 10 * time.Second, maxLeases: 2})
	if len(moves) != 1 || moves[0].graceful {
		t.Errorf("without graceful handoff: %v", moves)
	}
	late := leasesOf("1:c<a 2:a 3:a 4:b")
	for _, o := range late {
		o.handoffEnds = noon
	}
	moves = plan(noon, late, []string{"a", "b", "c"}, rules{failover: 10 * time.Second, maxLeases: 9, graceful: true})
	if len(moves) != 0 {
		t.Errorf("balanced, and yet %v", moves)
	}
}

// TestPlanThroughput shows that of a worker's leases the one moves that brings throughput closest.
func TestPlanThroughput(t *testing.T) {
	leases := leasesOf("1:a 2:a 3:a 4:b")
	for i, kib := range []float64{100, 10, 50, 20} {
		leases[i].throughput = &kib
	}
	moves := plan(noon, leases, []string{"a", "b"}, rules{failover: 10 * time.Second, maxLeases: 9})
	if len(moves) != 1 || moves[0].lease.shard != "3" {
		t.Fatalf("from 160 and 20 KiB a second, not lease 3 with 50 moves: %v", moves)
	}
}

var seed = flag.Int64("seed", 0, "of the random tests; 0 is another every time")

func random(t testing.TB) *rand.Rand {
	n := *seed
	if n == 0 {
		n = time.Now().UnixNano()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("go test ./consumer -run %s -seed %d", t.Name(), n)
		}
	})
	return rand.New(rand.NewPCG(uint64(n), 0))
}

// TestPlanSettles shows for random applications that a plan leaves no lease without an owner, keeps to the limit, is balanced, and is followed by none.
func TestPlanSettles(t *testing.T) {
	r := random(t)
	for range 300 {
		var workers []string
		for i := range 1 + r.IntN(6) {
			workers = append(workers, fmt.Sprint("w", i))
		}
		var leases []*observed
		for i := range r.IntN(40) {
			o := &observed{lease: &lease{shard: fmt.Sprint(i), checkpoint: Position{SequenceNumber: TrimHorizon}}, since: noon.Add(-time.Duration(r.IntN(20)) * time.Second)}
			if r.IntN(4) > 0 {
				o.owner = fmt.Sprint("w", r.IntN(8))
			}
			if r.IntN(3) > 0 {
				kib := 100 * r.Float64()
				o.throughput = &kib
			}
			leases = append(leases, o)
		}
		limit := rules{failover: 10 * time.Second, maxLeases: 100}
		for _, m := range plan(noon, leases, workers, limit) {
			for _, o := range leases {
				if o.lease == m.lease {
					o.owner, o.since = m.to, noon
				}
			}
		}
		counts := map[string]int{}
		for _, worker := range workers {
			counts[worker] = 0
		}
		for _, o := range leases {
			if o.free(noon, limit.failover) {
				t.Fatalf("lease %s has no owner", o.shard)
			}
			if _, alive := counts[o.owner]; alive {
				counts[o.owner]++
			}
		}
		least, most := 1000, 0
		for _, n := range counts {
			least, most = min(least, n), max(most, n)
		}
		if most-least > 1 {
			t.Fatalf("%v", counts)
		}
		if again := plan(noon, leases, workers, limit); len(again) > 0 {
			t.Fatalf("a second plan moves %d", len(again))
		}
	}
}

// TestMissingLeases shows which leases a leader makes when some are missing. Shards are written child<parent+parent, with . behind for one that is open; leases as shard, with $ for
// one that is finished; what is made as shard@position.
func TestMissingLeases(t *testing.T) {
	const history = "1 2 3<1. 4<1 5<2. 6<4. 7<4."
	for _, row := range []struct{ shards, leases, initial, want string }{
		{history, "", TrimHorizon, "1@TRIM_HORIZON 2@TRIM_HORIZON"},
		{history, "", Latest, "3@LATEST 5@LATEST 6@LATEST 7@LATEST"},
		{history, "", AtTimestamp, "1@AT_TIMESTAMP 2@AT_TIMESTAMP"},
		{history, "1 2", Latest, ""}, // their ends make the others
		{history, "1$ 2", Latest, "3@TRIM_HORIZON 4@TRIM_HORIZON"},
		{history, "1$ 2 3 4$", TrimHorizon, "6@TRIM_HORIZON 7@TRIM_HORIZON"},
		{history, "1$ 3 4 2", TrimHorizon, ""},
		{history, "3 5 6 7", TrimHorizon, ""}, // finished ones were deleted long ago
		{"1 2 3<1+2.", "1$ 2", TrimHorizon, "3@TRIM_HORIZON"},
		{"1 2 3<1+2.", "1 2", TrimHorizon, ""},
		{"3<1+2.", "", TrimHorizon, "3@TRIM_HORIZON"}, // its parents have passed the retention period
		{"1. 2.", "1", Latest, "2@LATEST"},
	} {
		t.Run(row.shards+" with "+row.leases+" "+row.initial, func(t *testing.T) {
			var shards []kinesis.Shard
			for _, word := range strings.Fields(row.shards) {
				word, open := strings.CutSuffix(word, ".")
				shard := kinesis.Shard{SequenceNumberRange: &kinesis.SequenceNumberRange{EndingSequenceNumber: aws.String("9")}}
				if open {
					shard.SequenceNumberRange.EndingSequenceNumber = nil
				}
				id, parents, _ := strings.Cut(word, "<")
				shard.ShardId = &id
				if parent, other, two := strings.Cut(parents, "+"); parent != "" {
					shard.ParentShardId = &parent
					if two {
						shard.AdjacentParentShardId = &other
					}
				}
				shards = append(shards, shard)
			}
			var leases []*lease
			for _, word := range strings.Fields(row.leases) {
				l := &lease{shard: strings.TrimSuffix(word, "$"), checkpoint: Position{SequenceNumber: "1"}}
				if strings.HasSuffix(word, "$") {
					l.checkpoint.SequenceNumber = ShardEnd
				}
				leases = append(leases, l)
			}
			made, err := missingLeases(leases, shards, row.initial)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range made {
				got = append(got, l.shard+"@"+l.checkpoint.String())
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != row.want {
				t.Errorf("got %q, want %q", text, row.want)
			}
		})
	}
}

// TestCoverage shows when the leases cover all hash keys: only those that are not finished count, and overlaps are no matter.
func TestCoverage(t *testing.T) {
	halves := record.UniformRanges(2)
	whole := record.FullRange
	of := func(r *record.HashRange, at string) *lease {
		return &lease{hashes: r, checkpoint: Position{SequenceNumber: at}}
	}
	for _, row := range []struct {
		leases []*lease
		want   bool
	}{
		{nil, false},
		{[]*lease{of(&whole, "1")}, true},
		{[]*lease{of(&whole, ShardEnd)}, false},
		{[]*lease{of(&halves[0], "1")}, false},
		{[]*lease{of(&halves[1], "1")}, false},
		{[]*lease{of(&halves[1], "1"), of(&halves[0], TrimHorizon)}, true},
		{[]*lease{of(&whole, "1"), of(&halves[0], TrimHorizon)}, true},
		{[]*lease{of(&whole, ShardEnd), of(&halves[0], TrimHorizon)}, false},
		{[]*lease{of(nil, "1")}, true},
	} {
		if got := coverage(row.leases); got != row.want {
			t.Errorf("%v: %v", row.leases, got)
		}
	}
}

// TestPositionOrder shows the order of positions in a shard.
func TestPositionOrder(t *testing.T) {
	order := []Position{{TrimHorizon, 0}, {"0", 0}, {"9", 0}, {"9", 1}, {"10", 0}, {"100000000000000000000000000000000000000000000000000000000", 0}, {ShardEnd, 0}}
	for i, a := range order {
		for j, b := range order {
			if got := a.compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s compared with %s is %d", a, b, got)
			}
		}
	}
}

// FuzzParseLease shows that no item makes the parser panic, and that a lease that was parsed is written as it was.
func FuzzParseLease(f *testing.F) {
	f.Add("shardId-000000000001", "worker", "5", "0", "495", "2", "shardId-000000000000", "0", "340282366920938463463374607431768211455", "LEASE")
	f.Add("Leader", "", "", "", "", "", "", "", "", "LEADER")
	f.Add("s", "", "x", "-1", "TRIM_HORIZON", "99999999999999999999", "p", "1", "y", "")
	f.Fuzz(func(t *testing.T, key, owner, counter, switches, checkpoint, sub, parent, start, end, entity string) {
		item := map[string]types.AttributeValue{attrKey: text(key), attrCheckpoint: text(checkpoint), attrEntity: text(entity), attrHashStart: text(start), attrHashEnd: text(end), attrOwner: text(owner)}
		for name, value := range map[string]string{attrCounter: counter, attrSwitches: switches, attrCheckpointSub: sub, attrThroughput: sub} {
			item[name] = &types.AttributeValueMemberN{Value: value}
		}
		item[attrParents] = &types.AttributeValueMemberSS{Value: []string{parent}}
		l, ok, err := parseLease(item)
		if err != nil || !ok {
			return
		}
		again, ok, err := parseLease(l.item())
		if err != nil || !ok || again.shard != l.shard || again.counter != l.counter || again.checkpoint != l.checkpoint || !slices.Equal(again.parents, l.parents) || again.owner != l.owner {
			t.Errorf("%+v became %+v, %v", l, again, err)
		}
	})
}
