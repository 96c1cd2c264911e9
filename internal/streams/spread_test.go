package streams_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
)

// reshard takes a stream to a number of shards and gives it as it is then.
func (f *fixture) reshard(s *catalog.Stream, target int) *catalog.Stream {
	f.Helper()
	var command catalog.Command = catalog.UpdateShardCount{Address: catalog.Address{Account: account, Region: region, Name: s.Name}, Target: target}
	if s.Mode == catalog.OnDemand {
		command = catalog.ScaleStream{Group: s.Group, Target: target}
	}
	must(f.T, f.control.Propose(f.ctx, command))
	return f.await(s.Name, func(s *catalog.Stream) bool { return s.Status == catalog.Active && s.OpenShards() == target })
}

// auto makes an ON_DEMAND stream that distributes records itself.
func (f *fixture) auto(name string) *catalog.Stream {
	f.Helper()
	must(f.T, f.control.Propose(f.ctx, catalog.CreateStream{Account: account, Region: region, Name: name, Mode: catalog.OnDemand, Distribution: catalog.Auto}))
	return f.await(name, func(s *catalog.Stream) bool { return s != nil && s.Status == catalog.Active })
}

// all is every record of a stream, by data, and how often it is there.
func (f *fixture) all(s *catalog.Stream) map[string]int {
	f.Helper()
	found := map[string]int{}
	for i := range s.Shards {
		token := f.iterator(s, fmt.Sprint(s.Shards[i].Number), streams.Start{})
		for token != "" {
			got := f.get(token, 10_000)
			for i := range got.Records {
				found[string(got.Records[i].Value)]++
			}
			token = got.Next
			if got.MillisBehind == 0 && len(got.Records) == 0 {
				token = ""
			}
			got.Release()
		}
	}
	return found
}

// Shows that a stream in AUTO fills its shards evenly, by bytes and by records, whatever the sizes of records and requests, and that small requests do not
// touch every shard.
func TestSpreadIsEven(t *testing.T) {
	f := setUp(t)
	s := f.auto("s")
	random := rand.New(rand.NewPCG(1, 2))
	bytes, records := map[string]int{}, map[string]int{}
	for range 600 {
		p, err := f.streams.Begin(f.ctx, s)
		must(t, err)
		n, largest := 1+random.IntN(20), 1+random.IntN(3000)
		sizes := make([]int, n)
		touched := map[string]bool{}
		for i := range sizes {
			sizes[i] = random.IntN(largest)
			p.Add(nil, &record.HashKey{}, sizes[i])
		}
		p.Commit(f.ctx)
		for i, size := range sizes {
			r := p.Result(i)
			must(t, r.Err)
			bytes[r.ShardID] += size
			records[r.ShardID]++
			touched[r.ShardID] = true
		}
		p.Release()
		if len(touched) > 2 {
			t.Errorf("a request of %d records touched %d shards", n, len(touched))
		}
	}
	for shard := range bytes {
		if share := float64(bytes[shard]) / float64(bytes["shardId-000000000000"]); len(bytes) != 4 || share < 0.7 || share > 1.4 {
			t.Errorf("bytes %v, records %v", bytes, records)
		}
		if share := float64(records[shard]) / float64(records["shardId-000000000000"]); share < 0.7 || share > 1.4 {
			t.Errorf("bytes %v, records %v", bytes, records)
		}
	}
}

// Shows that a put which finds its shards closed is written to those that took over, in AUTO too, and that what the limits refused stays refused: each
// record that was let in is there once, at the place that was answered.
func TestPutsMeetReshards(t *testing.T) {
	f := setUp(t, small)
	for _, row := range []struct {
		name   string
		stream *catalog.Stream
		to     int
		in     int // records let in of 14
	}{
		{"split", f.create("split", 1), 2, 5},
		{"merge", f.create("merge", 2), 1, 10},
		{"auto", f.auto("auto"), 8, 5},
	} {
		p, err := f.streams.Begin(f.ctx, row.stream)
		must(t, err)
		after := f.reshard(row.stream, row.to)
		for i := range 14 {
			text := fmt.Sprintf("%s-%d", row.name, i)
			half := record.HashKey{Hi: uint64(i%2) << 63}
			copy(p.Add([]byte("k"), &half, len(text)), text)
		}
		p.Commit(f.ctx)
		want := map[string]int{}
		for i := range 14 {
			r := p.Result(i)
			switch {
			case r.Err == nil:
				want[fmt.Sprintf("%s-%d", row.name, i)] = 1
				var number uint32
				if _, err := fmt.Sscanf(strings.TrimPrefix(r.ShardID, "shardId-"), "%d", &number); err != nil || after.Shard(number).Status != catalog.Open {
					t.Errorf("%s: record %d is in %s", row.name, i, r.ShardID)
				}
			case !fault.Is(r.Err, fault.Throttled):
				t.Errorf("%s: record %d: %v", row.name, i, r.Err)
			}
		}
		p.Release()
		if len(want) != row.in {
			t.Errorf("%s: %d were let in, want %d", row.name, len(want), row.in)
		}
		if got := f.all(after); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: there are %v, want %v", row.name, got, want)
		}
	}
}
