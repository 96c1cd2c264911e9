package streams_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
)

// reader is a consumer as the KCL is one: it reads every shard through a subscription of its own, keeps each one's last continuation, and begins with a child when it has
// seen the end of all its parents.
type reader struct {
	f      *fixture
	r      *mathrand.Rand
	shards map[string]*reading // begun and not ended
	begun  map[string]bool
	ended  map[string]bool
	texts  map[string][]string // what came, by the key's name, in order
	events int
}

type reading struct {
	*subscriber               // nil when there is no subscription
	from        streams.Start // where to subscribe again
}

// stream is the stream as it is now.
func (rd *reader) stream() *catalog.Stream {
	return rd.f.control.State().Stream(account, region, "s")
}

func (rd *reader) begin(shard string) {
	rd.begun[shard] = true
	rd.shards[shard] = &reading{}
}

// subscribe makes a shard's subscription, waiting out the five seconds of the one before.
func (rd *reader) subscribe(shard string) {
	rd.f.Helper()
	stream, one := rd.stream(), rd.shards[shard]
	for {
		sub, err := rd.f.streams.Subscribe(rd.f.ctx, streams.SubscribeRequest{Stream: stream, Consumer: stream.Consumer("c"), ShardID: shard, Start: one.from})
		if fault.Is(err, fault.Conflict) {
			rd.f.clock.Advance(time.Second)
			continue
		}
		must(rd.f.T, err)
		one.subscriber = &subscriber{Subscription: sub, f: rd.f, stop: make(chan struct{}), waits: make(chan func() bool, 1)}
		return
	}
}

func (rd *reader) drop(shard string) {
	if one := rd.shards[shard]; one.subscriber != nil {
		one.Close()
		one.subscriber = nil
	}
}

// step takes one event of a shard, which comes at once: time has passed for a heartbeat if there is nothing else.
func (rd *reader) step(shard string) {
	rd.f.Helper()
	one := rd.shards[shard]
	if one.subscriber == nil {
		rd.subscribe(shard)
	}
	rd.f.clock.Advance(5 * time.Second)
	records, err := one.Await(rd.f.ctx, one.stop, one)
	if errors.Is(err, io.EOF) { // its five minutes are over
		rd.drop(shard)
		return
	}
	must(rd.f.T, err)
	limit := 0
	if records {
		limit = 1 + rd.r.IntN(4)
	}
	e, err := one.Read(rd.f.ctx, nil, limit)
	must(rd.f.T, err)
	defer e.Release()
	if rd.r.IntN(6) == 0 { // the connection is lost with the event in it, or the consumer dies before it has noted where it is
		rd.drop(shard)
		return
	}
	rd.events++
	for _, r := range e.Records {
		rd.texts[string(r.Key)] = append(rd.texts[string(r.Key)], string(r.Value))
	}
	one.Advance(e)
	if !e.End {
		kind := []streams.StartType{streams.AtSequence, streams.AfterSequence}[rd.r.IntN(2)]
		one.from = streams.Start{Type: kind, Sequence: e.Continuation.String()}
		return
	}
	rd.drop(shard)
	delete(rd.shards, shard)
	rd.ended[shard] = true
	if len(e.Children) == 0 {
		rd.f.Fatalf("%s ended without children", shard)
	}
	for _, child := range e.Children {
		ready := !rd.begun[child.Shard.ID]
		for _, parent := range child.Parents {
			ready = ready && rd.ended[parent]
		}
		if ready {
			rd.begin(child.Shard.ID)
		}
	}
}

// Random puts, splits, merges, lost connections and expired subscriptions: every record is pushed once, and those of a key in the order of their puts.
func TestPushedThroughReshards(t *testing.T) {
	for range 12 {
		seed := mathrand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := mathrand.New(mathrand.NewPCG(seed, 1))
			f := setUp(t)
			f.create("s", 2)
			f.register("s", "c")
			rd := &reader{f: f, r: r, shards: map[string]*reading{}, begun: map[string]bool{}, ended: map[string]bool{}, texts: map[string][]string{}}
			rd.begin(streams.ShardID(0))
			rd.begin(streams.ShardID(1))
			want, count := map[string][]string{}, 0
			address := catalog.Address{Account: account, Region: region, Name: "s"}
			pick := func() string { return slices.Sorted(maps.Keys(rd.shards))[r.IntN(len(rd.shards))] }
			for range 150 {
				switch r.IntN(8) {
				case 0, 1, 2:
					var texts []string
					for range 1 + r.IntN(5) {
						key := fmt.Sprint("k", r.IntN(9))
						texts = append(texts, fmt.Sprintf("%s=%d", key, count))
						want[key] = append(want[key], texts[len(texts)-1])
						count++
					}
					for _, result := range f.put(rd.stream(), texts...) {
						must(t, result.Err)
					}
				case 3, 4, 5:
					rd.step(pick())
				case 6:
					rd.drop(pick())
				case 7:
					open := openShards(rd.stream())
					at := r.IntN(len(open))
					var command catalog.Command = catalog.SplitShard{Address: address, Shard: open[at].Number, At: open[at].Range.Middle()}
					if at > 0 && (len(open) > 4 || r.IntN(2) == 0) {
						command = catalog.MergeShards{Address: address, Shard: open[at-1].Number, Adjacent: open[at].Number}
					}
					must(t, f.control.Propose(f.ctx, command))
					if r.IntN(2) == 0 {
						rd.step(pick()) // while the reshard is under way
					}
					f.await("s", func(s *catalog.Stream) bool { return s.Status == catalog.Active })
				}
			}
			got := func() (n int) {
				for _, texts := range rd.texts {
					n += len(texts)
				}
				return n
			}
			for steps := 0; got() < count; steps++ {
				if steps > 20_000 {
					t.Fatalf("%d of %d records came", got(), count)
				}
				rd.step(pick())
			}
			for shard := range rd.shards {
				rd.drop(shard)
			}
			for key, texts := range want {
				if !slices.Equal(rd.texts[key], texts) {
					t.Errorf("%s came as %s\nwant %s", key, strings.Join(rd.texts[key], " "), strings.Join(texts, " "))
				}
			}
			if rd.events == 0 || count == 0 {
				t.Error("nothing happened")
			}
		})
	}
}

// openShards is the open shards of a stream, in order of hash key.
func openShards(s *catalog.Stream) (open []catalog.Shard) {
	for _, shard := range s.Shards {
		if shard.Status == catalog.Open {
			open = append(open, shard)
		}
	}
	slices.SortFunc(open, func(a, b catalog.Shard) int { return a.Range.Start.Cmp(b.Range.Start) })
	return open
}
